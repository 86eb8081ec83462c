import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useLastWrite, useLive, useNewest, usePager } from "@/api";
import { useKeys } from "@/app/keys";
import { asOf } from "@/app/search";
import type { EvaluationSetEvaluationsQuery } from "@/gql/graphql";
import { Button, CodeBlock, type Column, EmptyState, Icon, StatusBadge, Time, VirtualTable } from "@/ui";
import { EvaluationsChanged, EvaluationsOfSet } from "./documents";
import type { SetShown } from "./EvaluationSetPage";
import type { EvaluationRow } from "./scores";
import { TriedName, useTried } from "./Tried";

// A row has the sums of its scorers: fewer rows a page keep a page small.
const LIST = {
  connection: (data: EvaluationSetEvaluationsQuery) => data.evaluations,
  keyOf: (row: EvaluationRow) => row.id,
  pageSize: 50,
};

const route = getRouteApi("/evaluation-sets/$setName");

/** What was tried on a set, newest first; two of the same version of it are compared. */
export function Evaluations({ set, onRun }: { set: SetShown; onRun: (() => void) | undefined }) {
  const { at } = route.useSearch();
  const navigate = useNavigate();
  const lastWrite = useLastWrite();
  const variables = { set: set.name, asOf: asOf(at), waitFor: at === undefined ? lastWrite : undefined };
  const rows = usePager(EvaluationsOfSet, variables, LIST);
  const look = useNewest(EvaluationsOfSet, variables, rows, LIST);
  useLive(EvaluationsChanged, {}, look, {
    position: (event) => event.events.position,
    fromNow: true,
    enabled: at === undefined,
  });
  const [chosen, setChosen] = useState<readonly EvaluationRow[]>([]);
  const choose = (row: EvaluationRow) =>
    setChosen(
      chosen.some((one) => one.id === row.id) ? chosen.filter((one) => one.id !== row.id) : [...chosen.slice(-1), row],
    );
  const problem = hindrance(chosen);
  const compare = () => {
    const [before, after] = chosen.toSorted(byTime);
    if (problem === undefined && before && after)
      void navigate({ to: "/evaluations/compare", search: { before: before.id, after: after.id } });
  };
  useKeys(
    [
      { keys: "c", does: "compare the two that are chosen", run: compare },
      { keys: "Escape", does: "choose none", run: () => setChosen([]) },
    ],
    "Evaluations",
  );
  return (
    <div className="flex h-full min-h-72 flex-col bg-surface">
      {!rows.isEmpty && (
        <div className="flex min-h-12 flex-wrap items-center gap-3 border-b px-4 py-2 md:px-6">
          <Button size="small" disabled={problem !== undefined} onClick={compare}>
            <Icon name="compare" /> Compare
          </Button>
          <span role="status" className="text-xs text-muted">
            {problem ?? "The older one is what the newer one is held against."}
          </span>
        </div>
      )}
      <VirtualTable
        label="Evaluations"
        rows={rows}
        columns={columnsOf(chosen, choose)}
        keyOf={(row) => row.id}
        onOpen={(row) => void navigate({ to: "/evaluations/$evaluationId", params: { evaluationId: row.id } })}
        empty={
          <EmptyState
            icon="evaluation"
            title="Nothing was tried on it yet"
            action={
              onRun && (
                <Button kind="primary" className="mt-2" onClick={onRun}>
                  Try a version
                </Button>
              )
            }
          >
            <p className="mb-3">
              A version of a model, of a workflow or of an agent gets the input of each case, and scorers judge what
              comes out. By the command line:
            </p>
            <CodeBlock
              label="an evaluation by the command line"
              code={`timeloom eval run ${set.name} --model NAME@VERSION --server ${location.origin}`}
            />
          </EmptyState>
        }
      />
    </div>
  );
}

function byTime(one: EvaluationRow, other: EvaluationRow): number {
  return Date.parse(one.requestedAt ?? "") - Date.parse(other.requestedAt ?? "");
}

/** Why what is chosen cannot be compared; nothing where it can. */
function hindrance(chosen: readonly EvaluationRow[]): string | undefined {
  const [one, other] = chosen;
  if (!one || !other) return "Choose two evaluations to compare them case by case.";
  if (one.setVersion !== other.setVersion)
    return "These are of different versions of the set: choose two of the same one.";
  return undefined;
}

function columnsOf(chosen: readonly EvaluationRow[], choose: (row: EvaluationRow) => void): Column<EvaluationRow>[] {
  return [
    {
      key: "choose",
      header: <span className="sr-only">Chosen</span>,
      width: "1.25rem",
      cell: (row) => (
        <ChooseBox row={row} isChosen={chosen.some((one) => one.id === row.id)} onChoose={() => choose(row)} />
      ),
    },
    {
      key: "tried",
      header: "Tried",
      width: "minmax(7rem, 1fr)",
      cell: (row) => (
        <Link to="/evaluations/$evaluationId" params={{ evaluationId: row.id }} className="font-medium hover:underline">
          <TriedName subject={row} />
        </Link>
      ),
    },
    { key: "set", header: "On version", width: "5rem", align: "end", wideOnly: true, cell: (row) => row.setVersion },
    { key: "status", header: "Status", width: "7rem", cell: (row) => <StatusBadge status={row.status} /> },
    {
      key: "scores",
      header: "Mean scores",
      width: "minmax(0, 1.5fr)",
      cell: (row) =>
        row.failure != null ? (
          <span className="text-bad">{row.failure}</span>
        ) : (
          <span className="tabular-nums">{row.summary ?? <span className="text-muted">–</span>}</span>
        ),
    },
    {
      key: "failed",
      header: "Failed",
      width: "4.5rem",
      align: "end",
      wideOnly: true,
      cell: (row) =>
        row.scored == null ? (
          <span className="text-muted">–</span>
        ) : (
          <span className="tabular-nums">{`${row.scored.failed} of ${row.scored.cases}`}</span>
        ),
    },
    {
      key: "asked",
      header: "Asked for",
      width: "7rem",
      align: "end",
      wideOnly: true,
      cell: (row) => <Time value={row.requestedAt} />,
    },
  ];
}

function ChooseBox({ row, isChosen, onChoose }: { row: EvaluationRow; isChosen: boolean; onChoose: () => void }) {
  const name = useTried(row);
  return (
    <input
      type="checkbox"
      aria-label={`Choose the evaluation of ${name}`}
      disabled={row.status !== "COMPLETED"}
      checked={isChosen}
      onChange={onChoose}
      className="size-4 align-middle accent-accent"
    />
  );
}
