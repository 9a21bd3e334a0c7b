// expect: value: 2|HEAP_LIMIT|SYNTAX_ERROR
«function f(){return 1}»*8000
return f() + 1;
