// expect: SCRIPT_ERROR
const f = () => "a".replace(/a/, f);
f();
