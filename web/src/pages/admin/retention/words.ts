import { EVENT_KINDS } from "@/app/event-kinds";
import type { Doer } from "@/parts/ActorName";
import type { Tone } from "@/ui";
import { counted } from "@/ui/counted";
import type { Retention } from "./documents";

/** For how many days data can be kept, where it is not for ever. */
export const DAYS_MAX = 36_525;
const DAY_MS = 86_400_000;

/** What data of a category is called. */
export function labelOf(category: string): string {
  return EVENT_KINDS.find((kind) => kind.category === category)?.label ?? category;
}

/** For how long: `for ever`, `1 day`, `90 days`. */
export function timeWords(days: number | null): string {
  return days === null ? "for ever" : counted(days, "day");
}

/** The same to follow "kept". */
export function keptWords(days: number | null): string {
  return days === null ? "for ever" : `for ${timeWords(days)}`;
}

/** A number of days as somebody writes it; undefined where it is none that can be. */
export function daysOf(text: string): number | undefined {
  const digits = text.trim();
  const days = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  return days >= 1 && days <= DAYS_MAX ? days : undefined;
}

/** What another time comes to. What keeps data less long takes two users. */
export function changeOf(now: number | null, next: number | null): "same" | "longer" | "shorter" {
  const [before, after] = [now ?? Number.POSITIVE_INFINITY, next ?? Number.POSITIVE_INFINITY];
  return before === after ? "same" : after > before ? "longer" : "shorter";
}

/** How a category is, in a word or two. */
export function statusOf({ request, holds, days }: Pick<Retention, "request" | "holds" | "days">): {
  tone: Tone;
  words: string;
} {
  if (request !== null) return { tone: "warn", words: "to be approved" };
  if (holds.length > 0) return { tone: "info", words: "on hold" };
  return days === null ? { tone: "neutral", words: "kept for ever" } : { tone: "good", words: "goes by itself" };
}

/** Who it was, of a text such as `user:ID`. */
export function doerOf(by: string): Doer {
  const colon = by.indexOf(":");
  return colon < 0 ? { kind: by, name: "" } : { kind: by.slice(0, colon), name: by.slice(colon + 1) };
}

/** The days (UTC, since 1970) that a retention takes: those that are over, or when the first one is. */
export type Forecast = { kind: "over"; from: number; upTo: number } | { kind: "later"; first: number; goesOn: number };

/**
 * What goes where data is kept for so many days. A day goes once all of it is older than that; nothing that began before there
 * was a retention goes, and what went is gone.
 */
export function forecastOf({ since, lastDay }: Pick<Retention, "since" | "lastDay">, days: number, nowMs: number) {
  const today = dayOf(nowMs);
  const begun = since === null ? today : dayOf(Date.parse(since));
  const first = lastDay === null ? begun : Math.max(begun, dayOf(Date.parse(lastDay)) + 1);
  const newest = today - days - 1;
  const forecast: Forecast =
    first <= newest ? { kind: "over", from: first, upTo: newest } : { kind: "later", first, goesOn: first + days + 1 };
  return forecast;
}

function dayOf(milliseconds: number): number {
  return Math.floor(milliseconds / DAY_MS);
}

/** When a day begins. */
export function startOf(day: number): string {
  return new Date(day * DAY_MS).toISOString();
}

const DAY = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", timeZone: "UTC" });

/** A day as people write it. */
export function dayWords(day: number | string): string {
  return DAY.format(typeof day === "string" ? new Date(`${day}T00:00:00Z`) : new Date(day * DAY_MS));
}

/** What a forecast says, in a sentence; `isHeld` where a hold keeps all of it. */
export function forecastWords(forecast: Forecast, isHeld: boolean): string {
  if (forecast.kind === "later") {
    const held = isHeld ? ", unless the hold is still on it then" : "";
    return `Nothing is old enough yet. What begins on ${dayWords(forecast.first)} is the first to go: on ${dayWords(forecast.goesOn)}${held}.`;
  }
  const { from, upTo } = forecast;
  const days = from === upTo ? `on ${dayWords(from)}` : `from ${dayWords(from)} to ${dayWords(upTo)}`;
  return isHeld
    ? `What began ${days} is old enough, and stays until the hold is released.`
    : `What began ${days} is old enough: it goes within the hour, and cannot be brought back.`;
}
