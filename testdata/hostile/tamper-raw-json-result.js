// expect: INVALID_RESULT
if (!JSON.rawJSON) throw new HostError("none");
return { raw: JSON.rawJSON(String.fromCharCode(34, 0xdfff, 34)) };
