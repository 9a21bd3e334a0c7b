// expect: SCRIPT_ERROR
// The engine throws null when it has no memory: a program may throw it too.
throw null;
