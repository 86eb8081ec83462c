import { useState } from "react";
import { toast, useViewer } from "@/api";
import { unarchiveWorkflow } from "@/parts/workflow-changes";
import { Button, Icon } from "@/ui";

/** Says why nothing can be changed here, and what would let it. */
export function ReadOnlyBanner({ isArchived, workflowId }: { isArchived: boolean; workflowId: string | undefined }) {
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5 border-b bg-info-soft px-4 py-1.5 text-[13px] text-info">
      <p role="status" className="flex items-center gap-2">
        <Icon name="info" />
        {isArchived
          ? "Only to look at: the workflow is archived, and takes no changes until it is taken out of the archive."
          : "Only to look at: changing workflows needs workflow:write, which somebody who looks after accounts can give you."}
      </p>
      {isArchived && workflowId !== undefined && <Unarchive workflowId={workflowId} />}
    </div>
  );
}

function Unarchive({ workflowId }: { workflowId: string }) {
  const { can } = useViewer();
  const [isBusy, setBusy] = useState(false);
  if (!can("WORKFLOW_WRITE")) return null;
  const run = async () => {
    setBusy(true);
    const outcome = await unarchiveWorkflow(workflowId);
    setBusy(false);
    if (outcome.kind === "done") toast({ tone: "good", title: "The workflow is out of the archive" });
  };
  return (
    <Button size="small" isBusy={isBusy} onClick={() => void run()}>
      Take out of the archive
    </Button>
  );
}
