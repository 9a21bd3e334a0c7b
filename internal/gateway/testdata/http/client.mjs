// A client made of the official SDK, over HTTP. Its argument is JSON: the
// packages' directory, which SDK ("v1": as most clients have it; "v2": the one
// that knows 2026-07-28), the server's URL, a bearer token, and a program. It
// prints one JSON object with all that came of it.
import { pathToFileURL } from "node:url";

const options = JSON.parse(process.argv[2]);
const load = (file) => import(pathToFileURL(`${options.modules}/@modelcontextprotocol/${file}`));
const seen = { progress: [], logs: [], errors: [] };
const settings = { capabilities: { elicitation: {} } };
const fetched = { requestInit: { headers: { Authorization: `Bearer ${options.token}` } } };
const decline = () => ({ action: "decline" });
let client, transport, call;
if (options.sdk === "v1") {
  const { Client } = await load("sdk/dist/esm/client/index.js");
  const { StreamableHTTPClientTransport } = await load("sdk/dist/esm/client/streamableHttp.js");
  const { ElicitRequestSchema, LoggingMessageNotificationSchema } = await load("sdk/dist/esm/types.js");
  client = new Client({ name: "http", version: "1" }, settings);
  client.setRequestHandler(ElicitRequestSchema, decline);
  client.setNotificationHandler(LoggingMessageNotificationSchema, (n) => seen.logs.push(n.params.data));
  transport = new StreamableHTTPClientTransport(new URL(options.url), fetched);
  call = (params, o) => client.callTool(params, undefined, o);
} else {
  const { Client, StreamableHTTPClientTransport } = await load("client/dist/index.mjs");
  client = new Client({ name: "http", version: "1" }, { ...settings, versionNegotiation: { mode: "auto" } });
  client.setRequestHandler("elicitation/create", decline);
  client.setNotificationHandler("notifications/message", (n) => seen.logs.push(n.params.data));
  transport = new StreamableHTTPClientTransport(new URL(options.url), fetched);
  call = (params, o) => client.callTool(params, o);
}
client.onerror = (e) => seen.errors.push(String(e));
await client.connect(transport);
seen.session = transport.sessionId ?? "";
if (options.sdk === "v1") await client.setLoggingLevel("debug");
seen.tools = (await client.listTools()).tools.map((t) => t.name).sort();
const result = await call({ name: "execute", arguments: { code: options.code } }, { onprogress: (p) => seen.progress.push(p.message) });
seen.text = result.content[0].text;
seen.value = result.structuredContent?.value;
if (options.sdk === "v1") await transport.terminateSession();
await client.close();
process.stdout.write(JSON.stringify(seen) + "\n");
