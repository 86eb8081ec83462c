import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useLastWrite, useLive, useNewest, usePager, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { asOf } from "@/app/search";
import { usePageTitle } from "@/app/title";
import type { EvaluationSetsListQuery } from "@/gql/graphql";
import { MomentField } from "@/parts/MomentField";
import { Button, CodeBlock, type Column, EmptyState, Icon, PageHeader, Time, VirtualTable } from "@/ui";
import { CreateSet } from "./CreateSet";
import { ListOfSets, SetsChanged } from "./documents";
import type { EvaluationSetsSearch } from "./search";

type Row = EvaluationSetsListQuery["evaluationSets"]["nodes"][number];

const LIST = { connection: (data: EvaluationSetsListQuery) => data.evaluationSets, keyOf: (row: Row) => row.name };

const route = getRouteApi("/evaluation-sets");

export function EvaluationSetsPage() {
  usePageTitle("Evaluation sets");
  const { at, open, workflow, model } = route.useSearch();
  const navigate = useNavigate({ from: "/evaluation-sets" });
  const set = (part: Partial<EvaluationSetsSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  const { can } = useViewer();
  const mayRun = can("EXECUTION_RUN") && at === undefined;
  const lastWrite = useLastWrite();
  const variables = { asOf: asOf(at), waitFor: at === undefined ? lastWrite : undefined };
  const rows = usePager(ListOfSets, variables, LIST);
  const look = useNewest(ListOfSets, variables, rows, LIST);
  useLive(SetsChanged, {}, look, {
    position: (event) => event.events.position,
    fromNow: true,
    enabled: at === undefined,
  });
  const make = () => set({ open: "new" });
  useKeys(mayRun ? [{ keys: "n", does: "new evaluation set", run: make }] : [], "Evaluation sets");
  useActions(
    mayRun
      ? [{ id: "evaluation-set.new", label: "New evaluation set", keywords: "create make cases test", run: make }]
      : [],
  );
  const button = mayRun && (
    <Button kind="primary" onClick={make}>
      <Icon name="plus" /> New
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Evaluation sets"
        actions={
          <>
            <MomentField key={at} value={at} onChange={(next) => next !== at && set({ at: next })} />
            {button}
          </>
        }
      />
      <VirtualTable
        label="Evaluation sets"
        rows={rows}
        columns={columnsOf(at)}
        keyOf={(row) => row.name}
        onOpen={(row) =>
          void navigate({
            to: "/evaluation-sets/$setName",
            params: { setName: row.name },
            search: at === undefined ? {} : { at },
          })
        }
        empty={<None at={at} onNow={() => set({ at: undefined })} button={button} />}
      />
      {open === "new" && mayRun && (
        <CreateSet
          workflow={workflow}
          model={model}
          onClose={() => set({ open: undefined, workflow: undefined, model: undefined })}
          onMade={(name) => void navigate({ to: "/evaluation-sets/$setName", params: { setName: name } })}
        />
      )}
    </>
  );
}

function columnsOf(at: string | undefined): Column<Row>[] {
  return [
    {
      key: "name",
      header: "Name",
      width: "minmax(8rem, 1fr)",
      cell: (row) => (
        <Link
          to="/evaluation-sets/$setName"
          params={{ setName: row.name }}
          search={at === undefined ? {} : { at }}
          className="font-medium hover:underline"
        >
          {row.name}
        </Link>
      ),
    },
    {
      key: "description",
      header: "What it is for",
      width: "minmax(0, 2fr)",
      wideOnly: true,
      cell: (row) => <span className="text-muted">{row.description}</span>,
    },
    { key: "version", header: "Version", width: "4.5rem", align: "end", cell: (row) => row.newestVersion },
    {
      key: "cases",
      header: "Cases",
      width: "4.5rem",
      align: "end",
      cell: (row) => <span className="tabular-nums">{row.version?.caseCount.toLocaleString() ?? "–"}</span>,
    },
    {
      key: "added",
      header: "Changed",
      width: "8rem",
      align: "end",
      wideOnly: true,
      cell: (row) => <Time value={row.version?.addedAt} />,
    },
  ];
}

function None({ at, onNow, button }: { at: string | undefined; onNow: () => void; button: React.ReactNode }) {
  if (at !== undefined)
    return (
      <EmptyState
        icon="evaluation"
        title="There was none then"
        action={<Button onClick={onNow}>Show those of now</Button>}
      >
        The first set was made later.
      </EmptyState>
    );
  return (
    <EmptyState icon="evaluation" title="No evaluation sets yet" action={<div className="mt-2">{button}</div>}>
      <p className="mb-3">
        A set is a list of cases: what something is given, and what is to come out. A version of a model, of a workflow
        or of an agent is tried on it before it serves anybody, and two versions are compared case by case. Cases are
        written, or made of what was recorded.
      </p>
      <CodeBlock
        label="a set by the command line"
        code={`timeloom eval set create support/questions cases.jsonl --server ${location.origin}`}
      />
    </EmptyState>
  );
}
