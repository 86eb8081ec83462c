import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = `http://${process.env.LISTEN ?? "127.0.0.1:8080"}`;
/** What the server answers itself; everything else is the app. */
const ofTheServer = [
  "/graphql",
  "/graphiql",
  "/sign-in",
  "/sign-out",
  "/account",
  "/binary",
  "/tensor",
  "/health",
  "/v1",
  "/v2",
  "/models/uploads",
];

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    target: "es2023",
    // Inlined files would be data: addresses, which the content security policy does not allow everywhere.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1600,
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
