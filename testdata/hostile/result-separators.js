// expect: value: "\u2028\u2029\ufeff\uffff"
return "\u2028\u2029\ufeff\uffff";
