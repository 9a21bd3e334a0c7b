// expect: SYNTAX_ERROR|SCRIPT_ERROR
return /(?<a>(?<a>[z-a]{9,1}/u.test("");
