// Fails when something is exported whose name occurs nowhere in src but where it is defined.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../src", import.meta.url));
const files = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.name.endsWith(".ts"))
  .map((entry) => `${entry.parentPath}/${entry.name}`)
  .map((path) => ({ path, text: readFileSync(path, "utf8") }));

const EXPORT = /^export (?:async )?(?:const|function|class|interface|type) (\w+)/gm;
const everything = files.map(({ text }) => text).join("\n");
const occurrences = (name) => everything.match(new RegExp(`\\b${name}\\b`, "g"))?.length ?? 0;
const unused = files.flatMap(({ path, text }) =>
  [...text.matchAll(EXPORT)]
    .filter(([, name]) => occurrences(name) === 1)
    .map(([, name]) => `${path.slice(SRC.length + 1)}: ${name}`),
);
for (const line of unused) console.error(`unused export: ${line}`);
process.exitCode = unused.length > 0 ? 1 : 0;
