// An MCP server of the official SDK whose tools do to a gateway what servers
// do: they keep it waiting, change while it looks, and die. What happens to it
// is appended to the file JOURNAL. Its argument is the packages' directory.
import { appendFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const sdk = (file) => import(pathToFileURL(`${process.argv[2]}/@modelcontextprotocol/sdk/dist/esm/${file}`));
const { McpServer } = await sdk("server/mcp.js");
const { StdioServerTransport } = await sdk("server/stdio.js");
const { z } = await import(pathToFileURL(`${process.argv[2]}/zod/index.js`));

const journal = (text) => appendFileSync(process.env.JOURNAL, text + "\n");
const text = (value) => ({ content: [{ type: "text", text: String(value) }] });

const server = new McpServer({ name: "peer", version: "1.2.3" }, { instructions: "A server for tests.", capabilities: { logging: {} } });
const grown = new Map();

server.registerTool("pid", { description: "The process id" }, () => text(process.pid));
server.registerTool("note", { description: "Write to the journal", inputSchema: { text: z.string() } }, ({ text: what }) => {
  journal(what);
  return text("noted");
});
server.registerTool("wait", { description: "Never answers" }, (extra) => {
  journal("waiting");
  return new Promise(() => {
    extra.signal.addEventListener("abort", () => journal(`cancelled: ${extra.signal.reason}`));
  });
});
server.registerTool("grow", { description: "Have one more tool", inputSchema: { name: z.string() } }, ({ name }) => {
  grown.set(name, server.registerTool(name, { description: `Grown: ${name}` }, () => text(`I am ${name}`)));
  return text("grown");
});
server.registerTool("shrink", { description: "Have one tool less", inputSchema: { name: z.string() } }, ({ name }) => {
  grown.get(name).remove();
  return text("shrunk");
});
server.registerTool("die", { description: "Die without an answer" }, () => {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
});

await server.connect(new StdioServerTransport());
journal(`started ${process.pid}`);
