import type { StartEvaluationInput } from "@/gql/schema";
import type { Subject } from "./Tried";

export const KINDS_OF_SUBJECT = [
  { value: "model", label: "model" },
  { value: "workflow", label: "workflow" },
  { value: "agent", label: "agent" },
] as const;

/** What is to be tried, as somebody writes it. */
export interface SubjectDraft {
  kind: (typeof KINDS_OF_SUBJECT)[number]["value"];
  model: string;
  workflowId: string;
  agent: string;
  version: string;
}

export type SubjectProblems = Partial<Record<keyof SubjectDraft, string>>;
type SubjectInput = Pick<StartEvaluationInput, "model" | "workflowId" | "agent" | "version">;

/** What a form begins with: another version of what was tried last, where something was. */
export function subjectLike(last: Subject | undefined): SubjectDraft {
  const kind = last?.workflowId != null ? "workflow" : last?.agentName != null ? "agent" : "model";
  const names = { model: last?.modelName ?? "", workflowId: last?.workflowId ?? "", agent: last?.agentName ?? "" };
  return { kind, ...names, version: "" };
}

/** What the server is sent, or what is wrong with the fields. */
export function subjectOf(draft: SubjectDraft): { input: SubjectInput } | { problems: SubjectProblems } {
  const problems: SubjectProblems = {};
  const field = ({ model: "model", workflow: "workflowId", agent: "agent" } as const)[draft.kind];
  if (draft[field] === "") problems[field] = `Choose the ${draft.kind} that is tried.`;
  const version = Number(draft.version);
  if (!Number.isSafeInteger(version) || version < 1) problems.version = "Choose the version that is tried.";
  return Object.keys(problems).length > 0 ? { problems } : { input: { [field]: draft[field], version } };
}
