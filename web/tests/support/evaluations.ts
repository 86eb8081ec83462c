import { expect } from "@playwright/test";
import { changed } from "./change";
import { chain, node } from "./failing";
import type { Server } from "./server";

/** Cases of which the first version of `labelsWorkflow` gets three of four right, and the second another two. */
export const CASES = [
  '{"id": "parcel", "input": {"text": "my parcel is late"}, "expected": {"label": "delivery"}}',
  '{"id": "came", "input": {"text": "it came late"}, "expected": {"label": "delivery"}}',
  '{"input": {"text": "a refund, please"}, "expected": {"label": "refund"}}',
  '{"id": "hello", "input": {"text": "hello"}, "expected": {"label": "other"}}',
].join("\n");

/** A workflow file that gives a label to what has a word in its text. */
function labels(name: string, word: string, label: string): unknown {
  const jsCode = `return $input.all().map((item) => ({ json: { label: item.json.text.includes("${word}") ? "${label}" : "other" } }));`;
  return chain(name, [node("Start", "manualTrigger"), node("Labels", "code", { jsCode }, 2, 1)]);
}

async function publish(server: Server, workflowId: string): Promise<void> {
  await changed(server, "publishWorkflow", "PublishWorkflowInput", { workflowId });
}

/** A workflow with two published versions: one knows what is late, the other one refunds. */
export async function labelsWorkflow(server: Server, name: string): Promise<string> {
  const workflowId = await server.importWorkflow(labels(name, "late", "delivery"));
  await publish(server, workflowId);
  const definition = labels(name, "refund", "refund");
  await changed(server, "importWorkflow", "ImportWorkflowInput", { workflowId, definition });
  await publish(server, workflowId);
  return workflowId;
}

/** Makes a set of four cases. */
export async function evaluationSet(server: Server, name: string, lines = CASES): Promise<void> {
  const description = "Questions of customers";
  await changed(server, "createEvaluationSet", "CreateEvaluationSetInput", { name, description, lines });
}

/** Tries a version of a workflow on the newest version of a set, and answers the evaluation's id once it has a report. */
export async function evaluated(server: Server, set: string, workflowId: string, version: number): Promise<string> {
  const scorers = [{ kind: "EQUAL" }];
  const input = { set, workflowId, version, scorers, timeoutMs: 60_000 };
  const { evaluation } = await changed<{ evaluation: { id: string; status: string } | null }>(
    server,
    "startEvaluation",
    "StartEvaluationInput",
    input,
    "evaluation { id status }",
  );
  expect(evaluation?.status).toBe("COMPLETED");
  return evaluation?.id ?? "";
}
