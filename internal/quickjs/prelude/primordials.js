// The captured built-ins. Evaluated first, in the pristine realm; every other
// file of the prelude runs later, perhaps after a program has replaced every
// global and every prototype, and may use only what is captured here.
//
// Names: P.ObjectKeys is a static, P.ArrayPrototypePush(array, value) a method
// with `this` as first argument, P.MapPrototypeGetSize(map) a getter, P.Map a
// constructor, P.MapPrototype its prototype, P.SymbolIterator a symbol.
//
// Deliberately absent, because they look up something a program can replace:
// split, replace, match (Symbol.*); map, filter, concat, splice, subarray
// (Symbol.species); test (exec). Template literals call
// String.prototype.concat in this engine, for-of and spread use iterators, and
// a[i] = v on an ordinary array meets setters on Array.prototype: P.list()
// gives one without a prototype. PromisePrototypeThen is here, but looks up the
// promise's constructor and its Symbol.species: await looks up less.
//
// This is on the path of every start of a worker, where a touched built-in
// costs a microsecond and a line of text as much: only what is used is listed.
(function (global) {
  "use strict";
  const { Object, Symbol } = global;
  const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf, hasOwn } = Object;
  const { bind, call } = global.Function.prototype;
  const uncurryThis = bind.bind(call);
  const iterator = getPrototypeOf([][Symbol.iterator]());
  const P = { __proto__: null, uncurryThis, globalThis: global, IteratorPrototype: getPrototypeOf(iterator) };

  // class=statics|methods, a getter with a point in front.
  const hidden = { TypedArray: getPrototypeOf(global.Uint8Array.prototype), MapIterator: getPrototypeOf(new global.Map().entries()), SetIterator: getPrototypeOf(new global.Set().values()) };
  const capital = (s) => s[0].toUpperCase() + s.slice(1);
  for (const row of "Object=keys getOwnPropertyNames getOwnPropertySymbols getOwnPropertyDescriptor defineProperty getPrototypeOf setPrototypeOf create is hasOwn isExtensible|propertyIsEnumerable;Function=|toString;Array=isArray|push join indexOf includes sort;String=fromCharCode fromCodePoint|charCodeAt codePointAt indexOf lastIndexOf slice startsWith endsWith includes toLowerCase toUpperCase trim padStart padEnd repeat normalize toWellFormed valueOf;Number=isFinite isNaN parseFloat parseInt|toString valueOf;BigInt=|toString valueOf;Boolean=|valueOf;Symbol=iterator asyncIterator toStringTag|toString valueOf;RegExp=|exec .source .hasIndices .global .ignoreCase .multiline .dotAll .unicode .unicodeSets .sticky;Date=now UTC|getTime toISOString getUTCFullYear getUTCMonth getUTCDate getUTCDay getUTCHours getUTCMinutes getUTCSeconds getUTCMilliseconds;Map=|get set has delete forEach entries .size;Set=|add forEach values .size;WeakMap=|get set has;WeakSet=|has add;WeakRef=|deref;ArrayBuffer=isView|.byteLength .resizable .maxByteLength;DataView=|.byteLength .byteOffset .buffer;Promise=|then;Error=isError|;TypeError=|;RangeError=|;SyntaxError=|;ReferenceError=|;EvalError=|;URIError=|;AggregateError=|;Uint8Array=fromBase64|toBase64;Int8Array=|;Uint8ClampedArray=|;Uint16Array=|;Int16Array=|;Uint32Array=|;Int32Array=|;Float16Array=|;Float32Array=|;Float64Array=|;BigInt64Array=|;BigUint64Array=|;SharedArrayBuffer=|.byteLength;TypedArray=|set .length .byteLength .byteOffset .buffer .@;MapIterator=|next;SetIterator=|next;Reflect=ownKeys apply construct;JSON=parse stringify;Math=floor min max trunc abs round;Proxy=".split(";")) {
    const [name, lists] = row.split("=");
    const [statics, methods] = lists.split("|");
    const C = global[name];
    if (C === undefined && !hidden[name]) continue;
    P[name] = C;
    if (statics) for (const n of statics.split(" ")) P[name + capital(n)] = C[n];
    if (methods === undefined) continue;
    const proto = (P[name + "Prototype"] = hidden[name] || C.prototype);
    if (methods)
      for (const n of methods.split(" "))
        if (n[0] !== ".") P[name + "Prototype" + capital(n)] = uncurryThis(proto[n]);
        else if (n === ".@") P.TypedArrayPrototypeGetName = uncurryThis(proto.__lookupGetter__(Symbol.toStringTag));
        else P[name + "PrototypeGet" + capital(n.slice(1))] = uncurryThis(proto.__lookupGetter__(n.slice(1)));
  }
  for (const n of ["resolve", "reject"]) P["Promise" + capital(n)] = P.Promise[n].bind(P.Promise);
  const endsWith = (ending) => setPrototypeOf(P.ObjectKeys(P).filter((k) => k.length > ending.length && k.endsWith(ending) && k !== "TypedArray"), null);
  P.typedArrays = endsWith("Array"); // names
  P.errors = endsWith("Error"); // names, without Error itself

  // An array without prototype: indexed writes and reads meet no setter and no
  // pollution. Take it apart with P.ArrayPrototype*; hand out P.array(list).
  P.list = () => setPrototypeOf([], null);
  P.array = (list) => setPrototypeOf(list, P.ArrayPrototype);
  // A value property as assignment would make it, whatever setters exist; and
  // one that is not enumerable, as built-in methods are.
  P.define = (object, key, value) => defineProperty(object, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
  P.defineHidden = (object, key, value) => defineProperty(object, key, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
  P.regexpTest = (re, s) => P.RegExpPrototypeExec(re, s) !== null;
  // The value of a data property of the object or its prototypes; undefined
  // where a getter would have to be called.
  P.peek = (object, key) => {
    for (let p = object, i = 0; p !== null && i < 100; p = getPrototypeOf(p), i++) {
      const d = getOwnPropertyDescriptor(p, key);
      if (d !== undefined) return hasOwn(d, "value") ? d.value : undefined;
    }
  };
  // How the console shows instances that keep their state in private fields:
  // prototype → function of the instance. Libraries add themselves.
  P.inspectors = new P.Map();

  // What an object is inside, whatever its tag and constructor say: "Map",
  // "Date", "Uint8Array"…, "Object" for all else. Found by a walk up the
  // prototypes (a proxy's trap may run and throw) and proved by a method that
  // accepts only the real thing. "Promise" is a claim only: nothing in the
  // language proves it.
  const proofs = new P.Map();
  const prove = (name, proof) => P[name + "Prototype"] && P.MapPrototypeSet(proofs, P[name + "Prototype"], { __proto__: null, name, proof });
  const yes = () => true;
  const orThrow = (v) => {
    if (!v) throw v;
    return v;
  };
  prove("Object", yes);
  prove("Promise", yes);
  for (const name of ["Map", "Set"]) prove(name, P[name + "PrototypeGetSize"]);
  for (const name of ["ArrayBuffer", "SharedArrayBuffer"]) prove(name, P[name + "PrototypeGetByteLength"]);
  for (const name of ["Number", "String", "Boolean", "BigInt", "Symbol"]) prove(name, P[name + "PrototypeValueOf"]);
  for (const name of ["WeakMap", "WeakSet"]) prove(name, (v) => P[name + "PrototypeHas"](v, v));
  prove("WeakRef", P.WeakRefPrototypeDeref);
  prove("Date", P.DatePrototypeGetTime);
  prove("DataView", P.DataViewPrototypeGetBuffer);
  prove("RegExp", (v) => orThrow(P.RegExpPrototypeGetGlobal(v) !== undefined));
  prove("Error", (v) => orThrow(P.ErrorIsError(v)));
  prove("TypedArray", (v) => orThrow(P.TypedArrayPrototypeGetName(v)));
  P.brand = (value) => {
    if (P.ArrayIsArray(value)) return "Array";
    if (typeof value === "function") return "Function";
    for (let p = getPrototypeOf(value), i = 0; p !== null && i < 100; p = getPrototypeOf(p), i++) {
      const b = P.MapPrototypeGet(proofs, p);
      if (b === undefined) continue;
      try {
        const found = b.proof(value);
        return b.name === "TypedArray" ? found : b.name;
      } catch {}
    }
    return "Object";
  };
  return P;
})
