import type { ComparedFactsFragment, EvaluationPageQuery, EvaluationSetEvaluationsQuery } from "@/gql/graphql";
import { type Scorer, keyOfScorer } from "./scorers";

export type EvaluationRow = EvaluationSetEvaluationsQuery["evaluations"]["nodes"][number];
export type Report = NonNullable<NonNullable<EvaluationPageQuery["evaluation"]>["scored"]>;

/** Scores that are no further apart are the same. */
const SAME = 1e-9;

/** A score or a mean as it is shown. */
export function scoreText(score: number | null | undefined): string {
  return score == null ? "–" : score.toFixed(3);
}

/** A difference with its sign. */
export function signed(difference: number): string {
  const text = Math.abs(difference).toFixed(3);
  if (Number(text) === 0) return "0.000";
  return `${difference > 0 ? "+" : "−"}${text}`;
}

/** A p value: so many digits that a small one is not told as none. */
export function chance(pValue: number): string {
  return pValue < 0.001 ? "below 0.001" : pValue.toFixed(3);
}

/** Of what a version was tried: the same for all versions of one model, workflow or agent. */
export function triedOf(tried: Pick<EvaluationRow, "modelName" | "workflowId" | "agentName">): string {
  if (tried.modelName != null) return `model ${tried.modelName}`;
  if (tried.workflowId != null) return `workflow ${tried.workflowId}`;
  return `agent ${tried.agentName ?? ""}`;
}

/** A version with its newest evaluation. */
export interface VersionScores {
  evaluation: EvaluationRow;
  /** The newest evaluation of the version of the same before it, among those that were tried. */
  before: EvaluationRow | undefined;
  /** In the order of the scorers; absent where it was not judged by one. */
  means: readonly (number | undefined)[];
  /** To the version before, where both were judged by it. */
  differences: readonly (number | undefined)[];
}

export interface ScoresByVersion {
  scorers: readonly Scorer[];
  rows: readonly VersionScores[];
}

/**
 * What came of each version that was tried on a version of a set, by its newest evaluation: those of one model, workflow or
 * agent together, the newest version first. `evaluations` are the newest first.
 */
export function scoresByVersion(evaluations: readonly EvaluationRow[], setVersion: number): ScoresByVersion {
  const scorers = new Map<string, Scorer>();
  const tried = new Map<string, Map<number, EvaluationRow>>();
  for (const evaluation of evaluations) {
    if (evaluation.setVersion !== setVersion || evaluation.scored == null || evaluation.version == null) continue;
    for (const scorer of evaluation.scorers) {
      const key = keyOfScorer(scorer);
      if (!scorers.has(key)) scorers.set(key, scorer);
    }
    const key = triedOf(evaluation);
    const versions = tried.get(key) ?? new Map<number, EvaluationRow>();
    tried.set(key, versions);
    if (!versions.has(evaluation.version)) versions.set(evaluation.version, evaluation);
  }
  const keys = [...scorers.keys()];
  const rows = [...tried.values()].flatMap((versions) => {
    const sorted = [...versions].toSorted(([one], [other]) => other - one).map(([, evaluation]) => evaluation);
    return sorted.map((evaluation, place) => rowOf(evaluation, sorted[place + 1], keys));
  });
  return { scorers: [...scorers.values()], rows };
}

function rowOf(evaluation: EvaluationRow, before: EvaluationRow | undefined, keys: readonly string[]): VersionScores {
  const means = keys.map((key) => meanBy(evaluation, key));
  const differences = keys.map((key, place) => {
    const [mean, earlier] = [means[place], before && meanBy(before, key)];
    return mean === undefined || earlier === undefined ? undefined : mean - earlier;
  });
  return { evaluation, before, means, differences };
}

function meanBy(evaluation: EvaluationRow, key: string): number | undefined {
  const scorer = evaluation.scorers.find((one) => keyOfScorer(one) === key);
  return evaluation.scored?.scorers.find((one) => one.name === scorer?.name)?.mean ?? undefined;
}

/** A case of an evaluation. */
export interface CaseRow {
  caseId: string;
  scores: readonly (number | null)[];
  /** Why it is not perfect, as far as that is told. */
  why: readonly string[];
  executionId: string | undefined;
  agentRunId: string | undefined;
}

/** The cases of a report, the worst first; those that no scorer could judge come last. */
export function worstFirst(report: Pick<Report, "scores" | "told">): CaseRow[] {
  const told = new Map(report.told.map((one) => [one.caseId, one]));
  const rows = report.scores.map((one): CaseRow => {
    const { failure, verdicts = [] } = told.get(one.caseId) ?? {};
    const reasons = verdicts.flatMap(({ scorer, reason }) => (reason == null ? [] : [`${scorer}: ${reason}`]));
    return {
      caseId: one.caseId,
      scores: one.scores,
      why: failure == null ? reasons : [failure],
      executionId: one.executionId ?? undefined,
      agentRunId: one.agentRunId ?? undefined,
    };
  });
  return rows.toSorted((one, other) => meanOf(one.scores) - meanOf(other.scores));
}

/** Above every score where there is none. */
function meanOf(scores: readonly (number | null)[]): number {
  const there = scores.filter((score) => score !== null);
  return there.length === 0 ? 2 : there.reduce((sum, score) => sum + score, 0) / there.length;
}

export type Run = Pick<CaseRow, "executionId" | "agentRunId">;

/** A case whose score is another one in the second evaluation. */
export interface ChangedCase {
  caseId: string;
  before: number;
  after: number;
  difference: number;
  runBefore: Run;
  runAfter: Run;
}

/** The cases whose scores differ by a scorer: those that lost most first, those that gained most last. */
export function changedCases(
  before: Pick<ComparedFactsFragment, "scorers" | "scored">,
  after: Pick<ComparedFactsFragment, "scorers" | "scored">,
  scorer: string,
): ChangedCase[] {
  const placeOf = (side: typeof before) => side.scorers.findIndex((one) => one.name === scorer);
  const [here, there] = [placeOf(before), placeOf(after)];
  const later = new Map(after.scored?.scores.map((one) => [one.caseId, one]));
  const changed = (before.scored?.scores ?? []).flatMap((one): ChangedCase[] => {
    const other = later.get(one.caseId);
    const [first, second] = [one.scores[here], other?.scores[there]];
    if (other === undefined || first == null || second == null || Math.abs(second - first) <= SAME) return [];
    const values = { before: first, after: second, difference: second - first };
    return [{ caseId: one.caseId, ...values, runBefore: runOf(one), runAfter: runOf(other) }];
  });
  return changed.toSorted((one, other) => one.difference - other.difference);
}

function runOf(one: { executionId?: string | null; agentRunId?: string | null }): Run {
  return { executionId: one.executionId ?? undefined, agentRunId: one.agentRunId ?? undefined };
}
