// A client made of the official SDK, steered over its standard input: a line of
// JSON is a command, a line of JSON on its standard output is an answer (with
// the command's id) or an event.
//
// Its argument is JSON: the packages' directory, which SDK, the server's command
// and arguments, and the answers that it gives to what a server asks. It declares
// the capabilities for which it has answers, and no others.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const options = JSON.parse(process.argv[2]);
const load = (file) => import(pathToFileURL(`${options.modules}/@modelcontextprotocol/${file}`));
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");
const answers = options.answers ?? {};
const capabilities = Object.fromEntries(Object.keys(answers).map((name) => [name, {}]));
const questions = { elicitation: "elicitation/create", sampling: "sampling/createMessage", roots: "roots/list" };

// The SDK of this version: as most clients have it, or the one that knows
// 2026-07-28. They differ in how handlers are set and calls are made.
const makers = {
  async v1() {
    const { Client } = await load("sdk/dist/esm/client/index.js");
    const { StdioClientTransport } = await load("sdk/dist/esm/client/stdio.js");
    const types = await load("sdk/dist/esm/types.js");
    const schemas = Object.values(types).filter((s) => s?.shape?.method);
    const schema = (method) => schemas.find((s) => [...(s.shape.method.values ?? [s.shape.method.value])].includes(method));
    const client = new Client({ name: "e2e", version: "1" }, { capabilities });
    return {
      client, StdioClientTransport,
      onRequest: (method, handler) => client.setRequestHandler(schema(method), handler),
      onNotification: (method, handler) => client.setNotificationHandler(schema(method), handler),
      callTool: (params, o) => client.callTool(params, undefined, o),
    };
  },
  async v2() {
    const { Client } = await load("client/dist/index.mjs");
    const { StdioClientTransport } = await load("client/dist/stdio.mjs");
    const client = new Client({ name: "e2e", version: "1" }, { capabilities, versionNegotiation: { mode: "auto" } });
    return {
      client, StdioClientTransport,
      onRequest: (method, handler) => client.setRequestHandler(method, handler),
      onNotification: (method, handler) => client.setNotificationHandler(method, handler),
      callTool: (params, o) => client.callTool(params, o),
    };
  },
};
const { client, StdioClientTransport, onRequest, onNotification, callTool } = await makers[options.sdk]();

for (const [capability, answer] of Object.entries(answers)) {
  onRequest(questions[capability], (request) => {
    say({ event: "asked", method: request.method, params: request.params });
    return answer;
  });
}
onNotification("notifications/message", (n) => say({ event: "log", params: n.params }));
onNotification("notifications/tools/list_changed", () => say({ event: "tools changed" }));
client.onerror = (error) => say({ event: "error", text: String(error) });
client.onclose = () => say({ event: "closed" });

const transport = new StdioClientTransport({ command: options.command, args: options.args, env: options.env, stderr: "pipe" });
let stderr = "";
transport.stderr.on("data", (chunk) => { stderr += chunk; });

const underWay = new Map();
const commands = {
  async call({ id, tool, args, level }) {
    const abort = new AbortController();
    underWay.set(id, abort);
    try {
      return await callTool({ name: tool, arguments: args, ...(level && { _meta: { "io.modelcontextprotocol/logLevel": level } }) }, {
        signal: abort.signal,
        onprogress: (progress) => say({ event: "progress", of: id, params: progress }),
      });
    } finally {
      underWay.delete(id);
    }
  },
  // Cancels the call that has this id.
  async cancel({ of }) { underWay.get(of).abort("the user changed his mind"); },
  async tools() {
    const all = [];
    let cursor;
    do {
      const page = await client.listTools({ cursor });
      all.push(...page.tools);
      cursor = page.nextCursor;
    } while (cursor);
    return all;
  },
  async level({ level }) { await client.setLoggingLevel(level); },
  async about() {
    return { protocol: transport.protocolVersion ?? client.getNegotiatedProtocolVersion?.(), pid: transport.pid, instructions: client.getInstructions() ?? "", server: client.getServerVersion(), capabilities: client.getServerCapabilities(), stderr };
  },
  async close() { await client.close(); },
};

try {
  await client.connect(transport);
  say({ event: "connected" });
} catch (error) {
  say({ event: "failed", text: `${error}\n${stderr}` });
  process.exit(1);
}
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  commands[command.op](command).then(
    (result) => say({ id: command.id, result: result ?? null }),
    (error) => say({ id: command.id, error: { code: error.code, message: error.message } }),
  );
}
await client.close();
process.exit(0);
