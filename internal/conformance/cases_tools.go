package conformance

import (
	"strings"

	"github.com/autoclave-run/autoclave/internal/wire"
)

func repeated(s string, n int) string { return strings.Repeat(s, n) }

const names = `[{"name":"github","tools":["create_issue","list-issues","get.file"]},{"name":"my-server","tools":["do-it","do_it"]},` +
	`{"name":"weather","tools":["forecast","then"]},{"name":"twin","tools":["forecast"]},{"name":"1st","tools":["2nd"]}]`

func toolCalls() []Case {
	cases := []Case{
		{Name: "call", Source: "await tools.github.create_issue({ title: 'x' })", Value: `{"title":"x"}`, Calls: []string{`tool github/create_issue {"title":"x"}`}},
		{Name: "no arguments", Source: "await tools.github.create_issue()", Value: `{}`, Calls: []string{`tool github/create_issue {}`}},
		{Name: "null arguments", Source: "await tools.github.create_issue(null)", Value: `{}`, Calls: []string{`tool github/create_issue {}`}},
		{Name: "callTool", Source: "await callTool('github', 'list-issues', { n: 1 })", Value: `{"n":1}`, Calls: []string{`tool github/list-issues {"n":1}`}},
		{Name: "exact name", Source: "await tools['my-server']['do-it']({})", Value: `{}`, Calls: []string{`tool my-server/do-it {}`}},
		{Name: "server as identifier", Source: "await tools.my_server['do-it']({})", Value: `{}`, Calls: []string{`tool my-server/do-it {}`}},
		{Name: "tool as identifier", Source: "await tools.github.list_issues({})", Value: `{}`, Calls: []string{`tool github/list-issues {}`}},
		{Name: "dot as underscore", Source: "await tools.github.get_file({})", Value: `{}`, Calls: []string{`tool github/get.file {}`}},
		{Name: "exact name before identifier", Source: "await tools.my_server.do_it({})", Value: `{}`, Calls: []string{`tool my-server/do_it {}`}},
		{Name: "identifiers in callTool", Source: "await callTool('my_server', 'do-it')", Value: `{}`, Calls: []string{`tool my-server/do-it {}`}},
		{Name: "digits in front", Source: "await tools['1st']['2nd']({})", Value: `{}`, Calls: []string{`tool 1st/2nd {}`}},
		{Name: "taken apart", Source: "const { github: { create_issue } } = tools;\nawait create_issue({ a: 1 })", Value: `{"a":1}`},
		{Name: "unknown names reach the host", Source: "await tools.gitbub.creat({})", Value: `{}`, Calls: []string{`tool gitbub/creat {}`}},
		{Name: "keys", Source: "Object.keys(tools)", Value: `["github","my-server","weather","twin","1st"]`, Calls: []string{}},
		{Name: "keys of a server", Source: "Object.keys(tools.github)", Value: `["create_issue","list-issues","get.file"]`},
		{Name: "entries", Source: "Object.entries(tools.weather).map(([k, f]) => k + ' ' + typeof f)", Value: `["forecast function","then undefined"]`},
		{Name: "for in", Source: "const all = []; for (const s in tools) all.push(s); all", Value: `["github","my-server","weather","twin","1st"]`},
		{Name: "in", Source: "['github' in tools, 'my_server' in tools, 'nope' in tools, 'create_issue' in tools.github, 'x' in tools.github]", Value: `[true,true,false,true,false]`},
		{Name: "no thenable", Source: "const g = await tools.github; typeof g.create_issue", Value: `"function"`, Calls: []string{}},
		{Name: "no thenable at the top", Source: "const t = await tools; typeof t.github", Value: `"object"`, Calls: []string{}},
		{Name: "no thenable in Promise.all", Source: "const [g] = await Promise.all([tools.twin]); typeof g.forecast", Value: `"function"`, Calls: []string{}},
		{Name: "as text", Source: "String(tools)", Value: `"[object Object]"`},
		{Name: "cannot be changed", Source: "try { tools.github = 1; delete tools.weather; tools.github.x = 2 } catch {}\n[Object.keys(tools).length, typeof tools.github.create_issue]", Value: `[5,"function"]`},
		{Name: "stay the same", Source: "[tools.github === tools.github, tools.github.create_issue === tools.github.create_issue]", Value: `[true,true]`},
		{Name: "a string is no arguments", Source: "await tools.github.create_issue('x').catch((e) => [e.code, e.server, e.tool, e.retryable, e instanceof HostError, e instanceof Error])", Value: `["INVALID_ARGUMENTS","github","create_issue",false,true,true]`, Calls: []string{}},
		{Name: "an array is no arguments", Source: "await tools.github.create_issue([]).catch((e) => e.code)", Value: `"INVALID_ARGUMENTS"`, Calls: []string{}},
		{Name: "cyclic arguments", Source: "const a = {}; a.b = [a]; await tools.github.create_issue(a).catch((e) => [e.code, e.message.includes('.b[0]')])", Value: `["INVALID_ARGUMENTS",true]`},
		{Name: "arguments are written as values are", Source: "await tools.github.create_issue({ d: new Date(0), m: new Map([['a', 1]]), s: new Set([1]), n: 12n, u: undefined, x: [undefined, NaN] })", Value: `{"d":"1970-01-01T00:00:00.000Z","m":{"a":1},"s":[1],"n":"12","x":[null,null]}`},
		{Name: "key order and numbers", Source: "await tools.github.create_issue({ z: 1, a: 1.50, '10': 2, '2': 1e21, e: -0 })", Value: `{"2":1e+21,"10":2,"z":1,"a":1.5,"e":0}`, Calls: []string{`tool github/create_issue {"2":1e+21,"10":2,"z":1,"a":1.5,"e":0}`}},
		{Name: "text survives", Source: `(await tools.github.create_issue({ s: "\u2028 \0 é 😀 \"\\ \ud800" })).s === "\u2028 \0 é 😀 \"\\ \ud800"`, Value: `true`},
	}
	for i := range cases {
		cases[i].Catalog = names
	}
	return append(cases,
		Case{Name: "no catalog lets names through", Source: "[Object.keys(tools), 'x' in tools, await tools.any_thing.at_all({ a: 1 })]", Value: `[[],false,{"a":1}]`, Calls: []string{`tool any_thing/at_all {"a":1}`}},
		Case{Name: "an empty catalog", Source: "Object.keys(tools)", Catalog: "[]", Value: `[]`},
		Case{Name: "timeout option", Source: "await tools.s.t({}, { timeout: 250 })", Value: `250`, Answer: func(c Call) Answer {
			if c.Timeout != 250 {
				return Answer{Body: `"no timeout"`}
			}
			return Answer{Body: `250`}
		}},
		Case{Name: "out of order", Source: "(await Promise.all([1, 2, 3, 4].map((n) => tools.s.t({ n })))).map((x) => x.n)", Value: `[1,2,3,4]`, Answer: func(c Call) Answer { return Answer{Body: c.Body, With: 4} }},
		Case{Name: "race", Source: "(await Promise.race([tools.s.t({ n: 1 }), tools.s.t({ n: 2 })])).n", Value: `2`, Warnings: []string{"without awaiting"}, Answer: func(c Call) Answer {
			return Answer{Body: c.Body, Never: c.Number == 1}
		}},
		Case{Name: "a long name", Source: "await tools.s['x'.repeat(9000)]({}).catch((e) => e.code)", Value: `"INVALID_ARGUMENTS"`, Calls: []string{}},
	)
}

func toolResults() []Case {
	return []Case{
		{Name: "structured", Source: "await tools.s.t()", Answer: mcp(`{"content":[{"type":"text","text":"{}"}],"structuredContent":{"b":1,"a":2}}`), Value: `{"b":1,"a":2}`},
		{Name: "structured null", Source: "await tools.s.t()", Answer: mcp(`{"content":[{"type":"text","text":"x"}],"structuredContent":null}`), Value: `"x"`},
		{Name: "text", Source: "await tools.s.t()", Answer: mcp(`{"content":[{"type":"text","text":"hello"}]}`), Value: `"hello"`},
		{Name: "object as text", Source: "(await tools.s.t()).a[0]", Answer: mcp(`{"content":[{"type":"text","text":" {\"a\":[1]}\n"}]}`), Value: `1`},
		{Name: "array as text", Source: "await tools.s.t()", Answer: mcp(`{"content":[{"type":"text","text":"[1,2]"}]}`), Value: `[1,2]`},
		{Name: "number as text stays text", Source: "await tools.s.t()", Answer: mcp(`{"content":[{"type":"text","text":"12"}]}`), Value: `"12"`},
		{Name: "string as text stays text", Source: "await tools.s.t()", Answer: mcp(`{"content":[{"type":"text","text":"\"a\""}]}`), Value: `"\"a\""`},
		{Name: "broken JSON stays text", Source: "await tools.s.t()", Answer: mcp(`{"content":[{"type":"text","text":"{oops"}]}`), Value: `"{oops"`},
		{Name: "blocks", Source: "(await tools.s.t()).map((b) => b.type)", Answer: mcp(`{"content":[{"type":"text","text":"a"},{"type":"image","data":"AA==","mimeType":"image/png"}]}`), Value: `["text","image"]`},
		{Name: "one image", Source: "await tools.s.t()", Answer: mcp(`{"content":[{"type":"image","data":"AA==","mimeType":"image/png"}]}`), Value: `[{"type":"image","data":"AA==","mimeType":"image/png"}]`},
		{Name: "nothing", Source: "await tools.s.t()", Answer: mcp(`{"content":[]}`), Value: `[]`},
		{Name: "error", Source: "await tools.s.t().catch((e) => [e.code, e.message, e.result, e.server, e.tool, e.name])", Answer: mcp(`{"isError":true,"content":[{"type":"text","text":"no such row"}]}`), Value: `["TOOL_ERROR","no such row","no such row","s","t","HostError"]`},
		{Name: "structured error", Source: "await tools.s.t().catch((e) => [e.code, e.result])", Answer: mcp(`{"isError":true,"content":[{"type":"text","text":"bad"}],"structuredContent":{"why":1}}`), Value: `["TOOL_ERROR",{"why":1}]`},
		{Name: "uncaught error", Source: "1;\n  await tools.s.t()", Answer: mcp(`{"isError":true,"content":[{"type":"text","text":"no such row"}]}`), Code: wire.CodeToolError, Line: 2, Says: "no such row", Frame: "  await tools.s.t()"},
		{Name: "raw", Source: "await tools.s.t({}, { raw: true })", Answer: mcp(`{"isError":true,"content":[{"type":"text","text":"x"}],"_meta":{"k":1}}`), Value: `{"isError":true,"content":[{"type":"text","text":"x"}],"_meta":{"k":1}}`},
		{Name: "raw through callTool", Source: "(await callTool('s', 't', {}, { raw: true })).content[0].text", Answer: mcp(`{"content":[{"type":"text","text":"x"}]}`), Value: `"x"`},
		{Name: "value", Source: "await tools.s.t()", Answer: value(`{"z":1,"a":[null,true,"x"]}`), Value: `{"z":1,"a":[null,true,"x"]}`},
		{Name: "null", Source: "await tools.s.t()", Answer: value(`null`), Value: `null`},
		{Name: "absent", Source: "typeof await tools.s.t()", Answer: always(Answer{Form: wire.FormAbsent}), Value: `"undefined"`},
		{Name: "large numbers", Source: "await tools.s.t()", Answer: value(`{"n":12345678901234567,"x":1e400,"y":-0}`), Value: `{"n":12345678901234568,"x":null,"y":0}`},
		{Name: "prototype key", Source: "const r = await tools.s.t(); [Object.keys(r), ({}).polluted === undefined, JSON.stringify(r)]", Answer: value(`{"__proto__":{"polluted":1},"a":2}`), Value: `[["__proto__","a"],true,"{\"__proto__\":{\"polluted\":1},\"a\":2}"]`},
		{Name: "not JSON", Source: "await tools.s.t().catch((e) => e.code)", Answer: value(`{"content":`), Value: `"UPSTREAM_ERROR"`},
		{Name: "over the limit", Source: "await tools.s.t().catch((e) => e.code)", Limits: wire.Limits{CallResult: 1000}, Answer: value(`"` + repeated("x", 2000) + `"`), Value: `"CALL_RESULT_LIMIT"`},
	}
}

func hostErrors() []Case {
	refuse := func(e wire.Error) func(Call) Answer { return always(Answer{Error: &e}) }
	cases := []Case{
		{Name: "fields", Source: "await tools.s.x({}).catch((e) => [e.code, e.message, e.retryable, e.suggestion, e.server, e.tool, e instanceof HostError, e instanceof Error, e.name, String(e)])",
			Answer: refuse(wire.Error{Code: wire.CodeToolNotFound, Message: "no tool x", Suggestion: "Did you mean y?", Server: "s", Tool: "x"}),
			Value:  `["TOOL_NOT_FOUND","no tool x",false,"Did you mean y?","s","x",true,true,"HostError","HostError: no tool x"]`},
		{Name: "retryable", Source: "await tools.s.x({}).catch((e) => e.retryable)", Answer: refuse(wire.Error{Code: wire.CodeUpstreamTimeout, Message: "late", Retryable: true}), Value: `true`},
		{Name: "uncaught", Source: "async () => {\n  const helper = async () =>\n    await tools.s.x({});\n  await helper();\n}",
			Answer: refuse(wire.Error{Code: wire.CodeToolNotFound, Message: "no tool x", Suggestion: "Did you mean y?"}),
			Code:   wire.CodeToolNotFound, Line: 3, Frame: "await tools.s.x({});", Says: "no tool x", Suggests: "Did you mean y?"},
		{Name: "thrown again", Source: "try { await tools.s.x({}) } catch (e) {\n  throw e\n}", Answer: refuse(wire.Error{Code: wire.CodePolicyDenied, Message: "not allowed"}), Code: wire.CodePolicyDenied, Line: 1},
		{Name: "wrapped", Source: "try { await tools.s.x({}) } catch (e) { throw new Error('while deleting', { cause: e }) }", Answer: refuse(wire.Error{Code: wire.CodePolicyDenied, Message: "not allowed"}), Code: wire.CodeScript, Says: "not allowed"},
		{Name: "from Promise.all", Source: "await Promise.all([\n  tools.s.x({ n: 1 }),\n  tools.s.x({ n: 2 }),\n])", Answer: func(c Call) Answer {
			if strings.Contains(c.Body, "2") {
				return Answer{Error: &wire.Error{Code: wire.CodeRateLimited, Message: "slow down", Retryable: true}}
			}
			return Echo(c)
		}, Code: wire.CodeRateLimited, Line: 3},
		{Name: "allSettled", Source: "(await Promise.allSettled([tools.s.x({}), 2])).map((r) => r.status + ' ' + (r.reason ? r.reason.code : r.value))", Answer: refuse(wire.Error{Code: wire.CodeRateLimited, Message: "slow down"}), Value: `["rejected RATE_LIMITED","fulfilled 2"]`},
		{Name: "a code cannot be made up", Source: "const e = new HostError('x'); try { e.code = 'CANCELLED' } catch {}\nthrow e", Code: wire.CodeScript},
		{Name: "an own error with a code", Source: "throw Object.assign(new Error('mine'), { code: 'CPU_LIMIT', line: 99 })", Code: wire.CodeScript, Line: 1, Says: "mine"},
		{Name: "a caught error is a value", Source: "await tools.s.x({}).catch((e) => ({ failed: e }))", Answer: refuse(wire.Error{Code: wire.CodeToolNotFound, Message: "no tool x", Server: "s", Tool: "x"}), Value: `{"failed":{"name":"HostError","message":"no tool x","code":"TOOL_NOT_FOUND","retryable":false,"server":"s","tool":"x"}}`},
	}
	for _, code := range []string{
		wire.CodeServerNotFound, wire.CodeToolNotFound, wire.CodeResourceNotFound, wire.CodeInvalidArguments, wire.CodeToolError,
		wire.CodeUpstreamError, wire.CodeUpstreamTimeout, wire.CodeCircuitOpen, wire.CodePolicyDenied, wire.CodeApprovalDenied,
		wire.CodeRateLimited, wire.CodeStashError,
	} {
		cases = append(cases, Case{Name: code, Source: "const x = 1;\nawait tools.s.t({ x });", Answer: refuse(wire.Error{Code: code, Message: "it is " + code}), Code: code, Line: 2, Says: "it is " + code})
	}
	return cases
}

func resources() []Case {
	read := func(contents string) func(Call) Answer { return mcp(`{"contents":` + contents + `}`) }
	return []Case{
		{Name: "text", Source: "await resources.read('s', 'x://1')", Answer: read(`[{"uri":"x://1","mimeType":"text/plain","text":"hello"}]`), Value: `"hello"`, Calls: []string{"resource.read s/x://1"}},
		{Name: "JSON text", Source: "(await resources.read('s', 'x://1')).a", Answer: read(`[{"uri":"x://1","text":"{\"a\":1}"}]`), Value: `1`},
		{Name: "blob", Source: "await resources.read('s', 'x://1')", Answer: read(`[{"uri":"x://1","mimeType":"image/png","blob":"AAEC"}]`), Value: `{"uri":"x://1","mimeType":"image/png","blob":"AAEC"}`},
		{Name: "several", Source: "await resources.read('s', 'x://1')", Answer: read(`[{"uri":"x://1","text":"a"},{"uri":"x://2","text":"[1]"}]`), Value: `["a",[1]]`},
		{Name: "not found", Source: "await resources.read('s', 'x://1').catch((e) => [e.code, e.server])", Answer: always(Answer{Error: &wire.Error{Code: wire.CodeResourceNotFound, Message: "none", Server: "s"}}), Value: `["RESOURCE_NOT_FOUND","s"]`},
		{Name: "list of one server", Source: "await resources.list('s')", Answer: value(`[{"server":"s","uri":"x://1","name":"one"}]`), Value: `[{"server":"s","uri":"x://1","name":"one"}]`, Calls: []string{"resource.list s/"}},
		{Name: "list of all", Source: "(await resources.list()).length", Answer: value(`[]`), Value: `0`, Calls: []string{"resource.list /"}},
		{Name: "server as identifier", Source: "await resources.read('my_server', 'x')", Catalog: names, Answer: read(`[{"uri":"x","text":"y"}]`), Value: `"y"`, Calls: []string{"resource.read my-server/x"}},
	}
}

func stashes() []Case {
	return []Case{
		{Name: "put", Source: "typeof await stash.put('a.b-c:1', { x: new Date(0) })", Answer: always(Answer{Form: wire.FormAbsent}), Value: `"undefined"`, Calls: []string{`stash.put /a.b-c:1 {"value":{"x":"1970-01-01T00:00:00.000Z"}}`}},
		{Name: "put with a time to live", Source: "await stash.put('k', 'v', { ttl: 60 })", Answer: always(Answer{Form: wire.FormAbsent}), Value: `null`, Calls: []string{`stash.put /k {"value":"v","ttl":60}`}},
		{Name: "put undefined", Source: "await stash.put('k', undefined)", Answer: always(Answer{Form: wire.FormAbsent}), Value: `null`, Calls: []string{`stash.put /k {"value":null}`}},
		{Name: "get", Source: "(await stash.get('k')).n", Answer: value(`{"n":7}`), Value: `7`, Calls: []string{"stash.get /k"}},
		{Name: "get what is not there", Source: "(await stash.get('k')) === undefined", Answer: always(Answer{Form: wire.FormAbsent}), Value: `true`},
		{Name: "delete", Source: "await stash.delete('k')", Answer: value(`true`), Value: `true`, Calls: []string{"stash.delete /k"}},
		{Name: "keys", Source: "await stash.keys()", Answer: value(`["a","b"]`), Value: `["a","b"]`, Calls: []string{"stash.keys /"}},
		{Name: "an empty key", Source: "await stash.put('', 1)", Code: wire.CodeStashError, Line: 1, Calls: []string{}},
		{Name: "a bad key", Source: "await stash.get('a/b').catch((e) => e.code)", Value: `"STASH_ERROR"`, Calls: []string{}},
		{Name: "a long key", Source: "await stash.get('x'.repeat(257)).catch((e) => e.code)", Value: `"STASH_ERROR"`, Calls: []string{}},
		{Name: "a key of the greatest length", Source: "await stash.get('x'.repeat(256))", Answer: value(`1`), Value: `1`},
		{Name: "a bad time to live", Source: "await stash.put('k', 1, { ttl: -1 }).catch((e) => e.code)", Value: `"STASH_ERROR"`, Calls: []string{}},
		{Name: "a cycle", Source: "const a = {}; a.a = a; await stash.put('k', a).catch((e) => e.code)", Value: `"INVALID_ARGUMENTS"`, Calls: []string{}},
	}
}

func catalogs() []Case {
	return []Case{
		{Name: "servers", Source: "await catalog.servers()", Answer: value(`[{"name":"s","description":"d","tools":3}]`), Value: `[{"name":"s","description":"d","tools":3}]`, Calls: []string{"catalog.servers /"}},
		{Name: "search", Source: "await catalog.search('make an issue')", Answer: value(`[]`), Value: `[]`, Calls: []string{"catalog.search /make an issue {}"}},
		{Name: "search with options", Source: "(await catalog.search('q', { server: 's', limit: 3 }))[0].tool", Answer: value(`[{"server":"s","tool":"t","description":"","types":""}]`), Value: `"t"`, Calls: []string{`catalog.search /q {"server":"s","limit":3}`}},
		{Name: "types of a server", Source: "await catalog.types('s')", Answer: value(`"declare …"`), Value: `"declare …"`, Calls: []string{"catalog.types s/"}},
		{Name: "types of a tool", Source: "await catalog.types('s', 't')", Answer: value(`"x"`), Value: `"x"`, Calls: []string{"catalog.types s/t"}},
	}
}

func parallels() []Case {
	return []Case{
		{Name: "in order", Source: "(await parallel([3, 1, 2].map((n) => () => tools.s.t({ n })))).map((x) => x.n)", Value: `[3,1,2]`, Answer: func(c Call) Answer { return Answer{Body: c.Body, With: 3} }},
		{Name: "concurrency", Source: "let open = 0, most = 0;\nawait parallel(Array.from({ length: 10 }, () => async () => { most = Math.max(most, ++open); await sleep(1); open-- }), { concurrency: 3 });\nmost", Value: `3`},
		{Name: "never over the limit", Source: "(await parallel(Array.from({ length: 20 }, (_, n) => () => tools.s.t({ n })), { concurrency: 50 })).length", Limits: wire.Limits{Concurrency: 4}, Value: `20`},
		{Name: "first failure", Source: "await parallel([() => 1, () => { throw new Error('two') }, async () => 3]).catch((e) => e.message)", Value: `"two"`},
		{Name: "uncaught failure", Source: "await parallel([\n  async () => 1,\n  async () => { throw new TypeError('two') },\n])", Code: wire.CodeScript, Line: 3, Says: "two"},
		{Name: "settle", Source: "await parallel([() => 1, async () => { throw 'two' }], { settle: true })", Value: `[{"status":"fulfilled","value":1},{"status":"rejected","reason":"two"}]`},
		{Name: "nothing to do", Source: "await parallel([])", Value: `[]`},
		{Name: "an array comes back", Source: "const r = await parallel([async () => 1]); [Array.isArray(r), r.map((x) => x + 1)]", Value: `[true,[2]]`},
		{Name: "no array", Source: "await parallel(3)", Code: wire.CodeScript, Line: 1},
	}
}

// otherSystems are the names that other Code Mode systems use.
func otherSystems() []Case {
	cases := []Case{
		{Name: "forge.callTool", Source: "await forge.callTool('github', 'create_issue', { a: 1 })", Value: `{"a":1}`, Calls: []string{`tool github/create_issue {"a":1}`}},
		{Name: "forge.server", Source: "await forge.server('github').create_issue({ a: 1 })", Value: `{"a":1}`, Calls: []string{`tool github/create_issue {"a":1}`}},
		{Name: "forge.server with a category", Source: "await forge.server('github').get.file({ a: 1 })", Value: `{"a":1}`, Calls: []string{`tool github/get.file {"a":1}`}},
		{Name: "forge.readResource", Source: "await forge.readResource('github', 'x://1')", Answer: mcp(`{"contents":[{"uri":"x://1","text":"t"}]}`), Value: `"t"`, Calls: []string{"resource.read github/x://1"}},
		{Name: "forge.parallel", Source: "await forge.parallel([() => forge.callTool('github', 'create_issue', { n: 1 }), { fn: async () => 2 }])", Value: `[{"n":1},2]`},
		{Name: "forge.stash", Source: "await forge.stash.get('k')", Answer: value(`1`), Value: `1`, Calls: []string{"stash.get /k"}},
		{Name: "codemode", Source: "await codemode.create_issue({ a: 1 })", Value: `{"a":1}`, Calls: []string{`tool github/create_issue {"a":1}`}},
		{Name: "codemode with an identifier", Source: "await codemode.list_issues({ a: 1 })", Value: `{"a":1}`, Calls: []string{`tool github/list-issues {"a":1}`}},
		{Name: "codemode of two servers", Source: "await codemode.forecast({}).catch((e) => [e.code, e.suggestion.includes('weather')])", Value: `["TOOL_NOT_FOUND",true]`, Calls: []string{}},
		{Name: "codemode of none", Source: "await codemode.nope({})", Code: wire.CodeToolNotFound, Line: 1, Says: "nope", Calls: []string{}},
	}
	for i := range cases {
		cases[i].Catalog = names
	}
	return append(cases, Case{
		Name: "no thenables", Source: "[typeof (await forge).callTool, typeof (await codemode).x]", Catalog: `[{"name":"s","tools":["x"]}]`, Value: `["function","function"]`, Calls: []string{},
	})
}
