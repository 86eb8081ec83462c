import { useState } from "react";
import { useQuery } from "urql";
import { useChange } from "@/api";
import type { VersionsTestCasesQuery } from "@/gql/graphql";
import { Button, ConfirmDialog, Time } from "@/ui";
import { Panel } from "@/ui/Panel";
import { Table } from "@/ui/Table";
import { VersionsRemoveTestCase, VersionsTestCases } from "./documents";

type TestCase = VersionsTestCasesQuery["workflowTestCases"][number];

export interface TestCasesPanelProps {
  workflowId: string;
  mayChange: boolean;
}

/** The recorded executions that new versions are held against; nothing where there are none. */
export function TestCasesPanel({ workflowId, mayChange }: TestCasesPanelProps) {
  const [{ data }, again] = useQuery({ query: VersionsTestCases, variables: { workflowId } });
  const [removing, setRemoving] = useState<TestCase>();
  const [remove] = useChange(VersionsRemoveTestCase, {
    payload: (changed) => changed.removeWorkflowTestCase,
    done: "The test case is removed",
    failed: "The test case was not removed",
  });
  const cases = data?.workflowTestCases ?? [];
  if (cases.length === 0) return null;
  const columns = [
    { key: "name", header: "Name", cell: (one: TestCase) => one.name },
    { key: "events", header: "Events", align: "end" as const, cell: (one: TestCase) => one.eventCount },
    { key: "sealed", header: "Sealed", align: "end" as const, cell: (one: TestCase) => one.sealedEventCount },
    {
      key: "added",
      header: "Added",
      cell: (one: TestCase) => (one.addedAt === null ? "" : <Time value={one.addedAt} />),
    },
    {
      key: "remove",
      header: "",
      align: "end" as const,
      cell: (one: TestCase) =>
        mayChange && (
          <Button size="small" onClick={() => setRemoving(one)} aria-label={`Remove ${one.name}`}>
            Remove…
          </Button>
        ),
    },
  ];
  return (
    <div className="border-b bg-surface p-4 md:px-6">
      <Panel
        title="Test cases"
        hint="Recorded executions that do the same under a version before it is published. What follows from sealed data cannot be judged."
        isFlush
      >
        <Table label="Test cases" rows={cases} columns={columns} keyOf={(one) => one.id} />
      </Panel>
      <ConfirmDialog
        title={`Remove ${removing?.name ?? "the test case"}`}
        confirm="Remove it"
        isDangerous
        isOpen={removing !== undefined}
        onClose={() => setRemoving(undefined)}
        onConfirm={async () => {
          if (removing) await remove({ input: { workflowId, testCaseId: removing.id } });
          again({ requestPolicy: "network-only" });
        }}
      >
        New versions are not held against it any more. What earlier checks reported of it stays.
      </ConfirmDialog>
    </div>
  );
}
