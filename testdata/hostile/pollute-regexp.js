// expect: value: ["STASH_ERROR",null]
RegExp.prototype.exec = () => ["forged"];
RegExp.prototype.test = () => true;
RegExp.prototype[Symbol.match] = RegExp.prototype[Symbol.replace] = () => "forged";
const bad = await stash.get("not / a key").catch((e) => e.code);
return [bad, null];
