// expect: HEAP_LIMIT|CPU_LIMIT
function* naturals() {
  for (let i = 0; ; i++) yield i;
}
[...naturals()];
