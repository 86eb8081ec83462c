/** The workflow's definition as it was run, from the workflow's own events. */

import { isRecord } from "@/parts/records";
import { type Capsule, payloadText } from "./read";

export function definitionIn(
  capsule: Capsule,
  { id, revision, version }: { id: string; revision: number; version: number | undefined },
): unknown {
  let draft: Record<string, unknown> | undefined;
  const versions = new Map<number, unknown>();
  for (const { record } of capsule.lines) {
    if (record.category !== "workflow" || record.stream !== id || Number(record.revision) > revision) continue;
    const payload: unknown = JSON.parse(payloadText(record, capsule.blobs));
    if (!isRecord(payload)) continue;
    switch (record.type) {
      case "WorkflowCreated":
      case "WorkflowUpdated":
        draft = isRecord(payload.definition) ? payload.definition : draft;
        break;
      case "WorkflowSettingsChanged":
        draft = draft && { ...draft, settings: payload.settings };
        break;
      case "WorkflowPinsChanged":
        draft = draft && { ...draft, pinData: pinned(draft.pinData, payload.node, payload.items) };
        break;
      case "WorkflowVersionPublished":
        if (typeof payload.version === "number") versions.set(payload.version, draft);
        break;
    }
  }
  return version === undefined ? draft : versions.get(version);
}

function pinned(pins: unknown, node: unknown, items: unknown): Record<string, unknown> {
  const left = Object.fromEntries(Object.entries(isRecord(pins) ? pins : {}).filter(([name]) => name !== node));
  return typeof node === "string" && items !== undefined && items !== null ? { ...left, [node]: items } : left;
}
