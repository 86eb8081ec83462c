import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { useQuery } from "urql";
import { faultOf, useLastWrite, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { Badge, type Column, EmptyState, ErrorState, Skeleton, Splitter, Time, VirtualTable, rowsOf } from "@/ui";
import { useIsWide } from "@/ui/wide";
import { SectionHead } from "../parts";
import { AdminRetentionEvents, AdminRetentions, type Retention as Row } from "./documents";
import { RetentionPane } from "./RetentionPane";
import { dayWords, labelOf, statusOf, timeWords } from "./words";

const NOTHING = <span className="text-muted">–</span>;

const COLUMNS: Column<Row>[] = [
  { key: "data", header: "Data", cell: (row) => <span className="font-medium">{labelOf(row.category)}</span> },
  { key: "kept", header: "Kept", width: "minmax(4.5rem, 0.6fr)", cell: (row) => timeWords(row.days) },
  {
    key: "state",
    header: "State",
    width: "8rem",
    cell: (row) => {
      const { tone, words } = statusOf(row);
      return <Badge tone={tone}>{words}</Badge>;
    },
  },
  {
    key: "asked",
    header: "Asked for",
    width: "minmax(5rem, 0.6fr)",
    wideOnly: true,
    cell: (row) => (row.request ? timeWords(row.request.days) : NOTHING),
  },
  {
    key: "holds",
    header: "Holds",
    width: "4rem",
    align: "end",
    wideOnly: true,
    cell: (row) => (row.holds.length > 0 ? row.holds.length : NOTHING),
  },
  {
    key: "gone",
    header: "Gone up to",
    width: "7rem",
    align: "end",
    wideOnly: true,
    cell: (row) =>
      row.lastDay === null ? (
        NOTHING
      ) : (
        <time dateTime={row.lastDay} title={`${row.lastDay}, to its end (UTC)`}>
          {dayWords(row.lastDay)}
        </time>
      ),
  },
  {
    key: "went",
    header: "Went",
    width: "7rem",
    align: "end",
    wideOnly: true,
    cell: (row) => <Time value={row.appliedAt} />,
  },
];

/** What is left of the columns beside an open pane. */
const BESIDE_PANE = new Set(["data", "kept", "state"]);

const route = getRouteApi("/admin/$section");

/** How long data of each kind is kept, by two users where it is to be less long. */
export function Retention() {
  const { category: chosen } = route.useSearch();
  const navigate = useNavigate();
  const { can } = useViewer();
  const isWide = useIsWide();
  const [{ data, error, fetching }, again] = useQuery({ query: AdminRetentions, requestPolicy: "network-only" });
  const written = useLastWrite();
  useEffect(() => {
    if (written !== undefined) again({ requestPolicy: "network-only" });
  }, [written, again]);
  useLive(AdminRetentionEvents, {}, () => again({ requestPolicy: "network-only" }), {
    position: ({ events }) => events.position,
    fromNow: true,
    enabled: can("AUDIT_READ"),
  });
  const open = (category: string | undefined) =>
    void navigate({ to: "/admin/$section", params: { section: "retention" }, search: { category } });
  const retentions = data?.retentions;
  useActions(
    (retentions ?? []).map(({ category }) => ({
      id: `admin.retention.${category}`,
      label: `How long ${labelOf(category).toLowerCase()} are kept`,
      keywords: "retention hold gdpr delete",
      run: () => open(category),
    })),
  );
  const found = retentions?.find((one) => one.category === chosen);
  const isUntouched = retentions?.every(
    ({ days, request, holds, appliedAt }) => days === null && !request && holds.length === 0 && appliedAt === null,
  );
  const pane = found && <RetentionPane key={found.category} retention={found} onClose={() => open(undefined)} />;
  const list = (
    <div className="flex min-h-0 min-w-0 flex-1 flex-col overflow-auto">
      {error && !retentions && <ErrorState fault={faultOf(error)} onRetry={() => again()} />}
      {!error && fetching && !retentions && <Skeleton className="m-6 h-24 w-auto" />}
      {retentions && (
        // All of its rows are in sight.
        <div className="flex min-h-46 shrink-0 flex-col">
          <VirtualTable
            label="Retention"
            rows={rowsOf(retentions)}
            columns={pane && isWide ? COLUMNS.filter(({ key }) => BESIDE_PANE.has(key)) : COLUMNS}
            keyOf={(row) => row.category}
            selectedKey={chosen}
            onOpen={(row) => open(row.category)}
          />
        </div>
      )}
      {isUntouched === true && <Untouched />}
    </div>
  );
  return (
    <>
      {(isWide || !pane) && (
        <SectionHead title="Retention">
          For how long data is kept. One user asks for less, another one approves it; what is old enough goes by itself.
        </SectionHead>
      )}
      {!pane ? (
        list
      ) : isWide ? (
        <Splitter
          label="The list and the retention"
          first={list}
          second={pane}
          initial={50}
          min={30}
          max={70}
          keepAs="retention"
        />
      ) : (
        pane
      )}
    </>
  );
}

function Untouched() {
  return (
    <EmptyState icon="clock" title="Everything is kept for ever">
      Choose a kind of data, and say for how many days it is kept. What begins from then on is sealed under a key of its
      day; once the day is old enough its key is destroyed, and nobody can read it any more. The log, its order and its
      proofs stay. The data of one person is erased under Erasures.
    </EmptyState>
  );
}
