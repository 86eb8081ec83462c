/** For which tenants a feature is on. */
export interface RolloutWords {
  percent: number;
  onFor: readonly number[];
  offFor: readonly number[];
}

/** A roll-out as one says it, to follow "it is on". */
export function rolloutWords({ percent, onFor, offFor }: RolloutWords): string {
  const share =
    percent === 0 ? "for no tenant" : percent === 100 ? "for all tenants" : `for ${percent} % of the tenants`;
  const named = onFor.length > 0 ? ` and ${onFor.join(", ")}` : "";
  const held = offFor.length > 0 ? ` but not ${offFor.join(", ")}` : "";
  return `${share}${named}${held}`;
}

/** Numbers of tenants, of a text with commas between them; undefined where something else is in it. */
export function numbersOf(text: string): number[] | undefined {
  const parts = text.split(/[\s,]+/).filter((part) => part !== "");
  return parts.every((part) => /^\d{1,6}$/.test(part)) ? parts.map(Number) : undefined;
}
