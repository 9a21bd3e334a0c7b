// expect: value: []
// No name on the global object may lead to the host.
const known = /^(Object|Function|Array|Number|Boolean|String|Symbol|BigInt|Math|JSON|Date|RegExp|Map|Set|Weak(Map|Set|Ref)|FinalizationRegistry|Proxy|Reflect|Promise|Iterator|.*Error|ArrayBuffer|DataView|.*Array|globalThis|undefined|NaN|Infinity|parse(Int|Float)|is(NaN|Finite)|(de|en)codeURI(Component)?|(un)?escape|eval|tools|callTool|resources|stash|parallel|catalog|emit|progress|console|sleep|(set|clear)Timeout|queueMicrotask|structuredClone|atob|btoa|Text(En|De)coder|URL(SearchParams)?|crypto|forge|codemode|Intl|DOMException)$/;
return Reflect.ownKeys(globalThis).filter((k) => typeof k !== "string" || !known.test(k)).map(String).filter((k) => k !== "Symbol(Symbol.toStringTag)" && k !== "known");
