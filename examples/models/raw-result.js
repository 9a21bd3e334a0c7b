async () => {
  const raw = await callTool("lab", "fail", { message: "as asked" }, { raw: true });
  const ok = await callTool("sales", "rows", { offset: 19999, limit: 5 }, { raw: true });
  return {
    failed: raw.isError,
    text: raw.content.map((c) => c.text).join("\n"),
    summary: ok.content[0].text,
    last: ok.structuredContent.rows.map((r) => r.id),
  };
};
// expect: {"failed":true,"text":"as asked","summary":"1 rows","last":[20000]}
