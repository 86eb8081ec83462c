import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { graphql, useLastWrite, usePager } from "@/api";
import { usePageTitle } from "@/app/title";
import type { ModelsListQuery } from "@/gql/graphql";
import { Badge, type Column, EmptyState, PageHeader, VirtualTable } from "@/ui";

const ModelsList = graphql(`
  query ModelsList($first: Int, $after: String, $waitFor: Position) {
    models(first: $first, after: $after, waitFor: $waitFor) {
      nodes {
        id
        name
        description
        disabled
        retired
        promotedVersion
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

type Row = ModelsListQuery["models"]["nodes"][number];

const COLUMNS: Column<Row>[] = [
  {
    key: "name",
    header: "Name",
    cell: (row) => (
      <Link to="/models/$modelName" params={{ modelName: row.name }} className="font-medium hover:underline">
        {row.name}
      </Link>
    ),
  },
  { key: "description", header: "What it is", wideOnly: true, cell: (row) => row.description },
  {
    key: "state",
    header: "State",
    width: "7rem",
    cell: (row) => (
      <Badge tone={row.disabled || row.retired ? "neutral" : "good"}>
        {row.retired ? "retired" : row.disabled ? "disabled" : "enabled"}
      </Badge>
    ),
  },
  { key: "version", header: "Promoted", width: "6rem", align: "end", cell: (row) => row.promotedVersion ?? "–" },
];

export function ModelsPage() {
  usePageTitle("Models");
  const navigate = useNavigate();
  const waitFor = useLastWrite();
  const rows = usePager(ModelsList, { waitFor }, { connection: (data) => data.models, keyOf: (row) => row.id });
  return (
    <>
      <PageHeader title="Models" />
      <VirtualTable
        label="Models"
        rows={rows}
        columns={COLUMNS}
        keyOf={(row) => row.id}
        onOpen={(row) => void navigate({ to: "/models/$modelName", params: { modelName: row.name } })}
        empty={
          <EmptyState icon="model" title="No models yet">
            Add one that answers on this machine: <code>timeloom model add smollm2 --server {location.origin}</code>
          </EmptyState>
        }
      />
    </>
  );
}

const model = getRouteApi("/models/$modelName");

export function ModelPage() {
  const { modelName } = model.useParams();
  usePageTitle(modelName, "Models");
  return <PageHeader title={modelName} above="Model" />;
}

const inference = getRouteApi("/inferences/$inferenceId");

export function InferencePage() {
  const { inferenceId } = inference.useParams();
  usePageTitle("Inference");
  return <PageHeader title={inferenceId} above="Inference" />;
}
