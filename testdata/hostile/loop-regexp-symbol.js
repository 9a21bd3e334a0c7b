// expect: CPU_LIMIT|HEAP_LIMIT
const re = /a/g;
re.exec = () => ({ index: 0, 0: "", length: 1 });
"aaa".replace(re, () => {
  re.lastIndex = 0;
  return "";
});
