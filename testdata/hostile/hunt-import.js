// expect: value: ["none","none","none"]
const tries = ["std", "os", "/etc/passwd"];
const out = [];
for (const t of tries) out.push(await import(t).then(() => "found", () => "none"));
return out;
