import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const server = `http://${process.env.LISTEN ?? "127.0.0.1:8080"}`;
/** What the server answers itself; everything else is the app. */
const ofTheServer = [
  "/graphql",
  "/graphiql",
  "/sign-in",
  "/sign-out",
  "/account",
  "/capsules",
  "/binary",
  "/tensor",
  "/health",
  "/api",
  "/v1",
  "/v2",
  "/models/uploads",
];

/** What has to be there to ask for a page: small, so that it is there first. */
const ofBeginning = /vite\/preload-helper|\/src\/app\/chunks\.ts$/;
/** What the app needs wherever it is opened: one file in place of many small ones. The palette comes when it is opened. */
const ofEveryPage = /\/src\/(app\/(?!palette\/)|api\/|pages\/[\w-]+\/search\.ts$)/;

/** Lets the page ask for the app at once, and not only when the small file that the page begins with was read. */
function askForStart(): Plugin {
  return {
    name: "ask-for-start",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler(page, { bundle = {} }) {
        const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
        const files = new Set<string>();
        const take = (name: string | undefined) => {
          if (name === undefined || files.has(name)) return;
          files.add(name);
          chunks.find(({ fileName }) => fileName === name)?.imports.forEach(take);
        };
        take(chunks.find(({ facadeModuleId }) => facadeModuleId?.endsWith("/src/start.tsx"))?.fileName);
        const missing = [...files].filter((name) => !page.includes(`/${name}"`));
        return missing.map((name) => ({
          tag: "link",
          attrs: { rel: "modulepreload", crossorigin: true, href: `/${name}` },
          injectTo: "head" as const,
        }));
      },
    },
  };
}

export default defineConfig({
  plugins: [react(), tailwindcss(), askForStart()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    target: "es2023",
    // Inlined files would be data: addresses, which the content security policy does not allow everywhere.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1600,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "begin", test: ofBeginning, priority: 2 },
            { name: "app", test: ofEveryPage, priority: 1 },
          ],
        },
      },
    },
  },
  server: {
    port: 5173,
    strictPort: true,
    // Without a changed origin the server takes requests of this page for those of another site.
    proxy: Object.fromEntries(
      ofTheServer.map((path) => [
        path,
        { target: server, changeOrigin: true, ws: path === "/graphql", headers: { origin: server } },
      ]),
    ),
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"], setupFiles: ["src/test-setup.ts"] },
});
