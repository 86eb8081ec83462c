import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import { client, faultOf, faultText, useLive, usePager } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { actorName } from "@/parts/ActorName";
import { useIsWide } from "@/ui/wide";
import {
  Button,
  type Column,
  Dialog,
  EmptyState,
  ErrorState,
  ExportDialog,
  type ExportPart,
  Facts,
  JsonView,
  Skeleton,
  Time,
  VirtualTable,
} from "@/ui";
import { sentenceOf, sentenceText } from "@/parts/sentence";
import { AuditLive, AuditOne, AuditTrail, type Row, asOfOf } from "./documents";
import { filterOf, isTold } from "./groups";
import { findThings, nameOf } from "./names";
import { Proved } from "./proof/Proved";
import type { AuditSearch } from "./search";
import { From, Sentence } from "./Sentence";

const COLUMNS: Column<Row>[] = [
  { key: "when", header: "When", width: "6.5rem", cell: (row) => <Time value={row.recordedAt} /> },
  {
    key: "what",
    header: "Who did what",
    width: "minmax(0, 2.4fr)",
    cell: (row) => (
      <span className="line-clamp-2 whitespace-normal lg:line-clamp-1">
        <span className="font-medium">{actorName(row.actor)}</span>
        {row.onBehalfOf && <span className="text-muted"> for {actorName(row.onBehalfOf)}</span>}{" "}
        <Sentence event={row} />
      </span>
    ),
  },
  { key: "from", header: "From where", width: "minmax(0, 0.8fr)", wideOnly: true, cell: (row) => <From event={row} /> },
  {
    key: "why",
    header: "Why",
    width: "minmax(0, 0.8fr)",
    wideOnly: true,
    cell: (row) => <span title={row.reason ?? undefined}>{row.reason ?? <span className="text-muted">–</span>}</span>,
  },
];

export interface TrailProps {
  search: AuditSearch;
  onChange: (change: Partial<AuditSearch>) => void;
  onClear: () => void;
  isExporting: boolean;
  onExport: (isExporting: boolean) => void;
}

/** What people and programs did, the newest first. */
export function Trail({ search, onChange, onClear, isExporting, onExport }: TrailProps) {
  const filter = filterOf(search.group, search.actor);
  const asOf = asOfOf(search.at);
  const isWide = useIsWide();
  const rows = usePager(
    AuditTrail,
    { filter, asOf },
    {
      connection: ({ events }) => ({
        pageInfo: events.pageInfo,
        nodes: events.nodes.filter((row) => isTold(search.group, row.type)),
      }),
      keyOf: (row) => row.position,
    },
  );
  const take = (row: Row) => {
    if (isTold(search.group, row.type)) rows.upsert(row);
  };
  useLive(AuditLive, { filter }, (data) => take(data.events), {
    position: (data) => data.events.position,
    fromNow: true,
    // The past does not change.
    enabled: asOf === undefined,
  });
  useKeys([{ keys: "e", does: "write the trail into a file", run: () => onExport(true) }], "Audit");
  useActions([
    { id: "audit.export", label: "Write the trail into a file", keywords: "export csv", run: () => onExport(true) },
  ]);
  const isNarrow = search.group !== undefined || search.actor !== undefined || search.at !== undefined;
  return (
    <>
      <VirtualTable
        key={JSON.stringify([filter, asOf, isWide])}
        label="Audit trail"
        rows={rows}
        columns={COLUMNS}
        rowHeight={isWide ? 36 : 52}
        keyOf={(row) => row.position}
        selectedKey={search.position}
        onOpen={(row) => onChange({ position: row.position })}
        empty={
          isNarrow ? (
            <EmptyState
              icon="audit"
              title="Nothing of that is in the log"
              action={<Button onClick={onClear}>Show everything that is audited</Button>}
            >
              Nobody did anything of this kind by then. What was done is never taken out of the log.
            </EmptyState>
          ) : (
            <EmptyState icon="audit" title="Nobody has done anything yet">
              Whoever changes something leaves a line here: who, when, from where, and why. Whoever reads the trail does
              too.
            </EmptyState>
          )
        }
      />
      {search.position !== undefined && <Detail key={search.position} position={search.position} onChange={onChange} />}
      <ExportDialog
        title="Write the trail into a file"
        isOpen={isExporting}
        onClose={() => onExport(false)}
        fileName="audit"
        read={(signal) => exported(search, signal)}
        columns={[
          { name: "when", value: (row: Row) => row.recordedAt },
          { name: "who", value: (row: Row) => actorName(row.actor) },
          { name: "whoId", value: (row: Row) => row.actor.name },
          { name: "onBehalfOf", value: (row: Row) => row.onBehalfOf && actorName(row.onBehalfOf) },
          { name: "what", value: (row: Row) => sentenceText(row, nameOf) },
          { name: "via", value: (row: Row) => row.via },
          { name: "why", value: (row: Row) => row.reason },
          { name: "request", value: (row: Row) => row.requestId },
          { name: "position", value: (row: Row) => row.position },
          { name: "type", value: (row: Row) => row.type },
          { name: "stream", value: (row: Row) => `${row.category}/${row.streamId}` },
        ]}
        json={(row) => ({ what: sentenceText(row, nameOf), ...row })}
      >
        What the list shows, the newest first, with who, when, why and the events themselves. That you read it is
        written down as well.
      </ExportDialog>
    </>
  );
}

async function* exported(search: AuditSearch, signal: AbortSignal): AsyncGenerator<ExportPart<Row>> {
  let after: string | undefined;
  let newest: string | undefined;
  while (!signal.aborted) {
    const { data, error } = await client
      .query(
        AuditTrail,
        { first: 100, after, filter: filterOf(search.group, search.actor), asOf: asOfOf(search.at) },
        { requestPolicy: "network-only" },
      )
      .toPromise();
    if (error) throw new Error(faultText(faultOf(error)));
    if (!data) return;
    const { pageInfo } = data.events;
    const nodes = data.events.nodes.filter((row) => isTold(search.group, row.type));
    await findThings(
      nodes
        .flatMap(sentenceOf)
        .flatMap((part) => (typeof part === "string" || "said" in part ? [] : [{ id: part.thing, asOf: part.asOf }])),
    );
    newest ??= nodes[0]?.position;
    const last = nodes.at(-1)?.position;
    yield {
      rows: nodes,
      share: last === undefined || newest === undefined ? undefined : 1 - Number(last) / Number(newest),
    };
    if (!pageInfo.hasNextPage) return;
    after = pageInfo.endCursor ?? undefined;
  }
}

/** One line of the trail, with all that is known of it. */
function Detail({ position, onChange }: { position: string; onChange: TrailProps["onChange"] }) {
  const [{ data, error, fetching }] = useQuery({
    query: AuditOne,
    variables: { before: String(BigInt(position) - (position === "0" ? 0n : 1n)), position },
    requestPolicy: "cache-first",
  });
  const event = data?.events.nodes[0];
  const fault = error && faultOf(error);
  // Behind the end of the log there is nothing.
  const isReadable = fault === undefined || fault.code === "POSITION_NOT_REACHED";
  const close = () => onChange({ position: undefined });
  const actor = event && (event.actor.account?.id ?? `${event.actor.kind}:${event.actor.name}`);
  return (
    <Dialog
      title="Who did what"
      isOpen
      onClose={close}
      footer={
        event && (
          <>
            <Button onClick={() => onChange({ position: undefined, actor, group: "all" })}>
              All that {actorName(event.actor)} did
            </Button>
            <Button onClick={() => onChange({ position: undefined, at: event.position })}>The trail as of then</Button>
          </>
        )
      }
    >
      {fault && !isReadable && <ErrorState fault={fault} />}
      {fetching && <Skeleton className="h-32" />}
      {!fetching && isReadable && event === undefined && (
        <p className="text-sm text-muted">There is no event at #{position}, or it is one that you may not see.</p>
      )}
      {event && (
        <div className="flex flex-col gap-4">
          <p className="text-[15px]">
            <span className="font-medium">{actorName(event.actor)}</span> <Sentence event={event} />.
          </p>
          <Facts
            facts={[
              ["When", <Time key="when" value={event.recordedAt} exact />],
              [
                "Who",
                event.actor.account?.email
                  ? `${actorName(event.actor)} (${event.actor.account.email})`
                  : actorName(event.actor),
              ],
              ["On behalf of", event.onBehalfOf ? actorName(event.onBehalfOf) : undefined],
              ["From where", <From key="from" event={event} />],
              ["Let in by", event.via],
              ["Why", event.reason ?? <span className="text-muted">not said</span>],
              [
                "Request",
                event.requestId && <span className="font-mono text-[12.5px] break-all">{event.requestId}</span>,
              ],
              [
                "Event",
                <Link
                  key="event"
                  to="/events"
                  search={{ position: event.position }}
                  className="text-accent hover:underline"
                >
                  #{event.position}, {event.type}
                </Link>,
              ],
              ["Proof", <Proved key="proof" position={event.position} />],
              [
                "State",
                <Link
                  key="state"
                  to="/events"
                  search={{ position: event.position, tab: "state" }}
                  className="text-accent hover:underline"
                >
                  before and after it
                </Link>,
              ],
            ]}
          />
          <JsonView className="h-56 rounded-md border" label="the payload" value={event.payload} />
        </div>
      )}
    </Dialog>
  );
}
