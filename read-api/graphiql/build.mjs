// Bundles GraphiQL and React into one script and one style sheet, so that the page needs nothing from the network.
import { build } from "esbuild";

await build({
  entryPoints: { graphiql: "src/main.jsx" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".woff2": "dataurl", ".svg": "dataurl", ".ttf": "dataurl" },
  legalComments: "eof",
  logLevel: "info",
});
