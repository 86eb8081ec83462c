/** What an address says behind its `?`, before a page looks at it. */
export type RawSearch = Record<string, unknown>;

/** Reads `?a=1&b=x&b=y` as flat text, so that addresses stay readable: values are never JSON. */
export function parseSearch(text: string): RawSearch {
  const search: Record<string, string | string[]> = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const had = search[name];
    search[name] = had === undefined ? value : [...(Array.isArray(had) ? had : [had]), value];
  }
  return search;
}

/** Writes what [`parseSearch`] reads. What is absent, empty or false is left out. */
export function stringifySearch(search: RawSearch): string {
  const written = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (one === undefined || one === null || one === "" || one === false) continue;
      if (typeof one === "string" || typeof one === "number" || one === true) written.append(name, String(one));
    }
  }
  const text = written.toString();
  return text === "" ? "" : `?${text}`;
}

/** A text, where there is one that is not empty. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** One of some words. */
export function oneOf<const W extends string>(words: readonly W[], value: unknown): W | undefined {
  return words.find((word) => word === value);
}

/** A position of the log: digits alone. */
export function position(value: unknown): string | undefined {
  return typeof value === "string" && /^\d{1,19}$/.test(value) ? value : undefined;
}

/** A whole number that is not below zero. */
export function count(value: unknown): number | undefined {
  const number = typeof value === "number" ? value : typeof value === "string" && value !== "" ? Number(value) : NaN;
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

/** A number that is not below zero, whole or not. */
export function fraction(value: unknown): number | undefined {
  const number = typeof value === "number" ? value : typeof value === "string" && value !== "" ? Number(value) : NaN;
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}

/** Whether it is set. */
export function flag(value: unknown): true | undefined {
  return value === true || value === "true" || value === "1" ? true : undefined;
}

/** A list of texts. */
export function texts(value: unknown): string[] | undefined {
  const list = (Array.isArray(value) ? (value as unknown[]) : [value]).filter(
    (one) => typeof one === "string" && one !== "",
  );
  return list.length > 0 ? (list as string[]) : undefined;
}

/** A moment: a position of the log, or a time. */
export function moment(value: unknown): string | undefined {
  const said = position(value) ?? text(value);
  if (said === undefined || /^\d{1,19}$/.test(said)) return said;
  const date = new Date(said);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** A moment as the API has it. */
export function asOf(at: string | undefined) {
  if (at === undefined) return undefined;
  return /^\d+$/.test(at) ? { position: at } : { time: at };
}
