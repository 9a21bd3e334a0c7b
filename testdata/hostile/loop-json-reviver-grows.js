// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR
// The reviver makes more for the reviver to visit.
JSON.parse('{"a":1}', function (k, v) {
  this[k + "a"] = { a: 1 };
  return { a: { a: v } };
});
for (;;) JSON.parse("[[[[[[[[[[1]]]]]]]]]]", (k, v) => [v]);
