// Prints how many bytes of script a browser fetches for the first page, and for each page beyond that, packed as they are sent.
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ASSETS = fileURLToPath(new URL("../dist/assets", import.meta.url));
const FIRST_LOAD_KB = 250;
const PAGE_KB = 350;
/** Files that are the beginning of a page's code are called after its folder. */
const PAGES = readdirSync(fileURLToPath(new URL("../src/pages", import.meta.url)));

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
const ofPage = (page) => readdirSync(ASSETS).filter((name) => name.replace(/-[\w-]{8}\.js$/, "") === page);
const rows = [["first load, with the first page", sum(together([...first, ...ofPage("home")])), FIRST_LOAD_KB]];
for (const page of PAGES) {
  const files = ofPage(page);
  if (files.length !== 1) throw new Error(`the page ${page} should be a file of its own, and is ${files.length}`);
  const own = [...together(files)].filter((name) => !first.has(name));
  rows.push([`${page}, beyond the first load`, sum(own), PAGE_KB]);
}
for (const [what, kilobytes, most] of rows) {
  const verdict = kilobytes <= most ? "within" : "OVER";
  console.log(`${what.padEnd(34)} ${kilobytes.toFixed(1).padStart(7)} kB   ${verdict} ${most} kB`);
}
process.exitCode = rows.some(([, kilobytes, most]) => kilobytes > most) ? 1 : 0;
