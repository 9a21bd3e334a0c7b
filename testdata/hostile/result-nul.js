// expect: value: {"\u0000":"\u0000\u0001\u001f"}
return { "\0": "\0\x01\x1f" };
