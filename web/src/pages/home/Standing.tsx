import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { faultOf } from "@/api";
import { type Act, ActDialog } from "@/parts/ActDialog";
import type { ExecutionRow } from "@/parts/execution-changes";
import { Button, StatusBadge, Time, wordsOf } from "@/ui";
import { HomeStanding } from "./documents";
import { MoreExecutions, Section } from "./Section";

const SHOWN_MAX = 10;

/** Executions that do not go on by themselves: somebody has to answer, or to let them go on. */
export function Standing({ waitFor, canRun }: { waitFor: string | undefined; canRun: boolean }) {
  const [{ data, error }, again] = useQuery({ query: HomeStanding, variables: { waitFor } });
  const [act, setAct] = useState<Act | undefined>();
  // Those that wait for a time go on by themselves.
  const waiting = (data?.waiting.nodes ?? []).filter((row) => row.waiting?.resumeUrl !== null);
  const paused = data?.paused.nodes ?? [];
  const rows = [...waiting, ...paused];
  const hasMore = data !== undefined && (data.paused.pageInfo.hasNextPage || data.waiting.pageInfo.hasNextPage);
  return (
    <Section
      title="Waiting for somebody"
      count={rows.length > 0 ? `${rows.length}${hasMore ? "+" : ""}` : undefined}
      isLoading={!data && !error}
      fault={error && !data ? faultOf(error) : undefined}
      onRetry={() => again({ requestPolicy: "network-only" })}
      calm={data && rows.length === 0 ? "None waits for you" : undefined}
      more={
        <>
          {waiting.length > 0 && <MoreExecutions search={{ status: "WAITING" }}>Waiting</MoreExecutions>}
          {paused.length > 0 && <MoreExecutions search={{ status: "PAUSED" }}>Paused</MoreExecutions>}
        </>
      }
    >
      <ul className="divide-y">
        {rows.slice(0, SHOWN_MAX).map((row) => (
          <li key={row.id} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2">
            <div className="min-w-0 flex-1 basis-40">
              <Link
                to="/executions/$executionId"
                params={{ executionId: row.id }}
                className="block truncate text-[13px] font-medium hover:underline"
              >
                {row.workflow?.name ?? row.workflowId}
              </Link>
              <div className="truncate text-xs text-muted">
                {whyOf(row)} · began <Time value={row.startedAt} />
              </div>
            </div>
            <StatusBadge status={row.status} />
            {canRun && (
              <Button
                size="small"
                className="ml-auto"
                aria-label={`${row.status === "PAUSED" ? "Let go on" : "End the wait"}: ${row.workflow?.name ?? row.id}`}
                onClick={() => setAct({ action: row.status === "PAUSED" ? "unpause" : "resume", of: [row] })}
              >
                {row.status === "PAUSED" ? "Let go on" : "End the wait"}
              </Button>
            )}
          </li>
        ))}
      </ul>
      <ActDialog act={act} onClose={() => setAct(undefined)} />
    </Section>
  );
}

function whyOf({ waiting, paused }: ExecutionRow): string {
  if (waiting) return `at ${waiting.node}`;
  if (!paused) return "it stands still";
  const reason = paused.reason !== null && paused.reason !== "" ? `: ${paused.reason}` : "";
  return `${wordsOf(paused.kind)}${paused.node !== null ? ` before ${paused.node}` : ""}${reason}`;
}
