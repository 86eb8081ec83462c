// Keeps what the app is made of, never what it shows: pages open without a network, and data always comes from the server.
const KEPT = "timeloom-app-1";
const SHELL = "/";

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  const drop = async () => {
    for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(drop());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith("/assets/")) event.respondWith(kept(request));
  else if (request.mode === "navigate" && isOfApp(url.pathname)) event.respondWith(shell(request));
});

/** Addresses that the server answers itself are left alone. */
function isOfApp(path) {
  return !/^\/(graphql|graphiql|sign-in|sign-out|account|webhook|form|t|v1|v2|health|ready|metrics|log|binary|tensor|capsules)/.test(
    path,
  );
}

/** Files whose names change with their content never change. */
async function kept(request) {
  const cache = await caches.open(KEPT);
  const found = await cache.match(request);
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}

/** The page from the server, which may lead to signing in; the kept one where there is no network. */
async function shell(request) {
  const cache = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (isPage(answer)) await cache.put(SHELL, answer.clone());
    return answer;
  } catch (error) {
    const found = await cache.match(SHELL);
    if (found) return found;
    throw error;
  }
}

/** What else is answered at an address, such as JSON, is never kept in the page's place. */
function isPage(answer) {
  const isOurs = answer.ok && answer.type === "basic" && !answer.redirected;
  return isOurs && (answer.headers.get("content-type") ?? "").startsWith("text/html");
}
