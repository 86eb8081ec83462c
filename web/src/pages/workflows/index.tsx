import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useQuery } from "urql";
import { graphql, toast, useLastWrite, useLive, usePager, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import { moveWorkflow } from "@/parts/workflow-changes";
import { Button, EmptyState, Icon, Kbd, PageHeader, Switch, VirtualTable } from "@/ui";
import { Bulk } from "./Bulk";
import { type Row, columnsOf } from "./columns";
import { WorkflowsFolders, WorkflowsList } from "./documents";
import { FolderTree } from "./FolderTree";
import { folderTree } from "./folders";
import { ImportDialog } from "./ImportDialog";
import { MoveDialog } from "./MoveDialog";
import { NewDialog } from "./NewDialog";
import type { WorkflowsSearch } from "./search";
import { type WorkflowAction, useWorkflowActions } from "./use-actions";

const WorkflowsChanged = graphql(`
  subscription WorkflowsChanged($resumeFrom: Position) {
    events(filter: { categories: ["workflow"] }, resumeFrom: $resumeFrom) {
      position
      streamId
    }
  }
`);

const route = getRouteApi("/workflows");
/** How long somebody has to stop writing before the server is asked. */
const PAUSE_MS = 200;
const NONE: readonly File[] = [];

export function WorkflowsPage() {
  usePageTitle("Workflows");
  const { name, folder, archived, open } = route.useSearch();
  const navigate = useNavigate({ from: "/workflows" });
  const change = (part: Partial<WorkflowsSearch>, replace = false) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace });
  const { can } = useViewer();
  const mayWrite = can("WORKFLOW_WRITE");
  const waitFor = useLastWrite();
  const [stale, setStale] = useState<string | undefined>();
  const rows = usePager(
    WorkflowsList,
    { archived: archived ?? false, name, folder, waitFor },
    { connection: (data) => data.workflows, keyOf: (row) => row.id },
  );
  const [{ data: folderData }] = useQuery({
    query: WorkflowsFolders,
    variables: { waitFor },
    requestPolicy: "cache-and-network",
  });
  const folders = folderData?.workflowFolders ?? [];
  const all = folders.reduce((sum, one) => sum + one.workflowCount, 0);
  const [chosen, setChosen] = useState<ReadonlyMap<string, Row>>(new Map());
  const [active, setActive] = useState<Row | undefined>();
  const [dropped, setDropped] = useState<readonly File[]>(NONE);
  const [moving, setMoving] = useState<readonly Row[] | undefined>();
  const field = useRef<HTMLInputElement>(null);
  const actions = useWorkflowActions(() => setChosen(new Map()));

  useLive(
    WorkflowsChanged,
    {},
    ({ events: { position } }) => {
      // What this tab did shows by itself.
      if (waitFor === undefined || BigInt(position) > BigInt(waitFor)) setStale(position);
    },
    { position: (data) => data.events.position, fromNow: true },
  );
  const isStale = stale !== undefined && (waitFor === undefined || BigInt(stale) > BigInt(waitFor));

  const choose = (row: Row) => {
    const next = new Map(chosen);
    if (!next.delete(row.id)) next.set(row.id, row);
    setChosen(next);
  };
  const begin = (action: WorkflowAction, of: readonly Row[]) => {
    if (action === "move") setMoving(of);
    else actions.begin(action, of);
  };
  const own = chosen.size > 0 ? [...chosen.values()] : active ? [active] : [];
  const move = async (ids: readonly string[], to: string) => {
    const outcomes = await Promise.all(ids.map((id) => moveWorkflow(id, to)));
    const count = outcomes.filter((one) => one.kind === "done").length;
    if (count > 0) {
      const what = count === 1 ? "The workflow is" : `${count} workflows are`;
      toast({ tone: "good", title: to === "" ? `${what} in no folder now` : `${what} in ${to} now` });
    }
    setChosen(new Map());
  };
  useKeys(
    [
      { keys: "/", does: "find by name", run: () => field.current?.focus() },
      { keys: "x", does: "choose the row, or not", run: () => active && choose(active) },
      ...(mayWrite
        ? [
            { keys: "n", does: "new workflow", run: () => change({ open: "new" }) },
            { keys: "i", does: "import workflows", run: () => change({ open: "import" }) },
            { keys: "m", does: "move into a folder", run: () => own.length > 0 && setMoving(own) },
            { keys: "e", does: "archive", run: () => own.length > 0 && begin("archive", own) },
          ]
        : []),
      {
        keys: "v",
        does: "show the row's versions",
        run: () =>
          active && void navigate({ to: "/workflows/$workflowId/versions", params: { workflowId: active.id } }),
      },
      { keys: "Escape", does: "choose none", run: () => setChosen(new Map()) },
    ],
    "Workflows",
  );
  useActions([
    ...(mayWrite
      ? [
          { id: "workflow-new", label: "New workflow", keywords: "create make", run: () => change({ open: "new" }) },
          {
            id: "workflow-import",
            label: "Import workflows",
            keywords: "n8n paste file upload",
            run: () => change({ open: "import" }),
          },
        ]
      : []),
    {
      id: "workflow-archived",
      label: archived === true ? "Show workflows that are not archived" : "Show archived workflows",
      run: () => change({ archived: archived === true ? undefined : true }),
    },
    ...(chosen.size > 0
      ? [{ id: "chosen-export", label: `Export the ${chosen.size} chosen workflows`, run: () => begin("export", own) }]
      : []),
    ...(chosen.size > 0 && mayWrite
      ? [
          { id: "chosen-move", label: `Move the ${chosen.size} chosen workflows`, run: () => begin("move", own) },
          {
            id: "chosen-archive",
            label: `Archive the ${chosen.size} chosen workflows`,
            run: () => begin("archive", own),
          },
        ]
      : []),
  ]);
  const isDraggedOver = useFileDrop(mayWrite, (files) => {
    setDropped(files);
    change({ open: "import" });
  });
  const isNarrowed = name !== undefined || folder !== undefined || archived === true;

  return (
    <>
      <PageHeader
        title="Workflows"
        actions={
          <>
            <NameField ref={field} name={name} onName={(text) => change({ name: text }, true)} />
            {mayWrite && (
              <>
                <Button onClick={() => change({ open: "import" })}>Import</Button>
                <Button kind="primary" onClick={() => change({ open: "new" })}>
                  <Icon name="plus" /> New
                </Button>
              </>
            )}
          </>
        }
      />
      <div className="flex min-h-0 flex-1">
        <nav
          aria-label="Folders of workflows"
          className="hidden w-56 shrink-0 overflow-auto border-r bg-surface md:block"
        >
          <FolderTree
            tree={folderTree(folders)}
            all={all}
            folder={folder}
            onFolder={(path) => change({ folder: path })}
            onMove={mayWrite ? (ids, path) => void move(ids, path) : undefined}
          />
          <div className="border-t px-3 py-2.5 text-[13px]">
            <Switch
              label="Archived"
              checked={archived === true}
              onChange={(checked) => change({ archived: checked || undefined })}
            />
          </div>
        </nav>
        <div className="flex min-h-0 min-w-0 flex-1 flex-col">
          <PhoneFolders
            folders={folders.map((one) => one.path)}
            folder={folder}
            isArchived={archived === true}
            onChange={change}
          />
          {chosen.size > 0 && (
            <Bulk rows={[...chosen.values()]} mayWrite={mayWrite} onAct={begin} onNone={() => setChosen(new Map())} />
          )}
          {isStale && (
            <button
              type="button"
              className="border-b bg-info-soft px-4 py-1.5 text-left text-[13px] text-info md:px-6"
              onClick={() => {
                setStale(undefined);
                rows.reload();
              }}
            >
              Workflows changed meanwhile. Show them as they are now.
            </button>
          )}
          <VirtualTable
            label="Workflows"
            rows={rows}
            columns={columnsOf({
              folder,
              mayWrite,
              isChosen: (row) => chosen.has(row.id),
              chosen: [...chosen.keys()],
              onChoose: choose,
              onAct: begin,
            })}
            keyOf={(row) => row.id}
            rowHeight={44}
            onActive={setActive}
            onOpen={(row) => void navigate({ to: "/workflows/$workflowId", params: { workflowId: row.id } })}
            empty={
              isNarrowed ? (
                <EmptyState
                  icon="search"
                  title="No workflow is so"
                  action={
                    <Button onClick={() => change({ name: undefined, folder: undefined, archived: undefined })}>
                      Show all
                    </Button>
                  }
                >
                  {name === undefined
                    ? `None lies here.${mayWrite ? " Drag workflows onto a folder, or move them with m." : ""}`
                    : `None has “${name}” in its name here.`}
                </EmptyState>
              ) : (
                <NoWorkflows onOpen={mayWrite ? (dialog) => change({ open: dialog }) : undefined} />
              )
            }
          />
          <p className="hidden items-center gap-3 border-t bg-surface px-6 py-1.5 text-xs text-muted md:flex">
            <span>
              <Kbd keys="/" /> find
            </span>
            {mayWrite && (
              <>
                <span>
                  <Kbd keys="n" /> new
                </span>
                <span>
                  <Kbd keys="i" /> import
                </span>
              </>
            )}
            <span>
              <Kbd keys="x" /> choose
            </span>
            {mayWrite && (
              <span>
                <Kbd keys="m" /> move
              </span>
            )}
          </p>
        </div>
      </div>
      {isDraggedOver && (
        <div className="pointer-events-none fixed inset-3 z-40 flex items-center justify-center rounded-xl border-2 border-dashed border-accent bg-accent-soft/90 text-lg font-medium text-accent">
          Drop workflow files to import them
        </div>
      )}
      <ImportDialog
        isOpen={open === "import" && mayWrite}
        dropped={dropped}
        folder={folder}
        onClose={() => {
          setDropped(NONE);
          change({ open: undefined }, true);
        }}
        onImported={() => rows.reload()}
      />
      <NewDialog
        isOpen={open === "new" && mayWrite}
        folder={folder}
        onClose={() => change({ open: undefined }, true)}
      />
      <MoveDialog
        names={moving?.map((row) => row.name)}
        folders={folderTree(folders).map((one) => one.path)}
        present={moving?.length === 1 ? (moving[0]?.folder ?? "") : ""}
        onClose={() => setMoving(undefined)}
        onMove={(to) => move(moving?.map((row) => row.id) ?? [], to)}
      />
      {actions.dialog}
    </>
  );
}

/** Without `onOpen` for those who may not make any. */
function NoWorkflows({ onOpen }: { onOpen: ((dialog: "import" | "new") => void) | undefined }) {
  if (!onOpen)
    return (
      <EmptyState icon="workflow" title="No workflows yet">
        A workflow is what runs: nodes, and how data goes from one to the next. Making one needs workflow:write, which
        somebody who looks after accounts can give you.
      </EmptyState>
    );
  return (
    <EmptyState
      icon="workflow"
      title="No workflows yet"
      action={
        <div className="mt-1 flex gap-2">
          <Button kind="primary" onClick={() => onOpen("import")}>
            Import
          </Button>
          <Button onClick={() => onOpen("new")}>New, or an example</Button>
        </div>
      }
    >
      A workflow is what runs: nodes, and how data goes from one to the next. Drop files from n8n anywhere on this page,
      or on the command line:{" "}
      <code className="text-xs break-all">timeloom workflow import FILE --server {location.origin}</code>
    </EmptyState>
  );
}

interface NameFieldProps {
  ref: React.Ref<HTMLInputElement>;
  name: string | undefined;
  onName: (name: string | undefined) => void;
}

function NameField({ ref, name, onName }: NameFieldProps) {
  const [draft, setDraft] = useState({ of: name, text: name ?? "" });
  const text = draft.of === name ? draft.text : (name ?? "");
  const tell = useRef(onName);
  useEffect(() => {
    tell.current = onName;
  });
  useEffect(() => {
    const wanted = text.trim() === "" ? undefined : text.trim();
    if (wanted === name) return undefined;
    const timer = setTimeout(() => {
      // What is written goes on to count when the address says it.
      setDraft({ of: wanted, text });
      tell.current(wanted);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, name]);
  return (
    <input
      ref={ref}
      type="search"
      aria-label="Find by name"
      placeholder="Find by name"
      maxLength={200}
      value={text}
      onChange={(event) => setDraft({ of: name, text: event.target.value })}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.currentTarget.blur();
        setDraft({ of: name, text: "" });
      }}
      className="h-8 w-44 rounded-md border border-line-strong/60 bg-surface px-2.5 text-sm placeholder:text-muted md:w-56"
    />
  );
}

interface PhoneFoldersProps {
  folders: readonly string[];
  folder: string | undefined;
  isArchived: boolean;
  onChange: (change: Partial<WorkflowsSearch>) => void;
}

/** On a phone there is no room for a tree. */
function PhoneFolders({ folders, folder, isArchived, onChange }: PhoneFoldersProps) {
  return (
    <div className="flex items-center gap-3 border-b bg-surface px-4 py-2 md:hidden">
      <select
        aria-label="Folder"
        value={folder ?? ""}
        onChange={(event) => onChange({ folder: event.target.value === "" ? undefined : event.target.value })}
        className="h-8 min-w-0 flex-1 rounded-md border border-line-strong/60 bg-surface px-2 text-sm"
      >
        <option value="">All folders</option>
        {folderTree(folders.map((path) => ({ path, workflowCount: 0 }))).map(({ path }) => (
          <option key={path} value={path}>
            {path}
          </option>
        ))}
      </select>
      <Switch
        label="Archived"
        checked={isArchived}
        onChange={(checked) => onChange({ archived: checked || undefined })}
      />
    </div>
  );
}

/** Lets files be dropped anywhere in the window; says whether some are over it. */
function useFileDrop(isWanted: boolean, onFiles: (files: readonly File[]) => void): boolean {
  const [isOver, setOver] = useState(false);
  const latest = useRef(onFiles);
  useEffect(() => {
    latest.current = onFiles;
  });
  useEffect(() => {
    if (!isWanted) return undefined;
    const hasFiles = (event: globalThis.DragEvent) => event.dataTransfer?.types.includes("Files") === true;
    const onOver = (event: globalThis.DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: globalThis.DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: globalThis.DragEvent) => {
      setOver(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      latest.current([...(event.dataTransfer?.files ?? [])]);
    };
    addEventListener("dragover", onOver);
    addEventListener("dragleave", onLeave);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragover", onOver);
      removeEventListener("dragleave", onLeave);
      removeEventListener("drop", onDrop);
    };
  }, [isWanted]);
  return isOver;
}
