import { useState } from "react";
import { useQuery } from "urql";
import { useLastWrite, usePager } from "@/api";
import {
  type Column,
  Combobox,
  Dialog,
  Elapsed,
  EmptyState,
  EXECUTION_STATUSES,
  Field,
  Input,
  Select,
  StatusBadge,
  Time,
  VirtualTable,
  wordsOf,
} from "@/ui";
import type { CompareFactsFragment } from "@/gql/graphql";
import type { ExecutionStatus } from "@/gql/schema";
import { CompareCandidates, CompareWorkflows } from "./documents";

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export interface PickerProps {
  title: string;
  /** The workflow whose executions are offered first. */
  workflow: { id: string; name: string } | undefined;
  /** The execution on the other side, which is not offered. */
  other: string | undefined;
  onPick: (id: string) => void;
  onClose: () => void;
}

/** Finds an execution: by workflow and status, or by its id. */
export function Picker({ title, workflow, other, onPick, onClose }: PickerProps) {
  const [workflowId, setWorkflowId] = useState(workflow?.id ?? "");
  const [name, setName] = useState("");
  const [status, setStatus] = useState<ExecutionStatus | "">("");
  const [id, setId] = useState("");
  const [{ data }] = useQuery({ query: CompareWorkflows, variables: { name: name === "" ? undefined : name } });
  const waitFor = useLastWrite();
  const rows = usePager(
    CompareCandidates,
    { workflowId: workflowId === "" ? undefined : workflowId, status: status === "" ? undefined : status, waitFor },
    { connection: (answer) => answer.executions, keyOf: (row) => row.id },
  );
  const found = data?.workflows.nodes ?? [];
  const choices = [
    { value: "", label: "Every workflow" },
    ...(workflow && !found.some((one) => one.id === workflow.id) ? [{ value: workflow.id, label: workflow.name }] : []),
    ...found.map((one) => ({ value: one.id, label: one.name })),
  ];
  const take = (picked: string) => {
    onPick(picked);
    onClose();
  };
  return (
    <Dialog title={title} isOpen onClose={onClose} size="large">
      <div className="flex flex-col gap-3">
        <div className="grid gap-3 sm:grid-cols-3">
          <Field label="Workflow">
            <Combobox value={workflowId} onChange={setWorkflowId} choices={choices} onSearch={setName} />
          </Field>
          <Field label="Status">
            <Select<ExecutionStatus | "">
              value={status}
              onChange={setStatus}
              choices={[
                { value: "", label: "any status" },
                ...EXECUTION_STATUSES.map((value) => ({ value, label: wordsOf(value) })),
              ]}
            />
          </Field>
          <Field
            label="Or its id"
            error={id !== "" && !ID.test(id.trim()) ? "An id has 32 hexadecimal digits in five groups." : undefined}
          >
            <Input
              value={id}
              spellCheck={false}
              className="font-mono"
              placeholder="0192…"
              onChange={(event) => {
                setId(event.target.value);
                if (ID.test(event.target.value.trim())) take(event.target.value.trim().toLowerCase());
              }}
            />
          </Field>
        </div>
        <div className="-mx-4 flex h-80 flex-col border-t">
          <VirtualTable
            label="Executions to choose from"
            rows={rows}
            columns={COLUMNS}
            keyOf={(row) => row.id}
            selectedKey={other}
            onOpen={(row) => take(row.id)}
            empty={
              <EmptyState icon="execution" title="None is like that">
                Choose another workflow or status.
              </EmptyState>
            }
          />
        </div>
      </div>
    </Dialog>
  );
}

const COLUMNS: Column<CompareFactsFragment>[] = [
  { key: "status", header: "Status", width: "7rem", cell: (row) => <StatusBadge status={row.status} /> },
  { key: "workflow", header: "Workflow", cell: (row) => row.workflow?.name ?? "gone" },
  {
    key: "kind",
    header: "By",
    width: "6rem",
    wideOnly: true,
    cell: (row) => (row.trigger === null ? (row.mode === "MANUAL" ? "hand" : "trigger") : wordsOf(row.trigger)),
  },
  {
    key: "id",
    header: "Id",
    width: "8rem",
    wideOnly: true,
    cell: (row) => <code className="font-mono text-xs text-muted">{row.id.slice(-12)}</code>,
  },
  { key: "began", header: "Began", width: "7rem", cell: (row) => <Time value={row.startedAt} /> },
  {
    key: "took",
    header: "Took",
    width: "5rem",
    align: "end",
    wideOnly: true,
    cell: (row) => <Elapsed from={row.startedAt} to={row.endedAt} />,
  },
];
