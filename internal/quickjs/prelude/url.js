// URL and URLSearchParams after the WHATWG URL standard.
//
// Host names outside ASCII are normalised with NFKC and lower-cased instead of
// UTS #46's tables, and converted to punycode; the validity rules of IDNA
// (bidi, joiners, disallowed characters) are not checked.
// Natives: none.
(function (P, N) {
  "use strict";
  const {
    ArrayPrototypeJoin, NumberPrototypeToString, StringPrototypeCharCodeAt, StringPrototypeCodePointAt, StringPrototypeIndexOf,
    StringPrototypeEndsWith, StringPrototypeSlice, StringPrototypeStartsWith, StringPrototypeToLowerCase,
    StringFromCharCode, StringFromCodePoint, RegExpPrototypeExec, TypeError, list, regexpTest,
  } = P;

  const toText = (v) => {
    if (typeof v === "symbol") throw new TypeError("Cannot convert a Symbol value to a string");
    return P.StringPrototypeToWellFormed(P.String(v));
  };
  const split = (s, separator) => {
    const out = list();
    let at = 0;
    for (;;) {
      const end = StringPrototypeIndexOf(s, separator, at);
      if (end < 0) break;
      out[out.length] = StringPrototypeSlice(s, at, end);
      at = end + separator.length;
    }
    out[out.length] = StringPrototypeSlice(s, at);
    return out;
  };
  const without = (s, first) => (StringPrototypeStartsWith(s, first) ? StringPrototypeSlice(s, 1) : s);
  const copyList = (from) => {
    const out = list();
    for (let i = 0; i < from.length; i++) out[i] = from[i];
    return out;
  };

  // Percent-encoding. Each set is a bit; the sets grow along the chain.

  const CONTROL = 1, FRAGMENT_SET = 2, QUERY_SET = 4, SPECIAL_QUERY_SET = 8, PATH_SET = 16, USERINFO_SET = 32, FORM_SET = 64;
  const encoded = list();
  {
    const mark = (chars, bits) => {
      for (let i = 0; i < chars.length; i++) encoded[StringPrototypeCharCodeAt(chars, i)] |= bits;
    };
    for (let i = 0; i < 128; i++) encoded[i] = i < 32 || i === 127 ? 127 : 0;
    mark(' "<>', FRAGMENT_SET | QUERY_SET | SPECIAL_QUERY_SET | PATH_SET | USERINFO_SET | FORM_SET);
    mark("`", FRAGMENT_SET | PATH_SET | USERINFO_SET | FORM_SET);
    mark("#", QUERY_SET | SPECIAL_QUERY_SET | PATH_SET | USERINFO_SET | FORM_SET);
    mark("'", SPECIAL_QUERY_SET | FORM_SET);
    mark("?^{}", PATH_SET | USERINFO_SET | FORM_SET);
    mark("/:;=@[\\]|", USERINFO_SET | FORM_SET);
    mark("$%&+,!()~", FORM_SET);
  }
  const HEX = "0123456789ABCDEF";
  const percent = (b) => "%" + HEX[b >> 4] + HEX[b & 15];
  const percentPoint = (c) => {
    if (c < 0x80) return percent(c);
    if (c < 0x800) return percent(0xc0 | (c >> 6)) + percent(0x80 | (c & 63));
    if (c < 0x10000) return percent(0xe0 | (c >> 12)) + percent(0x80 | ((c >> 6) & 63)) + percent(0x80 | (c & 63));
    return percent(0xf0 | (c >> 18)) + percent(0x80 | ((c >> 12) & 63)) + percent(0x80 | ((c >> 6) & 63)) + percent(0x80 | (c & 63));
  };
  const encode = (s, set) => {
    let out = "";
    let last = 0;
    for (let i = 0; i < s.length; i++) {
      let c = StringPrototypeCharCodeAt(s, i);
      if (c < 128 && (encoded[c] & set) === 0) continue;
      out += StringPrototypeSlice(s, last, i);
      if (c >= 0xd800) c = StringPrototypeCodePointAt(s, i);
      out += c === 32 && set === FORM_SET ? "+" : percentPoint(c);
      if (c > 0xffff) i++;
      last = i + 1;
    }
    return last === 0 ? s : out + StringPrototypeSlice(s, last);
  };
  const nibble = (c) => (c >= 48 && c <= 57 ? c - 48 : c >= 65 && c <= 70 ? c - 55 : c >= 97 && c <= 102 ? c - 87 : -1);
  const pointAt = (bytes, i) => {
    const b = bytes[i];
    const need = b >= 0xc2 && b <= 0xdf ? 1 : b >= 0xe0 && b <= 0xef ? 2 : b >= 0xf0 && b <= 0xf4 ? 3 : 0;
    let point = b & (need === 1 ? 0x1f : need === 2 ? 0xf : 7);
    let lower = b === 0xe0 ? 0xa0 : b === 0xf0 ? 0x90 : 0x80;
    let upper = b === 0xed ? 0x9f : b === 0xf4 ? 0x8f : 0xbf;
    for (let n = 1; n <= need; n++) {
      const c = i + n < bytes.length ? bytes[i + n] : -1;
      if (c < lower || c > upper) return { __proto__: null, point: 0xfffd, size: n };
      lower = 0x80;
      upper = 0xbf;
      point = (point << 6) | (c & 63);
    }
    return need === 0 ? { __proto__: null, point: 0xfffd, size: 1 } : { __proto__: null, point, size: need + 1 };
  };
  // Percent-decoding, then UTF-8 with replacement characters. Runs of escapes
  // are decoded together; the text between them is well-formed already.
  const decode = (s) => {
    let at = StringPrototypeIndexOf(s, "%");
    if (at < 0) return s;
    let out = "";
    let last = 0;
    while (at >= 0) {
      const bytes = list();
      let i = at;
      while (i + 2 < s.length && StringPrototypeCharCodeAt(s, i) === 37) {
        const hi = nibble(StringPrototypeCharCodeAt(s, i + 1));
        const lo = nibble(StringPrototypeCharCodeAt(s, i + 2));
        if (hi < 0 || lo < 0) break;
        bytes[bytes.length] = hi * 16 + lo;
        i += 3;
      }
      if (i === at) i++;
      else {
        out += StringPrototypeSlice(s, last, at);
        for (let b = 0; b < bytes.length; ) {
          if (bytes[b] < 0x80) {
            out += StringFromCharCode(bytes[b++]);
            continue;
          }
          const p = pointAt(bytes, b);
          out += StringFromCodePoint(p.point);
          b += p.size;
        }
        last = i;
      }
      at = StringPrototypeIndexOf(s, "%", i);
    }
    return out + StringPrototypeSlice(s, last);
  };

  // Hosts. A host is a string; failure is undefined.

  const forbiddenHost = /[\x00\t\n\r #/:<>?@[\\\]^|]/;
  const forbiddenDomain = /[\x00-\x20#%/:<>?@[\\\]^|\x7f]/;
  const ascii = /^[\x00-\x7f]*$/;

  const punycode = (label) => {
    const points = list();
    let out = "";
    for (let i = 0; i < label.length; i++) {
      const c = StringPrototypeCodePointAt(label, i);
      if (c > 0xffff) i++;
      points[points.length] = c;
      if (c < 128) out += StringFromCharCode(c);
    }
    let done = out.length;
    const basic = done;
    if (basic > 0) out += "-";
    let n = 128;
    let delta = 0;
    let bias = 72;
    while (done < points.length) {
      let next = 0x7fffffff;
      for (let i = 0; i < points.length; i++) if (points[i] >= n && points[i] < next) next = points[i];
      delta += (next - n) * (done + 1);
      n = next;
      for (let i = 0; i < points.length; i++) {
        if (points[i] < n) delta++;
        if (points[i] !== n) continue;
        let q = delta;
        for (let k = 36; ; k += 36) {
          const t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
          const digit = q < t ? q : t + ((q - t) % (36 - t));
          out += StringFromCharCode(digit + (digit < 26 ? 97 : 22));
          if (q < t) break;
          q = P.MathFloor((q - t) / (36 - t));
        }
        delta = P.MathFloor(done === basic ? delta / 700 : delta / 2);
        delta += P.MathFloor(delta / (done + 1));
        let k = 0;
        for (; delta > 455; k += 36) delta = P.MathFloor(delta / 35);
        bias = P.MathFloor(k + (36 * delta) / (delta + 38));
        delta = 0;
        done++;
      }
      delta++;
      n++;
    }
    return out;
  };
  const ignorable = (c) => c === 0xad || c === 0x200b || c === 0x2060 || c === 0xfeff || (c >= 0xfe00 && c <= 0xfe0f) || c === 0x34f || (c >= 0x180b && c <= 0x180d);
  const domainToASCII = (domain) => {
    if (regexpTest(ascii, domain)) return StringPrototypeToLowerCase(domain);
    // Punycode takes quadratic time, and no DNS name is longer than 253.
    if (domain.length > 2000) return undefined;
    let mapped = "";
    for (let i = 0; i < domain.length; i++) {
      const c = StringPrototypeCharCodeAt(domain, i);
      if (c === 0x3002 || c === 0xff0e || c === 0xff61) mapped += ".";
      else if (!ignorable(c)) mapped += domain[i];
    }
    mapped = P.StringPrototypeNormalize(StringPrototypeToLowerCase(P.StringPrototypeNormalize(mapped, "NFKC")), "NFC");
    const labels = split(mapped, ".");
    for (let i = 0; i < labels.length; i++)
      if (!regexpTest(ascii, labels[i])) labels[i] = "xn--" + punycode(labels[i]);
    return ArrayPrototypeJoin(labels, ".");
  };

  const parseNumber = (s) => {
    if (s === "") return undefined;
    let radix = 10;
    if (s.length >= 2 && s[0] === "0" && (s[1] === "x" || s[1] === "X")) {
      s = StringPrototypeSlice(s, 2);
      radix = 16;
    } else if (s.length >= 2 && s[0] === "0") {
      s = StringPrototypeSlice(s, 1);
      radix = 8;
    }
    let n = 0;
    for (let i = 0; i < s.length; i++) {
      const d = nibble(StringPrototypeCharCodeAt(s, i));
      if (d < 0 || d >= radix) return undefined;
      n = n * radix + d;
    }
    return n;
  };
  const digits = /^[0-9]+$/;
  const endsInNumber = (host) => {
    const parts = split(host, ".");
    let last = parts[parts.length - 1];
    if (last === "") {
      if (parts.length === 1) return false;
      last = parts[parts.length - 2];
    }
    return regexpTest(digits, last) || (StringPrototypeStartsWith(last, "0x") && parseNumber(last) !== undefined);
  };
  const parseIPv4 = (host) => {
    const parts = split(host, ".");
    if (parts[parts.length - 1] === "" && parts.length > 1) parts.length -= 1;
    if (parts.length > 4) return undefined;
    let value = 0;
    for (let i = 0; i < parts.length; i++) {
      const n = parseNumber(parts[i]);
      const last = i === parts.length - 1;
      if (n === undefined || n >= (last ? 256 ** (5 - parts.length) : 256)) return undefined;
      value += last ? n : n * 256 ** (3 - i);
    }
    let out = "";
    for (let i = 3; i >= 0; i--) out += (P.MathFloor(value / 256 ** i) % 256) + (i > 0 ? "." : "");
    return out;
  };
  const parseIPv6 = (s) => {
    const address = list();
    for (let i = 0; i < 8; i++) address[i] = 0;
    let piece = 0;
    let compress = -1;
    let p = 0;
    const at = (i) => (i < s.length ? StringPrototypeCharCodeAt(s, i) : -1);
    if (at(p) === 58) {
      if (at(p + 1) !== 58) return undefined;
      p += 2;
      compress = ++piece;
    }
    while (p < s.length) {
      if (piece === 8) return undefined;
      if (at(p) === 58) {
        if (compress >= 0) return undefined;
        p++;
        compress = ++piece;
        continue;
      }
      let value = 0;
      let length = 0;
      while (length < 4 && nibble(at(p)) >= 0) {
        value = value * 16 + nibble(at(p++));
        length++;
      }
      if (at(p) === 46) {
        if (length === 0) return undefined;
        p -= length;
        if (piece > 6) return undefined;
        let seen = 0;
        while (p < s.length) {
          let n = -1;
          if (seen > 0) {
            if (at(p) === 46 && seen < 4) p++;
            else return undefined;
          }
          if (at(p) < 48 || at(p) > 57) return undefined;
          while (at(p) >= 48 && at(p) <= 57) {
            const d = at(p) - 48;
            if (n < 0) n = d;
            else if (n === 0) return undefined;
            else n = n * 10 + d;
            if (n > 255) return undefined;
            p++;
          }
          address[piece] = address[piece] * 256 + n;
          seen++;
          if (seen === 2 || seen === 4) piece++;
        }
        if (seen !== 4) return undefined;
        break;
      } else if (at(p) === 58) {
        p++;
        if (p >= s.length) return undefined;
      } else if (p < s.length) return undefined;
      address[piece++] = value;
    }
    if (compress >= 0) {
      let swaps = piece - compress;
      piece = 7;
      while (piece !== 0 && swaps > 0) {
        const other = compress + swaps - 1;
        const t = address[other];
        address[other] = address[piece];
        address[piece] = t;
        piece--;
        swaps--;
      }
    } else if (piece !== 8) return undefined;
    // The first longest run of zeroes, of two at least, becomes "::".
    let best = -1;
    let bestLength = 1;
    for (let i = 0; i < 8; i++) {
      let n = 0;
      while (i + n < 8 && address[i + n] === 0) n++;
      if (n > bestLength) {
        best = i;
        bestLength = n;
      }
      i += n;
    }
    let out = "[";
    for (let i = 0; i < 8; i++) {
      if (i === best) {
        out += i === 0 ? "::" : ":";
        i += bestLength - 1;
        continue;
      }
      out += NumberPrototypeToString(address[i], 16) + (i < 7 ? ":" : "");
    }
    return out + "]";
  };
  const parseHost = (s, special) => {
    if (StringPrototypeStartsWith(s, "[")) return StringPrototypeEndsWith(s, "]") ? parseIPv6(StringPrototypeSlice(s, 1, -1)) : undefined;
    if (!special) return regexpTest(forbiddenHost, s) ? undefined : encode(s, CONTROL);
    const domain = domainToASCII(decode(s));
    if (domain === undefined || domain === "" || regexpTest(forbiddenDomain, domain)) return undefined;
    return endsInNumber(domain) ? parseIPv4(domain) : domain;
  };

  // The parser: the standard's state machine.

  const ports = { __proto__: null, ftp: 21, file: null, http: 80, https: 443, ws: 80, wss: 443 };
  const isSpecial = (url) => url.scheme in ports;
  const SCHEME_START = 1, SCHEME = 2, NO_SCHEME = 3, SPECIAL_RELATIVE = 4, PATH_OR_AUTHORITY = 5, RELATIVE = 6, RELATIVE_SLASH = 7, AUTHORITY_SLASHES = 8,
    IGNORE_SLASHES = 9, AUTHORITY = 10, HOST = 11, HOSTNAME = 12, PORT = 13, FILE = 14, FILE_SLASH = 15, FILE_HOST = 16, PATH_START = 17, PATH = 18,
    OPAQUE = 19, QUERY = 20, FRAGMENT = 21;
  const EOF = -1, SLASH = 47, BACKSLASH = 92, QUESTION = 63, HASH = 35, COLON = 58;
  const isAlpha = (c) => (c | 32) >= 97 && (c | 32) <= 122;
  const isDigit = (c) => c >= 48 && c <= 57;
  const drive = /^[A-Za-z][:|]$/;
  const normalDrive = /^[A-Za-z]:$/;
  const startsWithDrive = /^[A-Za-z][:|](?:[/\\?#]|$)/;
  const singleDot = /^(?:\.|%2e)$/i;
  const doubleDot = /^(?:\.|%2e){2}$/i;

  const record = () => ({ __proto__: null, scheme: "", username: "", password: "", host: null, port: null, path: list(), opaque: false, query: null, fragment: null });
  const shorten = (url) => {
    if (url.scheme === "file" && url.path.length === 1 && regexpTest(normalDrive, url.path[0])) return;
    if (url.path.length > 0) url.path.length -= 1;
  };
  const trimmed = (s) => {
    let a = 0;
    let b = s.length;
    while (a < b && StringPrototypeCharCodeAt(s, a) <= 32) a++;
    while (b > a && StringPrototypeCharCodeAt(s, b - 1) <= 32) b--;
    return StringPrototypeSlice(s, a, b);
  };
  const lineBreak = /[\t\n\r]/;
  const withoutBreaks = (s) => {
    if (!regexpTest(lineBreak, s)) return s;
    let out = "";
    for (let i = 0; i < s.length; i++) {
      const c = StringPrototypeCharCodeAt(s, i);
      if (c !== 9 && c !== 10 && c !== 13) out += s[i];
    }
    return out;
  };

  // Returns true where it succeeded. url is filled in; with override (a state)
  // it is a URL that a setter changes.
  const parse = (input, base, url, override) => {
    const s = withoutBreaks(override === 0 ? trimmed(input) : input);
    const length = s.length;
    let state = override || SCHEME_START;
    let buffer = "";
    let atSeen = false;
    let brackets = false;
    let passwordSeen = false;
    const take = (keys) => {
      for (let i = 0; i < keys.length; i++) url[keys[i]] = keys[i] === "path" && !base.opaque ? copyList(base.path) : base[keys[i]];
      if (keys[keys.length - 1] === "path") url.opaque = base.opaque;
    };
    for (let p = 0; ; p++) {
      const c = p < length ? StringPrototypeCharCodeAt(s, p) : EOF;
      switch (state) {
        case SCHEME_START:
          if (isAlpha(c)) {
            buffer += StringPrototypeToLowerCase(s[p]);
            state = SCHEME;
          } else if (!override) {
            state = NO_SCHEME;
            p--;
          } else return false;
          break;
        case SCHEME:
          if (isAlpha(c) || isDigit(c) || c === 43 || c === 45 || c === 46) buffer += StringPrototypeToLowerCase(s[p]);
          else if (c === COLON) {
            if (override) {
              if (isSpecial(url) !== buffer in ports) return true;
              if ((url.username !== "" || url.password !== "" || url.port !== null) && buffer === "file") return true;
              if (url.scheme === "file" && url.host === "") return true;
            }
            url.scheme = buffer;
            if (override) {
              if (url.port === ports[url.scheme]) url.port = null;
              return true;
            }
            buffer = "";
            if (url.scheme === "file") state = FILE;
            else if (isSpecial(url)) state = base !== null && base.scheme === url.scheme ? SPECIAL_RELATIVE : AUTHORITY_SLASHES;
            else if (p + 1 < length && s[p + 1] === "/") {
              state = PATH_OR_AUTHORITY;
              p++;
            } else {
              url.path = "";
              url.opaque = true;
              state = OPAQUE;
            }
          } else if (!override) {
            buffer = "";
            state = NO_SCHEME;
            p = -1;
          } else return false;
          break;
        case NO_SCHEME:
          if (base === null || (base.opaque && c !== HASH)) return false;
          if (base.opaque) {
            take(["scheme", "query", "path"]);
            url.fragment = "";
            state = FRAGMENT;
          } else {
            state = base.scheme === "file" ? FILE : RELATIVE;
            p--;
          }
          break;
        case SPECIAL_RELATIVE:
          if (c === SLASH && p + 1 < length && s[p + 1] === "/") {
            state = IGNORE_SLASHES;
            p++;
          } else {
            state = RELATIVE;
            p--;
          }
          break;
        case PATH_OR_AUTHORITY:
          if (c === SLASH) state = AUTHORITY;
          else {
            state = PATH;
            p--;
          }
          break;
        case RELATIVE:
          url.scheme = base.scheme;
          if (c === SLASH || (isSpecial(url) && c === BACKSLASH)) state = RELATIVE_SLASH;
          else {
            take(["username", "password", "host", "port", "query", "path"]);
            if (c === QUESTION) {
              url.query = "";
              state = QUERY;
            } else if (c === HASH) {
              url.fragment = "";
              state = FRAGMENT;
            } else if (c !== EOF) {
              url.query = null;
              shorten(url);
              state = PATH;
              p--;
            }
          }
          break;
        case RELATIVE_SLASH:
          if (isSpecial(url) && (c === SLASH || c === BACKSLASH)) state = IGNORE_SLASHES;
          else if (c === SLASH) state = AUTHORITY;
          else {
            take(["username", "password", "host", "port"]);
            state = PATH;
            p--;
          }
          break;
        case AUTHORITY_SLASHES:
          state = IGNORE_SLASHES;
          if (c === SLASH && p + 1 < length && s[p + 1] === "/") p++;
          else p--;
          break;
        case IGNORE_SLASHES:
          if (c !== SLASH && c !== BACKSLASH) {
            state = AUTHORITY;
            p--;
          }
          break;
        case AUTHORITY:
          if (c === 64) {
            if (atSeen) buffer = "%40" + buffer;
            atSeen = true;
            let user = buffer;
            let password = "";
            const colon = passwordSeen ? 0 : StringPrototypeIndexOf(buffer, ":");
            if (passwordSeen) {
              user = "";
              password = buffer;
            } else if (colon >= 0) {
              passwordSeen = true;
              user = StringPrototypeSlice(buffer, 0, colon);
              password = StringPrototypeSlice(buffer, colon + 1);
            }
            url.username += encode(user, USERINFO_SET);
            url.password += encode(password, USERINFO_SET);
            buffer = "";
          } else if (c === EOF || c === SLASH || c === QUESTION || c === HASH || (isSpecial(url) && c === BACKSLASH)) {
            if (atSeen && buffer === "") return false;
            p -= buffer.length + 1;
            buffer = "";
            state = HOST;
          } else buffer += s[p];
          break;
        case HOST:
        case HOSTNAME:
          if (override && url.scheme === "file") {
            p--;
            state = FILE_HOST;
          } else if (c === COLON && !brackets) {
            if (buffer === "" || override === HOSTNAME) return false;
            const host = parseHost(buffer, isSpecial(url));
            if (host === undefined) return false;
            url.host = host;
            buffer = "";
            state = PORT;
          } else if (c === EOF || c === SLASH || c === QUESTION || c === HASH || (isSpecial(url) && c === BACKSLASH)) {
            p--;
            if (isSpecial(url) && buffer === "") return false;
            if (override && buffer === "" && (url.username !== "" || url.password !== "" || url.port !== null)) return false;
            const host = buffer === "" ? "" : parseHost(buffer, isSpecial(url));
            if (host === undefined) return false;
            url.host = host;
            buffer = "";
            state = PATH_START;
            if (override) return true;
          } else {
            if (c === 91) brackets = true;
            else if (c === 93) brackets = false;
            buffer += s[p];
          }
          break;
        case PORT:
          if (isDigit(c)) buffer += s[p];
          else if (c === EOF || c === SLASH || c === QUESTION || c === HASH || (isSpecial(url) && c === BACKSLASH) || override) {
            if (buffer !== "") {
              const port = +buffer;
              if (port > 65535) return false;
              url.port = port === ports[url.scheme] ? null : port;
              buffer = "";
              if (override) return true;
            }
            if (override) return false;
            state = PATH_START;
            p--;
          } else return false;
          break;
        case FILE:
          url.scheme = "file";
          url.host = "";
          if (c === SLASH || c === BACKSLASH) state = FILE_SLASH;
          else if (base !== null && base.scheme === "file") {
            take(["host", "query", "path"]);
            if (c === QUESTION) {
              url.query = "";
              state = QUERY;
            } else if (c === HASH) {
              url.fragment = "";
              state = FRAGMENT;
            } else if (c !== EOF) {
              url.query = null;
              if (regexpTest(startsWithDrive, StringPrototypeSlice(s, p, p + 3))) url.path = list();
              else shorten(url);
              state = PATH;
              p--;
            }
          } else {
            state = PATH;
            p--;
          }
          break;
        case FILE_SLASH:
          if (c === SLASH || c === BACKSLASH) state = FILE_HOST;
          else {
            if (base !== null && base.scheme === "file") {
              url.host = base.host;
              if (!regexpTest(startsWithDrive, StringPrototypeSlice(s, p, p + 3)) && base.path.length > 0 && regexpTest(normalDrive, base.path[0])) url.path[url.path.length] = base.path[0];
            }
            state = PATH;
            p--;
          }
          break;
        case FILE_HOST:
          if (c === EOF || c === SLASH || c === BACKSLASH || c === QUESTION || c === HASH) {
            p--;
            if (!override && regexpTest(drive, buffer)) state = PATH;
            else if (buffer === "") {
              url.host = "";
              if (override) return true;
              state = PATH_START;
            } else {
              const host = parseHost(buffer, isSpecial(url));
              if (host === undefined) return false;
              url.host = host === "localhost" ? "" : host;
              if (override) return true;
              buffer = "";
              state = PATH_START;
            }
          } else buffer += s[p];
          break;
        case PATH_START:
          if (isSpecial(url)) {
            state = PATH;
            if (c !== SLASH && c !== BACKSLASH) p--;
          } else if (!override && c === QUESTION) {
            url.query = "";
            state = QUERY;
          } else if (!override && c === HASH) {
            url.fragment = "";
            state = FRAGMENT;
          } else if (c !== EOF) {
            state = PATH;
            if (c !== SLASH) p--;
          } else if (override && url.host === null) url.path[url.path.length] = "";
          break;
        case PATH: {
          const slash = c === SLASH || (isSpecial(url) && c === BACKSLASH);
          if (c === EOF || slash || (!override && (c === QUESTION || c === HASH))) {
            if (regexpTest(doubleDot, buffer)) {
              shorten(url);
              if (!slash) url.path[url.path.length] = "";
            } else if (regexpTest(singleDot, buffer)) {
              if (!slash) url.path[url.path.length] = "";
            } else {
              if (url.scheme === "file" && url.path.length === 0 && regexpTest(drive, buffer)) buffer = buffer[0] + ":";
              url.path[url.path.length] = encode(buffer, PATH_SET);
            }
            buffer = "";
            if (c === QUESTION) {
              url.query = "";
              state = QUERY;
            } else if (c === HASH) {
              url.fragment = "";
              state = FRAGMENT;
            }
          } else buffer += s[p];
          break;
        }
        case OPAQUE: {
          let end = p;
          while (end < length && s[end] !== "?" && s[end] !== "#") end++;
          url.path += encode(StringPrototypeSlice(s, p, end), CONTROL);
          if (end === length) return true;
          if (StringPrototypeEndsWith(url.path, " ")) url.path = StringPrototypeSlice(url.path, 0, -1) + "%20";
          if (s[end] === "?") {
            url.query = "";
            state = QUERY;
          } else {
            url.fragment = "";
            state = FRAGMENT;
          }
          p = end;
          break;
        }
        case QUERY: {
          const hash = override ? -1 : StringPrototypeIndexOf(s, "#", p);
          const end = hash < 0 ? length : hash;
          url.query += encode(StringPrototypeSlice(s, p, end), isSpecial(url) ? SPECIAL_QUERY_SET : QUERY_SET);
          if (end === length) return true;
          url.fragment = "";
          state = FRAGMENT;
          p = end;
          break;
        }
        case FRAGMENT:
          url.fragment += encode(StringPrototypeSlice(s, p), FRAGMENT_SET);
          return true;
      }
      if (c === EOF && p >= length) return true;
    }
  };

  const pathOf = (url) => {
    if (url.opaque) return url.path;
    return url.path.length === 0 ? "" : "/" + ArrayPrototypeJoin(url.path, "/");
  };
  const hostOf = (url) => (url.host === null ? "" : url.port === null ? url.host : url.host + ":" + url.port);
  const serialize = (url) => {
    let out = url.scheme + ":";
    if (url.host !== null) {
      out += "//";
      if (url.username !== "" || url.password !== "") out += url.username + (url.password !== "" ? ":" + url.password : "") + "@";
      out += hostOf(url);
    } else if (!url.opaque && url.path.length > 1 && url.path[0] === "") out += "/.";
    out += pathOf(url);
    if (url.query !== null) out += "?" + url.query;
    if (url.fragment !== null) out += "#" + url.fragment;
    return out;
  };
  const originOf = (url) => {
    if (url.scheme === "blob") {
      const inner = record();
      return parse(pathOf(url), null, inner, 0) && (inner.scheme === "http" || inner.scheme === "https") ? originOf(inner) : "null";
    }
    return isSpecial(url) && url.scheme !== "file" ? url.scheme + "://" + hostOf(url) : "null";
  };

  // application/x-www-form-urlencoded

  const plusToSpace = (s) => (StringPrototypeIndexOf(s, "+") < 0 ? s : ArrayPrototypeJoin(split(s, "+"), " "));
  const parseForm = (s) => {
    const out = list();
    const parts = split(s, "&");
    for (let i = 0; i < parts.length; i++) {
      if (parts[i] === "") continue;
      const eq = StringPrototypeIndexOf(parts[i], "=");
      const name = eq < 0 ? parts[i] : StringPrototypeSlice(parts[i], 0, eq);
      const value = eq < 0 ? "" : StringPrototypeSlice(parts[i], eq + 1);
      out[out.length] = pair(decode(plusToSpace(name)), decode(plusToSpace(value)));
    }
    return out;
  };
  const pair = (name, value) => ({ __proto__: null, name, value });
  const serializeForm = (pairs) => {
    let out = "";
    for (let i = 0; i < pairs.length; i++) out += (i > 0 ? "&" : "") + encode(pairs[i].name, FORM_SET) + "=" + encode(pairs[i].value, FORM_SET);
    return out;
  };

  const needs = (args, n, what) => {
    if (args.length < n) throw new TypeError(what + " needs " + n + (n > 1 ? " arguments" : " argument"));
  };
  let setOwner, refill, pairsOf;

  class URLSearchParams {
    #pairs = list();
    #owner = null; // the URL that this belongs to: () => its update
    static {
      setOwner = (params, update) => {
        params.#owner = update;
      };
      refill = (params, query) => {
        params.#pairs = parseForm(query);
      };
      pairsOf = (params) => params.#pairs;
    }
    constructor(init = undefined) {
      if (init === undefined) return;
      if ((typeof init !== "object" && typeof init !== "function") || init === null) {
        const s = toText(init);
        this.#pairs = parseForm(without(s, "?"));
        return;
      }
      const pairs = this.#pairs;
      if (#pairs in init) {
        for (let i = 0; i < init.#pairs.length; i++) pairs[i] = pair(init.#pairs[i].name, init.#pairs[i].value);
        return;
      }
      const method = init[P.SymbolIterator];
      if (method === undefined || method === null) {
        const keys = P.ReflectOwnKeys(init);
        for (let i = 0; i < keys.length; i++) {
          const d = P.ObjectGetOwnPropertyDescriptor(init, keys[i]);
          if (d !== undefined && d.enumerable) pairs[pairs.length] = pair(toText(keys[i]), toText(init[keys[i]]));
        }
        return;
      }
      if (typeof method !== "function") throw new TypeError("URLSearchParams: what was given is not iterable");
      each(init, method, (item) => {
        const bad = () => new TypeError("URLSearchParams takes pairs of exactly two items: [name, value]");
        if (typeof item !== "object" || item === null) throw bad();
        const inner = item[P.SymbolIterator];
        if (typeof inner !== "function") throw bad();
        const both = list();
        each(item, inner, (v) => {
          if (both.length === 2) throw bad();
          both[both.length] = toText(v);
        });
        if (both.length !== 2) throw bad();
        pairs[pairs.length] = pair(both[0], both[1]);
      });
    }
    #update() {
      if (this.#owner !== null) this.#owner(serializeForm(this.#pairs));
    }
    #filter(name, value) {
      const kept = list();
      for (let i = 0; i < this.#pairs.length; i++) {
        const p = this.#pairs[i];
        if (p.name !== name || (value !== undefined && p.value !== value)) kept[kept.length] = p;
      }
      this.#pairs = kept;
    }
    get size() {
      return this.#pairs.length;
    }
    append(name, value) {
      needs(arguments, 2, "URLSearchParams.append");
      this.#pairs[this.#pairs.length] = pair(toText(name), toText(value));
      this.#update();
    }
    delete(name, value = undefined) {
      needs(arguments, 1, "URLSearchParams.delete");
      this.#filter(toText(name), value === undefined ? undefined : toText(value));
      this.#update();
    }
    get(name) {
      needs(arguments, 1, "URLSearchParams.get");
      name = toText(name);
      for (let i = 0; i < this.#pairs.length; i++) if (this.#pairs[i].name === name) return this.#pairs[i].value;
      return null;
    }
    getAll(name) {
      needs(arguments, 1, "URLSearchParams.getAll");
      name = toText(name);
      const out = list();
      for (let i = 0; i < this.#pairs.length; i++) if (this.#pairs[i].name === name) out[out.length] = this.#pairs[i].value;
      return P.array(out);
    }
    has(name, value = undefined) {
      needs(arguments, 1, "URLSearchParams.has");
      name = toText(name);
      if (value !== undefined) value = toText(value);
      for (let i = 0; i < this.#pairs.length; i++) if (this.#pairs[i].name === name && (value === undefined || this.#pairs[i].value === value)) return true;
      return false;
    }
    set(name, value) {
      needs(arguments, 2, "URLSearchParams.set");
      name = toText(name);
      value = toText(value);
      const kept = list();
      let found = false;
      for (let i = 0; i < this.#pairs.length; i++) {
        const p = this.#pairs[i];
        if (p.name !== name) kept[kept.length] = p;
        else if (!found) {
          found = true;
          kept[kept.length] = pair(name, value);
        }
      }
      if (!found) kept[kept.length] = pair(name, value);
      this.#pairs = kept;
      this.#update();
    }
    sort() {
      P.ArrayPrototypeSort(this.#pairs, (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
      this.#update();
    }
    forEach(callback, thisArg = undefined) {
      if (typeof callback !== "function") throw new TypeError("URLSearchParams.forEach needs a function");
      for (let i = 0; i < this.#pairs.length; i++) {
        const p = this.#pairs[i];
        P.ReflectApply(callback, thisArg, [p.value, p.name, this]);
      }
    }
    keys() {
      return iterate(this, (p) => p.name);
    }
    values() {
      return iterate(this, (p) => p.value);
    }
    entries() {
      return iterate(this, (p) => [p.name, p.value]);
    }
    toString() {
      return serializeForm(this.#pairs);
    }
  }
  const each = (iterable, method, visit) => {
    const it = P.ReflectApply(method, iterable, []);
    const next = it.next;
    for (;;) {
      const step = P.ReflectApply(next, it, []);
      if ((typeof step !== "object" && typeof step !== "function") || step === null) throw new TypeError("iterator result is not an object");
      if (step.done) return;
      try {
        visit(step.value);
      } catch (e) {
        try {
          const close = it.return;
          if (typeof close === "function") P.ReflectApply(close, it, []);
        } catch {}
        throw e;
      }
    }
  };
  const iteratorState = new P.WeakMap();
  const iteratorProto = P.ObjectCreate(P.IteratorPrototype);
  P.define(iteratorProto, "next", function next() {
    const state = P.WeakMapPrototypeGet(iteratorState, this);
    if (state === undefined) throw new TypeError("next was called on something that is not a URLSearchParams Iterator");
    const pairs = pairsOf(state.params);
    if (state.at >= pairs.length) return { value: undefined, done: true };
    return { value: state.pick(pairs[state.at++]), done: false };
  });
  const iterate = (params, pick) => {
    pairsOf(params);
    const it = P.ObjectCreate(iteratorProto);
    P.WeakMapPrototypeSet(iteratorState, it, { __proto__: null, params, pick, at: 0 });
    return it;
  };
  const tag = (proto, name) => P.ObjectDefineProperty(proto, P.SymbolToStringTag, { __proto__: null, value: name, configurable: true });
  tag(iteratorProto, "URLSearchParams Iterator");
  tag(URLSearchParams.prototype, "URLSearchParams");
  P.defineHidden(URLSearchParams.prototype, P.SymbolIterator, URLSearchParams.prototype.entries);

  const parseURL = (input, base) => {
    let baseRecord = null;
    if (base !== undefined) {
      baseRecord = record();
      if (!parse(base, null, baseRecord, 0)) return null;
    }
    const url = record();
    return parse(input, baseRecord, url, 0) ? url : null;
  };
  const invalid = (input, base) => {
    const shown = (s) => P.JSONStringify(s.length > 200 ? StringPrototypeSlice(s, 0, 200) + "…" : s);
    const e = new TypeError("Invalid URL: " + shown(input) + (base === undefined ? "" : " with base " + shown(base)));
    P.define(e, "code", "ERR_INVALID_URL");
    P.define(e, "input", input);
    return e;
  };
  const fromRecord = { __proto__: null }; // URL.parse passes a finished record

  class URL {
    #url;
    #params = null;
    constructor(url, base = undefined) {
      if (url === fromRecord) {
        this.#url = base;
        return;
      }
      needs(arguments, 1, "URL");
      url = toText(url);
      if (base !== undefined) base = toText(base);
      this.#url = parseURL(url, base);
      if (this.#url === null) throw invalid(url, base);
    }
    static canParse(url, base = undefined) {
      needs(arguments, 1, "URL.canParse");
      return parseURL(toText(url), base === undefined ? undefined : toText(base)) !== null;
    }
    static parse(url, base = undefined) {
      needs(arguments, 1, "URL.parse");
      const r = parseURL(toText(url), base === undefined ? undefined : toText(base));
      return r === null ? null : new URL(fromRecord, r);
    }
    get href() {
      return serialize(this.#url);
    }
    set href(v) {
      v = toText(v);
      const url = parseURL(v, undefined);
      if (url === null) throw invalid(v, undefined);
      this.#url = url;
      if (this.#params !== null) refill(this.#params, url.query ?? "");
    }
    get origin() {
      return originOf(this.#url);
    }
    get protocol() {
      return this.#url.scheme + ":";
    }
    set protocol(v) {
      parse(toText(v) + ":", null, this.#url, SCHEME_START);
    }
    #noCredentials() {
      return this.#url.host === null || this.#url.host === "" || this.#url.scheme === "file";
    }
    get username() {
      return this.#url.username;
    }
    set username(v) {
      v = toText(v);
      if (!this.#noCredentials()) this.#url.username = encode(v, USERINFO_SET);
    }
    get password() {
      return this.#url.password;
    }
    set password(v) {
      v = toText(v);
      if (!this.#noCredentials()) this.#url.password = encode(v, USERINFO_SET);
    }
    get host() {
      return hostOf(this.#url);
    }
    set host(v) {
      v = toText(v);
      if (!this.#url.opaque) parse(v, null, this.#url, HOST);
    }
    get hostname() {
      return this.#url.host ?? "";
    }
    set hostname(v) {
      v = toText(v);
      if (!this.#url.opaque) parse(v, null, this.#url, HOSTNAME);
    }
    get port() {
      return this.#url.port === null ? "" : "" + this.#url.port;
    }
    set port(v) {
      v = toText(v);
      if (this.#noCredentials()) return;
      if (v === "") this.#url.port = null;
      else parse(v, null, this.#url, PORT);
    }
    get pathname() {
      return pathOf(this.#url);
    }
    set pathname(v) {
      v = toText(v);
      if (this.#url.opaque) return;
      this.#url.path = list();
      parse(v, null, this.#url, PATH_START);
    }
    get search() {
      return this.#url.query === null || this.#url.query === "" ? "" : "?" + this.#url.query;
    }
    set search(v) {
      v = toText(v);
      if (v === "") this.#url.query = null;
      else {
        this.#url.query = "";
        parse(without(v, "?"), null, this.#url, QUERY);
      }
      if (this.#params !== null) refill(this.#params, this.#url.query ?? "");
    }
    get searchParams() {
      if (this.#params === null) {
        this.#params = new URLSearchParams();
        refill(this.#params, this.#url.query ?? "");
        setOwner(this.#params, (query) => {
          this.#url.query = query === "" ? null : query;
        });
      }
      return this.#params;
    }
    get hash() {
      return this.#url.fragment === null || this.#url.fragment === "" ? "" : "#" + this.#url.fragment;
    }
    set hash(v) {
      v = toText(v);
      if (v === "") this.#url.fragment = null;
      else {
        this.#url.fragment = "";
        parse(without(v, "#"), null, this.#url, FRAGMENT);
      }
    }
    toString() {
      return serialize(this.#url);
    }
    toJSON() {
      return serialize(this.#url);
    }
    static {
      // What the console shows in place of private fields.
      const fields = ["href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "searchParams", "hash"];
      const getters = list();
      for (let i = 0; i < fields.length; i++) getters[i] = P.uncurryThis(P.ObjectGetOwnPropertyDescriptor(URL.prototype, fields[i]).get);
      P.MapPrototypeSet(P.inspectors, URL.prototype, (v) => {
        if (!(#url in v)) return undefined;
        const object = { __proto__: null };
        for (let i = 0; i < fields.length; i++) object[fields[i]] = getters[i](v);
        return { __proto__: null, object };
      });
      P.MapPrototypeSet(P.inspectors, URLSearchParams.prototype, (v) => ({ __proto__: null, pairs: pairsOf(v) }));
    }
  }
  tag(URL.prototype, "URL");

  return { __proto__: null, URL, URLSearchParams };
})
