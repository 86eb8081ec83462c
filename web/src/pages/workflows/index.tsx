import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { graphql, useLastWrite, usePager } from "@/api";
import { usePageTitle } from "@/app/title";
import type { WorkflowsListQuery } from "@/gql/graphql";
import { Badge, type Column, EmptyState, PageHeader, VirtualTable } from "@/ui";

const WorkflowsList = graphql(`
  query WorkflowsList($first: Int, $after: String, $archived: Boolean, $waitFor: Position) {
    workflows(first: $first, after: $after, archived: $archived, waitFor: $waitFor) {
      nodes {
        id
        name
        active
        activeVersion
        archived
        nodeCount
        publishedVersion
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

type Row = WorkflowsListQuery["workflows"]["nodes"][number];

const COLUMNS: Column<Row>[] = [
  {
    key: "name",
    header: "Name",
    cell: (row) => (
      <Link to="/workflows/$workflowId" params={{ workflowId: row.id }} className="font-medium hover:underline">
        {row.name}
      </Link>
    ),
  },
  {
    key: "state",
    header: "State",
    width: "8rem",
    cell: (row) =>
      row.active ? <Badge tone="good">active</Badge> : <Badge>{row.archived ? "archived" : "inactive"}</Badge>,
  },
  {
    key: "version",
    header: "Version",
    width: "6rem",
    align: "end",
    wideOnly: true,
    cell: (row) => row.publishedVersion ?? "draft",
  },
  { key: "nodes", header: "Nodes", width: "5rem", align: "end", wideOnly: true, cell: (row) => row.nodeCount },
];

const route = getRouteApi("/workflows");

export function WorkflowsPage() {
  usePageTitle("Workflows");
  const { archived } = route.useSearch();
  const navigate = useNavigate();
  const waitFor = useLastWrite();
  const rows = usePager(
    WorkflowsList,
    { archived: archived ?? false, waitFor },
    { connection: (data) => data.workflows, keyOf: (row) => row.id },
  );
  return (
    <>
      <PageHeader title="Workflows" />
      <VirtualTable
        label="Workflows"
        rows={rows}
        columns={COLUMNS}
        keyOf={(row) => row.id}
        onOpen={(row) => void navigate({ to: "/workflows/$workflowId", params: { workflowId: row.id } })}
        empty={
          <EmptyState icon="workflow" title="No workflows yet">
            Import one: <code>timeloom workflow import FILE --server {location.origin}</code>
          </EmptyState>
        }
      />
    </>
  );
}
