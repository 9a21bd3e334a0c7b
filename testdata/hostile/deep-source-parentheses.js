// expect: SYNTAX_ERROR
const a = «(»*80000 1 «)»*80000;
