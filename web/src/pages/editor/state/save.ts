import { type Outcome, type Payload, change, client } from "@/api";
import type { UserError } from "@/api/errors";
import { EditorImport, EditorPins, EditorSettings, EditorWorkflow } from "../documents";
import { stepBetween } from "../model/changes";
import { type Definition, readDefinition } from "../model/definition";
import type { Problem, Save, Saved } from "./draft";

const FAILED = "The workflow was not saved";

interface Done extends Payload {
  revision?: number | null;
  workflowId?: string | null;
  /** Told by what takes a whole definition in; the others change nothing of it. */
  draftProblems?: readonly ToldProblem[];
}

type ToldProblem = Omit<Problem, "node"> & { node: string | null };

/** What the server tells of a draft. */
export function readProblems(told: readonly ToldProblem[]): Problem[] {
  return told.map((problem) => ({ ...problem, node: problem.node ?? undefined }));
}

/** Saves a draft by the narrowest command. `created` is told the id of a workflow that was not there before. */
export function saver(known: string | undefined, created: (id: string) => void): Save {
  let workflowId = known;
  return async (present, saved, revision) => {
    const step = revision === 0 ? { kind: "definition" as const } : stepBetween(saved, present);
    const outcome = await send(step, present, workflowId, revision);
    if (outcome.kind === "fault") return { kind: "failed", message: outcome.fault.message };
    if (outcome.kind === "done") {
      if (workflowId === undefined && outcome.payload.workflowId) {
        workflowId = outcome.payload.workflowId;
        created(workflowId);
      }
      const told = outcome.payload.draftProblems;
      return {
        kind: "saved",
        revision: outcome.payload.revision ?? revision,
        workflowId,
        problems: told && readProblems(told),
      };
    }
    if (outcome.kind === "conflict" && workflowId !== undefined) return conflictWith(workflowId);
    return refusal(outcome.errors);
  };
}

async function send(
  step: ReturnType<typeof stepBetween>,
  present: Definition,
  workflowId: string | undefined,
  revision: number,
): Promise<Outcome<Done>> {
  const quiet = { failed: FAILED, quiet: true };
  if (workflowId === undefined || step.kind === "definition" || step.kind === "none") {
    const expected = workflowId === undefined ? {} : { workflowId, expectedRevision: revision };
    return change(
      EditorImport,
      { input: { definition: present, ...expected, replaceServiceNodes: false } },
      { ...quiet, payload: (data): Done => data.importWorkflow },
    );
  }
  const at = { workflowId, expectedRevision: revision };
  if (step.kind === "settings")
    return change(
      EditorSettings,
      { input: { ...at, settings: step.settings } },
      { ...quiet, payload: (data): Done => data.changeWorkflowSettings },
    );
  return change(
    EditorPins,
    { input: { ...at, node: step.node, items: step.items } },
    { ...quiet, payload: (data): Done => data.changeWorkflowPins },
  );
}

async function conflictWith(workflowId: string): Promise<Saved> {
  const current = await readWorkflow(workflowId);
  if (!current) return { kind: "failed", message: "Somebody changed it, and their change could not be read." };
  return { kind: "conflict", ...current, by: "Somebody" };
}

/** The draft as the server has it, with its revision. */
export async function readWorkflow(
  workflowId: string,
  waitFor?: string,
): Promise<{ theirs: Definition; revision: number; problems: readonly Problem[] } | undefined> {
  const { data } = await client
    .query(EditorWorkflow, { id: workflowId, waitFor }, { requestPolicy: "network-only" })
    .toPromise();
  const theirs = readDefinition(data?.workflow?.definition);
  const { workflow } = data ?? {};
  return theirs && workflow
    ? { theirs, revision: workflow.history.revision, problems: readProblems(workflow.draftProblems) }
    : undefined;
}

function refusal(errors: readonly UserError[]): Saved {
  const problems = errors
    .flatMap((error) => error.problems ?? [])
    .map(({ node, field, message }) => ({ node: node ?? undefined, field, message }));
  return { kind: "refused", message: errors.map((error) => error.message).join(" · "), problems };
}
