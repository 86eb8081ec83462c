import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { useQuery } from "urql";
import { faultOf, useChange, useLastWrite, useViewer } from "@/api";
import { usePageTitle } from "@/app/title";
import type { EditorVersionsQuery } from "@/gql/graphql";
import {
  Badge,
  Button,
  type Column,
  DiffView,
  EmptyState,
  ErrorState,
  Field,
  PageHeader,
  PositionLink,
  Select,
  Skeleton,
  Table,
  Time,
} from "@/ui";
import { EditorActivate, EditorVersion, EditorVersions } from "./documents";
import { isRecord, readDefinition } from "./model/definition";
import { diffDefinitions } from "./model/json-diff";

const route = getRouteApi("/workflows/$workflowId/versions");

type Published = EditorVersionsQuery["events"]["nodes"][number];
type Workflow = NonNullable<EditorVersionsQuery["workflow"]>;

/** The published versions of a workflow, and what differs between any two of them. */
export function VersionsPage() {
  const { workflowId } = route.useParams();
  const waitFor = useLastWrite();
  const [{ data, error }, again] = useQuery({
    query: EditorVersions,
    variables: { id: workflowId, stream: workflowId, waitFor },
  });
  const workflow = data?.workflow;
  usePageTitle("Versions", workflow?.name);
  const above = (
    <Link to="/workflows/$workflowId" params={{ workflowId }} className="hover:underline">
      Back to the draft
    </Link>
  );
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={again} />;
  if (data && !workflow)
    return (
      <EmptyState icon="workflow" title="There is no such workflow">
        It may have been made on another server.{" "}
        <Link to="/workflows" className="text-accent underline">
          All workflows
        </Link>
      </EmptyState>
    );
  return (
    <>
      <PageHeader title={workflow ? `Versions of ${workflow.name}` : "Versions"} above={above} />
      {workflow ? (
        <Versions workflowId={workflowId} workflow={workflow} events={data.events.nodes} />
      ) : (
        <Skeleton className="m-4 h-40" />
      )}
    </>
  );
}

interface Row {
  version: number;
  event: Published | undefined;
}

function Versions({
  workflowId,
  workflow,
  events,
}: {
  workflowId: string;
  workflow: Workflow;
  events: readonly Published[];
}) {
  const { can } = useViewer();
  const [activate, isActivating] = useChange(EditorActivate, {
    payload: (data) => data.activateWorkflow,
    failed: "The version is not active",
    done: "It takes calls and schedules now",
  });
  const rows = useMemo((): Row[] => {
    const byVersion = new Map(events.map((event) => [versionOf(event), event]));
    const count = workflow.publishedVersion ?? 0;
    return Array.from({ length: count }, (_, place) => count - place).map((version) => ({
      version,
      event: byVersion.get(version),
    }));
  }, [events, workflow.publishedVersion]);
  const columns: Column<Row>[] = [
    {
      key: "version",
      header: "Version",
      cell: ({ version }) => (
        <span className="flex items-center gap-2">
          <Link
            to="/workflows/$workflowId"
            params={{ workflowId }}
            search={{ version }}
            className="font-medium hover:underline"
          >
            {version}
          </Link>
          {workflow.activeVersion === version && <Badge tone="good">active</Badge>}
        </span>
      ),
    },
    { key: "when", header: "Published", cell: ({ event }) => <Time value={event?.recordedAt} /> },
    { key: "who", header: "By", cell: ({ event }) => event?.actor.name ?? "–" },
    {
      key: "at",
      header: "Event",
      wideOnly: true,
      cell: ({ event }) => (event ? <PositionLink position={event.position} /> : "–"),
    },
    {
      key: "do",
      header: <span className="sr-only">What can be done</span>,
      align: "end",
      cell: ({ version }) =>
        workflow.activeVersion === version ? null : (
          <Button
            size="small"
            disabled={!can("WORKFLOW_WRITE")}
            isBusy={isActivating}
            onClick={() => void activate({ input: { workflowId, version } })}
          >
            Make active<span className="sr-only"> version {version}</span>
          </Button>
        ),
    },
  ];
  return (
    <div className="flex flex-col gap-6 p-4 md:p-6">
      <Table
        label="Published versions"
        rows={rows}
        columns={columns}
        keyOf={({ version }) => String(version)}
        empty={
          <EmptyState icon="workflow" title="Nothing is published yet">
            A version is made of the draft by Publish. It never changes again, so that each run can be told by what it
            ran.
          </EmptyState>
        }
      />
      {rows.length > 0 && <Comparison workflowId={workflowId} workflow={workflow} newest={rows[0]?.version ?? 0} />}
    </div>
  );
}

function versionOf({ payload }: Published): number {
  return isRecord(payload) && typeof payload.version === "number" ? payload.version : 0;
}

function Comparison({ workflowId, workflow, newest }: { workflowId: string; workflow: Workflow; newest: number }) {
  const { from = newest, to = 0 } = route.useSearch();
  const navigate = useNavigate({ from: "/workflows/$workflowId/versions" });
  const before = useDefinition(workflowId, workflow, from);
  const after = useDefinition(workflowId, workflow, to);
  const changes = useMemo(() => (before && after ? diffDefinitions(before, after) : undefined), [before, after]);
  const choices = [
    { value: "0", label: "the draft" },
    ...Array.from({ length: newest }, (_, place) => ({
      value: String(newest - place),
      label: `version ${newest - place}`,
    })),
  ];
  const choose = (part: { from?: number; to?: number }) =>
    void navigate({ search: { from, to, ...part }, replace: true });
  return (
    <section aria-label="Compare" className="flex flex-col gap-3">
      <div className="flex flex-wrap items-end gap-3">
        <Field label="From" className="w-40">
          <Select value={String(from)} choices={choices} onChange={(value) => choose({ from: Number(value) })} />
        </Field>
        <Field label="To" className="w-40">
          <Select value={String(to)} choices={choices} onChange={(value) => choose({ to: Number(value) })} />
        </Field>
      </div>
      <div className="rounded-md border bg-surface">
        {changes ? <DiffView label="What differs" changes={changes} /> : <Skeleton className="m-3 h-24" />}
      </div>
    </section>
  );
}

/** A version; 0 is the draft. */
function useDefinition(id: string, workflow: Workflow, version: number) {
  const [{ data }] = useQuery({ query: EditorVersion, variables: { id, version }, pause: version === 0 });
  const raw = version === 0 ? workflow.definition : data?.workflow?.definition;
  return useMemo(() => readDefinition(raw), [raw]);
}
