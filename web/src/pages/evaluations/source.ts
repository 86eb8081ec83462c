import type { CreateEvaluationSetInput } from "@/gql/schema";
import { jsonIn } from "./scorers";

export const SOURCES = [
  { value: "case", label: "one case, written here" },
  { value: "lines", label: "JSON Lines, of a file or written here" },
  { value: "executions", label: "completed executions of a workflow" },
  { value: "inferences", label: "recorded inferences of a model" },
] as const;

export type SourceKind = (typeof SOURCES)[number]["value"];

/** Most cases of a version, and so most that are taken of what was recorded. */
export const CASES_MAX = 1_000;

/** Where cases come from, as somebody writes it. */
export interface SourceDraft {
  kind: SourceKind;
  id: string;
  input: string;
  expected: string;
  lines: string;
  workflowId: string;
  model: string;
  /** A version of the model; empty for any. */
  ofVersion: string;
  last: string;
}

export type SourceProblems = Partial<Record<keyof SourceDraft, string>>;
/** What a mutation is told of where cases come from. */
export type SourceInput = Pick<CreateEvaluationSetInput, "cases" | "lines" | "executions" | "inferences">;

export function freshSource(kind: SourceKind, workflowId = "", model = ""): SourceDraft {
  return { kind, id: "", input: "", expected: "", lines: "", workflowId, model, ofVersion: "", last: "100" };
}

/** What the server is sent, or what is wrong with the fields. */
export function sourceOf(draft: SourceDraft): { input: SourceInput } | { problems: SourceProblems } {
  switch (draft.kind) {
    case "case":
      return caseOf(draft);
    case "lines": {
      const looked = casesInLines(draft.lines);
      return "problem" in looked ? { problems: { lines: looked.problem } } : { input: { lines: draft.lines } };
    }
    case "executions": {
      const problems = lastProblem(draft);
      if (draft.workflowId === "") problems.workflowId = "Choose the workflow whose executions are meant.";
      if (Object.keys(problems).length > 0) return { problems };
      return { input: { executions: { workflowId: draft.workflowId, last: Number(draft.last) } } };
    }
    case "inferences": {
      const problems = lastProblem(draft);
      if (draft.model === "") problems.model = "Choose the model whose inferences are meant.";
      if (Object.keys(problems).length > 0) return { problems };
      const ofVersion = draft.ofVersion === "" ? undefined : Number(draft.ofVersion);
      return { input: { inferences: { model: draft.model, ofVersion, last: Number(draft.last) } } };
    }
  }
}

function caseOf(draft: SourceDraft): ReturnType<typeof sourceOf> {
  const problems: SourceProblems = {};
  const [input, expected] = [jsonIn(draft.input), jsonIn(draft.expected)];
  if (input === undefined) problems.input = 'What is given, as JSON: a text stands in " ".';
  if (draft.expected.trim() !== "" && expected === undefined)
    problems.expected = 'What is expected, as JSON: a text stands in " ". Empty where nobody says.';
  if (Object.keys(problems).length > 0) return { problems };
  const id = draft.id.trim() === "" ? undefined : draft.id.trim();
  return { input: { cases: [{ id, input, expected }] } };
}

function lastProblem({ last }: SourceDraft): SourceProblems {
  const count = /^\d+$/.test(last.trim()) ? Number(last) : 0;
  return count >= 1 && count <= CASES_MAX ? {} : { last: "A number from 1 to 1,000." };
}

/** How many cases JSON Lines have, or the first line that is none. */
export function casesInLines(text: string): { count: number } | { problem: string } {
  let count = 0;
  for (const [place, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const found = jsonIn(line);
    if (typeof found !== "object" || found === null || Array.isArray(found))
      return { problem: `Line ${place + 1} is no JSON object: write {"input": …, "expected": …}, one a line.` };
    if (!("input" in found)) return { problem: `Line ${place + 1} has no input: write {"input": …, "expected": …}.` };
    count += 1;
  }
  if (count === 0) return { problem: 'There is no case yet: write {"input": …, "expected": …}, one a line.' };
  if (count > CASES_MAX)
    return {
      problem: `These are ${count.toLocaleString()} cases, and a version has at most 1,000: make several sets.`,
    };
  return { count };
}
