import { Link } from "@tanstack/react-router";
import type { WorkflowsListQuery } from "@/gql/graphql";
import { Badge, type Column, Icon, IconButton, Menu, type MenuItem, StatusBadge, Time } from "@/ui";
import { DRAGGED } from "./FolderTree";
import type { WorkflowAction } from "./use-actions";
import { useNavigate } from "@tanstack/react-router";

export type Row = WorkflowsListQuery["workflows"]["nodes"][number];

export interface OfColumns {
  folder: string | undefined;
  mayWrite: boolean;
  isChosen: (row: Row) => boolean;
  chosen: readonly string[];
  onChoose: (row: Row) => void;
  onAct: (action: WorkflowAction, rows: readonly Row[]) => void;
}

export function columnsOf({ folder, mayWrite, isChosen, chosen, onChoose, onAct }: OfColumns): Column<Row>[] {
  return [
    {
      key: "choose",
      header: <span className="sr-only">Chosen</span>,
      width: "1.25rem",
      cell: (row) => (
        <input
          type="checkbox"
          aria-label={`Choose ${row.name}`}
          checked={isChosen(row)}
          tabIndex={-1}
          onChange={() => onChoose(row)}
          className="block size-4 accent-accent"
        />
      ),
    },
    {
      key: "name",
      header: "Name",
      width: "minmax(0, 3fr)",
      cell: (row) => (
        <div
          draggable={mayWrite}
          onDragStart={(event) => {
            const ids = isChosen(row) ? chosen : [row.id];
            event.dataTransfer.setData(DRAGGED, ids.join("\n"));
            event.dataTransfer.effectAllowed = "move";
          }}
          className="min-w-0 leading-tight"
        >
          <Link
            to="/workflows/$workflowId"
            params={{ workflowId: row.id }}
            draggable={false}
            tabIndex={-1}
            className="block truncate font-medium hover:underline"
          >
            {row.name}
          </Link>
          <div className="flex gap-1.5 truncate text-xs text-muted">
            {row.folder !== "" && row.folder !== folder && <span>{row.folder} ·</span>}
            <span>{row.nodeCount === 1 ? "1 node" : `${row.nodeCount} nodes`}</span>
            {row.missingNodes.length > 0 && <span className="text-warn">· {row.missingNodes.length} missing here</span>}
          </div>
        </div>
      ),
    },
    { key: "state", header: "State", width: "7.5rem", cell: (row) => <State row={row} /> },
    {
      key: "version",
      header: "Version",
      width: "4rem",
      wideOnly: true,
      cell: (row) => (
        <Link
          to="/workflows/$workflowId/versions"
          params={{ workflowId: row.id }}
          tabIndex={-1}
          className="text-muted hover:text-text hover:underline"
          aria-label={`Versions of ${row.name}`}
        >
          {row.publishedVersion === null ? "–" : `v${row.publishedVersion}`}
        </Link>
      ),
    },
    {
      key: "last",
      header: "Last execution",
      width: "12rem",
      wideOnly: true,
      cell: (row) => {
        const [last] = row.executions.nodes;
        if (!last) return <span className="text-muted">never ran</span>;
        return (
          <span className="flex items-center gap-2">
            <Link
              to="/executions/$executionId"
              params={{ executionId: last.id }}
              tabIndex={-1}
              aria-label={`Last execution of ${row.name}: ${last.status.toLowerCase()}`}
            >
              <StatusBadge status={last.status} />
            </Link>
            <span className="text-xs text-muted">
              <Time value={last.startedAt} />
            </span>
          </span>
        );
      },
    },
    {
      key: "updated",
      header: "Changed",
      width: "6rem",
      wideOnly: true,
      cell: (row) => (
        <span className="text-muted">
          <Time value={row.history.updatedAt} />
        </span>
      ),
    },
    {
      key: "menu",
      header: <span className="sr-only">What can be done</span>,
      width: "1.75rem",
      cell: (row) => <RowMenu row={row} mayWrite={mayWrite} onAct={onAct} />,
    },
  ];
}

function State({ row }: { row: Row }) {
  if (row.archived) return <Badge>archived</Badge>;
  if (!row.active) return <Badge>{row.publishedVersion === null ? "draft" : "inactive"}</Badge>;
  const isOlder = row.activeVersion !== row.publishedVersion;
  return <Badge tone={isOlder ? "warn" : "good"}>active{isOlder ? ` v${row.activeVersion ?? ""}` : ""}</Badge>;
}

function RowMenu({ row, mayWrite, onAct }: { row: Row } & Pick<OfColumns, "mayWrite" | "onAct">) {
  const navigate = useNavigate();
  const params = { workflowId: row.id };
  const act = (action: WorkflowAction) => () => onAct(action, [row]);
  const items: (MenuItem | "line")[] = [
    { label: "Open", run: () => void navigate({ to: "/workflows/$workflowId", params }) },
    { label: "Versions", keys: "v", run: () => void navigate({ to: "/workflows/$workflowId/versions", params }) },
    { label: "Executions", run: () => void navigate({ to: "/executions", search: { workflow: row.id } }) },
    "line",
    { label: "Export", run: act("export") },
    ...(!mayWrite
      ? []
      : row.archived
        ? [{ label: "Take out of the archive", run: act("unarchive") }]
        : ([
            { label: "Move…", keys: "m", run: act("move") },
            row.active
              ? { label: "Deactivate…", run: act("deactivate") }
              : { label: "Activate", disabled: row.publishedVersion === null, run: act("activate") },
            "line",
            { label: "Archive…", keys: "e", isDangerous: true, run: act("archive") },
          ] as const)),
  ];
  return (
    <Menu
      trigger={
        <IconButton
          size="small"
          label={`What can be done with ${row.name}`}
          icon={<Icon name="more" />}
          tabIndex={-1}
        />
      }
      items={items}
    />
  );
}
