import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useLastWrite, usePager } from "@/api";
import type { ExecutionsByWorkflowQuery, ExecutionsGroupsQuery } from "@/gql/graphql";
import { type Act, ActDialog } from "@/parts/ActDialog";
import { Button, type Column, Elapsed, EmptyState, StatusBadge, Time, VirtualTable } from "@/ui";
import { ExecutionsByWorkflow, ExecutionsGroups } from "./documents";
import type { ExecutionsSearch } from "./search";

type Group = ExecutionsGroupsQuery["executionGroups"]["nodes"][number];

export interface GroupsProps {
  search: ExecutionsSearch;
  onChange: (change: Partial<ExecutionsSearch>) => void;
}

/** Failures by their cause: those with the same error at the same place. */
export function ByCause({ search, onChange }: GroupsProps) {
  const [act, setAct] = useState<Act | undefined>();
  const waitFor = useLastWrite();
  const { workflow, at } = search;
  const isUnresolved = search.unresolved === true;
  const asOf = at === undefined ? undefined : { time: at };
  const rows = usePager(
    ExecutionsGroups,
    { workflow, unresolved: isUnresolved, asOf, waitFor: asOf ? undefined : waitFor },
    { connection: (data) => data.executionGroups, keyOf: (row) => row.fingerprint },
  );
  const open = (group: Group) => onChange({ group: undefined, fingerprint: group.fingerprint });
  const begin = (action: Act["action"], group: Group) =>
    setAct({
      action,
      of: {
        fingerprint: group.fingerprint,
        workflow,
        count: group.executionCount,
        message: group.errorMessage ?? "",
      },
    });
  const columns: Column<Group>[] = [
    {
      key: "count",
      header: "Failures",
      width: "4.5rem",
      align: "end",
      cell: (group) => <span className="font-medium tabular-nums">{group.executionCount}</span>,
    },
    {
      key: "message",
      header: "Cause",
      cell: (group) => (
        <div className="leading-tight">
          <button
            type="button"
            className="block max-w-full truncate text-left text-bad hover:underline"
            onClick={() => open(group)}
          >
            {group.errorMessage ?? group.fingerprint}
          </button>
          <div className="truncate text-xs text-muted">
            {group.errorNode ? `at ${group.errorNode} · ` : ""}
            {group.workflowCount === 1
              ? (group.newest?.workflow?.name ?? "1 workflow")
              : `${group.workflowCount} workflows`}
          </div>
        </div>
      ),
    },
    {
      key: "newest",
      header: "Newest",
      width: "8rem",
      wideOnly: true,
      cell: (group) => <Time value={group.newest?.endedAt ?? group.newest?.startedAt} />,
    },
    ...(isUnresolved && at === undefined
      ? [
          {
            key: "do",
            header: <span className="sr-only">What can be done</span>,
            width: "10.5rem",
            align: "end" as const,
            cell: (group: Group) => (
              <span className="inline-flex gap-1.5">
                <Button size="small" onClick={() => begin("retry", group)}>
                  Retry
                </Button>
                <Button size="small" kind="quiet" onClick={() => begin("dismiss", group)}>
                  Dismiss
                </Button>
              </span>
            ),
          },
        ]
      : []),
  ];
  return (
    <>
      <VirtualTable
        label="Failures by cause"
        rows={rows}
        columns={columns}
        keyOf={(group) => group.fingerprint}
        onOpen={open}
        rowHeight={52}
        empty={
          <EmptyState icon="check" title={isUnresolved ? "No failure needs attention" : "Nothing has failed"}>
            Failures of production runs are gathered here by what they have in common.
            {isUnresolved && " Those that were retried or dismissed are left out."}
          </EmptyState>
        }
      />
      <ActDialog act={act} onClose={() => setAct(undefined)} />
    </>
  );
}

type WorkflowRow = ExecutionsByWorkflowQuery["workflows"]["nodes"][number];

/** Each workflow with its newest execution. */
export function ByWorkflow({ search, onChange }: GroupsProps) {
  const waitFor = useLastWrite();
  const { status, at } = search;
  const asOf = at === undefined ? undefined : { time: at };
  const rows = usePager(
    ExecutionsByWorkflow,
    { status, asOf, waitFor: asOf ? undefined : waitFor },
    { connection: (data) => data.workflows, keyOf: (row) => row.id },
  );
  const newest = (row: WorkflowRow) => row.executions.nodes[0];
  const columns: Column<WorkflowRow>[] = [
    {
      key: "name",
      header: "Workflow",
      cell: (row) => (
        <button
          type="button"
          className="max-w-full truncate font-medium hover:underline"
          onClick={() => onChange({ group: undefined, workflow: row.id })}
        >
          {row.name}
        </button>
      ),
    },
    {
      key: "status",
      header: status === undefined ? "Newest" : "Newest of this status",
      width: "8rem",
      cell: (row) => {
        const one = newest(row);
        return one ? <StatusBadge status={one.status} /> : <span className="text-muted">–</span>;
      },
    },
    {
      key: "error",
      header: "Error",
      wideOnly: true,
      cell: (row) => <span className="text-bad">{newest(row)?.errorMessage}</span>,
    },
    {
      key: "started",
      header: "Started",
      width: "7rem",
      wideOnly: true,
      cell: (row) => <Time value={newest(row)?.startedAt} />,
    },
    {
      key: "took",
      header: "Took",
      width: "6rem",
      align: "end",
      wideOnly: true,
      cell: (row) => <Elapsed from={newest(row)?.startedAt} to={newest(row)?.endedAt} />,
    },
    {
      key: "open",
      header: <span className="sr-only">Open</span>,
      width: "4rem",
      align: "end",
      wideOnly: true,
      cell: (row) => {
        const one = newest(row);
        return one ? (
          <Link
            to="/executions/$executionId"
            params={{ executionId: one.id }}
            className="text-accent hover:underline"
            aria-label={`Open the newest execution of ${row.name}`}
          >
            Open
          </Link>
        ) : null;
      },
    },
  ];
  return (
    <VirtualTable
      label="Executions by workflow"
      rows={rows}
      columns={columns}
      keyOf={(row) => row.id}
      onOpen={(row) => onChange({ group: undefined, workflow: row.id })}
      empty={
        <EmptyState icon="workflow" title="No workflows yet">
          Make or import one on the page of workflows.
        </EmptyState>
      }
    />
  );
}
