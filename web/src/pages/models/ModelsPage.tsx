import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { graphql, useLastWrite, useLive, useNewest, usePager, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import type { ModelsListQuery } from "@/gql/graphql";
import { Badge, Button, type Column, Duration, EmptyState, Icon, PageHeader, Tabs, Time, VirtualTable } from "@/ui";
import { CodeBlock } from "@/ui/CodeBlock";
import { AddModel } from "./AddModel";
import { Watches } from "./drift/Watches";
import { latencyOf, quantile } from "./metrics";

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
        aliases {
          alias
          version
        }
        versions {
          version
        }
        rollout {
          version
          percent
          shadow
        }
        loads(first: 5) {
          nodes {
            id
            version
            unloaded
            provider
          }
        }
        inferences(first: 30) {
          nodes {
            id
            askedAt
            status
            queueUs
            computeUs
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const ModelsChanged = graphql(`
  subscription ModelsChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["model"] }) {
      position
    }
  }
`);

type Row = ModelsListQuery["models"]["nodes"][number];

// A row asks for what its model did lately: fewer rows a page keep a page within what a request may cost.
const LIST = { connection: (data: ModelsListQuery) => data.models, keyOf: (row: Row) => row.id, pageSize: 25 };

export function ModelStateBadge({ model }: { model: { disabled: boolean; retired: boolean } }) {
  return (
    <Badge tone={model.disabled || model.retired ? "neutral" : "good"}>
      {model.retired ? "retired" : model.disabled ? "disabled" : "enabled"}
    </Badge>
  );
}

const COLUMNS: Column<Row>[] = [
  {
    key: "name",
    header: "Name",
    width: "minmax(7rem, 1fr)",
    cell: (row) => (
      <Link to="/models/$modelName" params={{ modelName: row.name }} className="font-medium hover:underline">
        {row.name}
      </Link>
    ),
  },
  {
    key: "description",
    header: "What it computes",
    width: "minmax(0, 2fr)",
    wideOnly: true,
    cell: (row) => <span className="text-muted">{row.description}</span>,
  },
  { key: "state", header: "State", width: "5.5rem", cell: (row) => <ModelStateBadge model={row} /> },
  {
    key: "version",
    header: "Answers",
    width: "7.5rem",
    cell: (row) => (
      <span className="inline-flex items-center gap-1.5">
        {row.promotedVersion == null ? <span className="text-muted">none yet</span> : `version ${row.promotedVersion}`}
        {row.rollout && <Badge tone="warn">{`${row.rollout.percent} %`}</Badge>}
      </span>
    ),
  },
  {
    key: "aliases",
    header: "Aliases",
    width: "7rem",
    wideOnly: true,
    cell: (row) =>
      row.aliases.map(({ alias, version }) => `@${alias} = ${version}`).join(", ") || (
        <span className="text-muted">–</span>
      ),
  },
  {
    key: "loaded",
    header: "In memory",
    width: "6.5rem",
    wideOnly: true,
    cell: (row) => {
      const loads = row.loads.nodes.filter((load) => load.unloaded == null);
      if (loads.length === 0) return <span className="text-muted">no</span>;
      return (
        <Badge tone="info">
          {loads.map((load) => `${load.version} ${load.provider === "CUDA" ? "GPU" : "CPU"}`).join(", ")}
        </Badge>
      );
    },
  },
  {
    key: "p95",
    header: <span title="Of the newest 30 that were written down">p95</span>,
    width: "4.5rem",
    align: "end",
    wideOnly: true,
    cell: (row) => {
      const p95 = quantile(
        row.inferences.nodes.flatMap((one) => latencyOf(one) ?? []),
        0.95,
      );
      return p95 === null ? <span className="text-muted">–</span> : <Duration milliseconds={p95 / 1000} />;
    },
  },
  {
    key: "asked",
    header: "Asked",
    width: "6rem",
    align: "end",
    wideOnly: true,
    cell: (row) => <Time value={row.inferences.nodes[0]?.askedAt} />,
  },
];

/** The strip of tabs belongs to the head of the page. */
const TABS_CLASS = "flex-1 [&>[role=tablist]]:bg-surface md:[&>[role=tablist]]:px-3.5";

const route = getRouteApi("/models");

export function ModelsPage() {
  usePageTitle("Models");
  const { tab, add, upload } = route.useSearch();
  const navigate = useNavigate({ from: "/models" });
  const { can } = useViewer();
  const mayWrite = can("REGISTRY_WRITE");
  const setAdd = (isOpen: boolean) =>
    void navigate({ search: (before) => ({ ...before, add: isOpen ? (true as const) : undefined }) });
  const go = (next: "models" | "drift") =>
    void navigate({ search: (before) => ({ ...before, tab: next === "drift" ? next : undefined }) });
  const other = () => go(tab === "drift" ? "models" : "drift");
  useKeys(
    [
      { keys: "]", does: "next tab", run: other },
      { keys: "[", does: "tab before", run: other },
      ...(mayWrite ? [{ keys: "n", does: "add a model", run: () => setAdd(true) }] : []),
    ],
    "Models",
  );
  useActions(
    mayWrite ? [{ id: "models.add", label: "Add a model", keywords: "upload onnx", run: () => setAdd(true) }] : [],
  );
  const button = mayWrite && (
    <Button kind="primary" onClick={() => setAdd(true)}>
      <Icon name="plus" /> Add a model
    </Button>
  );
  return (
    <>
      <PageHeader title="Models" actions={button} />
      <Tabs
        label="Models and watches"
        className={TABS_CLASS}
        value={tab ?? "models"}
        onChange={go}
        tabs={[
          { value: "models", label: "Models", content: <ModelList button={button} /> },
          { value: "drift", label: "Drift", content: <Watches /> },
        ]}
      />
      <AddModel
        isOpen={add === true}
        upload={upload}
        onUpload={(id) => void navigate({ search: (before) => ({ ...before, upload: id }), replace: true })}
        onClose={() => setAdd(false)}
        onDone={({ model }) => void navigate({ to: "/models/$modelName", params: { modelName: model } })}
      />
    </>
  );
}

function ModelList({ button }: { button: ReactNode }) {
  const navigate = useNavigate();
  const waitFor = useLastWrite();
  const rows = usePager(ModelsList, { waitFor }, LIST);
  const look = useNewest(ModelsList, { waitFor }, rows, LIST);
  useLive(ModelsChanged, {}, look, { position: (event) => event.events.position, fromNow: true });
  return (
    <div className="flex min-h-0 flex-1 flex-col bg-surface">
      <VirtualTable
        label="Models"
        rows={rows}
        columns={COLUMNS}
        keyOf={(row) => row.id}
        onOpen={(row) => void navigate({ to: "/models/$modelName", params: { modelName: row.name } })}
        empty={
          <EmptyState icon="model" title="No models yet" action={<div className="mt-2">{button}</div>}>
            <p className="mb-3">
              A model is a name with versions, each a file of the format ONNX that never changes. Add a file here, or
              one that is known in a package by the command line:
            </p>
            <div className="flex flex-col gap-2">
              <CodeBlock label="a model that chats" code={`timeloom model add smollm2 --server ${location.origin}`} />
              <CodeBlock
                label="a model that makes vectors"
                code={`timeloom model add minilm --server ${location.origin}`}
              />
            </div>
          </EmptyState>
        }
      />
    </div>
  );
}
