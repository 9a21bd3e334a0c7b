// expect: SYNTAX_ERROR|CPU_LIMIT
«const a = 1;»*10000
