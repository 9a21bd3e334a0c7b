// expect: SYNTAX_ERROR
«{»*80000 «}»*80000
