import { useEffect, useRef } from "react";

/** What a key does. `keys` are names as browsers give them, with modifiers before and several presses apart: `j`, `Ctrl+k`, `g e`. */
export interface KeyBinding {
  keys: string;
  does: string;
  run: () => void;
  /** Also while somebody writes in a field. */
  inFields?: boolean;
}

interface Registered {
  scope: string;
  bindings: readonly KeyBinding[];
}

/** How long after a press the next one of a sequence may come. */
const SEQUENCE_MS = 1_200;
const registered: Registered[] = [];
const listeners = new Set<() => void>();
let active: readonly Registered[] = [];
let pressed: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

function changed(): void {
  active = [...registered];
  for (const listener of listeners) listener();
}

export const keyRegistry = {
  all: () => active,
  subscribe: (listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
};

/** Keys that are active while a component is there. `scope` is what the help calls them; the newest of the same keys wins. */
export function useKeys(bindings: readonly KeyBinding[], scope: string): void {
  const latest = useRef(bindings);
  useEffect(() => {
    latest.current = bindings;
  });
  const shape = bindings.map((binding) => `${binding.keys}\t${binding.does}`).join("\n");
  useEffect(() => {
    const own: Registered = {
      scope,
      bindings: latest.current.map((binding, place) => ({ ...binding, run: () => latest.current[place]?.run() })),
    };
    registered.push(own);
    changed();
    return () => {
      registered.splice(registered.indexOf(own), 1);
      changed();
    };
  }, [shape, scope]);
}

/** Starts to listen, for as long as the app is there. */
export function listenToKeys(): () => void {
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}

/** The name of a press, as bindings write it. */
export function nameOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">): string {
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  // The shift of `?` is in the key itself.
  if (event.shiftKey && event.key.length > 1) parts.push("Shift");
  parts.push(
    event.key === " " ? "Space" : event.key.length === 1 && parts.length > 0 ? event.key.toLowerCase() : event.key,
  );
  return parts.join("+");
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
  const isInField = isField(event.target);
  const isInDialog = document.querySelector("dialog[open]") !== null;
  clearTimeout(timer);
  const now = [...pressed, nameOf(event)];
  const binding = found(now.join(" "), isInField, isInDialog) ?? found(nameOf(event), isInField, isInDialog);
  if (binding) {
    pressed = [];
    event.preventDefault();
    binding.run();
  } else if (!isInField && isBegun(now.join(" "))) {
    pressed = now;
    timer = setTimeout(() => (pressed = []), SEQUENCE_MS);
  } else {
    pressed = [];
  }
}

function found(keys: string, isInField: boolean, isInDialog: boolean): KeyBinding | undefined {
  for (const { bindings, scope } of registered.toReversed()) {
    if (isInDialog && scope !== "Dialog") continue;
    const binding = bindings.find((one) => one.keys === keys && (!isInField || one.inFields === true));
    if (binding) return binding;
  }
  return undefined;
}

function isBegun(keys: string): boolean {
  return registered.some(({ bindings }) => bindings.some((one) => one.keys.startsWith(`${keys} `)));
}

function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}
