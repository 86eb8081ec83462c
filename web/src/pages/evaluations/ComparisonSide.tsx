import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import type { EvaluationFactsFragment } from "@/gql/graphql";
import { Field, Select, Skeleton, Time, instant } from "@/ui";
import type { Side } from "./ComparisonPage";
import { EvaluationsOfSet } from "./documents";
import type { EvaluationRow } from "./scores";
import { useTried, useWorkflowName } from "./Tried";

export interface ComparisonSideProps {
  name: "Before" | "After";
  side: Side;
  /** The one on the other side: those of the same version of the same set can stand here. */
  other: EvaluationFactsFragment | undefined;
  onChoose: (id: string) => void;
}

/** One of the two evaluations, and others that can take its place. */
export function ComparisonSide({ name, side, other, onChoose }: ComparisonSideProps) {
  const { id, evaluation, isMissing } = side;
  const known = evaluation ?? other;
  return (
    <section aria-label={name} className="flex flex-col gap-2 rounded-lg border bg-surface p-3">
      <div className="flex flex-wrap items-center gap-x-2 text-sm">
        <span className="rounded bg-sunken px-1.5 text-xs leading-5 font-semibold text-muted">{name}</span>
        {evaluation && <Told evaluation={evaluation} />}
        {isMissing && <span className="min-w-0 text-[13px] break-all text-bad">There is no evaluation {id}.</span>}
        {id === undefined && <span className="text-[13px] text-muted">Choose the one to compare with.</span>}
        {id !== undefined && !evaluation && !isMissing && <Skeleton className="h-5 w-40" />}
      </div>
      {known?.setName != null && (
        <Choice
          label={`${name}: another evaluation`}
          set={known.setName}
          setVersion={known.setVersion}
          workflowId={known.workflowId}
          chosen={evaluation?.id}
          without={other?.id}
          onChoose={onChoose}
        />
      )}
    </section>
  );
}

function Told({ evaluation }: { evaluation: EvaluationFactsFragment }) {
  const name = useTried(evaluation);
  return (
    <>
      <Link
        to="/evaluations/$evaluationId"
        params={{ evaluationId: evaluation.id }}
        className="min-w-0 truncate font-semibold hover:underline"
      >
        {name}
      </Link>
      <span className="text-xs text-muted">
        on {evaluation.setName ?? "recorded inferences"}
        {evaluation.setVersion != null && `, version ${evaluation.setVersion}`}, <Time value={evaluation.requestedAt} />
      </span>
    </>
  );
}

interface ChoiceProps {
  label: string;
  set: string;
  setVersion: number | null | undefined;
  /** The workflow that is tried by the one that is known. */
  workflowId: string | null | undefined;
  chosen: string | undefined;
  without: string | undefined;
  onChoose: (id: string) => void;
}

function Choice({ label, set, setVersion, workflowId, chosen, without, onChoose }: ChoiceProps) {
  const workflow = useWorkflowName(workflowId);
  const nameOf = (one: EvaluationRow) =>
    one.modelName ?? one.agentName ?? (one.workflowId === workflowId ? workflow : undefined) ?? "another workflow";
  const [{ data }] = useQuery({ query: EvaluationsOfSet, variables: { set, status: "COMPLETED", first: 100 } });
  const found = (data?.evaluations.nodes ?? []).filter((one) => one.setVersion === setVersion && one.id !== without);
  const isOther = chosen !== undefined && !found.some((one) => one.id === chosen);
  return (
    <Field label={label} hideLabel>
      <Select
        value={chosen ?? ""}
        choices={[
          ...(chosen === undefined ? [{ value: "", label: "choose one" }] : []),
          ...(isOther ? [{ value: chosen, label: "the present one" }] : []),
          ...found.map((one) => ({ value: one.id, label: labelOf(one, nameOf(one)) })),
        ]}
        onChange={(id) => id !== "" && onChoose(id)}
      />
    </Field>
  );
}

/** An evaluation in a line. */
function labelOf(one: EvaluationRow, name: string): string {
  const at = one.requestedAt == null ? "" : `, ${instant(one.requestedAt)}`;
  return `${name}@${one.version ?? ""}: ${one.summary ?? ""}${at}`;
}
