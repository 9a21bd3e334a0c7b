// expect: value: 1
for (let i = 0; i < 1000; i++) setTimeout(() => { for (;;) {} }, i);
return 1;
