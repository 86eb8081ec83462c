import { Link } from "@tanstack/react-router";
import { faultOf, graphql, usePolling } from "@/api";
import type { AdminTriggersQuery } from "@/gql/graphql";
import { Badge, type Column, EmptyState, ErrorState, Skeleton, Table, Time } from "@/ui";
import { SectionHead } from "./parts";

const AdminTriggers = graphql(`
  query AdminTriggers {
    listeningTriggers {
      id
      workflowId
      workflowName
      node
      nodeType
      status
      since
      lastMessageAt
      messages
      attempts
      lastError
      refused
      refusedMessages {
        message
        reason
        bytes
        at
        position
      }
    }
  }
`);

type Row = AdminTriggersQuery["listeningTriggers"][number];
type Refused = Row["refusedMessages"][number] & { workflowName: string; node: string };

function State({ row }: { row: Row }) {
  if (row.status === "LISTENING") return <Badge tone="good">listening</Badge>;
  if (row.status === "NEW") return <Badge tone="warn">not yet</Badge>;
  return (
    <span className="flex min-w-0 flex-col gap-0.5">
      <span>
        <Badge tone="bad">failing</Badge>
      </span>
      <span className="text-xs break-words whitespace-normal text-muted">{row.lastError}</span>
    </span>
  );
}

const COLUMNS: Column<Row>[] = [
  {
    key: "trigger",
    header: "Trigger",
    cell: (row) => (
      <Link to="/workflows/$workflowId" params={{ workflowId: row.workflowId }} className="font-medium hover:underline">
        {row.workflowName} · {row.node}
      </Link>
    ),
  },
  { key: "state", header: "State", cell: (row) => <State row={row} /> },
  { key: "type", header: "Listens by", wideOnly: true, cell: (row) => row.nodeType.split(".").pop() },
  {
    key: "since",
    header: "Since",
    align: "end",
    wideOnly: true,
    cell: (row) => (row.since ? <Time value={row.since} /> : "–"),
  },
  {
    key: "last",
    header: "Last message",
    align: "end",
    wideOnly: true,
    cell: (row) => (row.lastMessageAt ? <Time value={row.lastMessageAt} /> : "none"),
  },
  { key: "messages", header: "Messages", align: "end", cell: (row) => row.messages },
  { key: "refused", header: "Left out", align: "end", cell: (row) => row.refused },
];

const REFUSED: Column<Refused>[] = [
  { key: "trigger", header: "Trigger", cell: (row) => `${row.workflowName} · ${row.node}` },
  { key: "message", header: "Message", cell: (row) => <code className="text-xs break-all">{row.message}</code> },
  { key: "reason", header: "Why", cell: (row) => <span className="whitespace-normal">{row.reason}</span> },
  { key: "bytes", header: "Bytes", align: "end", wideOnly: true, cell: (row) => row.bytes },
  { key: "at", header: "When", align: "end", wideOnly: true, cell: (row) => (row.at ? <Time value={row.at} /> : "–") },
];

const EVERY_MS = 5_000;

/** The triggers that listen for messages, and the messages that could not start an execution. */
export function Triggers() {
  const [{ data, error }, again] = usePolling(AdminTriggers, {}, EVERY_MS);
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={() => again()} />;
  const refused = (data?.listeningTriggers ?? []).flatMap((row) =>
    row.refusedMessages.map((message) => ({ ...message, workflowName: row.workflowName, node: row.node })),
  );
  return (
    <>
      <SectionHead title="Triggers">
        Triggers of active workflows that listen to brokers, mailboxes, feeds and files. Each listens in one process.
      </SectionHead>
      <div className="min-h-0 flex-1 overflow-auto md:px-3">
        {data ? (
          <Table
            label="Triggers"
            rows={data.listeningTriggers}
            columns={COLUMNS}
            keyOf={(row) => row.id}
            empty={
              <EmptyState icon="workflow" title="No trigger listens">
                An active workflow with a trigger such as MQTT Trigger or Email Trigger is listed here.
              </EmptyState>
            }
          />
        ) : (
          <div className="p-4">
            <Skeleton className="h-5" />
          </div>
        )}
        {refused.length > 0 && (
          <>
            <h3 className="px-3 pt-6 pb-2 text-[13px] font-semibold">Messages that were left out</h3>
            <Table label="Messages that were left out" rows={refused} columns={REFUSED} keyOf={(row) => row.position} />
          </>
        )}
      </div>
    </>
  );
}
