import { isRecord } from "@/parts/records";

/** What came of a window, as its event tells. */
export interface Reading {
  /** Position of the event. */
  position: string;
  /** Which window of its watch: 1 for the first. */
  number: number;
  /** When it was judged, in milliseconds since 1970. */
  at: number;
  stable: number;
  moderate: number;
  drifted: number;
  tooFew: number;
  /** The feature that moved most, and its index; absent where none could be judged. */
  worst: { feature: string; psi: number } | undefined;
}

interface Told {
  position: string;
  payload: unknown;
}

/** The readings of a watch among events of windows, oldest first. `since`: when it began; what is older is another watch's. */
export function readingsOf(events: readonly Told[], since: string | null | undefined): Reading[] {
  const begun = since == null ? 0 : Date.parse(since);
  return events
    .flatMap((event) => readingOf(event) ?? [])
    .filter(({ at }) => at >= begun)
    .toSorted((one, other) => one.number - other.number);
}

function readingOf({ position, payload }: Told): Reading | undefined {
  if (!isRecord(payload) || !isRecord(payload.window)) return undefined;
  const number = numberIn(payload.window, "number");
  const at = numberIn(payload, "at_ms");
  if (number === undefined || at === undefined) return undefined;
  return {
    position,
    number,
    at,
    stable: numberIn(payload, "stable") ?? 0,
    moderate: numberIn(payload, "moderate") ?? 0,
    drifted: numberIn(payload, "drifted") ?? 0,
    tooFew: numberIn(payload, "too_few") ?? 0,
    worst: worstIn(payload.worst),
  };
}

function worstIn(value: unknown): Reading["worst"] {
  if (!isRecord(value) || typeof value.feature !== "string") return undefined;
  const psi = numberIn(value, "psi");
  return psi === undefined ? undefined : { feature: value.feature, psi };
}

function numberIn(fields: Record<string, unknown>, name: string): number | undefined {
  const value = fields[name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
