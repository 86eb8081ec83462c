import { Link, useNavigate } from "@tanstack/react-router";
import { graphql, useLastWrite, useLive, useNewest, usePager } from "@/api";
import type { ModelWatchesQuery } from "@/gql/graphql";
import { Badge, type Column, EmptyState, Time, VirtualTable } from "@/ui";
import { VerdictBadge } from "./ReportView";
import { few, tallyWords, worstOf } from "./report";

const WatchesList = graphql(`
  query ModelWatches($first: Int, $after: String, $waitFor: Position) {
    models(first: $first, after: $after, waitFor: $waitFor) {
      nodes {
        id
        name
        driftWatch {
          running
          startedAt
          stoppedAt
          window
          judged
          last {
            stable
            moderate
            drifted
            tooFew
            judgedAt
            worstFeature
            worstPsi
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const WatchesChanged = graphql(`
  subscription ModelWatchesChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["model", "drift-watch"] }) {
      position
    }
  }
`);

type Row = ModelWatchesQuery["models"]["nodes"][number];

// A watch is folded from its events: fewer rows a page keep a page within what a request may cost.
const LIST = { connection: (data: ModelWatchesQuery) => data.models, keyOf: (row: Row) => row.id, pageSize: 25 };

const NOTHING = <span className="text-muted">–</span>;

function StateBadge({ watch }: { watch: Row["driftWatch"] }) {
  if (!watch) return <span className="text-muted">not watched</span>;
  return <Badge tone={watch.running ? "good" : "neutral"}>{watch.running ? "under way" : "ended"}</Badge>;
}

const COLUMNS: Column<Row>[] = [
  {
    key: "name",
    header: "Model",
    width: "minmax(7rem, 1fr)",
    cell: (row) => (
      <Link
        to="/models/$modelName"
        params={{ modelName: row.name }}
        search={{ tab: "drift" }}
        className="font-medium hover:underline"
      >
        {row.name}
      </Link>
    ),
  },
  { key: "state", header: "Watch", width: "6.5rem", cell: (row) => <StateBadge watch={row.driftWatch} /> },
  {
    key: "verdict",
    header: "Last window",
    width: "6.5rem",
    cell: ({ driftWatch }) => (driftWatch?.last ? <VerdictBadge verdict={worstOf(driftWatch.last)} /> : NOTHING),
  },
  {
    key: "tally",
    header: "Its features",
    width: "minmax(0, 1fr)",
    wideOnly: true,
    cell: ({ driftWatch }) => (driftWatch?.last ? tallyWords(driftWatch.last) : NOTHING),
  },
  {
    key: "worst",
    header: "Moved most",
    width: "minmax(0, 1fr)",
    wideOnly: true,
    cell: ({ driftWatch }) =>
      driftWatch?.last?.worstFeature == null ? (
        NOTHING
      ) : (
        <span className="font-mono text-xs">{driftWatch.last.worstFeature}</span>
      ),
  },
  {
    key: "psi",
    header: <span title="Population stability index of what moved most">Index</span>,
    width: "5rem",
    align: "end",
    wideOnly: true,
    cell: ({ driftWatch }) => <span className="tabular-nums">{few(driftWatch?.last?.worstPsi)}</span>,
  },
  {
    key: "judged",
    header: "Windows",
    width: "5rem",
    align: "end",
    wideOnly: true,
    cell: ({ driftWatch }) => (driftWatch ? driftWatch.judged.toLocaleString() : NOTHING),
  },
  {
    key: "at",
    header: "Judged",
    width: "6rem",
    align: "end",
    wideOnly: true,
    cell: ({ driftWatch }) => <Time value={driftWatch?.last?.judgedAt} />,
  },
];

/** The watch over each model: whether it is under way, and what came of the last window. */
export function Watches() {
  const navigate = useNavigate();
  const waitFor = useLastWrite();
  const rows = usePager(WatchesList, { waitFor }, LIST);
  const look = useNewest(WatchesList, { waitFor }, rows, LIST);
  useLive(WatchesChanged, {}, look, { position: (event) => event.events.position, fromNow: true });
  return (
    <div className="flex min-h-0 flex-1 flex-col bg-surface">
      <VirtualTable
        label="Watches over drift"
        rows={rows}
        columns={COLUMNS}
        keyOf={(row) => row.id}
        onOpen={(row) =>
          void navigate({ to: "/models/$modelName", params: { modelName: row.name }, search: { tab: "drift" } })
        }
        empty={
          <EmptyState icon="model" title="No models yet">
            Once there is a model that is asked, its page watches whether that drifts.
          </EmptyState>
        }
      />
    </div>
  );
}
