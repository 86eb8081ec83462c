import type { ReactNode } from "react";
import type { Outcome, Payload } from "@/api";
import { Button, Dialog, Icon } from "@/ui";

/** What a form shows of a change that was not made; nothing when it was, or when a toast says it already. */
export function problemOf(outcome: Outcome<Payload>): string | undefined {
  if (outcome.kind === "done" || outcome.kind === "fault") return undefined;
  return outcome.errors.map((error) => error.message).join(" · ");
}

export interface FormDialogProps {
  title: string;
  onClose: () => void;
  /** What the button says. */
  submit: string;
  isBusy: boolean;
  isIncomplete?: boolean;
  problem: string | undefined;
  onSubmit: () => void;
  size?: "small" | "normal";
  children: ReactNode;
}

/** A form in a dialog: Enter sends it. */
export function FormDialog(props: FormDialogProps) {
  const { title, onClose, submit, isBusy, isIncomplete, problem, onSubmit, size = "small", children } = props;
  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      <Button kind="primary" isBusy={isBusy} disabled={isIncomplete} onClick={onSubmit}>
        {submit}
      </Button>
    </>
  );
  return (
    <Dialog title={title} size={size} isOpen onClose={onClose} footer={footer}>
      <form
        className="flex flex-col gap-3 text-sm"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isBusy && isIncomplete !== true) onSubmit();
        }}
      >
        {children}
        {problem !== undefined && (
          <p role="alert" className="flex items-start gap-2 rounded-md bg-bad-soft px-3 py-2 text-bad">
            <Icon name="warning" />
            <span className="min-w-0 break-words">{problem}</span>
          </p>
        )}
        <button type="submit" hidden />
      </form>
    </Dialog>
  );
}
