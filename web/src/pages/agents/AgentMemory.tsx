import { useState } from "react";
import { useQuery } from "urql";
import { faultOf, useChange, useLastWrite, useViewer } from "@/api";
import type { AgentSessionsQuery } from "@/gql/graphql";
import { Button, type Column, ConfirmDialog, EmptyState, ErrorState, PositionLink, Skeleton, Table, Time } from "@/ui";
import type { AgentShown } from "./AgentPage";
import { ClearMemory } from "./changes";
import { AgentSessions } from "./documents";
import { recordOf } from "./record";

type Session = NonNullable<AgentSessionsQuery["agent"]>["sessions"][number];

/** What an agent remembers, session by session: told, and forgotten one at a time. */
export function AgentMemory({ agent, mayWrite }: { agent: AgentShown; mayWrite: boolean }) {
  const { can } = useViewer();
  const memory = recordOf(agent.newestVersion?.record).memory;
  const [forgotten, setForgotten] = useState<string>();
  const waitFor = useLastWrite();
  const maySee = can("EXECUTION_READ");
  const [{ data, error }, again] = useQuery({
    query: AgentSessions,
    variables: { name: agent.name, waitFor },
    pause: !maySee,
  });
  const [clear] = useChange(ClearMemory, {
    payload: (data) => data.clearAgentMemory,
    done: "What was said in the session is forgotten",
    failed: "Nothing was forgotten",
  });
  const sessions = data?.agent?.sessions;
  if (!memory && (sessions ?? []).length === 0) {
    return (
      <EmptyState icon="clock" title="It remembers nothing">
        With <code>{'"memory": {"exchanges_max": 10}'}</code> in its record, runs of the same session remember what was
        asked and answered before.
      </EmptyState>
    );
  }
  return (
    <div className="flex flex-col gap-4 p-4 md:p-6">
      <p className="max-w-2xl text-sm text-muted">
        {memory
          ? `Runs of the same session remember the last ${memory.exchanges_max ?? "few"} questions and answers.`
          : "The newest version remembers nothing. What earlier ones remembered is still there."}{" "}
        What a run remembered stands in its timeline, under “Remembers”. Forgetting a session is for runs to come: what
        was written down of runs before stays in the log.
      </p>
      {!maySee && <p className="text-sm text-muted">Which sessions there are needs execution:read.</p>}
      {error && !data && <ErrorState fault={faultOf(error)} onRetry={() => again()} />}
      {maySee && !error && !data && <Skeleton className="h-24" />}
      {sessions && (
        <Table
          label="Sessions"
          rows={sessions}
          keyOf={(row) => row.lastPosition}
          columns={columnsOf(mayWrite ? setForgotten : undefined)}
          empty={
            <EmptyState icon="clock" title="It remembers no session yet">
              Start a run with the name of a session: its question and answer are remembered when it completes.
            </EmptyState>
          }
        />
      )}
      <ConfirmDialog
        title="Forget a session"
        isOpen={forgotten !== undefined}
        onClose={() => setForgotten(undefined)}
        confirm="Forget it"
        isDangerous
        onConfirm={async () => (await clear({ input: { name: agent.name, session: forgotten ?? "" } })).kind === "done"}
      >
        {agent.name} will not know any more what was said in the session <strong>{forgotten}</strong>.
      </ConfirmDialog>
    </div>
  );
}

function columnsOf(onForget: ((session: string) => void) | undefined): Column<Session>[] {
  const columns: Column<Session>[] = [
    { key: "session", header: "Session", cell: (row) => <span className="font-medium break-all">{row.session}</span> },
    { key: "exchanges", header: "Remembered", align: "end", cell: (row) => row.exchanges },
    { key: "last", header: "Last spoken in", cell: (row) => <Time value={row.lastAt} /> },
    { key: "position", header: "Event", wideOnly: true, cell: (row) => <PositionLink position={row.lastPosition} /> },
  ];
  if (onForget === undefined) return columns;
  return [
    ...columns,
    {
      key: "forget",
      header: <span className="sr-only">What can be done</span>,
      align: "end",
      cell: (row) => (
        <Button size="small" aria-label={`Forget the session ${row.session}`} onClick={() => onForget(row.session)}>
          Forget…
        </Button>
      ),
    },
  ];
}
