// expect: value: "odd"
for (const n of [NaN, Infinity, -Infinity, 1e308, -0]) {
  try { progress(n, n, "\ud800\0"); } catch {}
}
return "odd";
