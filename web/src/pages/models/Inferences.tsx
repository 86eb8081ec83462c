import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { graphql, useLastWrite, useLive, useNewest, usePager, useViewer } from "@/api";
import type { ModelInferencesQuery } from "@/gql/graphql";
import { type Column, Duration, EmptyState, Field, Select, StatusBadge, Time, VirtualTable, wordsOf } from "@/ui";
import { CodeBlock } from "@/ui/CodeBlock";
import type { ModelShown } from "./ModelPage";
import { INFERENCE_STATUSES } from "./search";

const InferencesList = graphql(`
  query ModelInferences($first: Int, $after: String, $filter: InferenceFilterInput!, $waitFor: Position) {
    inferences(first: $first, after: $after, filter: $filter, waitFor: $waitFor) {
      nodes {
        id
        asked
        version
        status
        askedAt
        queueUs
        computeUs
        batchRows
        provider
        problem
        node
        executionId
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const InferencesChanged = graphql(`
  subscription ModelInferencesChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["inference"] }) {
      position
    }
  }
`);

type Row = ModelInferencesQuery["inferences"]["nodes"][number];

const COLUMNS: Column<Row>[] = [
  {
    key: "asked",
    header: "Asked for",
    cell: (row) => (
      <Link to="/inferences/$inferenceId" params={{ inferenceId: row.id }} className="font-medium hover:underline">
        {row.asked}
      </Link>
    ),
  },
  { key: "version", header: "Version", width: "4.5rem", align: "end", cell: (row) => row.version },
  { key: "status", header: "Status", width: "7rem", cell: (row) => <StatusBadge status={row.status} /> },
  {
    key: "problem",
    header: "Why not",
    width: "9rem",
    wideOnly: true,
    cell: (row) => <span className="text-bad">{row.problem == null ? "" : wordsOf(row.problem)}</span>,
  },
  {
    key: "node",
    header: "By",
    wideOnly: true,
    cell: (row) =>
      row.node ?? <span className="text-muted">{row.executionId == null ? "a client" : "an execution"}</span>,
  },
  {
    key: "waited",
    header: "Waited",
    width: "5rem",
    align: "end",
    wideOnly: true,
    cell: (row) => <Micros value={row.queueUs} />,
  },
  {
    key: "computed",
    header: "Computed",
    width: "5.5rem",
    align: "end",
    wideOnly: true,
    cell: (row) => <Micros value={row.computeUs} />,
  },
  { key: "rows", header: "Rows", width: "3.5rem", align: "end", wideOnly: true, cell: (row) => row.batchRows ?? "–" },
  { key: "at", header: "Asked", width: "6rem", align: "end", cell: (row) => <Time value={row.askedAt} /> },
];

const LIST = { connection: (data: ModelInferencesQuery) => data.inferences, keyOf: (row: Row) => row.id };

function Micros({ value }: { value: number | null | undefined }) {
  return value == null ? <span className="text-muted">–</span> : <Duration milliseconds={value / 1000} />;
}

const route = getRouteApi("/models/$modelName");

/** What a model answered, newest first, as far as it was written down one by one. */
export function Inferences({ model }: { model: ModelShown }) {
  const { status, version } = route.useSearch();
  const navigate = useNavigate({ from: "/models/$modelName" });
  const { can } = useViewer();
  const waitFor = useLastWrite();
  const filter = { model: model.name, status, version };
  const rows = usePager(InferencesList, { filter, waitFor }, LIST);
  const look = useNewest(InferencesList, { filter, waitFor }, rows, LIST);
  useLive(InferencesChanged, {}, look, { position: (event) => event.events.position, fromNow: true });
  const isFiltered = status !== undefined || version !== undefined;
  const isSampled = model.settings.recording === "SAMPLED";
  const input = model.versions.at(-1)?.file?.inputs[0];
  const shape = (input?.shape ?? [1]).map((size) => size ?? 1);
  const request = {
    inputs: [{ name: input?.name ?? "INPUT", datatype: input?.element ?? "FP32", shape, data: ["…"] }],
  };
  return (
    <div className="flex min-h-0 flex-1 flex-col bg-surface">
      <div className="flex flex-wrap items-center gap-2 border-b px-4 py-2 md:px-6">
        <Field label="Status" hideLabel className="w-36">
          <Select
            value={status ?? ""}
            choices={[
              { value: "", label: "any status" },
              ...INFERENCE_STATUSES.map((value) => ({ value, label: wordsOf(value) })),
            ]}
            onChange={(next) =>
              void navigate({
                search: (before) => ({ ...before, status: next === "" ? undefined : next }),
                replace: true,
              })
            }
          />
        </Field>
        <Field label="Version" hideLabel className="w-36">
          <Select
            value={version === undefined ? "" : String(version)}
            choices={[
              { value: "", label: "any version" },
              ...model.versions.map((one) => ({ value: String(one.version), label: `version ${one.version}` })),
            ]}
            onChange={(next) =>
              void navigate({
                search: (before) => ({ ...before, version: next === "" ? undefined : Number(next) }),
                replace: true,
              })
            }
          />
        </Field>
        {isSampled && (
          <span className="text-xs text-muted">
            One in {model.settings.recordedOneIn ?? "so many"} is written down, and each that failed.
          </span>
        )}
        {can("EXECUTION_RUN") && !rows.isEmpty && (
          <Link
            to="/evaluation-sets"
            search={{ open: "new", model: model.name }}
            className="ml-auto text-[13px] text-accent hover:underline"
          >
            Make an evaluation set of them
          </Link>
        )}
      </div>
      <VirtualTable
        label="Inferences"
        rows={rows}
        columns={COLUMNS}
        keyOf={(row) => row.id}
        onOpen={(row) => void navigate({ to: "/inferences/$inferenceId", params: { inferenceId: row.id } })}
        empty={
          isFiltered ? (
            <EmptyState icon="model" title="No inference is like that">
              Choose another status or version to see more.
            </EmptyState>
          ) : (
            <EmptyState icon="model" title="It was not asked yet">
              <p className="mb-3">Nodes and agents ask it by its name; programs by the Open Inference Protocol:</p>
              <CodeBlock
                label="a request"
                code={`curl ${location.origin}/v2/models/${model.name}/infer \\\n  -H "authorization: Bearer timeloom_key_…" \\\n  -d '${JSON.stringify(request)}'`}
              />
            </EmptyState>
          )
        }
      />
    </div>
  );
}
