import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { listenToOffers } from "./app/install";
import { applyTheme } from "./app/theme";

applyTheme();
listenToOffers();

const root = document.getElementById("app");
if (root === null) throw new Error("the page lacks #app");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

if (import.meta.env.PROD && "serviceWorker" in navigator) {
  // Without it the app works all the same: it can only not be installed.
  void navigator.serviceWorker.register("/sw.js").catch(() => undefined);
}
