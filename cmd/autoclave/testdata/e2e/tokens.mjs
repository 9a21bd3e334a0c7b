// Counts tokens: a JSON array of texts on standard input, an array of numbers
// on standard output. The argument is the packages' directory.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { countTokens } = await import(pathToFileURL(`${process.argv[2]}/gpt-tokenizer/esm/encoding/o200k_base.js`));
const plain = { allowedSpecial: new Set(), disallowedSpecial: new Set() };
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map((text) => countTokens(text, plain))));
