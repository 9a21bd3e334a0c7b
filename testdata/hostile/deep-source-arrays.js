// expect: SYNTAX_ERROR
return «[»*80000 «]»*80000;
