import { useState } from "react";
import { useChange } from "@/api";
import { FormDialog, problemOf } from "@/parts/FormDialog";
import { Switch } from "@/ui";
import { tellLeftOut } from "./CreateSet";
import { AddVersion } from "./documents";
import { SourceFields } from "./SourceFields";
import { type SourceProblems, freshSource, sourceOf } from "./source";

export interface AddCasesProps {
  set: { name: string; newestVersion: number };
  onClose: () => void;
  /** A version is there that has them. */
  onDone: () => void;
}

/** Adds a version with more cases, or with others. */
export function AddCases({ set, onClose, onDone }: AddCasesProps) {
  const [draft, setDraft] = useState(() => freshSource("case"));
  const [keep, setKeep] = useState(true);
  const [problems, setProblems] = useState<SourceProblems>({});
  const [problem, setProblem] = useState<string>();
  const [add, isBusy] = useChange(AddVersion, {
    payload: (data) => data.addEvaluationSetVersion,
    done: `Version ${set.newestVersion + 1} is there`,
    failed: "The cases were not added",
    quiet: true,
  });
  const submit = async () => {
    const source = sourceOf(draft);
    setProblem(undefined);
    setProblems("problems" in source ? source.problems : {});
    if ("problems" in source) return;
    const outcome = await add({
      input: { name: set.name, keep, afterVersion: set.newestVersion, ...source.input },
    });
    if (outcome.kind !== "done") {
      setProblem(problemOf(outcome));
      return;
    }
    tellLeftOut(outcome.payload.leftOut);
    onDone();
  };
  return (
    <FormDialog
      title={`Add cases to ${set.name}`}
      submit={`Make version ${set.newestVersion + 1}`}
      size="normal"
      isBusy={isBusy}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <SourceFields
        draft={draft}
        problems={problems}
        onChange={(part) => setDraft((before) => ({ ...before, ...part }))}
      />
      <Switch label={`Keep the cases of version ${set.newestVersion}`} checked={keep} onChange={setKeep} />
      <p className="text-xs text-muted">
        Versions never change: what was tried on one before stays what it was.
        {keep ? " Kept cases stay about the subject that they are about." : " The version has these cases alone."}
      </p>
    </FormDialog>
  );
}
