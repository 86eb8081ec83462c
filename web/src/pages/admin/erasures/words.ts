import type { AdminErasurePreviewQuery } from "@/gql/graphql";
import type { DataSubjectStatus } from "@/gql/schema";
import type { Tone } from "@/ui";
import type { Subject } from "./documents";

export type Preview = AdminErasurePreviewQuery["erasurePreview"];

export const STATUS_WORDS: Record<DataSubjectStatus, { tone: Tone; words: string }> = {
  KEPT: { tone: "neutral", words: "kept" },
  ON_HOLD: { tone: "info", words: "on hold" },
  ERASURE_REQUESTED: { tone: "warn", words: "to be approved" },
  ERASED: { tone: "bad", words: "being erased" },
  COMPLETED: { tone: "neutral", words: "erased" },
};

/** Whether anything of it is left to decide about. */
export function isErased({ status }: Pick<Subject, "status">): boolean {
  return status === "ERASED" || status === "COMPLETED";
}

/** What keeps an erasure from being approved, each with what to do. */
export function inTheWay(preview: Preview): string[] {
  const { executionsUnderWay: running, letsIn, subject } = preview;
  return [
    ...(running > 0
      ? [`${running === 1 ? "1 execution is" : `${running} executions are`} under way: wait for the end, or cancel.`]
      : []),
    ...(letsIn ? ["The account still lets somebody in: disable it."] : []),
    ...subject.holds.map((hold) => `The hold “${hold.name}” is on it: it has to be released.`),
  ];
}

/** What an erasure would take, in a sentence. */
export function whatGoes({ events, streamCount, attachments }: Preview): string {
  if (events === 0 && attachments === 0) return "There is nothing of it in the log.";
  const counted = (count: number, one: string) => (count === 1 ? `1 ${one}` : `${count} ${one}s`);
  const files = attachments > 0 ? ` ${counted(attachments, "attachment")} would be removed.` : "";
  return `${counted(events, "event")} of ${counted(streamCount, "stream")} would lose what is about it.${files}`;
}
