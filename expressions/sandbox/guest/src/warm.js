// Runs once while the snapshot is made, so that no session has to fill the parser's tables again.

import { lower } from './expression/lower.js';
import { rewrite } from './expression/rewrite.js';
import { split } from './expression/split.js';

const SAMPLES = [
  '$json.a?.b["c"].map((x) => ({ ...x, y: `t${x}` })).first() ?? (1 > 2 ? "a" : /b/u)',
  '(() => { const [a, { b = 1 }] = $json.list; for (const c of a) { if (!c) return b; } try { return new Date(b); } catch { return null; } })()',
];

export function warmUp() {
  for (const sample of SAMPLES) split(`text {{ ${sample} }}`).forEach((part) => part.code && rewrite(part.code));
  lower('class A { async b() { await c; } }');
  JSON.parse(JSON.stringify({ list: [1.5, 'é"\n', null, true, {}] }));
  return new Function('$$', '"use strict"; return ($$.a)')({ a: 1 });
}
