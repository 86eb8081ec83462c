import type { ReactNode } from "react";
import { type Tone, toneOf, wordsOf } from "./status-names";

const TONES: Record<Tone, string> = {
  neutral: "bg-sunken text-muted",
  good: "bg-good-soft text-good",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  info: "bg-info-soft text-info",
  accent: "bg-accent-soft text-accent",
};

export function Badge({ tone = "neutral", children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span
      className={`inline-flex items-center gap-1 rounded px-1.5 text-xs leading-5 font-medium whitespace-nowrap ${TONES[tone]}`}
    >
      {children}
    </span>
  );
}

/** How far something is. The word says it too, for those who do not see the colour. */
export function StatusBadge({ status }: { status: string }) {
  const isUnderWay = status === "RUNNING" || status === "COMPUTING";
  return (
    <Badge tone={toneOf(status)}>
      <span aria-hidden className={`size-1.5 rounded-full bg-current ${isUnderWay ? "animate-pulse" : ""}`} />
      {wordsOf(status)}
    </Badge>
  );
}
