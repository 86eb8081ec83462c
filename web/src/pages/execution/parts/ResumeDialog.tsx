import { isRecord } from "@/parts/records";
import { useState } from "react";
import { Button, CopyButton, Dialog, Field, Textarea, Time } from "@/ui";
import type { ExecutionFacts } from "../history/model";

export interface ResumeDialogProps {
  facts: ExecutionFacts;
  isOpen: boolean;
  onClose: () => void;
  isBusy: boolean;
  /** Answers whether it was done. */
  onResume: (items: unknown) => Promise<boolean>;
}

/** Ends a wait, with items or with what the node was given. */
export function ResumeDialog(props: ResumeDialogProps) {
  return props.isOpen ? <OpenResumeDialog {...props} /> : null;
}

function OpenResumeDialog({ facts, onClose, isBusy, onResume }: ResumeDialogProps) {
  const [text, setText] = useState("");
  const items = itemsIn(text);
  const waiting = facts.waiting;
  const go = async () => {
    if (!items.problem && (await onResume(items.value))) onClose();
  };
  return (
    <Dialog
      title="End the wait"
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button kind="primary" isBusy={isBusy} disabled={items.problem !== undefined} onClick={() => void go()}>
            End the wait
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        <p>
          <strong>{waiting?.node ?? "A node"}</strong> waits
          {waiting?.until ? (
            <>
              {" "}
              until <Time value={waiting.until} exact />
            </>
          ) : (
            " for as long as it takes"
          )}
          .
        </p>
        {waiting?.resumeUrl && (
          <p className="flex items-center gap-1 text-[13px] text-muted">
            A request to its address makes it go on too
            <CopyButton text={waiting.resumeUrl} label="Copy the address" />
          </p>
        )}
        <Field
          label="Items that it gives (if you want to say)"
          hint="A list of objects as JSON. Empty: it gives what it was given."
          error={text === "" ? undefined : items.problem}
        >
          <Textarea
            rows={6}
            spellCheck={false}
            className="font-mono text-[12.5px]"
            placeholder='[{ "approved": true }]'
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </Field>
      </div>
    </Dialog>
  );
}

function itemsIn(text: string): { value?: unknown; problem?: string } {
  if (text.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value) || !(value as unknown[]).every(isRecord))
      return { problem: "It has to be a list of objects, such as [{ … }]." };
    return { value };
  } catch (error) {
    return { problem: `This is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}
