// expect: CPU_LIMIT
const tag = () => {
  for (;;) {}
};
tag`x`;
