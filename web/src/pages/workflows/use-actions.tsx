import { type ReactNode, useState } from "react";
import { toast } from "@/api";
import { download, fileName } from "@/ui/download";
import {
  activateWorkflow,
  archiveWorkflow,
  deactivateWorkflow,
  definitionOf,
  unarchiveWorkflow,
} from "@/parts/workflow-changes";
import { ConfirmDialog } from "@/ui";
import { counted } from "@/ui/counted";
import type { Row } from "./columns";

export type WorkflowAction = "move" | "export" | "activate" | "deactivate" | "archive" | "unarchive";

interface Question {
  action: "archive" | "deactivate";
  rows: readonly Row[];
}

export interface WorkflowActions {
  begin: (action: Exclude<WorkflowAction, "move">, rows: readonly Row[]) => void;
  /** To be shown on the page: it asks before what cannot be taken back. */
  dialog: ReactNode;
}

/** What can be done to workflows, to one or to many. */
export function useWorkflowActions(onDone: () => void): WorkflowActions {
  const [question, setQuestion] = useState<Question | undefined>();
  const each = async (
    rows: readonly Row[],
    doOne: (row: Row) => Promise<{ kind: string }>,
    done: string,
  ): Promise<void> => {
    let count = 0;
    for (const row of rows) if ((await doOne(row)).kind === "done") count += 1;
    if (count > 0)
      toast({ tone: "good", title: `${count === 1 ? "The workflow is" : `${count} workflows are`} ${done}` });
    onDone();
  };
  const begin: WorkflowActions["begin"] = (action, rows) => {
    if (action === "export") void exportAll(rows);
    else if (action === "activate") void each(rows, (row) => activateWorkflow(row.id, undefined), "active now");
    else if (action === "unarchive") void each(rows, (row) => unarchiveWorkflow(row.id), "out of the archive now");
    else setQuestion({ action, rows });
  };
  const confirm = async () => {
    if (question?.action === "archive") await each(question.rows, (row) => archiveWorkflow(row.id), "archived");
    else if (question) await each(question.rows, (row) => deactivateWorkflow(row.id), "inactive now");
  };
  const [first] = question?.rows ?? [];
  const what = question?.rows.length === 1 ? first?.name : `${question?.rows.length ?? 0} workflows`;
  const isArchive = question?.action === "archive";
  const dialog = (
    <ConfirmDialog
      title={`${isArchive ? "Archive" : "Deactivate"} ${what ?? ""}`}
      isOpen={question !== undefined}
      onClose={() => setQuestion(undefined)}
      confirm={isArchive ? "Archive" : "Deactivate"}
      isDangerous={isArchive}
      onConfirm={confirm}
    >
      {isArchive
        ? "It starts no more executions and takes no more changes until it is taken out of the archive again. Its history and its executions stay, and it can be exported."
        : "Its webhooks and schedules start nothing any more. What runs goes on. It can be activated again."}
    </ConfirmDialog>
  );
  return { begin, dialog };
}

/** One file for one workflow; for many a list of them, which can be taken in again. */
async function exportAll(rows: readonly Row[]): Promise<void> {
  const files = await Promise.all(rows.map((row) => definitionOf(row.id)));
  const found = files.filter((file) => file !== undefined);
  const [first] = found;
  if (first === undefined) {
    toast({ tone: "bad", title: "Nothing was exported", advice: "The server did not give the files. Try again." });
  } else if (rows.length === 1) {
    download(`${fileName(first.name)}.json`, JSON.stringify(first.definition, null, 2));
  } else {
    download(
      "workflows.json",
      JSON.stringify(
        found.map((file) => file.definition),
        null,
        2,
      ),
    );
    if (found.length < rows.length)
      toast({
        tone: "bad",
        title: `Not in the file: ${counted(rows.length - found.length, "workflow")}`,
        advice: "Try again.",
      });
  }
}
