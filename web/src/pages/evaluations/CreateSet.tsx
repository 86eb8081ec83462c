import { useState } from "react";
import { toast, useChange } from "@/api";
import { FormDialog, problemOf } from "@/parts/FormDialog";
import { Field, Input } from "@/ui";
import { counted } from "@/ui/counted";
import { CreateSet as CreateSetMutation } from "./documents";
import { SourceFields } from "./SourceFields";
import { type SourceProblems, freshSource, sourceOf } from "./source";

export interface CreateSetProps {
  /** Of whose executions, or inferences, it is made at first; written cases where there is neither. */
  workflow: string | undefined;
  model: string | undefined;
  onClose: () => void;
  onMade: (name: string) => void;
}

/** Says how much of what was recorded became no case. */
export function tellLeftOut(leftOut: number): void {
  if (leftOut === 0) return;
  const text = `${counted(leftOut, "record")} became no case: about a subject, erased, not kept, not completed, or too large.`;
  toast({ tone: "info", title: "Not everything became a case", text });
}

/** Makes a set with its first version. */
export function CreateSet({ workflow, model, onClose, onMade }: CreateSetProps) {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [subject, setSubject] = useState("");
  const [draft, setDraft] = useState(() =>
    freshSource(workflow !== undefined ? "executions" : model !== undefined ? "inferences" : "lines", workflow, model),
  );
  const [problems, setProblems] = useState<SourceProblems>({});
  const [problem, setProblem] = useState<string>();
  const [create, isBusy] = useChange(CreateSetMutation, {
    payload: (data) => data.createEvaluationSet,
    done: ({ name: made }) => `${made ?? "The set"} is there`,
    failed: "The set was not made",
    quiet: true,
  });
  const submit = async () => {
    const source = sourceOf(draft);
    setProblem(undefined);
    setProblems("problems" in source ? source.problems : {});
    if ("problems" in source) return;
    const about = subject.trim() === "" ? undefined : subject.trim();
    const input = { name: name.trim(), description: description.trim(), subject: about, ...source.input };
    const outcome = await create({ input });
    if (outcome.kind !== "done") {
      setProblem(problemOf(outcome));
      return;
    }
    tellLeftOut(outcome.payload.leftOut);
    onMade(outcome.payload.name ?? input.name);
  };
  return (
    <FormDialog
      title="New evaluation set"
      submit="Make it"
      size="normal"
      isBusy={isBusy}
      isIncomplete={name.trim() === ""}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Name" hint="Small letters, digits, and - _ . / such as support/questions.">
          <Input
            data-autofocus
            autoComplete="off"
            spellCheck={false}
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <Field label="What it is for (may be left out)">
          <Input maxLength={1000} value={description} onChange={(event) => setDescription(event.target.value)} />
        </Field>
      </div>
      <SourceFields
        draft={draft}
        problems={problems}
        onChange={(part) => setDraft((before) => ({ ...before, ...part }))}
      />
      <Field
        label="Whom the cases are about (may be left out)"
        hint="They go when the data of this subject is erased. Without one, leave out what is about somebody."
      >
        <Input autoComplete="off" value={subject} onChange={(event) => setSubject(event.target.value)} />
      </Field>
    </FormDialog>
  );
}
