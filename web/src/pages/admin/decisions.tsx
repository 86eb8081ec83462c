import { type ReactNode, useState } from "react";
import { type Outcome, type Payload, useViewer } from "@/api";
import type { Doer } from "@/parts/ActorName";
import { Field, Textarea } from "@/ui";
import { FormDialog, TextField, problemOf } from "./parts";

/** Longest reason that is taken. */
const REASON_CHARACTERS_MAX = 1_000;
/** Longest name of a hold that is taken. */
const HOLD_CHARACTERS_MAX = 100;

/** Whether whoever looks asked for it: another one has to approve it then. */
export function useIsOwn(actor: Doer | undefined): boolean {
  const { viewer } = useViewer();
  return viewer !== undefined && viewer.actor.kind === actor?.kind && viewer.actor.name === actor.name;
}

/** Why, which outlives the data. */
export function Reason({ value, onChange }: { value: string; onChange: (text: string) => void }) {
  return (
    <Field label="Why" hint="It stays when the data is gone: name nobody in it.">
      <Textarea
        rows={2}
        maxLength={REASON_CHARACTERS_MAX}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  );
}

/** Closes a form of which everything was done, and says in it what was not. */
export function settled<P extends Payload>(
  outcome: Outcome<P>,
  say: (problem: string | undefined) => void,
  close: (payload: P) => void,
): void {
  say(problemOf(outcome));
  if (outcome.kind === "done") close(outcome.payload);
}

interface ChangeProps {
  title: string;
  /** What the button says. */
  submit: string;
  isBusy: boolean;
  onClose: () => void;
  /** What will happen. */
  children: ReactNode;
}

/** A change for which only a reason is asked. */
export function ReasonDialog({
  onSubmit,
  children,
  ...rest
}: ChangeProps & { onSubmit: (reason: string) => Promise<Outcome<Payload>> }) {
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  return (
    <FormDialog
      {...rest}
      isIncomplete={reason.trim() === ""}
      problem={problem}
      onSubmit={() => void onSubmit(reason.trim()).then((outcome) => settled(outcome, setProblem, rest.onClose))}
    >
      <div className="text-muted">{children}</div>
      <Reason value={reason} onChange={setReason} />
    </FormDialog>
  );
}

/** A change that only says yes to what another one asked for. */
export function ApproveDialog({
  onSubmit,
  ...rest
}: ChangeProps & { isDangerous?: boolean; onSubmit: () => Promise<Outcome<Payload>> }) {
  const [problem, setProblem] = useState<string>();
  return (
    <FormDialog
      {...rest}
      problem={problem}
      onSubmit={() => void onSubmit().then((outcome) => settled(outcome, setProblem, rest.onClose))}
    />
  );
}

/** Places a hold: what it is called, and why. */
export function HoldDialog<P extends Payload>({
  isBusy,
  isIncomplete,
  onClose,
  onSubmit,
  onDone,
  children,
}: {
  isBusy: boolean;
  isIncomplete?: boolean;
  onClose: () => void;
  onSubmit: (hold: string, reason: string) => Promise<Outcome<P>>;
  onDone: (payload: P) => void;
  /** What it does, and on what it is placed. */
  children: ReactNode;
}) {
  const [hold, setHold] = useState("");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  return (
    <FormDialog
      title="Place a hold"
      submit="Place the hold"
      isBusy={isBusy}
      isIncomplete={isIncomplete === true || hold.trim() === "" || reason.trim() === ""}
      problem={problem}
      onClose={onClose}
      onSubmit={() => void onSubmit(hold.trim(), reason.trim()).then((outcome) => settled(outcome, setProblem, onDone))}
    >
      {children}
      <TextField
        label="Name of the hold"
        value={hold}
        placeholder="case 7"
        maxLength={HOLD_CHARACTERS_MAX}
        onChange={setHold}
        data-autofocus
      />
      <Reason value={reason} onChange={setReason} />
    </FormDialog>
  );
}
