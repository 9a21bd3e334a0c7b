// expect: SYNTAX_ERROR|value: null|SCRIPT_ERROR|HEAP_LIMIT
«if(0);else »*20000 1;
