import type { EvaluationFactsFragment } from "@/gql/graphql";
import type { EvaluationScorerInput, EvaluationScorerKind } from "@/gql/schema";
import { wordsOf } from "@/ui";

export type Scorer = EvaluationFactsFragment["scorers"][number];

/** Most scorers of an evaluation. */
export const SCORERS_MAX = 8;

export const KINDS: readonly { value: EvaluationScorerKind; label: string }[] = [
  { value: "EQUAL", label: "equal: it is the expected value" },
  { value: "CONTAINS", label: "contains: what is expected is in it" },
  { value: "NEAR", label: "near: its numbers are near the expected ones" },
  { value: "TOP_CLASS", label: "top class: its likeliest class is the expected one" },
  { value: "MATCHES", label: "matches: a regular expression matches its text" },
  { value: "SCHEMA", label: "schema: it fits a JSON Schema" },
  { value: "WORKFLOW", label: "workflow: a workflow says so" },
];

/** A scorer as somebody writes it. */
export interface ScorerDraft {
  /** What its fields are known by on the page. */
  key: number;
  kind: EvaluationScorerKind;
  name: string;
  at: string;
  expectedAt: string;
  pattern: string;
  tolerance: string;
  schema: string;
  workflowId: string;
  version: string;
}

export type ScorerProblems = Partial<Record<keyof ScorerDraft, string>>;

const TOLERANCE = "0.001";

/** What a form begins with: the output is the expected value. */
export function freshScorer(key: number): ScorerDraft {
  return {
    key,
    kind: "EQUAL",
    name: "",
    at: "",
    expectedAt: "",
    pattern: "",
    tolerance: TOLERANCE,
    schema: "",
    workflowId: "",
    version: "",
  };
}

/** A scorer of an evaluation, to be used again: only evaluations with the same scorers can be compared. */
export function draftOf(scorer: Scorer, key: number): ScorerDraft {
  return {
    key,
    kind: scorer.kind,
    name: scorer.name,
    at: scorer.at,
    expectedAt: scorer.expectedAt,
    pattern: scorer.pattern ?? "",
    tolerance: scorer.tolerance == null ? TOLERANCE : String(scorer.tolerance),
    schema: scorer.schema == null ? "" : JSON.stringify(scorer.schema, null, 2),
    workflowId: scorer.workflowId ?? "",
    version: scorer.version == null ? "" : String(scorer.version),
  };
}

/** What the server is sent, or what is wrong with the fields. */
export function scorerOf(draft: ScorerDraft): { scorer: EvaluationScorerInput } | { problems: ScorerProblems } {
  const problems: ScorerProblems = {};
  for (const field of ["at", "expectedAt"] as const)
    if (draft[field] !== "" && !draft[field].startsWith("/"))
      problems[field] = "A JSON pointer begins with /, such as /label. Empty: all of it.";
  const own = ownOf(draft);
  if ("problems" in own) Object.assign(problems, own.problems);
  if (Object.keys(problems).length > 0 || "problems" in own) return { problems };
  const name = draft.name.trim();
  const plain = { kind: draft.kind, at: draft.at, expectedAt: draft.expectedAt };
  return { scorer: { ...plain, ...own.input, ...(name === "" ? {} : { name }) } };
}

type Own = { input: Partial<EvaluationScorerInput> } | { problems: ScorerProblems };

/** What only scorers of its kind have. */
function ownOf(draft: ScorerDraft): Own {
  switch (draft.kind) {
    case "MATCHES":
      if (draft.pattern === "") return { problems: { pattern: "A regular expression, such as ^(yes|no)$." } };
      return { input: { pattern: draft.pattern } };
    case "NEAR": {
      const tolerance = Number(draft.tolerance);
      const isOne = draft.tolerance.trim() !== "" && tolerance >= 0 && tolerance <= 1;
      return isOne ? { input: { tolerance } } : { problems: { tolerance: "A number from 0 to 1." } };
    }
    case "SCHEMA": {
      const schema = jsonIn(draft.schema);
      return schema === undefined ? { problems: { schema: "A JSON Schema, as JSON." } } : { input: { schema } };
    }
    case "WORKFLOW": {
      const version = Number(draft.version);
      const problems: ScorerProblems = {};
      if (draft.workflowId === "") problems.workflowId = "Choose the workflow that judges.";
      if (!Number.isSafeInteger(version) || version < 1) problems.version = "Choose one of its published versions.";
      if (Object.keys(problems).length > 0) return { problems };
      return { input: { workflowId: draft.workflowId, version } };
    }
    default:
      return { input: {} };
  }
}

/** The value that a text is as JSON; `undefined` where it is none. */
export function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** How a scorer judges, in a line. */
export function settingsOf(scorer: Scorer): string {
  const parts = [wordsOf(scorer.kind)];
  if (scorer.at !== "") parts.push(`at ${scorer.at}`);
  if (scorer.expectedAt !== "") parts.push(`expected at ${scorer.expectedAt}`);
  if (scorer.pattern != null) parts.push(scorer.pattern);
  if (scorer.tolerance != null) parts.push(`tolerance ${scorer.tolerance}`);
  if (scorer.version != null) parts.push(`version ${scorer.version}`);
  return parts.join(", ");
}

/** What scorers are alike by: the same name with the same settings. */
export function keyOfScorer(scorer: Scorer): string {
  const { name, kind, at, expectedAt, pattern, tolerance, schema, workflowId, version } = scorer;
  return JSON.stringify([name, kind, at, expectedAt, pattern, tolerance, schema, workflowId, version]);
}
