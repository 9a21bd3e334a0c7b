// The rest of what a program may call, loaded when its text mentions it. N is
// not only natives here but also what core.js has to share.
(function (P, N) {
  "use strict";
  const { isObject, str, request, callTool, tool, directory, hostError, parallel, stringify, tools } = N;
  const reject = (code, message, more) => P.PromiseReject(hostError(code, message, undefined, more));

  const resources = {
    read: (server, uri) => request("resource.read", N.server(str(server)) || str(server), str(uri)),
    list: (server) => request("resource.list", server === undefined ? "" : N.server(str(server)) || str(server), ""),
  };

  const keyForm = /^[A-Za-z0-9_.:-]{1,256}$/;
  const keyed = (key, f) => (typeof key === "string" && P.regexpTest(keyForm, key) ? f() : reject("STASH_ERROR", "a stash key is a string of 1 to 256 characters of A-Z a-z 0-9 _ - . :"));
  const stash = {
    put: (key, value, options) =>
      keyed(key, () => {
        const ttl = isObject(options) ? options.ttl : undefined;
        if (ttl !== undefined && !(typeof ttl === "number" && ttl > 0 && ttl < Infinity)) return reject("STASH_ERROR", "ttl is a number of seconds above 0");
        let body;
        try {
          body = stringify(value);
        } catch (e) {
          return reject("INVALID_ARGUMENTS", "the value for " + key + " cannot be kept: " + N.unencodable(value, e));
        }
        return request("stash.put", "", key, '{"value":' + (body === undefined ? "null" : body) + (ttl === undefined ? "" : ',"ttl":' + ttl) + "}");
      }),
    get: (key) => keyed(key, () => request("stash.get", "", key)),
    delete: (key) => keyed(key, () => request("stash.delete", "", key)),
    keys: () => request("stash.keys", "", ""),
  };

  const catalog = {
    servers: () => request("catalog.servers", "", ""),
    search: (query, options) => {
      const about = { __proto__: null };
      if (isObject(options)) {
        if (options.server !== undefined) about.server = str(options.server);
        if (typeof options.limit === "number") about.limit = options.limit;
      }
      return request("catalog.search", "", str(query), P.JSONStringify(about));
    },
    types: (server, name) => request("catalog.types", N.server(str(server)) || str(server), name === undefined ? "" : str(name)),
  };

  const kinds = { __proto__: null, text: 1, image: 1, audio: 1, resource: 1, resource_link: 1 };
  const emit = (block) => {
    if (!isObject(block) || typeof block.type !== "string" || !(block.type in kinds)) throw new P.TypeError('emit needs a content block such as { type: "text", text } or { type: "image", data, mimeType }; the types are text, image, audio, resource and resource_link');
    let body;
    try {
      body = stringify(block);
    } catch (e) {
      throw hostError("INVALID_ARGUMENTS", "the block cannot be sent: " + N.unencodable(block, e));
    }
    const refused = N.emit(body);
    if (refused !== undefined) throw hostError(refused.code, refused.message);
  };

  const progress = (done, total, message) => {
    if (typeof done !== "number" || !(total === undefined || total === null || typeof total === "number")) throw new P.TypeError("progress needs numbers: progress(done, total, message)");
    N.progress(done, total === null ? undefined : total, message === undefined ? undefined : str(message));
  };

  // forge.server("s").tool(args) and forge.server("s").category.tool(args).
  const category = (server, prefix) =>
    directory(
      () => [],
      () => undefined,
      (k) => category(server, prefix ? prefix + "." + k : k),
      (args, options) => tool(server, N.tool_(server, prefix) || prefix, args, options),
    );
  const forge = {
    callTool,
    readResource: resources.read,
    server: (name) => category(N.server(str(name)) || str(name), ""),
    parallel,
    stash,
  };

  const codemode = directory(
    () => N.owned(),
    (k) => (N.owners(k).length === 1 ? k : undefined),
    (k) => (args) => {
      const owners = N.owners(k);
      if (owners.length === 1) return tool(owners[0], N.tool_(owners[0], k) || k, args);
      return reject("TOOL_NOT_FOUND", owners.length === 0 ? "no server has a tool " + k : "more than one server has a tool " + k + ": call it as tools.server." + k, { __proto__: null, tool: k, suggestion: owners.length === 0 ? "" : "tools[" + P.JSONStringify(owners[0]) + "]." + k });
    },
  );

  const hex = "0123456789abcdef";
  const crypto = {
    getRandomValues: (array) => {
      const name = isObject(array) && P.ArrayBufferIsView(array) ? P.TypedArrayPrototypeGetName(array) : undefined;
      if (name === undefined || P.StringPrototypeIndexOf(name, "Float") === 0) throw new P.TypeError("getRandomValues needs an array of integers such as new Uint8Array(16)");
      if (P.TypedArrayPrototypeGetByteLength(array) > 65536) throw new P.RangeError("getRandomValues fills at most 65536 bytes at once");
      N.fill(array);
      return array;
    },
    randomUUID: () => {
      const b = new P.Uint8Array(16);
      N.fill(b);
      b[6] = (b[6] & 15) | 64;
      b[8] = (b[8] & 63) | 128;
      let s = "";
      for (let i = 0; i < 16; i++) s += (i === 4 || i === 6 || i === 8 || i === 10 ? "-" : "") + hex[b[i] >> 4] + hex[b[i] & 15];
      return s;
    },
  };

  return { __proto__: null, resources, stash, catalog, emit, progress, forge, codemode, crypto };
})
