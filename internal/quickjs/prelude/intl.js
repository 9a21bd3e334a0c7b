// A small Intl for en-US and the Gregorian calendar. Every other locale falls
// back to en-US, as in an environment that lacks its data, and
// resolvedOptions() says so. What is not supported throws a RangeError that
// names it.
//
// methods is a list of triples: prototype, name, function: the toLocale…
// methods and localeCompare of built-in prototypes. install(global) defines
// them and Intl.
// Natives, optional: N.tzOffset(zone, epochMilliseconds) → minutes east of UTC,
// undefined for an unknown zone. Without it there is UTC alone.
(function (P, N) {
  "use strict";
  const {
    ArrayPrototypeJoin, ArrayPrototypeIndexOf, StringPrototypeCharCodeAt, StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypePadStart,
    StringPrototypeRepeat, StringPrototypeToLowerCase, StringPrototypeToUpperCase, StringPrototypeStartsWith, RegExpPrototypeExec, MathFloor, MathMax, MathMin, MathAbs,
    RangeError, TypeError, list, regexpTest, define,
  } = P;

  const text = (v) => {
    if (typeof v === "symbol") throw new TypeError("Cannot convert a Symbol value to a string");
    return P.String(v);
  };
  const split = (s, separator) => {
    const out = list();
    let at = 0;
    for (let end; (end = StringPrototypeIndexOf(s, separator, at)) >= 0; at = end + separator.length) out[out.length] = StringPrototypeSlice(s, at, end);
    out[out.length] = StringPrototypeSlice(s, at);
    return out;
  };
  // "a:x:y b:z" → { a: [x, y], b: [z] }
  const table = (s, between) => {
    const out = { __proto__: null };
    const rows = split(s, between || " ");
    for (let i = 0; i < rows.length; i++) {
      const cells = split(rows[i], ":");
      out[cells[0]] = cells;
    }
    return out;
  };
  const has = (values, v) => ArrayPrototypeIndexOf(values, v) >= 0;
  const words = (s) => split(s, " ");

  // Locales and options

  const tagShape = /^[a-z]{2,8}(?:-[a-z0-9]{2,8}|-[a-z0-9](?:-[a-z0-9]{2,8})+)*$/i;
  const canonical = (locales) => {
    const out = list();
    if (locales === undefined) return out;
    const all = typeof locales === "string" ? [locales] : locales;
    if (all === null) throw new TypeError("Intl: null is not a locale");
    const length = typeof all === "object" && !P.ArrayIsArray(all) ? 0 : +all.length || 0;
    for (let i = 0; i < length; i++) {
      const tag = all[i];
      if (typeof tag !== "string" && typeof tag !== "object") throw new TypeError("Incorrect locale information provided");
      const s = text(tag);
      if (!regexpTest(tagShape, s)) throw new RangeError("Incorrect locale information provided: " + s);
      const parts = split(s, "-");
      let t = "";
      let single = false;
      for (let j = 0; j < parts.length; j++) {
        const p = StringPrototypeToLowerCase(parts[j]);
        t += j === 0 ? p : "-" + (single || j === 0 ? p : p.length === 2 ? StringPrototypeToUpperCase(p) : p.length === 4 ? StringPrototypeToUpperCase(p[0]) + StringPrototypeSlice(p, 1) : p);
        if (p.length === 1) single = true;
      }
      if (!has(out, t)) out[out.length] = t;
    }
    return out;
  };
  const LOCALE = "en-US";
  const supportedLocalesOf = (locales) => {
    const all = canonical(locales);
    const out = list();
    for (let i = 0; i < all.length; i++) if (all[i] === "en" || all[i] === LOCALE) out[out.length] = all[i];
    return P.array(out);
  };
  const optionsOf = (options) => {
    if (options === undefined) return { __proto__: null };
    if (options === null) throw new TypeError("Cannot convert undefined or null to object");
    return options;
  };
  const option = (what, o, name, allowed, fallback) => {
    let v = o[name];
    if (v === undefined) return fallback;
    v = text(v);
    if (allowed !== undefined && !has(allowed, v)) throw new RangeError("Value " + v + " out of range for Intl." + what + " options property " + name);
    return v;
  };
  const integerOption = (o, name, min, max, fallback) => {
    const v = o[name];
    if (v === undefined) return fallback;
    const n = +v;
    if (!(n >= min && n <= max)) throw new RangeError(name + " value is out of range: it must be from " + min + " to " + max);
    return MathFloor(n);
  };
  const fixed = (what, o, name, only) => {
    const v = o[name];
    if (v !== undefined && text(v) !== only) throw new RangeError("Intl." + what + ": the option " + name + " " + P.JSONStringify(text(v)) + " is not supported here, only " + P.JSONStringify(only));
    return only;
  };

  // Decimals: { neg, digits, point } is 0.digits × 10^point, exactly.

  const numeric = /^\s*([+-]?)(?:(\d+)\.?(\d*)|\.(\d+))(?:e([+-]?\d+))?\s*$/i;
  const fromText = (s) => {
    const m = RegExpPrototypeExec(numeric, s);
    if (m === null) return undefined;
    const whole = m[2] === undefined ? "" : m[2];
    const fraction = m[2] === undefined ? m[4] : m[3];
    return trim({ __proto__: null, neg: m[1] === "-", digits: whole + fraction, point: whole.length + (m[5] === undefined ? 0 : +m[5]) });
  };
  const trim = (d) => {
    let a = 0;
    let b = d.digits.length;
    while (a < b && d.digits[a] === "0") a++;
    while (b > a && d.digits[b - 1] === "0") b--;
    d.digits = StringPrototypeSlice(d.digits, a, b);
    d.point = d.digits === "" ? 0 : d.point - a;
    return d;
  };
  const toDecimal = (v) => {
    if (typeof v === "object" && v !== null) {
      const brand = P.brand(v);
      v = brand === "BigInt" ? P.BigIntPrototypeValueOf(v) : brand === "Date" ? P.DatePrototypeGetTime(v) : v;
    }
    if (typeof v === "bigint") return fromText(P.BigIntPrototypeToString(v));
    if (typeof v === "string") {
      const d = fromText(v);
      if (d !== undefined) return d;
    }
    const n = +v;
    if (n !== n) return { __proto__: null, nan: true, neg: false, digits: "", point: 0 };
    if (!P.NumberIsFinite(n)) return { __proto__: null, infinite: true, neg: n < 0, digits: "", point: 0 };
    const d = fromText(P.NumberPrototypeToString(n));
    if (n === 0) d.neg = P.ObjectIs(n, -0);
    return d;
  };
  // Keeps the first `keep` digits; fewer than none is none.
  const roundTo = (d, keep, mode) => {
    if (keep >= d.digits.length) return d;
    const first = keep < 0 ? "0" : d.digits[keep];
    const rest = keep < 0 ? true : d.digits.length > keep + 1;
    const half = first > "5" || (first === "5" && rest) ? 1 : first === "5" ? 0 : -1;
    const odd = keep > 0 && StringPrototypeCharCodeAt(d.digits, keep - 1) % 2 === 1;
    let up;
    switch (mode) {
      case "ceil": up = !d.neg; break;
      case "floor": up = d.neg; break;
      case "expand": up = true; break;
      case "trunc": up = false; break;
      case "halfCeil": up = half > 0 || (half === 0 && !d.neg); break;
      case "halfFloor": up = half > 0 || (half === 0 && d.neg); break;
      case "halfTrunc": up = half > 0; break;
      case "halfEven": up = half > 0 || (half === 0 && odd); break;
      default: up = half >= 0;
    }
    const place = d.point - keep; // the power of ten of the last digit kept
    let kept = keep <= 0 ? "" : StringPrototypeSlice(d.digits, 0, keep);
    let point = d.point;
    if (up) {
      let i = kept.length - 1;
      while (i >= 0 && kept[i] === "9") i--;
      if (i >= 0) kept = StringPrototypeSlice(kept, 0, i) + (+kept[i] + 1);
      else {
        kept = "1";
        point = keep <= 0 ? place + 1 : point + 1;
      }
    }
    return trim({ __proto__: null, neg: d.neg, digits: kept, point });
  };
  const whole = (d) => (d.point <= 0 ? "0" : d.digits.length >= d.point ? StringPrototypeSlice(d.digits, 0, d.point) : d.digits + StringPrototypeRepeat("0", d.point - d.digits.length));
  const fraction = (d) => (d.digits === "" ? "" : d.point >= 0 ? StringPrototypeSlice(d.digits, d.point) : StringPrototypeRepeat("0", -d.point) + d.digits);
  const shifted = (d, by) => ({ __proto__: null, neg: d.neg, digits: d.digits, point: d.digits === "" ? 0 : d.point + by });

  // Applies the digit options: { whole, fraction, value }
  const digitsOf = (r, d) => {
    let value;
    let min;
    if (r.significant) {
      value = roundTo(d, r.maximumSignificantDigits, r.roundingMode);
      const point = value.digits === "" ? 1 : value.point;
      min = MathMax(0, r.minimumSignificantDigits - point);
    } else if (r.compactRounding) {
      // Two significant digits, or all of the integer where that is more.
      value = roundTo(d, MathMax(2, d.point), r.roundingMode);
      min = 0;
    } else {
      value = roundTo(d, d.point + r.maximumFractionDigits, r.roundingMode);
      min = r.minimumFractionDigits;
    }
    let f = fraction(value);
    if (f.length < min) f += StringPrototypeRepeat("0", min - f.length);
    if (r.trailingZeroDisplay === "stripIfInteger" && fraction(value) === "") f = "";
    return { __proto__: null, value, whole: StringPrototypePadStart(whole(value), r.minimumIntegerDigits, "0"), fraction: f };
  };

  // Numbers

  const CURRENCY_DIGITS = table("BIF:0 CLP:0 DJF:0 GNF:0 ISK:0 JPY:0 KMF:0 KRW:0 PYG:0 RWF:0 UGX:0 UYI:0 VND:0 VUV:0 XAF:0 XOF:0 XPF:0 BHD:3 IQD:3 JOD:3 KWD:3 LYD:3 OMR:3 TND:3 CLF:4 UYW:4");
  const SYMBOLS = table("USD:$ EUR:€ GBP:£ JPY:¥ INR:₹ CNY:CN¥ KRW:₩ BRL:R$ CAD:CA$ AUD:A$ MXN:MX$ NZD:NZ$ HKD:HK$ ILS:₪ VND:₫ TWD:NT$ PHP:₱ XCD:EC$ XAF:FCFA XOF:F\u202fCFA XPF:CFPF");
  const NARROW = table("CAD:$ AUD:$ MXN:$ NZD:$ HKD:$ SGD:$ TWD:$ ARS:$ CLP:$ COP:$ CNY:¥ RUB:₽ UAH:₴ TRY:₺ PLN:zł CZK:Kč SEK:kr NOK:kr DKK:kr ISK:kr THB:฿ NGN:₦ KZT:₸ HUF:Ft ZAR:R EGP:E£ GEL:₾ CRC:₡ PYG:₲ GHS:GH₵ BDT:৳ PKR:Rs IDR:Rp MYR:RM RON:lei BOB:Bs LKR:Rs NPR:Rs KHR:៛ MNT:₮");
  const CURRENCY_NAMES = table("USD:US dollar:US dollars|EUR:euro:euros|GBP:British pound:British pounds|JPY:Japanese yen:Japanese yen|INR:Indian rupee:Indian rupees|CNY:Chinese yuan:Chinese yuan|CHF:Swiss franc:Swiss francs|CAD:Canadian dollar:Canadian dollars|AUD:Australian dollar:Australian dollars|NZD:New Zealand dollar:New Zealand dollars|BRL:Brazilian real:Brazilian reals|MXN:Mexican peso:Mexican pesos|KRW:South Korean won:South Korean won|SEK:Swedish krona:Swedish kronor|NOK:Norwegian krone:Norwegian kroner|DKK:Danish krone:Danish kroner|PLN:Polish zloty:Polish zlotys|CZK:Czech koruna:Czech korunas|HUF:Hungarian forint:Hungarian forints|SGD:Singapore dollar:Singapore dollars|HKD:Hong Kong dollar:Hong Kong dollars|TRY:Turkish lira:Turkish Lira|ILS:Israeli new shekel:Israeli new shekels|THB:Thai baht:Thai baht|ZAR:South African rand:South African rand|RUB:Russian ruble:Russian rubles|UAH:Ukrainian hryvnia:Ukrainian hryvnias|TWD:New Taiwan dollar:New Taiwan dollars|PHP:Philippine peso:Philippine pesos|VND:Vietnamese dong:Vietnamese dong", "|");
  // unit: short, short plural, narrow (a leading space is part of it), long, long plural
  const UNITS = table("kilometer: km: km:km:kilometer:kilometers|meter: m: m:m:meter:meters|centimeter: cm: cm:cm:centimeter:centimeters|millimeter: mm: mm:mm:millimeter:millimeters|mile: mi: mi:mi:mile:miles|mile-scandinavian: smi: smi:smi:mile-scandinavian:miles-scandinavian|yard: yd: yd:yd:yard:yards|foot: ft: ft:′:foot:feet|inch: in: in:″:inch:inches|kilogram: kg: kg:kg:kilogram:kilograms|gram: g: g:g:gram:grams|pound: lb: lb:#:pound:pounds|ounce: oz: oz:oz:ounce:ounces|stone: st: st:st:stone:stones|liter: L: L:L:liter:liters|milliliter: mL: mL:mL:milliliter:milliliters|gallon: gal: gal:gal:gallon:gallons|fluid-ounce: fl oz: fl oz:fl oz:fluid ounce:fluid ounces|celsius:°C:°C:°C:degree Celsius:degrees Celsius|fahrenheit:°F:°F:°:degree Fahrenheit:degrees Fahrenheit|percent:%:%:%:percent:percent|degree: deg: deg:°:degree:degrees|acre: ac: ac:ac:acre:acres|hectare: ha: ha:ha:hectare:hectares|nanosecond: ns: ns:ns:nanosecond:nanoseconds|microsecond: μs: μs:μs:microsecond:microseconds|millisecond: ms: ms:ms:millisecond:milliseconds|second: sec: sec:s:second:seconds|minute: min: min:m:minute:minutes|hour: hr: hr:h:hour:hours|day: day: days:d:day:days|week: wk: wks:w:week:weeks|month: mth: mths:m:month:months|year: yr: yrs:y:year:years|bit: bit: bit:bit:bit:bits|byte: byte: byte:B:byte:bytes|kilobit: kb: kb:kb:kilobit:kilobits|kilobyte: kB: kB:kB:kilobyte:kilobytes|megabit: Mb: Mb:Mb:megabit:megabits|megabyte: MB: MB:MB:megabyte:megabytes|gigabit: Gb: Gb:Gb:gigabit:gigabits|gigabyte: GB: GB:GB:gigabyte:gigabytes|terabit: Tb: Tb:Tb:terabit:terabits|terabyte: TB: TB:TB:terabyte:terabytes|petabyte: PB: PB:PB:petabyte:petabytes|mile-per-hour: mph: mph:mph:mile per hour:miles per hour|mile-per-gallon: mpg: mpg:mpg:mile per gallon:miles per gallon", "|");

  const setDigits = (what, r, o, minDefault, maxDefault) => {
    r.minimumIntegerDigits = integerOption(o, "minimumIntegerDigits", 1, 21, 1);
    let minF = integerOption(o, "minimumFractionDigits", 0, 100, undefined);
    let maxF = integerOption(o, "maximumFractionDigits", 0, 100, undefined);
    const sig = o.minimumSignificantDigits !== undefined || o.maximumSignificantDigits !== undefined;
    r.minimumSignificantDigits = integerOption(o, "minimumSignificantDigits", 1, 21, 1);
    r.maximumSignificantDigits = integerOption(o, "maximumSignificantDigits", r.minimumSignificantDigits, 21, 21);
    const increment = integerOption(o, "roundingIncrement", 1, 5000, 1);
    if (increment !== 1) throw new RangeError("Intl." + what + ": roundingIncrement " + increment + " is not supported here, only 1");
    r.roundingMode = option(what, o, "roundingMode", words("ceil floor expand trunc halfCeil halfFloor halfExpand halfTrunc halfEven"), "halfExpand");
    fixed(what, o, "roundingPriority", "auto");
    r.trailingZeroDisplay = option(what, o, "trailingZeroDisplay", words("auto stripIfInteger"), "auto");
    r.significant = sig;
    const fractions = minF !== undefined || maxF !== undefined;
    r.compactRounding = r.notation === "compact" && !sig && !fractions;
    if (minF === undefined) minF = maxF === undefined ? minDefault : MathMin(minDefault, maxF);
    if (maxF === undefined) maxF = MathMax(maxDefault, minF);
    if (minF > maxF && !sig) throw new RangeError("maximumFractionDigits value is out of range: it is less than minimumFractionDigits");
    r.minimumFractionDigits = minF;
    r.maximumFractionDigits = maxF;
  };

  const unitShape = (unit) => {
    const u = UNITS[unit];
    if (u !== undefined) return u;
    const per = StringPrototypeIndexOf(unit, "-per-");
    const a = per < 0 ? undefined : UNITS[StringPrototypeSlice(unit, 0, per)];
    const b = per < 0 ? undefined : UNITS[StringPrototypeSlice(unit, per + 5)];
    if (a === undefined || b === undefined) throw new RangeError("Invalid unit argument for Intl.NumberFormat() '" + unit + "', or one that is not supported here");
    const one = has(words("second minute hour"), b[0]) ? b[3] : StringPrototypeSlice(b[1], b[1][0] === " " ? 1 : 0);
    return [unit, a[1] + "/" + one, a[2] + "/" + one, a[3] + "/" + one, a[4] + " per " + b[4], a[5] + " per " + b[4]];
  };

  const numberOptions = (options) => {
    const what = "NumberFormat";
    const o = optionsOf(options);
    const r = { __proto__: null };
    fixed(what, o, "numberingSystem", "latn");
    r.style = option(what, o, "style", words("decimal percent currency unit"), "decimal");
    let currency = option(what, o, "currency", undefined, undefined);
    if (currency !== undefined && !regexpTest(/^[a-z]{3}$/i, currency)) throw new RangeError("Invalid currency code : " + currency);
    if (r.style === "currency" && currency === undefined) throw new TypeError("Currency code is required with currency style.");
    r.currencyDisplay = option(what, o, "currencyDisplay", words("code symbol narrowSymbol name"), "symbol");
    r.currencySign = option(what, o, "currencySign", words("standard accounting"), "standard");
    const unit = option(what, o, "unit", undefined, undefined);
    if (r.style === "unit" && unit === undefined) throw new TypeError("Unit is required with unit style.");
    r.unitDisplay = option(what, o, "unitDisplay", words("short narrow long"), "short");
    if (r.style === "currency") r.currency = StringPrototypeToUpperCase(currency);
    if (r.style === "unit") {
      r.unit = unit;
      r.unitCells = unitShape(unit);
    }
    r.notation = option(what, o, "notation", words("standard scientific engineering compact"), "standard");
    const d = r.style === "currency" ? (CURRENCY_DIGITS[r.currency] === undefined ? 2 : +CURRENCY_DIGITS[r.currency][1]) : 0;
    setDigits(what, r, o, d, r.style === "currency" ? d : r.style === "percent" ? 0 : 3);
    r.compactDisplay = option(what, o, "compactDisplay", words("short long"), "short");
    let g = o.useGrouping;
    if (g === undefined) g = r.notation === "compact" ? "min2" : "auto";
    else if (g === true) g = "always";
    else if (g === false || g === null || g === 0 || g === "") g = false;
    else {
      g = text(g);
      if (g === "true" || g === "false") g = "auto";
      if (!has(words("min2 auto always"), g)) throw new RangeError("Value " + g + " out of range for Intl.NumberFormat options property useGrouping");
    }
    r.useGrouping = g;
    r.signDisplay = option(what, o, "signDisplay", words("auto never always exceptZero negative"), "auto");
    return r;
  };

  const part = (parts, type, value) => {
    if (value !== "") parts[parts.length] = { type, value };
  };
  const integerParts = (parts, r, s) => {
    const n = s.length;
    if (r.useGrouping === false || n <= 3 || (r.useGrouping === "min2" && n < 5)) return part(parts, "integer", s);
    let at = n % 3 || 3;
    part(parts, "integer", StringPrototypeSlice(s, 0, at));
    for (; at < n; at += 3) {
      part(parts, "group", ",");
      part(parts, "integer", StringPrototypeSlice(s, at, at + 3));
    }
  };
  const SUFFIXES = ["", "K", "M", "B", "T"];
  const LONG_SUFFIXES = ["", "thousand", "million", "billion", "trillion"];

  const numberParts = (r, input) => {
    let d = toDecimal(input);
    const body = list();
    let one = false;
    let zero = false;
    if (d.nan) {
      part(body, "nan", "NaN");
    } else if (d.infinite) {
      part(body, "infinity", "∞");
    } else {
      if (r.style === "percent") d = shifted(d, 2);
      let exponent = 0;
      let g;
      const magnitude = (x) => (x.digits === "" ? 0 : x.point - 1);
      const choose = (m) => (r.notation === "compact" ? MathMax(0, MathMin(12, MathFloor(m / 3) * 3)) : r.notation === "engineering" ? MathFloor(m / 3) * 3 : r.notation === "scientific" ? m : 0);
      exponent = choose(magnitude(d));
      g = digitsOf(r, shifted(d, -exponent));
      // Rounding may have carried into the next power: 999,999 is 1M.
      const again = choose(magnitude(g.value) + exponent);
      if (again !== exponent && g.value.digits !== "") {
        exponent = again;
        g = digitsOf(r, shifted(d, -exponent));
      }
      zero = g.value.digits === "";
      one = g.whole === "1" && g.fraction === "" && exponent === 0;
      integerParts(body, r, g.whole);
      if (g.fraction !== "") {
        part(body, "decimal", ".");
        part(body, "fraction", g.fraction);
      }
      if (r.notation === "compact" && exponent > 0) {
        const long = r.compactDisplay === "long" && r.style !== "currency";
        if (long) part(body, "literal", " ");
        part(body, "compact", (long ? LONG_SUFFIXES : SUFFIXES)[exponent / 3]);
      } else if (r.notation === "scientific" || r.notation === "engineering") {
        part(body, "exponentSeparator", "E");
        if (exponent < 0) part(body, "exponentMinusSign", "-");
        part(body, "exponentInteger", "" + MathAbs(exponent));
      }
    }
    let sign = "";
    switch (r.signDisplay) {
      case "auto": sign = d.neg ? "-" : ""; break;
      case "always": sign = d.neg ? "-" : "+"; break;
      case "exceptZero": sign = zero || d.nan ? "" : d.neg ? "-" : "+"; break;
      case "negative": sign = d.neg && !zero ? "-" : ""; break;
    }
    const parts = list();
    const accounting = r.style === "currency" && r.currencySign === "accounting" && r.currencyDisplay !== "name" && sign === "-";
    if (accounting) part(parts, "literal", "(");
    else if (sign !== "") part(parts, sign === "-" ? "minusSign" : "plusSign", sign);
    if (r.style === "currency" && r.currencyDisplay !== "name") {
      const narrow = r.currencyDisplay === "narrowSymbol" ? NARROW[r.currency] : undefined;
      const known = r.currencyDisplay === "code" ? undefined : narrow === undefined ? SYMBOLS[r.currency] : narrow;
      const symbol = known === undefined ? r.currency : known[1];
      part(parts, "currency", symbol);
      if (!d.nan && !d.infinite && regexpTest(/[A-Za-złčÀ-ɏ]$/, symbol)) part(parts, "literal", "\u00a0");
    }
    for (let i = 0; i < body.length; i++) parts[parts.length] = body[i];
    if (r.style === "percent") part(parts, "percentSign", "%");
    if (r.style === "currency" && r.currencyDisplay === "name") {
      const name = CURRENCY_NAMES[r.currency];
      part(parts, "literal", " ");
      part(parts, "currency", name === undefined ? r.currency : one ? name[1] : name[2]);
    }
    if (r.style === "unit") {
      let u = r.unitDisplay === "long" ? " " + r.unitCells[one ? 4 : 5] : r.unitDisplay === "narrow" ? r.unitCells[3] : r.unitCells[one ? 1 : 2];
      if (u[0] === " ") {
        part(parts, "literal", " ");
        u = StringPrototypeSlice(u, 1);
      }
      part(parts, u === "%" ? "percentSign" : "unit", u);
    }
    if (accounting) part(parts, "literal", ")");
    return parts;
  };
  const joined = (parts) => {
    let s = "";
    for (let i = 0; i < parts.length; i++) s += parts[i].value;
    return s;
  };
  const copied = (from, names) => {
    const out = {};
    for (let i = 0; i < names.length; i++) if (from[names[i]] !== undefined) define(out, names[i], from[names[i]]);
    return out;
  };
  const unsupported = (what) => {
    throw new RangeError(what + " is not supported here: format the two ends one by one");
  };
  const tag = (C, name) => {
    P.ObjectDefineProperty(C.prototype, P.SymbolToStringTag, { __proto__: null, value: "Intl." + name, configurable: true });
    P.defineHidden(C, "supportedLocalesOf", { supportedLocalesOf }.supportedLocalesOf);
  };
  // Intl constructors work without new.
  const callable = (C, name) => {
    tag(C, name);
    const F = { [name]: function (locales = undefined, options = undefined) { return P.ReflectConstruct(C, [locales, options], new.target === undefined ? F : new.target); } }[name];
    P.ObjectDefineProperty(F, "prototype", { __proto__: null, value: C.prototype, writable: false });
    P.defineHidden(C.prototype, "constructor", F);
    P.defineHidden(F, "supportedLocalesOf", C.supportedLocalesOf);
    P.ObjectDefineProperty(F, "length", { __proto__: null, value: 0, configurable: true });
    return F;
  };

  const NumberFormat = callable(
    class NumberFormat {
      #r;
      #format;
      constructor(locales, options) {
        canonical(locales);
        this.#r = numberOptions(options);
      }
      get format() {
        return (this.#format ??= (value) => joined(numberParts(this.#r, value)));
      }
      formatToParts(value) {
        return P.array(numberParts(this.#r, value));
      }
      formatRange() {
        unsupported("Intl.NumberFormat's formatRange");
      }
      formatRangeToParts() {
        unsupported("Intl.NumberFormat's formatRangeToParts");
      }
      resolvedOptions() {
        const r = this.#r;
        const v = { __proto__: r, locale: LOCALE, numberingSystem: "latn", roundingIncrement: 1, roundingPriority: r.compactRounding ? "morePrecision" : "auto" };
        return copied(v, words("locale numberingSystem style" + (r.style === "currency" ? " currency currencyDisplay currencySign" : r.style === "unit" ? " unit unitDisplay" : "") + " minimumIntegerDigits" +
          (r.significant ? " minimumSignificantDigits maximumSignificantDigits" : " minimumFractionDigits maximumFractionDigits") + " useGrouping notation" + (r.notation === "compact" ? " compactDisplay" : "") + " signDisplay roundingMode roundingIncrement trailingZeroDisplay roundingPriority"));
      }
    },
    "NumberFormat",
  );

  // Dates

  const MONTHS = words("January February March April May June July August September October November December");
  const DAYS = words("Sunday Monday Tuesday Wednesday Thursday Friday Saturday");
  const US_ZONES = table("America/New_York:Eastern:E America/Detroit:Eastern:E America/Toronto:Eastern:E US/Eastern:Eastern:E America/Chicago:Central:C US/Central:Central:C America/Denver:Mountain:M US/Mountain:Mountain:M America/Phoenix:Mountain:M America/Los_Angeles:Pacific:P US/Pacific:Pacific:P America/Vancouver:Pacific:P America/Anchorage:Alaska:AK Pacific/Honolulu:Hawaii-Aleutian:H");
  const OTHER_ZONES = table("Europe/London:Greenwich Mean Time:British Summer Time|Europe/Dublin:Greenwich Mean Time:Irish Standard Time|Asia/Tokyo:Japan Standard Time:|Asia/Kolkata:India Standard Time:|Asia/Calcutta:India Standard Time:|Asia/Shanghai:China Standard Time:|Asia/Hong_Kong:Hong Kong Standard Time:|Asia/Seoul:Korean Standard Time:|Asia/Singapore:Singapore Standard Time:|Australia/Sydney:Australian Eastern Standard Time:Australian Eastern Daylight Time|Australia/Melbourne:Australian Eastern Standard Time:Australian Eastern Daylight Time|Australia/Brisbane:Australian Eastern Standard Time:|America/Sao_Paulo:Brasilia Standard Time:Brasilia Summer Time|Europe/Moscow:Moscow Standard Time:", "|");
  const CENTRAL_EUROPE = words("Berlin Paris Madrid Rome Vienna Zurich Brussels Amsterdam Prague Warsaw Budapest Stockholm Oslo Copenhagen Luxembourg Ljubljana Zagreb Bratislava Belgrade");
  const EASTERN_EUROPE = words("Athens Helsinki Kiev Kyiv Bucharest Sofia Riga Tallinn Vilnius");
  const offsetShape = /^([+-])(\d\d):?(\d\d)?$/;
  const isUTC = /^(?:utc|etc\/utc|etc\/gmt|gmt|etc\/uct|uct|zulu|etc\/zulu)$/i;

  const zoneOf = (name) => {
    if (name === undefined) return "UTC";
    const s = text(name);
    if (regexpTest(isUTC, s)) return "UTC";
    const m = RegExpPrototypeExec(offsetShape, s);
    if (m !== null && +m[2] < 24 && (m[3] === undefined || +m[3] < 60)) return m[1] + m[2] + ":" + (m[3] === undefined ? "00" : m[3]);
    if (!regexpTest(/^[A-Za-z_]+(?:[/+-][A-Za-z0-9_+-]+)*$/, s) || !N || !N.tzOffset || N.tzOffset(s, 0) === undefined) throw new RangeError("Invalid time zone specified: " + s);
    const cased = /^[a-z/_]+$/;
    if (!regexpTest(cased, s)) return s;
    // europe/berlin is the same zone as Europe/Berlin.
    let out = "";
    for (let i = 0; i < s.length; i++) out += i === 0 || s[i - 1] === "/" || s[i - 1] === "_" ? StringPrototypeToUpperCase(s[i]) : s[i];
    return N.tzOffset(out, 0) === undefined ? s : out;
  };
  const offsetOf = (zone, ms) => {
    if (zone === "UTC") return 0;
    const m = RegExpPrototypeExec(offsetShape, zone);
    if (m !== null) return (m[1] === "-" ? -1 : 1) * (+m[2] * 60 + +m[3]);
    return N.tzOffset(zone, ms);
  };
  const two = (n) => StringPrototypePadStart("" + n, 2, "0");
  const gmt = (offset, long) => {
    const a = MathFloor(MathAbs(offset));
    const h = MathFloor(a / 60);
    const m = a % 60;
    return "GMT" + (offset < 0 ? "-" : "+") + (long ? two(h) : h) + (m !== 0 || long ? ":" + two(m) : "");
  };
  const zoneName = (style, zone, ms) => {
    const offset = offsetOf(zone, ms);
    if (style === "shortOffset") return gmt(offset, false);
    if (style === "longOffset") return gmt(offset, true);
    const generic = style === "shortGeneric" || style === "longGeneric";
    const long = style === "long" || style === "longGeneric";
    if (zone === "UTC") return generic ? (long ? "GMT+00:00" : "GMT+0") : long ? "Coordinated Universal Time" : "UTC";
    const winter = () => {
      const year = dateFields(zone, ms).year;
      return MathMin(offsetOf(zone, P.DateUTC(year, 0, 1)), offsetOf(zone, P.DateUTC(year, 6, 1)));
    };
    const us = US_ZONES[zone];
    if (us !== undefined) {
      const kind = generic ? "" : offset > winter() ? "Daylight" : "Standard";
      return long ? us[1] + (kind === "" ? "" : " " + kind) + " Time" : us[2] + (kind === "" ? "" : kind[0]) + "T";
    }
    if (!long || generic) return offset === 0 ? "GMT" : gmt(offset, false);
    const other = OTHER_ZONES[zone];
    const summer = offset > winter();
    if (other !== undefined) return summer && other[2] !== "" ? other[2] : other[1];
    const city = StringPrototypeStartsWith(zone, "Europe/") ? StringPrototypeSlice(zone, 7) : "";
    if (has(CENTRAL_EUROPE, city)) return "Central European " + (summer ? "Summer" : "Standard") + " Time";
    if (has(EASTERN_EUROPE, city)) return "Eastern European " + (summer ? "Summer" : "Standard") + " Time";
    return gmt(offset, true);
  };
  const dateFields = (zone, ms) => {
    const d = new P.Date(ms + offsetOf(zone, ms) * 60000);
    return {
      __proto__: null, year: P.DatePrototypeGetUTCFullYear(d), month: P.DatePrototypeGetUTCMonth(d), day: P.DatePrototypeGetUTCDate(d), weekday: P.DatePrototypeGetUTCDay(d),
      hour: P.DatePrototypeGetUTCHours(d), minute: P.DatePrototypeGetUTCMinutes(d), second: P.DatePrototypeGetUTCSeconds(d), ms: P.DatePrototypeGetUTCMilliseconds(d),
    };
  };

  const NAMES = words("narrow short long");
  const DIGITS = words("2-digit numeric");
  const STYLES = words("full long medium short");
  // need: which fields satisfy (date, time, any); fill: which to add where none does.
  const dateOptions = (options, need, fill) => {
    const what = "DateTimeFormat";
    const o = optionsOf(options);
    const r = { __proto__: null };
    fixed(what, o, "calendar", "gregory");
    fixed(what, o, "numberingSystem", "latn");
    const hour12 = o.hour12;
    const cycle = option(what, o, "hourCycle", words("h11 h12 h23 h24"), undefined);
    r.timeZone = zoneOf(o.timeZone);
    r.weekday = option(what, o, "weekday", NAMES, undefined);
    r.era = option(what, o, "era", NAMES, undefined);
    r.year = option(what, o, "year", DIGITS, undefined);
    r.month = option(what, o, "month", words("2-digit numeric narrow short long"), undefined);
    r.day = option(what, o, "day", DIGITS, undefined);
    if (o.dayPeriod !== undefined) throw new RangeError("Intl.DateTimeFormat: the option dayPeriod is not supported here");
    r.hour = option(what, o, "hour", DIGITS, undefined);
    r.minute = option(what, o, "minute", DIGITS, undefined);
    r.second = option(what, o, "second", DIGITS, undefined);
    r.fractionalSecondDigits = integerOption(o, "fractionalSecondDigits", 1, 3, undefined);
    r.timeZoneName = option(what, o, "timeZoneName", words("short long shortOffset longOffset shortGeneric longGeneric"), undefined);
    r.dateStyle = option(what, o, "dateStyle", STYLES, undefined);
    r.timeStyle = option(what, o, "timeStyle", STYLES, undefined);
    const dates = r.weekday || r.year || r.month || r.day;
    const times = r.hour || r.minute || r.second || r.fractionalSecondDigits;
    if (r.dateStyle || r.timeStyle) {
      if (dates || times || r.era || r.timeZoneName) throw new TypeError("Can't set option " + (r.weekday ? "weekday" : r.year ? "year" : r.month ? "month" : r.day ? "day" : r.hour ? "hour" : r.minute ? "minute" : r.second ? "second" : r.era ? "era" : r.timeZoneName ? "timeZoneName" : "fractionalSecondDigits") + " when " + (r.dateStyle ? "dateStyle" : "timeStyle") + " is used");
      if (need === "date" && r.timeStyle) throw new TypeError("Invalid option : timeStyle");
      if (need === "time" && r.dateStyle) throw new TypeError("Invalid option : dateStyle");
    } else if (!((need !== "time" && dates) || (need !== "date" && times))) {
      if (fill !== "time") r.year = r.month = r.day = "numeric";
      if (fill !== "date") r.hour = r.minute = r.second = "numeric";
    }
    if (r.hour || r.timeStyle) r.hourCycle = hour12 !== undefined ? (hour12 ? "h12" : "h23") : cycle || "h12";
    return r;
  };

  const dateParts = (r, ms) => {
    const f = dateFields(r.timeZone, ms);
    const parts = list();
    let { weekday, era, year, month, day, hour, minute, second, timeZoneName } = r;
    if (r.dateStyle) {
      weekday = r.dateStyle === "full" ? "long" : undefined;
      year = r.dateStyle === "short" ? "2-digit" : "numeric";
      month = r.dateStyle === "short" ? "numeric" : r.dateStyle === "medium" ? "short" : "long";
      day = "numeric";
    }
    if (r.timeStyle) {
      hour = minute = "numeric";
      second = r.timeStyle === "short" ? undefined : "numeric";
      timeZoneName = r.timeStyle === "full" ? "long" : r.timeStyle === "long" ? "short" : undefined;
    }
    const literal = (s) => part(parts, "literal", s);
    const digits = (n, style) => (style === "2-digit" ? two(n % 100) : "" + n);
    const named = month === "short" || month === "long" || month === "narrow";
    const cut = (name, style) => (style === "long" ? name : style === "short" ? StringPrototypeSlice(name, 0, 3) : name[0]);
    let y = f.year;
    let eraName;
    if (y <= 0 && era) y = 1 - y;
    if (era) eraName = f.year <= 0 ? (era === "long" ? "Before Christ" : era === "short" ? "BC" : "B") : era === "long" ? "Anno Domini" : era === "short" ? "AD" : "A";
    const pWeekday = () => part(parts, "weekday", cut(DAYS[f.weekday], weekday));
    const pMonth = () => part(parts, "month", named ? cut(MONTHS[f.month], month) : digits(f.month + 1, month));
    const pDay = () => part(parts, "day", digits(f.day, day));
    const pYear = () => part(parts, "year", digits(y, year));
    const hasDate = weekday || year || month || day;
    if (weekday && day && !month && !year) {
      pDay();
      literal(" ");
      pWeekday();
    } else if (hasDate) {
      const after = weekday && !day;
      if (weekday && !after) {
        pWeekday();
        literal(", ");
      }
      if (month) pMonth();
      if (month && (day || year)) literal(named ? " " : "/");
      if (day && month) {
        pDay();
        if (year) literal(named ? ", " : "/");
      } else if (day && !year) pDay();
      if (year) pYear();
      if (day && year && !month) {
        literal(" (day: ");
        pDay();
        literal(")");
      }
      if (after) {
        if (month || year) literal(" ");
        pWeekday();
      }
    }
    if (eraName !== undefined) {
      if (hasDate) literal(" ");
      part(parts, "era", eraName);
    }
    const hasTime = hour || minute || second || r.fractionalSecondDigits;
    if (hasTime) {
      const at = r.timeStyle ? r.dateStyle === "full" || r.dateStyle === "long" : month === "long";
      if (hasDate || eraName !== undefined) literal(weekday && !day && !month && !year && r.hourCycle !== "h23" && !timeZoneName ? " " : at ? " at " : ", ");
      const h12 = r.hourCycle === "h12" || r.hourCycle === "h11";
      if (hour) {
        const h = r.hourCycle === "h12" ? f.hour % 12 || 12 : r.hourCycle === "h11" ? f.hour % 12 : r.hourCycle === "h24" ? f.hour || 24 : f.hour;
        part(parts, "hour", hour === "2-digit" || !h12 ? two(h) : "" + h);
      }
      if (minute) {
        if (hour) literal(":");
        part(parts, "minute", hour || second ? two(f.minute) : "" + f.minute);
      }
      if (second) {
        if (hour || minute) literal(":");
        part(parts, "second", hour || minute ? two(f.second) : "" + f.second);
      }
      if (r.fractionalSecondDigits) {
        if (second) literal(".");
        part(parts, "fractionalSecond", StringPrototypeSlice(StringPrototypePadStart("" + f.ms, 3, "0"), 0, r.fractionalSecondDigits));
      }
      if (hour && h12) {
        literal(" ");
        part(parts, "dayPeriod", f.hour < 12 ? "AM" : "PM");
      }
    }
    if (timeZoneName) {
      literal(hasTime ? " " : ", ");
      part(parts, "timeZoneName", zoneName(timeZoneName, r.timeZone, ms));
    }
    return parts;
  };
  const timeOf = (v) => {
    let ms;
    if (v === undefined) ms = P.DateNow();
    else if (typeof v === "object" && v !== null && P.brand(v) === "Date") ms = P.DatePrototypeGetTime(v);
    else ms = +v;
    if (!(MathAbs(ms) <= 8.64e15)) throw new RangeError("Invalid time value");
    return ms;
  };

  const DateTimeFormat = callable(
    class DateTimeFormat {
      #r;
      #format;
      constructor(locales, options) {
        canonical(locales);
        this.#r = dateOptions(options, "any", "date");
      }
      get format() {
        return (this.#format ??= (date) => joined(dateParts(this.#r, timeOf(date))));
      }
      formatToParts(date) {
        return P.array(dateParts(this.#r, timeOf(date)));
      }
      formatRange() {
        unsupported("Intl.DateTimeFormat's formatRange");
      }
      formatRangeToParts() {
        unsupported("Intl.DateTimeFormat's formatRangeToParts");
      }
      resolvedOptions() {
        const r = this.#r;
        const v = { __proto__: r, locale: LOCALE, calendar: "gregory", numberingSystem: "latn", hour12: r.hourCycle === undefined ? undefined : r.hourCycle === "h12" || r.hourCycle === "h11" };
        return copied(v, words("locale calendar numberingSystem timeZone hourCycle hour12 weekday era year month day hour minute second fractionalSecondDigits timeZoneName dateStyle timeStyle"));
      }
    },
    "DateTimeFormat",
  );

  // Plurals, lists, relative times

  const cardinal = (g) => (g.whole === "1" && g.fraction === "" ? "one" : "other");
  const ordinal = (n) => (n % 10 === 1 && n % 100 !== 11 ? "one" : n % 10 === 2 && n % 100 !== 12 ? "two" : n % 10 === 3 && n % 100 !== 13 ? "few" : "other");
  const PluralRules = class PluralRules {
    #r = { __proto__: null, notation: "standard" };
    #type;
    constructor(locales = undefined, options = undefined) {
      canonical(locales);
      const o = optionsOf(options);
      this.#type = option("PluralRules", o, "type", words("cardinal ordinal"), "cardinal");
      setDigits("PluralRules", this.#r, o, 0, 3);
    }
    select(n) {
      const d = toDecimal(+n);
      if (d.nan || d.infinite) return "other";
      const g = digitsOf(this.#r, d);
      return this.#type === "cardinal" ? cardinal(g) : g.fraction === "" ? ordinal(+g.whole) : "other";
    }
    resolvedOptions() {
      const r = this.#r;
      const v = { __proto__: r, locale: LOCALE, type: this.#type, pluralCategories: this.#type === "cardinal" ? ["one", "other"] : ["few", "one", "two", "other"] };
      return copied(v, words("locale type minimumIntegerDigits" + (r.significant ? " minimumSignificantDigits maximumSignificantDigits" : " minimumFractionDigits maximumFractionDigits") + " pluralCategories roundingMode trailingZeroDisplay"));
    }
  };
  tag(PluralRules, "PluralRules");

  const ListFormat = class ListFormat {
    #type;
    #style;
    constructor(locales = undefined, options = undefined) {
      canonical(locales);
      const o = optionsOf(options);
      this.#type = option("ListFormat", o, "type", words("conjunction disjunction unit"), "conjunction");
      this.#style = option("ListFormat", o, "style", words("long short narrow"), "long");
    }
    formatToParts(items) {
      const strings = list();
      const it = P.ReflectApply(items[P.SymbolIterator], items, []);
      const next = it.next;
      for (let step; !(step = P.ReflectApply(next, it, [])).done; ) {
        if (typeof step.value !== "string") throw new TypeError("Iterable yielded " + (typeof step.value === "symbol" ? "a symbol" : P.String(step.value)) + " which is not a string");
        strings[strings.length] = step.value;
      }
      const n = strings.length;
      const word = this.#type === "conjunction" ? (this.#style === "long" ? "and" : this.#style === "short" ? "&" : "") : this.#type === "disjunction" ? "or" : "";
      const comma = this.#type === "unit" && this.#style === "narrow" ? " " : ", ";
      const parts = list();
      for (let i = 0; i < n; i++) {
        if (i > 0) part(parts, "literal", i < n - 1 ? comma : word === "" ? comma : n === 2 ? " " + word + " " : ", " + word + " ");
        parts[parts.length] = { type: "element", value: strings[i] };
      }
      return P.array(parts);
    }
    format(items) {
      return joined(P.ReflectApply(listParts, this, [items]));
    }
    resolvedOptions() {
      return { locale: LOCALE, type: this.#type, style: this.#style };
    }
  };
  const listParts = ListFormat.prototype.formatToParts;
  tag(ListFormat, "ListFormat");

  const REL = table("second:sec.:sec.:s minute:min.:min.:m hour:hr.:hr.:h day:day:days:d week:wk.:wk.:w month:mo.:mo.:mo quarter:qtr.:qtrs.:q year:yr.:yr.:y");
  const RelativeTimeFormat = class RelativeTimeFormat {
    #style;
    #numeric;
    #number = numberOptions(undefined);
    constructor(locales = undefined, options = undefined) {
      canonical(locales);
      const o = optionsOf(options);
      this.#style = option("RelativeTimeFormat", o, "style", words("long short narrow"), "long");
      this.#numeric = option("RelativeTimeFormat", o, "numeric", words("always auto"), "always");
    }
    formatToParts(value, unit) {
      const n = +value;
      let u = text(unit);
      if (P.StringPrototypeEndsWith(u, "s")) u = StringPrototypeSlice(u, 0, -1);
      const cells = REL[u];
      if (cells === undefined) throw new RangeError("Invalid unit argument for format() '" + text(unit) + "'");
      if (!P.NumberIsFinite(n)) throw new RangeError("The value must be a finite number for Intl.RelativeTimeFormat");
      const parts = list();
      if (this.#numeric === "auto" && (n === 0 || n === 1 || n === -1)) {
        const short = this.#style === "long" || u === "day" ? u : cells[1];
        const s = u === "second" ? (n === 0 ? "now" : "") : u === "minute" || u === "hour" ? (n === 0 ? "this " + u : "") : u === "day" ? (n === 0 ? "today" : n > 0 ? "tomorrow" : "yesterday") : (n === 0 ? "this " : n > 0 ? "next " : "last ") + short;
        if (s !== "") {
          part(parts, "literal", s);
          return P.array(parts);
        }
      }
      const past = n < 0 || P.ObjectIs(n, -0);
      const numbers = numberParts(this.#number, MathAbs(n));
      const one = joined(numbers) === "1";
      const word = this.#style === "long" ? " " + u + (one ? "" : "s") : this.#style === "short" ? " " + (one ? cells[1] : cells[2]) : cells[3];
      if (!past) part(parts, "literal", "in ");
      for (let i = 0; i < numbers.length; i++) parts[parts.length] = { type: numbers[i].type, value: numbers[i].value, unit: u };
      part(parts, "literal", word + (past ? " ago" : ""));
      return P.array(parts);
    }
    format(value, unit) {
      return joined(P.ReflectApply(relativeParts, this, [value, unit]));
    }
    resolvedOptions() {
      return { locale: LOCALE, style: this.#style, numeric: this.#numeric, numberingSystem: "latn" };
    }
  };
  const relativeParts = RelativeTimeFormat.prototype.formatToParts;
  tag(RelativeTimeFormat, "RelativeTimeFormat");

  // Comparison: the order of the root collation for Latin text: white space,
  // punctuation, symbols, digits, letters; accents second, lower before upper
  // case last. Other scripts follow in code point order.

  const ORDER = "\t\n\v\f\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";
  const plain = /^[a-zA-Z0-9 ]*$/;
  const weight = (c) => {
    if (c >= 48 && c <= 57) return c - 48 + 100;
    if ((c | 32) >= 97 && (c | 32) <= 122) return (c | 32) - 97 + 200;
    if (c < 128) {
      const at = StringPrototypeIndexOf(ORDER, P.StringFromCharCode(c));
      return at < 0 ? -1 : at;
    }
    return 1000 + c;
  };
  // Letters that are others in disguise, second by accent.
  const DISGUISED = table("ß:ss ẞ:ss æ:ae Æ:ae œ:oe Œ:oe ø:o Ø:o ł:l Ł:l đ:d Đ:d ı:i");
  const combining = (c) => c >= 0x300 && c <= 0x36f;
  // { primary, accents, cases }: lists of numbers of one string
  const keyOf = (s, numeric, ignorePunctuation) => {
    const k = { __proto__: null, primary: list(), accents: list(), cases: list() };
    if (!regexpTest(plain, s)) s = P.StringPrototypeNormalize(s, "NFD");
    for (let i = 0; i < s.length; i++) {
      const c = StringPrototypeCharCodeAt(s, i);
      const n = k.primary.length;
      if (combining(c)) {
        if (n > 0) k.accents[n - 1] = (k.accents[n - 1] * 37 + c) % 1000003;
        continue;
      }
      const letters = c < 128 ? undefined : DISGUISED[s[i]];
      if (letters !== undefined) {
        for (let j = 0; j < letters[1].length; j++) {
          k.primary[n + j] = weight(StringPrototypeCharCodeAt(letters[1], j));
          k.accents[n + j] = 999;
          k.cases[n + j] = StringPrototypeToLowerCase(s[i]) !== s[i] ? 1 : 0;
        }
        continue;
      }
      let w = weight(c);
      if (w < 0 || (ignorePunctuation && w < 100)) continue;
      if (numeric && c >= 48 && c <= 57) {
        let end = i;
        while (end < s.length && StringPrototypeCharCodeAt(s, end) >= 48 && StringPrototypeCharCodeAt(s, end) <= 57) end++;
        let start = i;
        while (start < end - 1 && s[start] === "0") start++;
        // Its length first: longer numbers are greater.
        w = 110 + MathMin(end - start, 80);
        for (let j = start; j < end; j++) {
          k.primary[k.primary.length] = j === start ? w : 0;
          k.accents[k.accents.length] = 0;
          k.cases[k.cases.length] = 0;
          k.primary[k.primary.length] = 100 + StringPrototypeCharCodeAt(s, j) - 48;
          k.accents[k.accents.length] = 0;
          k.cases[k.cases.length] = 0;
        }
        i = end - 1;
        continue;
      }
      const upper = c < 128 ? c >= 65 && c <= 90 : StringPrototypeToLowerCase(s[i]) !== s[i];
      if (c >= 128 && upper) w = 1000 + StringPrototypeCharCodeAt(StringPrototypeToLowerCase(s[i]), 0);
      k.primary[n] = w;
      k.accents[n] = 0;
      k.cases[n] = upper ? 1 : 0;
    }
    return k;
  };
  const compareLists = (a, b) => {
    const n = MathMin(a.length, b.length);
    for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
    return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
  };
  const WEIGHTS = list();
  for (let c = 0; c < 128; c++) WEIGHTS[c] = weight(c);
  // The same for what is nearly everything: ASCII text and no options.
  // undefined where a character needs more thought.
  const compareASCII = (a, b) => {
    const n = MathMin(a.length, b.length);
    let cases = 0;
    for (let i = 0; i < n; i++) {
      const x = StringPrototypeCharCodeAt(a, i);
      const y = StringPrototypeCharCodeAt(b, i);
      if (x >= 128 || y >= 128) return undefined;
      const v = WEIGHTS[x];
      const w = WEIGHTS[y];
      if (v < 0 || w < 0) return undefined;
      if (v !== w) return v < w ? -1 : 1;
      if (x !== y && cases === 0) cases = x < y ? 1 : -1;
    }
    if (a.length === b.length) return cases;
    const next = StringPrototypeCharCodeAt(a.length > n ? a : b, n);
    if (next >= 128 || WEIGHTS[next] < 0) return undefined;
    return a.length > n ? 1 : -1;
  };
  const compare = (r, a, b) => {
    if (a === b) return 0;
    if (!r.numeric && !r.ignorePunctuation && r.sensitivity === "variant" && r.caseFirst !== "upper") {
      const d = compareASCII(a, b);
      if (d !== undefined) return d;
    }
    const x = keyOf(a, r.numeric, r.ignorePunctuation);
    const y = keyOf(b, r.numeric, r.ignorePunctuation);
    let d = compareLists(x.primary, y.primary);
    if (d === 0 && (r.sensitivity === "accent" || r.sensitivity === "variant")) d = compareLists(x.accents, y.accents);
    if (d === 0 && (r.sensitivity === "case" || r.sensitivity === "variant")) {
      d = compareLists(x.cases, y.cases);
      if (r.caseFirst === "upper") d = -d;
    }
    return d;
  };
  const collatorOptions = (locales, options) => {
    const tags = canonical(locales);
    const o = optionsOf(options);
    const what = "Collator";
    const r = { __proto__: null };
    r.usage = option(what, o, "usage", words("sort search"), "sort");
    r.sensitivity = option(what, o, "sensitivity", words("base accent case variant"), "variant");
    r.ignorePunctuation = !!o.ignorePunctuation;
    fixed(what, o, "collation", "default");
    r.numeric = o.numeric === undefined ? tags.length > 0 && StringPrototypeIndexOf(tags[0], "-u-kn") > 0 && StringPrototypeIndexOf(tags[0], "kn-false") < 0 : !!o.numeric;
    r.caseFirst = option(what, o, "caseFirst", words("upper lower false"), "false");
    return r;
  };
  const Collator = callable(
    class Collator {
      #r;
      #compare;
      constructor(locales, options) {
        this.#r = collatorOptions(locales, options);
      }
      get compare() {
        return (this.#compare ??= (a, b) => compare(this.#r, text(a), text(b)));
      }
      resolvedOptions() {
        return copied({ __proto__: this.#r, locale: LOCALE, collation: "default" }, words("locale usage sensitivity ignorePunctuation collation numeric caseFirst"));
      }
    },
    "Collator",
  );

  const Intl = {};
  const names = { __proto__: null, Collator, DateTimeFormat, ListFormat, NumberFormat, PluralRules, RelativeTimeFormat };
  for (const k in names) P.defineHidden(Intl, k, names[k]);
  const missing = ["DisplayNames", "DurationFormat", "Locale", "Segmenter"];
  for (let i = 0; i < missing.length; i++) {
    const name = missing[i];
    P.defineHidden(Intl, name, { [name]: function () { throw new RangeError("Intl." + name + " is not available here; Intl has Collator, DateTimeFormat, ListFormat, NumberFormat, PluralRules and RelativeTimeFormat, in en-US"); } }[name]);
  }
  P.defineHidden(Intl, "getCanonicalLocales", function getCanonicalLocales(locales) { return P.array(canonical(locales)); });
  P.defineHidden(Intl, "supportedValuesOf", function supportedValuesOf(key) { throw new RangeError("Intl.supportedValuesOf is not available here"); });
  P.ObjectDefineProperty(Intl, P.SymbolToStringTag, { __proto__: null, value: "Intl", configurable: true });

  // The methods of built-in prototypes

  let plainNumber, plainCollator;
  const formatNumber = (v, locales, options) => {
    if (locales === undefined && options === undefined) return joined(numberParts((plainNumber ??= numberOptions(undefined)), v));
    canonical(locales);
    return joined(numberParts(numberOptions(options), v));
  };
  const formatDate = (v, locales, options, need, fill) => {
    const ms = P.DatePrototypeGetTime(v);
    canonical(locales);
    const r = dateOptions(options, need, fill);
    return ms !== ms ? "Invalid Date" : joined(dateParts(r, ms));
  };
  const m = {
    __proto__: null,
    number: { toLocaleString(locales = undefined, options = undefined) { return formatNumber(P.NumberPrototypeValueOf(this), locales, options); } },
    bigint: { toLocaleString(locales = undefined, options = undefined) { return formatNumber(P.BigIntPrototypeValueOf(this), locales, options); } },
    date: {
      toLocaleString(locales = undefined, options = undefined) { return formatDate(this, locales, options, "any", "all"); },
      toLocaleDateString(locales = undefined, options = undefined) { return formatDate(this, locales, options, "date", "date"); },
      toLocaleTimeString(locales = undefined, options = undefined) { return formatDate(this, locales, options, "time", "time"); },
    },
    string: {
      localeCompare(that, locales = undefined, options = undefined) {
        if (this === undefined || this === null) throw new TypeError("String.prototype.localeCompare called on null or undefined");
        const a = text(this);
        const b = text(that);
        return compare(locales === undefined && options === undefined ? (plainCollator ??= collatorOptions()) : collatorOptions(locales, options), a, b);
      },
    },
  };
  const methods = P.ObjectSetPrototypeOf(
    [
      P.NumberPrototype, "toLocaleString", m.number.toLocaleString,
      P.BigIntPrototype, "toLocaleString", m.bigint.toLocaleString,
      P.DatePrototype, "toLocaleString", m.date.toLocaleString,
      P.DatePrototype, "toLocaleDateString", m.date.toLocaleDateString,
      P.DatePrototype, "toLocaleTimeString", m.date.toLocaleTimeString,
      P.StringPrototype, "localeCompare", m.string.localeCompare,
    ],
    null,
  );
  for (let i = 2; i < methods.length; i += 3) P.ObjectDefineProperty(methods[i], "length", { __proto__: null, value: methods[i - 1] === "localeCompare" ? 1 : 0, configurable: true });
  const install = (global) => {
    P.defineHidden(global, "Intl", Intl);
    for (let i = 0; i < methods.length; i += 3) P.defineHidden(methods[i], methods[i + 1], methods[i + 2]);
  };

  return { __proto__: null, Intl, methods, install };
})
