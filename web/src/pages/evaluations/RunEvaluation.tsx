import { useState } from "react";
import { useQuery } from "urql";
import { useChange } from "@/api";
import { FormDialog, problemOf } from "@/parts/FormDialog";
import { Dialog, Skeleton } from "@/ui";
import { EvaluationsOfSet, StartEvaluation } from "./documents";
import type { SetShown } from "./EvaluationSetPage";
import { ScorersFields } from "./ScorerFields";
import { type ScorerDraft, type ScorerProblems, draftOf, freshScorer, scorerOf } from "./scorers";
import type { EvaluationRow } from "./scores";
import { type SubjectProblems, subjectLike, subjectOf } from "./subject";
import { SubjectFields } from "./SubjectFields";
import { VersionField, versionOf } from "./VersionField";

export interface RunEvaluationProps {
  set: SetShown;
  /** The version of the set that is looked at. */
  version: number | undefined;
  onClose: () => void;
  onStarted: (id: string) => void;
}

/** Tries a version on a set. It begins as the last one did: only evaluations with the same scorers can be compared. */
export function RunEvaluation(props: RunEvaluationProps) {
  const { set, onClose } = props;
  const [{ data, error }] = useQuery({
    query: EvaluationsOfSet,
    variables: { set: set.name, first: 1 },
    requestPolicy: "network-only",
  });
  if (data || error) return <RunForm {...props} last={data?.evaluations.nodes[0]} />;
  return (
    <Dialog title={titleOf(set)} isOpen onClose={onClose}>
      <Skeleton className="h-40" />
    </Dialog>
  );
}

function titleOf(set: SetShown): string {
  return `Try a version on ${set.name}`;
}

function RunForm({ set, version, onClose, onStarted, last }: RunEvaluationProps & { last: EvaluationRow | undefined }) {
  const [setVersion, setSetVersion] = useState(() => versionOf(set, version));
  const [subject, setSubject] = useState(() => subjectLike(last));
  const [scorers, setScorers] = useState<readonly ScorerDraft[]>(() => last?.scorers.map(draftOf) ?? [freshScorer(0)]);
  const [subjectProblems, setSubjectProblems] = useState<SubjectProblems>({});
  const [scorerProblems, setScorerProblems] = useState<ReadonlyMap<number, ScorerProblems>>(new Map());
  const [problem, setProblem] = useState<string>();
  const [start, isBusy] = useChange(StartEvaluation, {
    payload: (data) => data.startEvaluation,
    failed: "The evaluation did not begin",
    quiet: true,
  });
  const submit = async () => {
    setProblem(undefined);
    const tried = subjectOf(subject);
    const judged = scorers.map((draft) => ({ key: draft.key, ...scorerOf(draft) }));
    const wrong = new Map(judged.flatMap((one) => ("problems" in one ? [[one.key, one.problems] as const] : [])));
    setSubjectProblems("problems" in tried ? tried.problems : {});
    setScorerProblems(wrong);
    if ("problems" in tried || wrong.size > 0) return;
    const sent = judged.flatMap((one) => ("scorer" in one ? [one.scorer] : []));
    const outcome = await start({ input: { set: set.name, setVersion, scorers: sent, ...tried.input } });
    if (outcome.kind !== "done") setProblem(problemOf(outcome));
    else if (outcome.payload.evaluation) onStarted(outcome.payload.evaluation.id);
    else onClose();
  };
  return (
    <FormDialog
      title={titleOf(set)}
      submit="Try it"
      size="normal"
      isBusy={isBusy}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <SubjectFields
        draft={subject}
        problems={subjectProblems}
        onChange={(part) => setSubject((before) => ({ ...before, ...part }))}
      />
      <VersionField set={set} version={setVersion} onChange={setSetVersion} />
      <ScorersFields drafts={scorers} problems={scorerProblems} onChange={setScorers} />
      {subject.kind !== "model" && (
        <p className="text-xs text-muted">
          {subject.kind === "workflow" ? "A workflow does what it does" : "An agent does what it does"}:{" "}
          {subject.kind === "workflow" ? "an execution" : "a run"} is made for each case.
        </p>
      )}
    </FormDialog>
  );
}
