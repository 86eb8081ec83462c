import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { faultOf, graphql, useChange, useLive } from "@/api";
import type { VersionsTestCasesQuery } from "@/gql/graphql";
import { AddTestCase } from "@/parts/test-cases/AddTestCase";
import { Button, Bytes, type Column, ConfirmDialog, FaultNote, Icon, Time } from "@/ui";
import { Panel } from "@/ui/Panel";
import { Table } from "@/ui/Table";
import { VersionsRemoveTestCase, VersionsTestCases } from "./documents";

const TestCasesChanged = graphql(`
  subscription VersionsTestCasesChanged($id: ID!, $resumeFrom: Position) {
    events(filter: { stream: { category: "test-cases", id: $id } }, resumeFrom: $resumeFrom) {
      position
    }
  }
`);

type TestCase = VersionsTestCasesQuery["workflowTestCases"][number];

export interface TestCasesPanelProps {
  workflowId: string;
  mayChange: boolean;
  /** Whether one is being added. */
  isAdding: boolean;
  onAdding: (isAdding: boolean) => void;
}

const COLUMNS: Column<TestCase>[] = [
  { key: "name", header: "Name", cell: (one) => <span className="break-words">{one.name}</span> },
  {
    key: "execution",
    header: "Execution",
    wideOnly: true,
    cell: (one) => (
      <Link
        to="/executions/$executionId"
        params={{ executionId: one.executionId }}
        title="As it was recorded; it is not here where another installation recorded it"
        className="font-mono text-xs whitespace-nowrap text-accent hover:underline"
      >
        …{one.executionId.slice(-12)}
      </Link>
    ),
  },
  { key: "events", header: "Events", align: "end", wideOnly: true, cell: (one) => one.eventCount },
  { key: "sealed", header: "Sealed", align: "end", cell: (one) => one.sealedEventCount },
  { key: "bytes", header: "Size", align: "end", wideOnly: true, cell: (one) => <Bytes value={one.bytes} /> },
  {
    key: "signed",
    header: "Signed by",
    wideOnly: true,
    cell: (one) => (
      <span className="font-mono text-xs whitespace-nowrap" title={one.signedBy}>
        …{one.signedBy.slice(-12)}
      </span>
    ),
  },
  {
    key: "added",
    header: "Added",
    cell: (one) => (
      <span title={`by ${one.addedBy}`}>
        <Time value={one.addedAt} />
      </span>
    ),
  },
];

/** The recorded executions that new versions are held against; nothing where there are none and none can be added. */
export function TestCasesPanel({ workflowId, mayChange, isAdding, onAdding }: TestCasesPanelProps) {
  const [{ data, error }, again] = useQuery({ query: VersionsTestCases, variables: { workflowId } });
  const [removing, setRemoving] = useState<TestCase>();
  const reload = () => again({ requestPolicy: "network-only" });
  useLive(TestCasesChanged, { id: workflowId }, reload, { position: (event) => event.events.position, fromNow: true });
  const [remove] = useChange(VersionsRemoveTestCase, {
    payload: (changed) => changed.removeWorkflowTestCase,
    done: "The test case is removed",
    failed: "The test case was not removed",
  });
  const cases = data?.workflowTestCases ?? [];
  if (cases.length === 0 && !mayChange && !error) return null;
  const columns: Column<TestCase>[] = [
    ...COLUMNS,
    {
      key: "remove",
      header: <span className="sr-only">What can be done</span>,
      align: "end",
      cell: (one) =>
        mayChange && (
          <Button size="small" onClick={() => setRemoving(one)} aria-label={`Remove ${one.name}`}>
            Remove…
          </Button>
        ),
    },
  ];
  const button = mayChange && (
    <Button size="small" onClick={() => onAdding(true)}>
      <Icon name="plus" /> Add a test case
    </Button>
  );
  return (
    <div className="border-b bg-surface p-4 md:px-6">
      <Panel
        title="Test cases"
        hint={
          data && cases.length === 0
            ? "None yet. Keep an execution, and new versions are held against it before they are published."
            : "Recorded executions that do the same under a version before it is published. What follows from sealed data cannot be judged."
        }
        actions={button}
        isFlush
      >
        {error && !data && (
          <div className="p-4">
            <FaultNote fault={faultOf(error)} onRetry={reload} />
          </div>
        )}
        {cases.length > 0 && (
          <div className="max-h-64 overflow-y-auto">
            <Table label="Test cases" rows={cases} columns={columns} keyOf={(one) => one.id} />
          </div>
        )}
      </Panel>
      <AddTestCase isOpen={isAdding} onClose={() => onAdding(false)} workflowId={workflowId} onAdded={reload} />
      <ConfirmDialog
        title={`Remove ${removing?.name ?? "the test case"}`}
        confirm="Remove it"
        isDangerous
        isOpen={removing !== undefined}
        onClose={() => setRemoving(undefined)}
        onConfirm={async () => {
          if (!removing) return undefined;
          const outcome = await remove({ input: { workflowId, testCaseId: removing.id } });
          reload();
          return outcome.kind === "done";
        }}
      >
        New versions are not held against it any more. What earlier checks reported of it stays.
      </ConfirmDialog>
    </div>
  );
}
