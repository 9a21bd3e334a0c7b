// expect: value: {"a\ud800":"\udc00b","c":["\ud83d\ude00"]}
return { "a\ud800": "\udc00b", c: ["\ud83d\ude00"] };
