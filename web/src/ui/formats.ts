const INSTANT = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  timeZoneName: "short",
});
const DAY = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
];
const RELATIVE_MAX_MS = 7 * 86_400_000;

/** An exact instant, in the zone of whoever looks. */
export function instant(value: string | number | Date): string {
  return INSTANT.format(new Date(value));
}

/** How long ago, or until; a day where it is more than a week. */
export function ago(value: string | number | Date, now: number): string {
  const distance = new Date(value).getTime() - now;
  if (Math.abs(distance) > RELATIVE_MAX_MS) return DAY.format(new Date(value));
  for (const [unit, size] of STEPS) {
    if (Math.abs(distance) >= size) return RELATIVE.format(Math.trunc(distance / size), unit);
  }
  return "now";
}

/** A length of time: `850 µs`, `12 ms`, `3.4 s`, `2 min 5 s`, `1 h 4 min`. */
export function duration(milliseconds: number): string {
  const size = Math.abs(milliseconds);
  if (size < 1) return `${Math.round(milliseconds * 1000)} µs`;
  if (size < 1_000) return `${Number(milliseconds.toPrecision(3))} ms`;
  if (size < 60_000) return `${Number((milliseconds / 1_000).toPrecision(3))} s`;
  const seconds = Math.round(milliseconds / 1_000);
  if (size < 3_600_000) return twoParts(Math.trunc(seconds / 60), "min", seconds % 60, "s");
  if (size < 86_400_000) return twoParts(Math.trunc(seconds / 3_600), "h", Math.trunc((seconds % 3_600) / 60), "min");
  return twoParts(Math.trunc(seconds / 86_400), "d", Math.trunc((seconds % 86_400) / 3_600), "h");
}

function twoParts(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** A size: `512 B`, `1.5 KiB`, `20 MiB`. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = Math.min(Math.floor(Math.log2(Math.max(1, Math.abs(value))) / 10), units.length - 1);
  return `${Number((value / 1024 ** step).toPrecision(3))} ${units[step] ?? "B"}`;
}

/** An amount of money as the API answers it, as text, so that no digit is lost. */
export function money(amount: string, currency: string): string {
  const digits = /^-?\d*\.?0*(\d*)/.exec(amount)?.[1] ?? "";
  const small = Math.abs(Number(amount)) < 0.01 && digits !== "";
  try {
    const format = new Intl.NumberFormat(undefined, {
      style: "currency",
      currency,
      maximumFractionDigits: small ? 6 : 2,
    });
    return format.format(Number(amount));
  } catch {
    return `${amount} ${currency}`;
  }
}
