import type { ModelDriftReportQuery } from "@/gql/graphql";
import type { DriftFeatureKind, DriftStatistic, DriftVerdict } from "@/gql/schema";
import type { Tone } from "@/ui";

export type Report = NonNullable<ModelDriftReportQuery["modelDrift"]>;
type Feature = Report["features"][number];
type Shift = NonNullable<Feature["value"]>;

export const VERDICTS: Record<DriftVerdict, { words: string; tone: Tone }> = {
  DRIFTED: { words: "drifted", tone: "bad" },
  MODERATE: { words: "moderate", tone: "warn" },
  STABLE: { words: "stable", tone: "good" },
  TOO_FEW: { words: "too few", tone: "neutral" },
};

/** By what chance is told. */
export const TESTS: Record<DriftFeatureKind, { words: string; title: string }> = {
  NUMBER: { words: "distance", title: "Kolmogorov and Smirnov: the largest distance of the two distributions" },
  CLASS: { words: "chi-square", title: "Pearson's chi-square on the table of counts" },
};

export const STATISTICS: Record<DriftStatistic, string> = { PSI: "what is observed", MISSING_PSI: "what is missing" };

/** One thing that is judged of a feature: what is observed, or how often nothing is. */
export interface Judged {
  key: string;
  feature: string;
  isMissing: boolean;
  /** By which test. */
  kind: DriftFeatureKind;
  shift: Shift | null;
  verdict: DriftVerdict;
  means: readonly [before: number | null, now: number | null];
  /** How often it was observed, or missing. */
  counts: readonly [before: number, now: number];
}

/** What is judged of each feature, in the order of the features. */
export function judgedOf(features: readonly Feature[]): Judged[] {
  return features.flatMap(({ feature, kind, value, missing, baseline, window }) => {
    const observed: Judged = {
      key: feature,
      feature,
      isMissing: false,
      kind,
      shift: value ?? null,
      verdict: value?.verdict ?? "TOO_FEW",
      means: [baseline.mean ?? null, window.mean ?? null],
      counts: [baseline.observations, window.observations],
    };
    if (!missing) return [observed];
    // That something is missing or not is a class, whatever the feature is.
    const absent: Judged = {
      key: `${feature} missing`,
      feature,
      isMissing: true,
      kind: "CLASS",
      shift: missing,
      verdict: missing.verdict,
      means: [null, null],
      counts: [baseline.missing, window.missing],
    };
    return [observed, absent];
  });
}

/** How many features are of each verdict. */
export interface Tally {
  drifted: number;
  moderate: number;
  stable: number;
  tooFew: number;
}

/** How many of what is judged are of each verdict. */
export function tallyOf(judged: readonly { verdict: DriftVerdict }[]): Tally {
  const count = (verdict: DriftVerdict) => judged.filter((one) => one.verdict === verdict).length;
  return { drifted: count("DRIFTED"), moderate: count("MODERATE"), stable: count("STABLE"), tooFew: count("TOO_FEW") };
}

/** The same in words, the worst first: "1 drifted, 2 stable". */
export function tallyWords({ drifted, moderate, stable, tooFew }: Tally): string {
  const parts = [
    [drifted, VERDICTS.DRIFTED.words],
    [moderate, VERDICTS.MODERATE.words],
    [stable, VERDICTS.STABLE.words],
    [tooFew, VERDICTS.TOO_FEW.words],
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, words]) => `${count} ${words}`);
  return said.length === 0 ? "nothing" : said.join(", ");
}

/** The worst verdict of a window that was judged. */
export function worstOf(counts: Omit<Tally, "tooFew">): DriftVerdict {
  if (counts.drifted > 0) return "DRIFTED";
  if (counts.moderate > 0) return "MODERATE";
  return counts.stable > 0 ? "STABLE" : "TOO_FEW";
}

/** An index, a distance or a mean in as many digits as people read. */
export function few(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString(undefined, { maximumSignificantDigits: 4, useGrouping: false });
}

/** The smallest chance that is written out. */
const CHANCE_LEAST = 0.0001;

/** How likely something is by chance, from 0 to 1. */
export function chanceWords(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return value < CHANCE_LEAST ? `< ${CHANCE_LEAST}` : few(value);
}

/** How a bar shows an index: what of it is filled, and where its bounds are marked, from 0 to 1. It ends at twice the bound of drift. */
export function barOf(psi: number, bounds: { moderate: number; drifted: number }) {
  const whole = bounds.drifted * 2;
  return {
    filled: Math.max(0, Math.min(1, psi / whole)),
    moderate: Math.min(1, bounds.moderate / whole),
    drifted: bounds.drifted / whole,
  };
}
