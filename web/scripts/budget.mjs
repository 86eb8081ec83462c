// Prints how many bytes of script a browser fetches for the first page and for the editor, packed as they are sent.
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ASSETS = fileURLToPath(new URL("../dist/assets", import.meta.url));
const FIRST_LOAD_KB = 250;
const EDITOR_KB = 350;

const page = readFileSync(join(ASSETS, "../index.html"), "utf8");
const packed = (name) => statSync(join(ASSETS, `${name}.br`)).size;
const imports = (name) => {
  const text = readFileSync(join(ASSETS, name), "utf8");
  return [...text.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)].map((match) => match[1]);
};

/** Everything that comes with these files at once; what is asked for later is left out. */
function together(names) {
  const seen = new Set();
  const waiting = [...names];
  while (waiting.length > 0) {
    const name = waiting.pop();
    if (seen.has(name)) continue;
    seen.add(name);
    waiting.push(...imports(name));
  }
  return seen;
}

const sum = (names) => [...names].reduce((bytes, name) => bytes + packed(name), 0) / 1_000;
const entry = [...page.matchAll(/(?:src|href)="\/assets\/([^"]+\.js)"/g)].map((match) => match[1]);
const first = together(entry);
const home = together([...first, ...readdirSync(ASSETS).filter((name) => /^home-.*\.js$/.test(name))]);
const editor = together(readdirSync(ASSETS).filter((name) => /^editor-.*\.js$/.test(name)));
const own = [...editor].filter((name) => !first.has(name));
const rows = [
  ["first load, with the first page", sum(home), FIRST_LOAD_KB],
  ["editor, beyond the first load", sum(own), EDITOR_KB],
];
for (const [what, kilobytes, most] of rows) {
  const verdict = kilobytes <= most ? "within" : "OVER";
  console.log(`${what.padEnd(34)} ${kilobytes.toFixed(1).padStart(7)} kB   ${verdict} ${most} kB`);
}
process.exitCode = rows.some(([, kilobytes, most]) => kilobytes > most) ? 1 : 0;
