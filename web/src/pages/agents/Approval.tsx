import { useChange } from "@/api";
import { Button, ConfirmDialog, Icon, Time } from "@/ui";
import { jsonText } from "@/ui/json-lines";
import type { RunShown } from "./AgentRunPage";
import { Approve } from "./changes";

export interface ApprovalProps {
  runId: string;
  asked: NonNullable<RunShown["waitsFor"]>;
  mayAnswer: boolean;
  open: string | undefined;
  onOpen: (open: "approve" | "deny" | undefined) => void;
}

const WHY: Record<string, string> = {
  interrupted: "It was begun before and cut off: it may have happened already.",
  tools_changed: "Nothing is called yet: its model is told nothing of these tools before.",
};

/** The call that waits for somebody, with what it would do. */
export function Approval({ runId, asked, mayAnswer, open, onOpen }: ApprovalProps) {
  const [approve] = useChange(Approve, {
    payload: (data) => data.giveApproval,
    failed: "The answer did not count",
  });
  const answer = async (approves: boolean, note: string | undefined) => {
    // The call is named, so that an answer never counts for another one than was looked at.
    const outcome = await approve({ input: { runId, call: asked.call, approves, note: note ?? "" } });
    return outcome.kind === "done";
  };
  const close = () => onOpen(undefined);
  return (
    <section
      aria-label="Waits for an approval"
      className="rounded-lg border border-warn/50 bg-warn-soft p-4 text-[13px]"
    >
      <h2 className="flex items-center gap-2 font-semibold text-warn">
        <Icon name="warning" />
        {asked.reason === "tools_changed"
          ? `The tools of ${asked.tool} are other ones than before, and it waits for somebody to say whether they may be used`
          : `It wants to call ${asked.tool}, and waits for somebody to say so`}
      </h2>
      <pre
        tabIndex={0}
        role="region"
        aria-label="Arguments of the call"
        className="mt-2 max-h-60 overflow-auto rounded border bg-surface px-3 py-2 font-mono text-[12.5px] whitespace-pre-wrap"
      >
        {jsonText(asked.arguments, 2)}
      </pre>
      <div className="mt-2 flex flex-wrap items-center gap-2">
        <p className="flex-1 basis-60 text-muted">
          {WHY[asked.reason] ?? "Its record says that somebody is asked."}{" "}
          {asked.expiresAt != null && (
            <>
              Waits until <Time value={asked.expiresAt} exact />.
            </>
          )}
        </p>
        {mayAnswer && (
          <>
            <Button kind="danger" onClick={() => onOpen("deny")}>
              Deny
            </Button>
            <Button kind="primary" onClick={() => onOpen("approve")}>
              Approve
            </Button>
          </>
        )}
      </div>
      <ConfirmDialog
        title={`Let it call ${asked.tool}`}
        isOpen={open === "approve"}
        onClose={close}
        confirm="Approve"
        reason="optional"
        onConfirm={(note) => answer(true, note)}
      >
        The call happens at once, with the arguments that are shown.
      </ConfirmDialog>
      <ConfirmDialog
        title={`Do not let it call ${asked.tool}`}
        isOpen={open === "deny"}
        onClose={close}
        confirm="Deny"
        isDangerous
        reason="required"
        onConfirm={(note) => answer(false, note)}
      >
        The model is told that it may not, and why; then it goes on.
      </ConfirmDialog>
    </section>
  );
}
