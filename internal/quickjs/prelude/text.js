// TextEncoder, TextDecoder (UTF-8 only), atob, btoa, and arrayFromAsync for
// engines without Array.fromAsync.
// Natives, each optional and for speed alone: N.utf8Encode(wellFormedString) →
// Uint8Array; N.utf8Decode(uint8Array) → string, undefined where the bytes are
// not valid UTF-8.
(function (P, N) {
  "use strict";
  const { StringPrototypeCharCodeAt, StringFromCharCode, TypedArrayPrototypeGetLength, Uint8Array, TypeError, RangeError, list } = P;

  const toText = (v) => {
    if (typeof v === "symbol") throw new TypeError("Cannot convert a Symbol value to a string");
    return P.String(v);
  };
  const domError = (name, message) => {
    const e = new P.Error(message);
    P.defineHidden(e, "name", name);
    return e;
  };
  // Bytes of an ArrayBuffer or a view of one, without a copy.
  const bytesOf = (v, what) => {
    if (typeof v === "object" && v !== null) {
      if (P.ArrayBufferIsView(v)) {
        if (P.TypedArrayPrototypeGetName(v) !== undefined)
          return new Uint8Array(P.TypedArrayPrototypeGetBuffer(v), P.TypedArrayPrototypeGetByteOffset(v), P.TypedArrayPrototypeGetByteLength(v));
        return new Uint8Array(P.DataViewPrototypeGetBuffer(v), P.DataViewPrototypeGetByteOffset(v), P.DataViewPrototypeGetByteLength(v));
      }
      const brand = P.brand(v);
      if (brand === "ArrayBuffer" || brand === "SharedArrayBuffer") return new Uint8Array(v);
    }
    throw new TypeError(what + " must be an ArrayBuffer, a typed array or a DataView");
  };

  // UTF-8

  const utf8Length = (s) => {
    let n = 0;
    for (let i = 0; i < s.length; i++) {
      const c = StringPrototypeCharCodeAt(s, i);
      if (c < 0x80) n += 1;
      else if (c < 0x800) n += 2;
      else if (c >= 0xd800 && c <= 0xdbff) (n += 4), i++;
      else n += 3;
    }
    return n;
  };
  // Writes as many whole characters of a well-formed string as fit.
  const utf8Write = (s, out, size) => {
    let at = 0;
    let i = 0;
    for (; i < s.length; i++) {
      let c = StringPrototypeCharCodeAt(s, i);
      if (c < 0x80) {
        if (at + 1 > size) break;
        out[at++] = c;
      } else if (c < 0x800) {
        if (at + 2 > size) break;
        out[at++] = 0xc0 | (c >> 6);
        out[at++] = 0x80 | (c & 63);
      } else if (c >= 0xd800 && c <= 0xdbff) {
        if (at + 4 > size) break;
        c = 0x10000 + ((c - 0xd800) << 10) + StringPrototypeCharCodeAt(s, ++i) - 0xdc00;
        out[at++] = 0xf0 | (c >> 18);
        out[at++] = 0x80 | ((c >> 12) & 63);
        out[at++] = 0x80 | ((c >> 6) & 63);
        out[at++] = 0x80 | (c & 63);
      } else {
        if (at + 3 > size) break;
        out[at++] = 0xe0 | (c >> 12);
        out[at++] = 0x80 | ((c >> 6) & 63);
        out[at++] = 0x80 | (c & 63);
      }
    }
    return { __proto__: null, read: i, written: at };
  };
  const utf8Encode = (s) => {
    s = P.StringPrototypeToWellFormed(s);
    if (N && N.utf8Encode) return N.utf8Encode(s);
    const out = new Uint8Array(utf8Length(s));
    utf8Write(s, out, TypedArrayPrototypeGetLength(out));
    return out;
  };

  // A string out of UTF-16 units, collected in pieces.
  const builder = () => {
    let text = "";
    let units = list();
    let n = 0;
    return {
      __proto__: null,
      add(unit) {
        units[n++] = unit;
        if (n === 4096) {
          text += P.ReflectApply(StringFromCharCode, undefined, units);
          units.length = n = 0;
        }
      },
      end() {
        if (n > 0) text += P.ReflectApply(StringFromCharCode, undefined, units);
        return text;
      },
    };
  };

  class TextEncoder {
    #brand = true;
    get encoding() {
      this.#brand;
      return "utf-8";
    }
    encode(input = "") {
      this.#brand;
      return utf8Encode(toText(input));
    }
    encodeInto(source, destination) {
      this.#brand;
      const s = P.StringPrototypeToWellFormed(toText(source));
      if (typeof destination !== "object" || destination === null || P.brand(destination) !== "Uint8Array") throw new TypeError("encodeInto's destination must be a Uint8Array");
      const r = utf8Write(s, destination, TypedArrayPrototypeGetLength(destination));
      return { read: r.read, written: r.written };
    }
  }

  const UTF8 = ["utf-8", "utf8", "unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "x-unicode20utf8"];
  class TextDecoder {
    #fatal;
    #ignoreBOM;
    // What a stream carries from one decode to the next.
    #need = 0;
    #seen = 0;
    #point = 0;
    #lower = 0x80;
    #upper = 0xbf;
    #streaming = false;
    #bomSeen = false;
    constructor(label = "utf-8", options = undefined) {
      const name = P.StringPrototypeToLowerCase(P.StringPrototypeTrim(toText(label)));
      let known = false;
      for (let i = 0; i < UTF8.length; i++) if (UTF8[i] === name) known = true;
      if (!known) throw new RangeError("TextDecoder decodes utf-8 only here, not " + P.JSONStringify(toText(label)));
      if (options !== undefined && options !== null && typeof options !== "object" && typeof options !== "function") throw new TypeError("TextDecoder's options must be an object");
      this.#fatal = !!options?.fatal;
      this.#ignoreBOM = !!options?.ignoreBOM;
    }
    get encoding() {
      this.#fatal;
      return "utf-8";
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return this.#ignoreBOM;
    }
    decode(input = undefined, options = undefined) {
      const stream = !!options?.stream;
      const bytes = input === undefined ? new Uint8Array(0) : bytesOf(input, "TextDecoder.decode's input");
      if (!this.#streaming) {
        this.#need = this.#seen = 0;
        this.#lower = 0x80;
        this.#upper = 0xbf;
        this.#bomSeen = false;
        if (!stream && N && N.utf8Decode) {
          const s = N.utf8Decode(bytes);
          if (s !== undefined) return !this.#ignoreBOM && s.length > 0 && StringPrototypeCharCodeAt(s, 0) === 0xfeff ? P.StringPrototypeSlice(s, 1) : s;
        }
      }
      this.#streaming = stream;
      const out = builder();
      const bad = () => {
        if (this.#fatal) {
          this.#streaming = false;
          throw new TypeError("The encoded data was not valid for encoding utf-8");
        }
        emit(0xfffd);
      };
      const emit = (point) => {
        if (!this.#bomSeen) {
          this.#bomSeen = true;
          if (point === 0xfeff && !this.#ignoreBOM) return;
        }
        if (point > 0xffff) {
          out.add(0xd800 + ((point - 0x10000) >> 10));
          out.add(0xdc00 + ((point - 0x10000) & 0x3ff));
        } else out.add(point);
      };
      const length = TypedArrayPrototypeGetLength(bytes);
      for (let i = 0; i < length; i++) {
        const b = bytes[i];
        if (this.#need === 0) {
          if (b < 0x80) emit(b);
          else if (b >= 0xc2 && b <= 0xdf) {
            this.#need = 1;
            this.#point = b & 0x1f;
          } else if (b >= 0xe0 && b <= 0xef) {
            if (b === 0xe0) this.#lower = 0xa0;
            if (b === 0xed) this.#upper = 0x9f;
            this.#need = 2;
            this.#point = b & 0xf;
          } else if (b >= 0xf0 && b <= 0xf4) {
            if (b === 0xf0) this.#lower = 0x90;
            if (b === 0xf4) this.#upper = 0x8f;
            this.#need = 3;
            this.#point = b & 7;
          } else bad();
          continue;
        }
        const ok = b >= this.#lower && b <= this.#upper;
        this.#lower = 0x80;
        this.#upper = 0xbf;
        if (!ok) {
          this.#need = this.#seen = 0;
          bad();
          i--;
          continue;
        }
        this.#point = (this.#point << 6) | (b & 63);
        if (++this.#seen === this.#need) {
          this.#need = this.#seen = 0;
          emit(this.#point);
        }
      }
      if (!stream && this.#need !== 0) {
        this.#need = this.#seen = 0;
        this.#lower = 0x80;
        this.#upper = 0xbf;
        bad();
      }
      return out.end();
    }
  }
  const tag = (C, name) => P.ObjectDefineProperty(C.prototype, P.SymbolToStringTag, { __proto__: null, value: name, configurable: true });
  tag(TextEncoder, "TextEncoder");
  tag(TextDecoder, "TextDecoder");

  // Base64

  const btoa = (function btoa(data) {
    if (arguments.length === 0) throw new TypeError("btoa needs one argument");
    const s = toText(data);
    const bytes = new Uint8Array(s.length);
    for (let i = 0; i < s.length; i++) {
      const c = StringPrototypeCharCodeAt(s, i);
      if (c > 255) throw domError("InvalidCharacterError", "btoa takes characters up to U+00FF only; encode other text with new TextEncoder().encode(text) first");
      bytes[i] = c;
    }
    return P.Uint8ArrayPrototypeToBase64(bytes);
  });
  const atob = (function atob(data) {
    if (arguments.length === 0) throw new TypeError("atob needs one argument");
    let bytes;
    try {
      bytes = P.Uint8ArrayFromBase64(toText(data));
    } catch (e) {
      if (typeof data === "symbol") throw e;
      throw domError("InvalidCharacterError", "The string to be decoded is not correctly encoded base64");
    }
    const out = builder();
    const length = TypedArrayPrototypeGetLength(bytes);
    for (let i = 0; i < length; i++) out.add(bytes[i]);
    return out.end();
  });

  // Array.fromAsync. It runs the program's iterators: all its look-ups are the
  // language's own.
  const arrayFromAsync = async function fromAsync(items, mapper = undefined, thisArg = undefined) {
    if (mapper !== undefined && typeof mapper !== "function") throw new TypeError("Array.fromAsync's second argument must be a function");
    if (items === null || items === undefined) throw new TypeError("Array.fromAsync needs an iterable or an array-like object, not " + items);
    const isCtor = typeof this === "function" && this !== P.Array;
    const map = async (v, i) => (mapper === undefined ? v : await P.ReflectApply(mapper, thisArg, [v, i]));
    let n = 0;
    const make = (length) => (isCtor ? (length === undefined ? new this() : new this(length)) : []);
    const asyncMethod = items[P.SymbolAsyncIterator];
    const method = asyncMethod === undefined || asyncMethod === null ? items[P.SymbolIterator] : asyncMethod;
    if (method === undefined || method === null) {
      const length = P.MathMin(P.MathMax(P.MathTrunc(+items.length) || 0, 0), 2 ** 53 - 1);
      const out = make(length);
      for (; n < length; n++) P.define(out, n, await map(await items[n], n));
      out.length = length;
      return out;
    }
    const out = make();
    const isAsync = method === asyncMethod;
    const it = P.ReflectApply(method, items, []);
    const next = it.next;
    for (;;) {
      let step = P.ReflectApply(next, it, []);
      if (isAsync) step = await step;
      if ((typeof step !== "object" || step === null) && typeof step !== "function") throw new TypeError("iterator result is not an object");
      if (step.done) break;
      try {
        P.define(out, n, await map(isAsync ? step.value : await step.value, n));
        n++;
      } catch (e) {
        try {
          const close = it.return;
          if (close !== undefined && close !== null) {
            const r = P.ReflectApply(close, it, []);
            if (isAsync) await r;
          }
        } catch {}
        throw e;
      }
    }
    out.length = n;
    return out;
  };
  P.ObjectDefineProperty(arrayFromAsync, "length", { __proto__: null, value: 1, configurable: true });

  return { __proto__: null, TextEncoder, TextDecoder, atob, btoa, arrayFromAsync };
})
