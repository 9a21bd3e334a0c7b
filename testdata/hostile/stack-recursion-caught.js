// expect: value: "still here"
function f() {
  try {
    return f() + 1;
  } catch {
    return 1;
  }
}
f();
return "still here";
