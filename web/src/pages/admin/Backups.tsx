import { useQuery } from "urql";
import { faultOf, graphql } from "@/api";
import type { AdminBackupsQuery } from "@/gql/graphql";
import { actorName } from "@/parts/ActorName";
import {
  Bytes,
  CodeBlock,
  type Column,
  Duration,
  EmptyState,
  ErrorState,
  PositionLink,
  Skeleton,
  Table,
  Time,
} from "@/ui";
import { counted } from "@/ui/counted";
import { Needs, SectionHead } from "./parts";

const AdminBackups = graphql(`
  query AdminBackups {
    head {
      position
    }
    logBackups {
      position
      at
      actor {
        kind
        name
        displayName
      }
      place
      upTo
      events
      bytes
      sizeBytes
      tookMs
    }
  }
`);

type Row = AdminBackupsQuery["logBackups"][number];

const COLUMNS: Column<Row>[] = [
  { key: "at", header: "When", cell: (row) => <Time value={row.at} /> },
  {
    key: "place",
    header: "Where",
    cell: (row) => <code className="block min-w-36 text-[12.5px] break-all">{row.place}</code>,
  },
  { key: "upTo", header: "Up to", align: "end", cell: (row) => <PositionLink position={row.upTo} /> },
  { key: "size", header: "Size", align: "end", cell: (row) => <Bytes value={row.sizeBytes} /> },
  { key: "events", header: "New events", align: "end", wideOnly: true, cell: (row) => row.events.toLocaleString() },
  { key: "took", header: "Took", align: "end", wideOnly: true, cell: (row) => <Duration milliseconds={row.tookMs} /> },
  { key: "who", header: "By", wideOnly: true, cell: (row) => actorName(row.actor) },
];

/** The backups that this server was told of, and how to make one and put it back. */
export function Backups() {
  const [{ data, error }, again] = useQuery({ query: AdminBackups });
  const backups = data?.logBackups;
  const [newest] = backups ?? [];
  return (
    <>
      <SectionHead title="Backups">Copies of the log that were made of this server while it went on.</SectionHead>
      <div className="grid min-h-0 flex-1 content-start gap-x-10 gap-y-6 overflow-auto p-4 md:p-6 2xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <section aria-label="Made" className="min-w-0">
          {error && !backups && <ErrorState fault={faultOf(error)} onRetry={() => again()} />}
          {!error && !backups && <Skeleton className="h-24" />}
          {backups?.length === 0 && (
            <EmptyState icon="copy" title="No backup is known">
              <p>
                <code>timeloom log backup</code> tells this server of each one that it makes with <code>--server</code>.
                Copies of its files, and of a folder that nobody serves, are not known here.
              </p>
            </EmptyState>
          )}
          {newest && (
            <>
              <p className="mb-3 text-[13px] text-muted">
                <Behind head={data?.head.position} upTo={newest.upTo} /> Whether a backup is still where it was put is
                told by <code>timeloom log verify</code>.
              </p>
              <Table label="Backups" rows={backups ?? []} columns={COLUMNS} keyOf={(row) => row.position} />
            </>
          )}
        </section>
        <HowTo />
      </div>
    </>
  );
}

function Behind({ head, upTo }: { head: string | undefined; upTo: string }) {
  if (head === undefined) return null;
  const events = Number(BigInt(head) - BigInt(upTo));
  return <>{events === 0 ? "The newest has every event." : `${counted(events, "event")} came after the newest.`}</>;
}

function HowTo() {
  return (
    <section aria-label="How to" className="flex max-w-3xl min-w-0 flex-col gap-3 text-sm">
      <h3 className="text-[13px] font-semibold">Make one</h3>
      <p className="text-muted">
        A backup is a log, taken while the server goes on. The first run writes everything, later ones only what is new.
        Run it on the server&apos;s machine, every night.
      </p>
      <CodeBlock
        label="the line that backs up"
        code={`timeloom log backup /backups/timeloom --server ${location.origin}`}
      />
      <Needs permission="TENANT_WRITE">
        <p className="text-xs text-muted">
          It shows a key with tenant:write in <code>TIMELOOM_TOKEN</code>: the copy has the events of all tenants.
        </p>
      </Needs>
      <h3 className="mt-3 text-[13px] font-semibold">Check it, and put it back</h3>
      <CodeBlock label="the line that checks a backup" code="timeloom log verify /backups/timeloom" />
      <CodeBlock
        label="the lines that restore"
        code={"timeloom log restore /backups/timeloom --data ./data\ntimeloom serve --data ./data"}
      />
      <p className="text-muted">
        The keys that seal credentials and what is about persons are in no backup. Keep copies of the folder{" "}
        <code>keys</code> of the data folder in another place.
      </p>
    </section>
  );
}
