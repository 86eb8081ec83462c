import { useEffect, useState } from "react";
import { client, faultOf } from "@/api";
import type { EditorPreviewQuery } from "@/gql/graphql";
import { EditorPreview } from "../documents";
import type { Definition } from "../model/definition";
import { nodesBefore } from "../model/walk";
import { type ShownRun, useDraftState, useEditor } from "../state/editor";

const ASKS_AFTER_MS = 250;

export type Preview =
  | { kind: "none"; why: string }
  | { kind: "asking" }
  | { kind: "value"; value: unknown; itemCount: number }
  | { kind: "problem"; message: string };

/** Over which run of which node an expression of a node is tried. */
export function ground(
  definition: Definition,
  run: ShownRun | undefined,
  name: string,
): { node: string; over: "INPUT" | "OUTPUT" } | undefined {
  const ran = (node: string) => run?.runs.some((one) => one.node === node && one.status === "COMPLETED") === true;
  // A node that failed had its input all the same.
  if (run?.runs.some((one) => one.node === name) === true) return { node: name, over: "INPUT" };
  const before = nodesBefore(definition, name).find(ran);
  return before === undefined ? undefined : { node: before, over: "OUTPUT" };
}

/** What an expression gives over an item of the shown run, a moment after somebody stopped writing. */
export function usePreview(name: string, expression: string, itemIndex: number): Preview {
  const { run } = useEditor();
  const definition = useDraftState().history.present;
  const over = ground(definition, run, name);
  const isAsked = run !== undefined && over !== undefined && expression.includes("{{");
  const key = JSON.stringify([run?.id, run?.status, over, expression, itemIndex]);
  const [answer, setAnswer] = useState<{ key: string; preview: Preview }>();
  useEffect(() => {
    if (!isAsked) return undefined;
    let isGone = false;
    const [executionId, , at] = JSON.parse(key) as [string, string, { node: string; over: "INPUT" | "OUTPUT" }];
    const ask = async () => {
      const input = { executionId, node: at.node, over: at.over, expression, itemIndex };
      const { data, error } = await client
        .query(EditorPreview, { input }, { requestPolicy: "network-only" })
        .toPromise();
      if (isGone) return;
      if (error) setAnswer({ key, preview: { kind: "problem", message: faultOf(error).message } });
      else if (data) setAnswer({ key, preview: previewOf(data.expressionPreview) });
    };
    const timer = setTimeout(() => void ask(), ASKS_AFTER_MS);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [key, isAsked, expression, itemIndex]);
  if (!isAsked) {
    const why = run
      ? "Nothing before this node ran in the shown run."
      : "Run the workflow once to see what this gives.";
    return { kind: "none", why: expression.includes("{{") ? why : "Text between {{ and }} is JavaScript." };
  }
  return answer?.key === key ? answer.preview : { kind: "asking" };
}

function previewOf({ value, error, itemCount }: EditorPreviewQuery["expressionPreview"]): Preview {
  if (error !== null) return { kind: "problem", message: error };
  return { kind: "value", value, itemCount };
}
