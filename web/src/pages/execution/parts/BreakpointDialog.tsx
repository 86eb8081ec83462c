import { useState } from "react";
import { Button, Dialog, Field, Input } from "@/ui";
import type { ExecutionFacts } from "../history/model";

export interface BreakpointDialogProps {
  facts: ExecutionFacts;
  node: string;
  isBusy: boolean;
  onClose: () => void;
  /** All breakpoints that count from then on. Answers whether it was done. */
  onSet: (breakpoints: { node: string; condition?: string }[]) => Promise<boolean>;
  /** A new execution that pauses before the node. */
  onStart: (breakpoint: { node: string; condition?: string }) => Promise<boolean>;
}

/** A breakpoint before a node: of this execution while it runs, or of a new one. */
export function BreakpointDialog({ facts, node, isBusy, onClose, onSet, onStart }: BreakpointDialogProps) {
  const had = facts.breakpoints.find((one) => one.node === node);
  const [condition, setCondition] = useState(had?.condition ?? "");
  const isOpen = facts.endedAt === null && facts.status !== "CONTINUED";
  const own = { node, condition: condition.trim() === "" ? undefined : condition.trim() };
  const others = facts.breakpoints
    .filter((one) => one.node !== node)
    .map((one) => ({ node: one.node, condition: one.condition ?? undefined }));
  const close = (isDone: boolean) => {
    if (isDone) onClose();
  };
  return (
    <Dialog
      title={`Breakpoint before ${node}`}
      isOpen
      onClose={onClose}
      size="small"
      footer={
        <>
          {had && isOpen && (
            <Button kind="danger" isBusy={isBusy} onClick={() => void onSet(others).then(close)}>
              Remove
            </Button>
          )}
          <Button onClick={onClose}>Not now</Button>
          <Button
            kind="primary"
            isBusy={isBusy}
            onClick={() => void (isOpen ? onSet([...others, own]) : onStart(own)).then(close)}
          >
            {isOpen ? "Set" : "Run again with it"}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        <p>
          {isOpen
            ? "The execution stands still before this node, until somebody lets it go on."
            : "This execution has ended. A new one of the same workflow stands still before this node. To look at the past, use Watch: no run has to happen again."}
        </p>
        <Field
          label="Only where (if you want to say)"
          hint="An expression over the node's first item, such as $json.total > 100"
        >
          <Input
            spellCheck={false}
            className="font-mono text-[13px]"
            value={condition}
            onChange={(event) => setCondition(event.target.value)}
          />
        </Field>
      </div>
    </Dialog>
  );
}
