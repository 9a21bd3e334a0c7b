// expect: value: 200000
const a = [«1,»*100000];
return a.length * 2;
