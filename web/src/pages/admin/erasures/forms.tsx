import { useState } from "react";
import { useChange } from "@/api";
import { Button } from "@/ui";
import { HoldDialog, Reason, settled } from "../decisions";
import { FormDialog, TextField } from "../parts";
import { AdminPlaceHold, AdminRequestErasure } from "./documents";
import { DryRun, useDryRun } from "./DryRun";

export interface FormProps {
  /** The subject, where it is known already. */
  subject?: string;
  /** With what stands for the subject when it was done. */
  onClose: (id?: string) => void;
}

/** Asks for an erasure: first what it would take, then why. */
export function AskErasure({ subject, onClose }: FormProps) {
  const [name, setName] = useState(subject ?? "");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [state, look, forget] = useDryRun();
  const [ask, isBusy] = useChange(AdminRequestErasure, {
    payload: (data) => data.requestErasure,
    done: "The erasure is asked for: another user has to approve it",
    failed: "The erasure was not asked for",
    quiet: true,
  });
  const isSeen = state.kind === "done";
  const submit = async () => {
    if (!isSeen) {
      look(name);
      return;
    }
    const outcome = await ask({ input: { subject: name, reason: reason.trim() } });
    settled(outcome, setProblem, ({ subjectId }) => onClose(subjectId ?? undefined));
  };
  return (
    <FormDialog
      title="Erase the data of a subject"
      submit={isSeen ? "Ask for the erasure" : "Look what would go"}
      isBusy={isBusy || state.kind === "running"}
      isIncomplete={name.trim() === "" || (isSeen && reason.trim() === "")}
      isDangerous={isSeen}
      problem={problem}
      onClose={() => onClose()}
      onSubmit={() => void submit()}
    >
      <TextField
        label="Subject"
        value={name}
        placeholder="customer-4711"
        hint="The name under which executions are about it; of an account account:ID."
        onChange={(text) => {
          setName(text);
          forget();
          setProblem(undefined);
        }}
        data-autofocus
      />
      <DryRun state={state} />
      {isSeen && <Reason value={reason} onChange={setReason} />}
    </FormDialog>
  );
}

/** Holds the data of a subject. */
export function PlaceHold({ subject, onClose }: FormProps) {
  const [name, setName] = useState(subject ?? "");
  const [place, isBusy] = useChange(AdminPlaceHold, {
    payload: (data) => data.placeLegalHold,
    done: "The hold is placed: nothing of it is erased before it is released",
    failed: "The hold was not placed",
    quiet: true,
  });
  return (
    <HoldDialog
      isBusy={isBusy}
      isIncomplete={name.trim() === ""}
      onClose={() => onClose()}
      onSubmit={(hold, reason) => place({ input: { subject: name, hold, reason } })}
      onDone={({ subjectId }) => onClose(subjectId ?? undefined)}
    >
      <p className="text-muted">
        While a hold is on a subject, nothing of its data is erased. Releasing it takes two users.
      </p>
      {subject === undefined ? (
        <TextField label="Subject" value={name} placeholder="customer-4711" onChange={setName} data-autofocus />
      ) : null}
    </HoldDialog>
  );
}

/** Runs the dry run of a subject that is looked at. */
export function LookAgain({ subject }: { subject: string }) {
  const [state, look] = useDryRun();
  return (
    <div className="flex flex-col items-start gap-2">
      <Button size="small" isBusy={state.kind === "running"} onClick={() => look(subject)}>
        Look what would go
      </Button>
      <div className="w-full">
        <DryRun state={state} />
      </div>
    </div>
  );
}
