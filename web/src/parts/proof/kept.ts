/**
 * What this browser knows of a log from before: the newest checkpoint that it proved something by, and the keys that it
 * believed then. A server that shows another history later is found out by it.
 */

import type { Key } from "./checkpoint";

export interface Kept {
  note: string;
  keys: Key[];
}

const place = (origin: string) => `timeloom:checkpoint:${origin}`;

export function keptOf(origin: string): Kept | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem(place(origin)) ?? "null") as Partial<Kept> | null;
    return typeof kept?.note === "string" && Array.isArray(kept.keys)
      ? { note: kept.note, keys: kept.keys }
      : undefined;
  } catch {
    return undefined;
  }
}

export function keep(origin: string, kept: Kept): void {
  try {
    localStorage.setItem(place(origin), JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing begins anew each time, which is told.
  }
}
