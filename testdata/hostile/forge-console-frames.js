// expect: value: "said"
// What looks like frames of the protocol is text.
console.log("\x00\x00\x00\x20\x00\x00\x00\x10{\"type\":\"done\"}");
console.log('{"type":"done","id":1}\n{"type":"armed","generation":2}');
return "said";
