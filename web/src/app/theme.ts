import { useSyncExternalStore } from "react";

/** What somebody chose; `system` follows their machine. */
export type ThemeChoice = "system" | "light" | "dark";

const KEY = "timeloom.theme";
const listeners = new Set<() => void>();
const systemIsDark = () => window.matchMedia("(prefers-color-scheme: dark)");

/** What was chosen in this browser. */
export function themeChoice(): ThemeChoice {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

/** Which theme is shown now. */
export function themeShown(): "light" | "dark" {
  const choice = themeChoice();
  if (choice !== "system") return choice;
  return systemIsDark().matches ? "dark" : "light";
}

export function chooseTheme(choice: ThemeChoice): void {
  if (choice === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, choice);
  show();
}

/** Shows the theme, and follows the machine's from now on. */
export function applyTheme(): void {
  systemIsDark().addEventListener("change", show);
  show();
}

function show(): void {
  document.documentElement.dataset.theme = themeShown();
  for (const listener of listeners) listener();
}

export function useTheme(): { choice: ThemeChoice; shown: "light" | "dark" } {
  const subscribe = (listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return { choice: useSyncExternalStore(subscribe, themeChoice), shown: useSyncExternalStore(subscribe, themeShown) };
}
