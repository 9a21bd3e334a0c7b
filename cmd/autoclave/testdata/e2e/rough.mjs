// MCP servers without an SDK, by their argument:
//   deaf    reads and never answers anything
//   mute    shakes hands and lists its tools, but never answers a call
//   strict  answers initialize, tools/list and tools/call, and ignores all else,
//           requests that it does not know included
//   chatty  as strict, with messages in between that no specification knows
//   many N  N tools, a page at a time
import { createInterface } from "node:readline";

const [kind, count = "1"] = process.argv.slice(2);
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");

const nouns = ["issue", "pull request", "branch", "release", "workflow", "comment", "label", "milestone", "team", "webhook"];
const verbs = ["list", "get", "create", "update", "delete", "search", "close", "reopen", "assign", "lock"];
const tools = kind !== "many" ? [{
  name: "echo", description: "Says it again",
  inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
}] : Array.from({ length: Number(count) }, (_, i) => {
  const noun = nouns[i % 10], verb = verbs[Math.floor(i / 10) % 10], part = Math.floor(i / 100) + 1;
  return {
    name: `${verb}_${noun.replace(" ", "_")}_${part}`,
    description: `${verb[0].toUpperCase()}${verb.slice(1)} a ${noun} of a repository in part ${part} of the organisation. Needs the permission to do so, and answers with the ${noun} as it is afterwards.`,
    inputSchema: {
      type: "object",
      properties: {
        owner: { type: "string", description: "The account that the repository belongs to" },
        repo: { type: "string", description: "The name of the repository, without the extension .git" },
        number: { type: "integer", minimum: 1, description: `The number of the ${noun}` },
        state: { type: "string", enum: ["open", "closed", "all"], default: "open", description: "Which ones are meant" },
        labels: { type: "array", items: { type: "string" }, description: "Names of labels, all of which it must have" },
      },
      required: ["owner", "repo"],
    },
  };
});

const methods = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion: protocolVersion > "2025-11-25" ? "2025-11-25" : protocolVersion,
    capabilities: { tools: {} }, serverInfo: { name: kind, version: "1" },
  }),
  "tools/list": ({ cursor = "0" } = {}) => {
    const end = Number(cursor) + 100;
    return { tools: tools.slice(Number(cursor), end), ...(end < tools.length && { nextCursor: String(end) }) };
  },
};
if (kind !== "mute") methods["tools/call"] = ({ arguments: args }) => ({ content: [{ type: "text", text: `again: ${args.text}` }] });
if (kind === "deaf") for (const name of Object.keys(methods)) delete methods[name];

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (kind === "chatty") {
    say({ method: "notifications/of_tomorrow", params: { deep: [{ er: null }] } });
    say({ id: "mine-1", method: "tomorrow/ask", params: {} });
    say({ id: 987654, result: { to: "nobody" } });
    process.stdout.write("this is no JSON at all\n\n");
  }
  if (id !== undefined && methods[method]) say({ id, result: { ...methods[method](params), unknown: { field: true } } });
}
