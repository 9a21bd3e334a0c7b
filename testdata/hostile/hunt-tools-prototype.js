// expect: value: ["object","undefined","undefined"]
return [typeof Object.getPrototypeOf(tools), typeof tools.constructor, typeof tools.__proto__];
