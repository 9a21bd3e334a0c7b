// expect: INVALID_ARGUMENTS
emit({ type: "text", text: JSON.rawJSON(String.fromCharCode(34, 0xd800, 34)) });
