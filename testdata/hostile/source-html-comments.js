// expect: value: 1|SYNTAX_ERROR
<!-- a comment of old
return 1;
