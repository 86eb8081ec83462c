import { useState } from "react";
import { client, faultOf, graphql, sayFault, toast, useChange, usePolling, useViewer } from "@/api";
import type { AdminArchiveQuery } from "@/gql/graphql";
import {
  Badge,
  Button,
  Bytes,
  CodeBlock,
  type Column,
  ConfirmDialog,
  EmptyState,
  ErrorState,
  Facts,
  Field,
  Input,
  PositionLink,
  Progress,
  Skeleton,
  Table,
  Time,
} from "@/ui";
import { counted } from "@/ui/counted";
import { FormDialog, Needs, SectionHead, TextField } from "./parts";

const AdminArchive = graphql(`
  query AdminArchive($first: Int!) {
    head {
      position
    }
    logArchive(first: $first) {
      archivedUpTo
      droppedUpTo
      segments {
        first
        last
        recordedUntil
        place
        name
        bytes
        sha256
      }
    }
  }
`);

const AdminCheckSegment = graphql(`
  query AdminCheckSegment($first: Position!) {
    logSegmentCheck(first: $first) {
      proved
      problem
    }
  }
`);

const AdminArchiveLog = graphql(`
  mutation AdminArchiveLog($input: ArchiveLogInput!) {
    archiveLog(input: $input) {
      done
      events
      archivedUpTo
      end
      errors {
        code
        message
      }
    }
  }
`);

const AdminUnarchiveLog = graphql(`
  mutation AdminUnarchiveLog($input: UnarchiveLogInput!) {
    unarchiveLog(input: $input) {
      done
      events
      archivedUpTo
      errors {
        code
        message
      }
    }
  }
`);

type Row = NonNullable<AdminArchiveQuery["logArchive"]>["segments"][number];
type Proof = "checking" | "proved" | { problem: string };
/** By the hashes of segments: one that is archived anew was not checked. */
type Proofs = Readonly<Record<string, Proof | undefined>>;

/** Most segments that are listed. */
const SEGMENTS = 1_000;
const EVERY_MS = 5_000;
const SEGMENTS_LISTED = `The oldest ${SEGMENTS.toLocaleString()} are listed; timeloom log segments lists all.`;

/** Where old events are, whether they are still what they were, and how more of them get there and back. */
export function Archive() {
  const { can } = useViewer();
  const [{ data, error }, again] = usePolling(AdminArchive, { first: SEGMENTS }, EVERY_MS);
  const [proofs, setProofs] = useState<Proofs>({});
  const [isArchiving, setArchiving] = useState(false);
  const [back, setBack] = useState<Row | undefined>();
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={() => again()} />;
  const reload = () => again({ requestPolicy: "network-only" });
  const prove = async (row: Row) => {
    const said = (proof: Proof | undefined) => setProofs((proofs) => ({ ...proofs, [row.sha256]: proof }));
    said("checking");
    said(await proofOf(row.first));
  };
  const archive = data?.logArchive;
  const mayWrite = can("SYSTEM_WRITE");
  return (
    <>
      <SectionHead
        title="Archive"
        actions={
          archive && (
            <Needs permission="SYSTEM_WRITE">
              <Button kind="primary" onClick={() => setArchiving(true)}>
                Archive old events
              </Button>
            </Needs>
          )
        }
      >
        Old events in sealed, compressed files, in a folder or in S3. Everything reads them as before.
      </SectionHead>
      <div className="min-h-0 flex-1 overflow-auto">
        {data === undefined ? (
          <div className="flex flex-col gap-3 p-4">
            {Array.from({ length: 4 }, (_, place) => (
              <Skeleton key={String(place)} className="h-5" />
            ))}
          </div>
        ) : !archive ? (
          <EmptyState icon="event" title="This log cannot be archived here">
            One in a data folder or in PostgreSQL can.
          </EmptyState>
        ) : archive.segments.length === 0 ? (
          <Nothing />
        ) : (
          <>
            <div className="px-4 pt-4 pb-2 md:px-6">
              <HowFar archive={archive} head={data.head.position} />
            </div>
            <div className="md:px-3">
              <Table
                label="Segments"
                rows={archive.segments}
                columns={columns(proofs, (row) => void prove(row), mayWrite ? setBack : undefined)}
                keyOf={(row) => row.first}
              />
            </div>
            {archive.segments.length >= SEGMENTS && <p className="p-4 text-xs text-muted">{SEGMENTS_LISTED}</p>}
          </>
        )}
      </div>
      {isArchiving && data && (
        <ArchiveForm
          head={data.head.position}
          place={archive?.segments.at(-1)?.place}
          onClose={() => {
            setArchiving(false);
            reload();
          }}
        />
      )}
      {back && (
        <BringBack
          row={back}
          newest={archive?.segments.at(-1)?.last ?? back.last}
          onClose={() => {
            setBack(undefined);
            reload();
          }}
        />
      )}
    </>
  );
}

async function proofOf(first: string): Promise<Proof | undefined> {
  const answer = await client.query(AdminCheckSegment, { first }, { requestPolicy: "network-only" }).toPromise();
  if (answer.error) {
    sayFault("The segment was not checked", faultOf(answer.error));
    return undefined;
  }
  const check = answer.data?.logSegmentCheck;
  return check === undefined ? undefined : check.proved ? "proved" : { problem: check.problem ?? "It is damaged" };
}

function HowFar({ archive, head }: { archive: NonNullable<AdminArchiveQuery["logArchive"]>; head: string }) {
  const bytes = archive.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  return (
    <div className="flex max-w-xl flex-col gap-3">
      <Progress label="How much of the log is archived" value={Number(archive.archivedUpTo)} max={Number(head)} />
      <Facts
        label="The archive"
        facts={[
          [
            "Archived",
            <span key="to">
              up to <PositionLink position={archive.archivedUpTo} /> of <PositionLink position={head} />
            </span>,
          ],
          ["Segments", archive.segments.length.toLocaleString()],
          ["They take", <Bytes key="bytes" value={bytes} />],
          archive.droppedUpTo === archive.archivedUpTo
            ? undefined
            : ["Rows on their way", `behind #${archive.droppedUpTo}: the next run finishes it`],
        ]}
      />
    </div>
  );
}

function columns(
  proofs: Proofs,
  prove: (row: Row) => void,
  bringBack: ((row: Row) => void) | undefined,
): Column<Row>[] {
  return [
    {
      key: "range",
      header: "Events",
      cell: (row) => (
        <span className="whitespace-nowrap tabular-nums">
          <PositionLink position={row.first} /> – <PositionLink position={row.last} />
        </span>
      ),
    },
    { key: "until", header: "Recorded until", wideOnly: true, cell: (row) => <Time value={row.recordedUntil} exact /> },
    { key: "bytes", header: "Size", align: "end", cell: (row) => <Bytes value={row.bytes} /> },
    {
      key: "place",
      header: "Place",
      wideOnly: true,
      cell: (row) => (
        <span title={`${row.place}/${row.name}`} className="font-mono text-xs">
          {row.place}
        </span>
      ),
    },
    { key: "proof", header: "Proof", cell: (row) => <ProofState proof={proofs[row.sha256]} /> },
    {
      key: "do",
      header: <span className="sr-only">What can be done</span>,
      align: "end",
      cell: (row) => (
        <span className="flex justify-end gap-1">
          <Button
            size="small"
            kind="quiet"
            isBusy={proofs[row.sha256] === "checking"}
            aria-label={`Check the segment from #${row.first} on`}
            onClick={() => prove(row)}
          >
            Check
          </Button>
          {bringBack && (
            <Button
              size="small"
              kind="quiet"
              aria-label={`Bring back the events from #${row.first} on`}
              onClick={() => bringBack(row)}
            >
              Bring back
            </Button>
          )}
        </span>
      ),
    },
  ];
}

function ProofState({ proof }: { proof: Proof | undefined }) {
  if (proof === undefined) return <span className="text-xs text-muted">not checked here</span>;
  if (proof === "checking") return <span className="text-xs text-muted">reading it…</span>;
  if (proof === "proved") return <Badge tone="good">proved</Badge>;
  return (
    <span className="flex flex-wrap items-center gap-2">
      <Badge tone="bad">not what was archived</Badge>
      <span className="text-xs">{proof.problem}</span>
    </span>
  );
}

function Nothing() {
  return (
    <EmptyState
      icon="event"
      title="Nothing is archived yet"
      action={
        <div className="mt-2 flex w-full flex-col gap-2 text-left">
          <CodeBlock
            label="the line that archives"
            code={`timeloom log archive --before 2026-01-01 \\\n  --server ${location.origin}`}
          />
          <CodeBlock
            label="the line of a server that archives by itself"
            code={"timeloom serve --archive-after-days 90 \\\n  --archive-to s3://acme-log/timeloom"}
          />
        </div>
      }
    >
      A log only ever grows. Old events can go into compressed files, where they take a small part of the room; lists,
      replays, proofs and backups read them as before. Rows are dropped only after the file was read back and proved.
    </EmptyState>
  );
}

/** Moves one segment after the other, and shows how far it is. */
function ArchiveForm({ head, place, onClose }: { head: string; place: string | undefined; onClose: () => void }) {
  const [before, setBefore] = useState("");
  const [to, setTo] = useState(place ?? "archive");
  const [moved, setMoved] = useState<{ upTo: number; end: number } | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  const [archive] = useChange(AdminArchiveLog, {
    payload: (data) => data.archiveLog,
    failed: "Nothing more was archived",
    quiet: true,
  });
  const run = async () => {
    setProblem(undefined);
    setMoved({ upTo: 0, end: Number(head) });
    let events = 0;
    for (;;) {
      const outcome = await archive({ input: { before: new Date(before).toISOString(), to } });
      if (outcome.kind !== "done") {
        setMoved(undefined);
        if (outcome.kind !== "fault") setProblem(outcome.errors.map((error) => error.message).join(" · "));
        return;
      }
      const { payload } = outcome;
      events += payload.events;
      setMoved({ upTo: Number(payload.archivedUpTo ?? 0), end: Math.max(1, Number(payload.end ?? 1)) });
      if (payload.done) break;
    }
    const said = events === 0 ? "There was nothing to archive" : `Archived ${counted(events, "event")}`;
    toast({ tone: "good", title: said });
    onClose();
  };
  return (
    <FormDialog
      title="Archive old events"
      submit="Archive"
      isBusy={moved !== undefined}
      isIncomplete={before === "" || to.trim() === ""}
      problem={problem}
      onClose={onClose}
      onSubmit={() => void run()}
    >
      <Field label="Recorded before" hint="The newest event always stays.">
        <Input type="date" value={before} onChange={(event) => setBefore(event.target.value)} />
      </Field>
      <TextField
        label="To"
        value={to}
        onChange={setTo}
        hint="A folder, within the data folder where it does not begin with /, or s3://BUCKET/PREFIX."
      />
      {moved && <Progress label="How far it is" value={moved.upTo} max={moved.end} />}
    </FormDialog>
  );
}

function BringBack({ row, newest, onClose }: { row: Row; newest: string; onClose: () => void }) {
  const [unarchive] = useChange(AdminUnarchiveLog, {
    payload: (data) => data.unarchiveLog,
    failed: "Not everything came back",
  });
  const run = async () => {
    let events = 0;
    for (;;) {
      const outcome = await unarchive({ input: { from: row.first } });
      if (outcome.kind !== "done") return false;
      events += outcome.payload.events;
      if (outcome.payload.done) break;
    }
    toast({ tone: "good", title: `Brought back ${counted(events, "event")}` });
    return true;
  };
  return (
    <ConfirmDialog
      title={`Bring back the events from #${row.first} to #${newest}`}
      isOpen
      onClose={onClose}
      confirm="Bring back"
      onConfirm={run}
    >
      They become rows of the log again, and are compared with what was archived before their files are given up. The
      files stay where they are. What is archived is always the beginning of the log, so everything newer comes back
      too.
    </ConfirmDialog>
  );
}
