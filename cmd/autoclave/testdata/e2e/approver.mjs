// A client made of the official SDK, with a person who has a script. Its
// argument is JSON: the packages' directory, which SDK, where the server is (a
// url and a token, or a command and its args), the programs that it executes one
// after the other, and the answers that the person gives one after the other;
// without answers the client does not declare elicitation. It writes one JSON
// text: the protocol, the messages that the person was shown, and the texts of the
// results.
import { pathToFileURL } from "node:url";

const options = JSON.parse(process.argv[2]);
const load = (file) => import(pathToFileURL(`${options.modules}/@modelcontextprotocol/${file}`));
const v1 = options.sdk === "v1";
const { Client } = await load(v1 ? "sdk/dist/esm/client/index.js" : "client/dist/index.mjs");
const { StdioClientTransport } = await load(v1 ? "sdk/dist/esm/client/stdio.js" : "client/dist/stdio.mjs");
const { StreamableHTTPClientTransport } = await load(v1 ? "sdk/dist/esm/client/streamableHttp.js" : "client/dist/index.mjs");
const capabilities = options.answers ? { elicitation: {} } : {};
const client = new Client({ name: "approver", version: "1" }, { capabilities, ...(!v1 && { versionNegotiation: { mode: "auto" } }) });

const asked = [];
const forms = [];
if (options.answers) {
  const answer = (request) => {
    asked.push(request.params.message);
    forms.push(request.params.requestedSchema);
    return options.answers.shift() ?? { action: "decline" };
  };
  const { ElicitRequestSchema } = v1 ? await load("sdk/dist/esm/types.js") : {};
  client.setRequestHandler(v1 ? ElicitRequestSchema : "elicitation/create", answer);
}

const transport = options.url
  ? new StreamableHTTPClientTransport(new URL(options.url), { requestInit: { headers: { Authorization: `Bearer ${options.token}` } } })
  : new StdioClientTransport({ command: options.command, args: options.args, stderr: "inherit" });
await client.connect(transport);
const protocol = transport.protocolVersion ?? client.getNegotiatedProtocolVersion?.();
const texts = [];
for (const code of options.programs) {
  const params = { name: "execute", arguments: { code } };
  const result = v1 ? await client.callTool(params, undefined, {}) : await client.callTool(params, {});
  texts.push(result.content[0].text);
}
await client.close();
console.log(JSON.stringify({ protocol, asked, forms, texts }));
process.exit(0);
