// expect: value: "```"|SYNTAX_ERROR
const s = "```";
return s;
