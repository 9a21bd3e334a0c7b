// expect: value: 200000
const s = "«x»*200000";
return s.length;
