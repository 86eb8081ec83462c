// Bundles the guest and makes a WebAssembly component of it: `dist/guest.wasm`.

import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { componentize } from 'componentize-qjs';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const bundle = await build({
  entryPoints: [`${here}src/main.js`],
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  target: 'es2023',
  external: ['timeloom:sandbox/host'],
  legalComments: 'none',
  minify: true,
  write: false,
});
const { component } = await componentize({
  witPath: `${here}wit`,
  jsSource: bundle.outputFiles[0].text,
  stubWasi: true,
  sync: true,
});
await mkdir(`${here}dist`, { recursive: true });
await writeFile(`${here}dist/guest.wasm`, component);
console.log(`guest: ${Math.round(bundle.outputFiles[0].text.length / 1024)} KiB of JavaScript, ${Math.round(component.length / 1024)} KiB of WebAssembly`);
