import { useBlocker, useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { toast, useChange, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { usePageTitle } from "@/app/title";
import { ConfirmDialog, type MenuItem } from "@/ui";
import type { EditorWorkflowQuery } from "@/gql/graphql";
import { actorInSentence } from "@/parts/ActorName";
import { PublishDialog } from "@/parts/publish/PublishDialog";
import { download, fileName } from "@/ui/download";
import { Canvas } from "./canvas/Canvas";
import { type Catalogue, useCatalogueFor } from "./catalogue";
import { ConflictBanner } from "./dialogs/ConflictBanner";
import { ProblemBanner } from "./dialogs/ProblemBanner";
import { ProblemList } from "./dialogs/ProblemList";
import { ReadOnlyBanner } from "./dialogs/ReadOnlyBanner";
import { SettingsDialog } from "./dialogs/SettingsDialog";
import { WebhooksDialog } from "./dialogs/WebhooksDialog";
import { WorkflowActivate, WorkflowDeactivate } from "@/parts/workflow-documents";
import { EditorChanged, EditorStart } from "./documents";
import { Header } from "./Header";
import { useClipboard, useEditorKeys } from "./keys";
import type { Definition } from "./model/definition";
import { nodeNamed } from "./model/definition";
import { portsOf } from "./model/ports";
import { NodePanel } from "./NodePanel";
import { Outline } from "./outline/Outline";
import { ConnectDialog } from "./palette/ConnectDialog";
import { NodePalette } from "./palette/NodePalette";
import { RenameDialog } from "./palette/RenameDialog";
import { RunBar } from "./run/RunBar";
import { RunDialog } from "./run/RunDialog";
import type { NodeStates } from "./run/states";
import { useRun, useRuns } from "./run/useRun";
import type { EditorSearch, NodeTab } from "./search";
import { Split } from "./Split";
import { Announcements, Announcer } from "./state/announcer";
import { Commands, type Place } from "./state/commands";
import { Draft, problemsOf, useDraft } from "./state/draft";
import { type Editor, EditorContext } from "./state/editor";
import { readProblems, readWorkflow, saver } from "./state/save";

export interface SessionProps {
  /** Absent until a new workflow was saved. */
  workflowId: string | undefined;
  initial: Definition;
  revision: number;
  workflow: EditorWorkflowQuery["workflow"] | undefined;
  catalogue: Catalogue;
  search: EditorSearch;
  onCreated: (id: string) => void;
}

type Open = "publish" | "settings" | "webhooks" | "run" | undefined;
const NO_STATES: NodeStates = new Map();

/** A draft that is edited, and everything around it. */
export function Session({
  workflowId,
  initial,
  revision,
  workflow,
  catalogue: types,
  search,
  onCreated,
}: SessionProps) {
  const navigate = useNavigate({ from: "/workflows/$workflowId" });
  const [announcer] = useState(() => new Announcer());
  const [draft] = useState(() => {
    const lacks = readProblems(workflow?.draftProblems ?? []);
    const made = new Draft(initial, revision, saver(workflowId, onCreated), undefined, lacks);
    if (search.node !== undefined) made.select([search.node]);
    return made;
  });
  const state = useDraft(draft);
  const definition = state.history.present;
  const catalogue = useCatalogueFor(definition, types);
  const commands = useMemo(() => new Commands(draft, catalogue, announcer.say), [draft, catalogue, announcer]);
  usePageTitle(definition.name === "" ? "Workflow" : definition.name);
  const { can } = useViewer();
  const isArchived = workflow?.archived ?? false;
  const isReadOnly = isArchived || !can("WORKFLOW_WRITE");
  const canRun = !isArchived && can("EXECUTION_RUN");
  useEffect(() => draft.fix(isReadOnly), [draft, isReadOnly]);

  const [place, setPlace] = useState<Place>();
  const [connecting, setConnecting] = useState<{ source: string; output: number }>();
  const [renaming, setRenaming] = useState<string>();
  const [open, setOpen] = useState<Open>();
  const [isListOpen, setListOpen] = useState(false);
  const { runs, again: readRuns } = useRuns(workflowId);
  const { run, isUnderWay } = useRun(search.run ?? runs[0]?.id);
  // A draft is no file to look at: it is downloaded.
  const asked = search.view === "file" ? undefined : search.view;
  const view = asked ?? (isNarrow() ? "outline" : "canvas");

  const setSearch = useCallback(
    (part: Partial<EditorSearch>) => void navigate({ search: (before) => ({ ...before, ...part }), replace: true }),
    [navigate],
  );
  const openNode = useCallback(
    (name: string | undefined, tab?: NodeTab) => {
      setSearch({ node: name, tab: name === undefined ? undefined : tab });
      if (name !== undefined) draft.select([name]);
      else requestAnimationFrame(() => focusCanvas(draft));
    },
    [setSearch, draft],
  );
  const shownRun = run?.id;
  const shownStatus = run?.status;
  const shownRuns = run?.runs;
  const editor = useMemo(
    (): Editor => ({
      draft,
      commands,
      catalogue,
      workflowId,
      isReadOnly,
      run:
        shownRun !== undefined && shownStatus !== undefined && shownRuns
          ? { id: shownRun, status: shownStatus, runs: shownRuns }
          : undefined,
      say: announcer.say,
      openNode,
      openPalette: setPlace,
      openConnect: (source, output) => setConnecting({ source, output }),
      openRename: setRenaming,
    }),
    [draft, commands, catalogue, workflowId, isReadOnly, shownRun, shownStatus, shownRuns, announcer, openNode],
  );

  const [start, isStarting] = useChange(EditorStart, {
    payload: (data) => data.startExecution,
    failed: "The workflow was not run",
  });
  const runNow = async (startNode?: string, items?: unknown) => {
    if (!(await draft.save())) {
      announcer.say("Not run: the draft is not saved");
      toast({ tone: "bad", title: "Not run", text: "The draft could not be saved; above it is said why." });
      return;
    }
    const id = draft.workflowId ?? workflowId;
    if (id === undefined) return;
    const outcome = await start({ input: { workflowId: id, mode: "MANUAL", waitFor: "STARTED", startNode, items } });
    if (outcome.kind === "refused" && draft.get().lacks.length > 0) setListOpen(true);
    if (outcome.kind !== "done" || !outcome.payload.executionId) return;
    announcer.say("The workflow runs");
    setSearch({ run: outcome.payload.executionId });
    readRuns({ requestPolicy: "network-only" });
  };
  useChangesElsewhere(draft, workflowId);
  useSayEnd(isUnderWay, run?.status, announcer);
  useEditorKeys({
    editor,
    isPanelOpen: search.node !== undefined,
    run: canRun ? () => void runNow() : undefined,
    publish: () => setOpen("publish"),
    toggleView: () => setSearch({ view: view === "canvas" ? "outline" : "canvas" }),
  });
  useClipboard(editor);
  const menu = useMenu(editor, workflow, canRun, setOpen, readRuns);

  const { problems: refused, lacks } = state;
  const told = useMemo(() => problemsOf({ problems: refused, lacks }), [refused, lacks]);
  const problems = useMemo(() => {
    const byNode = new Map<string, string>();
    // What matters most is told first.
    for (const { node, message } of told) if (node !== undefined && !byNode.has(node)) byNode.set(node, message);
    return byNode;
  }, [told]);
  const missing = useMemo(
    () => new Map((workflow?.missingNodes ?? []).map((one) => [one.node, one.message])),
    [workflow?.missingNodes],
  );
  const states = run?.states ?? NO_STATES;
  const source = nodeNamed(definition, connecting?.source);
  const main = (
    <div className="relative flex min-h-0 min-w-0 flex-1 flex-col" data-area="canvas">
      {view === "canvas" ? (
        <Canvas states={states} problems={problems} missing={missing} />
      ) : (
        <div className="min-h-0 flex-1 overflow-auto pt-8">
          <Outline states={states} problems={problems} />
        </div>
      )}
      <Announcements announcer={announcer} />
      <ViewSwitch view={view} onChange={(next) => setSearch({ view: next })} />
    </div>
  );
  return (
    <EditorContext value={editor}>
      <div className="flex min-h-0 flex-1 flex-col">
        <Header
          isActive={workflow?.active ?? false}
          activeVersion={workflow?.activeVersion ?? undefined}
          publishedVersion={workflow?.publishedVersion ?? undefined}
          folder={workflow?.folder ?? ""}
          isArchived={isArchived}
          isRunning={isStarting}
          problems={told}
          isListOpen={isListOpen}
          onProblems={() => setListOpen(!isListOpen)}
          onRun={canRun ? () => void runNow() : undefined}
          onPublish={() => setOpen("publish")}
          menu={menu}
        />
        {isReadOnly ? (
          <ReadOnlyBanner isArchived={isArchived} workflowId={workflowId} />
        ) : (
          <>
            <ConflictBanner />
            <ProblemBanner />
          </>
        )}
        {isListOpen && told.length > 0 && <ProblemList problems={told} onClose={() => setListOpen(false)} />}
        <div className="relative flex min-h-0 flex-1">
          {search.node === undefined ? (
            main
          ) : (
            <Split
              main={main}
              panel={
                <NodePanel name={search.node} tab={search.tab ?? "parameters"} missing={missing.get(search.node)} />
              }
            />
          )}
        </div>
        <RunBar run={run} isUnderWay={isUnderWay} runs={runs} onChoose={(id) => setSearch({ run: id })} />
      </div>
      <NodePalette
        place={place}
        catalogue={catalogue}
        onClose={() => setPlace(undefined)}
        onChoose={(type) => {
          if (place) commands.add(type, place);
          setPlace(undefined);
        }}
      />
      <ConnectDialog
        source={connecting?.source}
        output={connecting?.output ?? 0}
        outputs={source ? portsOf(source, catalogue.of(source.type), []).outputs : []}
        commands={commands}
        onClose={() => setConnecting(undefined)}
      />
      <RenameDialog
        name={renaming}
        onClose={() => setRenaming(undefined)}
        onRename={(from, to) => {
          const name = commands.rename(from, to);
          if (search.node === from) setSearch({ node: name });
        }}
      />
      <RunDialog
        isOpen={open === "run"}
        onClose={() => setOpen(undefined)}
        onRun={(node, items) => void runNow(node, items)}
      />
      <SettingsDialog isOpen={open === "settings"} onClose={() => setOpen(undefined)} />
      <PublishDialog
        workflowId={workflowId}
        isOpen={open === "publish"}
        isActive={workflow?.active ?? false}
        revision={() => draft.get().revision}
        nextVersion={(workflow?.publishedVersion ?? 0) + 1}
        onClose={() => setOpen(undefined)}
        save={() => draft.save()}
        problems={lacks.filter(({ hinders }) => hinders?.includes("PUBLISH"))}
        onProblem={(node) => {
          setOpen(undefined);
          openNode(node, "parameters");
        }}
      />
      <WebhooksDialog
        workflowId={workflowId}
        webhooks={workflow?.webhooks ?? []}
        isOpen={open === "webhooks"}
        onClose={() => setOpen(undefined)}
        save={() => draft.save()}
        onCalled={(id) => {
          setOpen(undefined);
          setSearch({ run: id });
        }}
      />
      <LeaveGuard draft={draft} workflowId={workflowId} />
    </EditorContext>
  );
}

function isNarrow(): boolean {
  return matchMedia("(max-width: 640px)").matches;
}

/** The keyboard goes on at the node that was open. */
function focusCanvas(draft: Draft): void {
  const name = draft.get().selection.at(-1);
  const area = document.querySelector<HTMLElement>("[data-area=canvas]");
  const node =
    name === undefined
      ? undefined
      : area?.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(name)}"]`);
  (node ?? area?.querySelector<HTMLElement>("[role=treeitem][tabindex='0']"))?.focus({ preventScroll: true });
}

function ViewSwitch({
  view,
  onChange,
}: {
  view: "canvas" | "outline";
  onChange: (view: "canvas" | "outline") => void;
}) {
  return (
    <div
      role="group"
      aria-label="View"
      className="absolute top-2 right-2 z-10 flex rounded-md border bg-raised p-0.5 shadow-sm"
    >
      {(["canvas", "outline"] as const).map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={view === one}
          onClick={() => onChange(one)}
          className="h-6 rounded px-2 text-xs text-muted hover:text-text aria-pressed:bg-hover aria-pressed:font-medium aria-pressed:text-text"
        >
          {one === "canvas" ? "Canvas" : "Outline"}
        </button>
      ))}
    </div>
  );
}

/** Takes in what others do to the same workflow, as they do it. */
function useChangesElsewhere(draft: Draft, workflowId: string | undefined): void {
  useLive(
    EditorChanged,
    { id: workflowId ?? "" },
    ({ events: event }) => {
      if (workflowId === undefined || event.revision <= draft.get().revision) return;
      void readWorkflow(workflowId, event.position).then((current) => {
        if (!current) return;
        const was = draft.definition;
        draft.changedElsewhere(current.theirs, current.revision, actorInSentence(event.actor), current.problems);
        if (draft.definition !== was)
          toast({
            tone: "info",
            title: `${actorInSentence(event.actor)} changed this workflow`,
            text: "What they did is shown. Undo goes back to what was here.",
          });
      });
    },
    { position: (data) => data.events.position, fromNow: true, enabled: workflowId !== undefined },
  );
}

/** Says how a run that was under way ended. */
function useSayEnd(isUnderWay: boolean, status: string | undefined, announcer: Announcer): void {
  const wasUnderWay = useRef(false);
  useEffect(() => {
    if (wasUnderWay.current && !isUnderWay && status !== undefined) announcer.say(ENDS[status] ?? "The run ended");
    wasUnderWay.current = isUnderWay;
  }, [isUnderWay, status, announcer]);
}

const ENDS: Readonly<Record<string, string>> = {
  COMPLETED: "The run is complete",
  FAILED: "The run failed",
  CANCELLED: "The run was cancelled",
};

function useMenu(
  { draft, workflowId, isReadOnly, say }: Editor,
  workflow: EditorWorkflowQuery["workflow"] | undefined,
  canRun: boolean,
  open: (what: Open) => void,
  readRuns: () => void,
): (MenuItem | "line")[] {
  const navigate = useNavigate();
  const [activate] = useChange(WorkflowActivate, {
    payload: (data) => data.activateWorkflow,
    failed: "The workflow is not active",
    done: "It takes calls and schedules now",
  });
  const [deactivate] = useChange(WorkflowDeactivate, {
    payload: (data) => data.deactivateWorkflow,
    failed: "The workflow is still active",
    done: "It takes no calls and schedules any more",
  });
  const isSaved = workflowId !== undefined;
  const isPublished = workflow?.publishedVersion !== null && workflow?.publishedVersion !== undefined;
  const saveFile = () => {
    download(`${fileName(draft.definition.name)}.json`, JSON.stringify(draft.definition, undefined, 2));
    say("Downloaded as a file");
  };
  const items: (MenuItem | "line")[] = [
    ...(canRun ? [{ label: "Run with items …", run: () => open("run") }] : []),
    { label: "Webhooks and forms", run: () => open("webhooks"), disabled: !isSaved },
    "line",
    ...(isReadOnly
      ? []
      : [
          workflow?.active === true
            ? { label: "Deactivate", run: () => void deactivate({ input: { workflowId: workflowId ?? "" } }) }
            : {
                label: "Activate the newest version",
                run: () => void activate({ input: { workflowId: workflowId ?? "" } }),
                disabled: !isSaved || !isPublished,
              },
        ]),
    {
      label: "Versions",
      run: () => void navigate({ to: "/workflows/$workflowId/versions", params: { workflowId: workflowId ?? "" } }),
      disabled: !isSaved,
    },
    {
      label: "Executions",
      run: () => void navigate({ to: "/executions", search: { workflow: workflowId } }),
      disabled: !isSaved,
    },
    "line",
    { label: "Settings", run: () => open("settings") },
    { label: "Download as a file", run: saveFile },
    { label: "Read the runs again", run: readRuns },
  ];
  useActions(
    items.flatMap((item) =>
      item === "line" || item.disabled === true
        ? []
        : [{ id: `editor ${item.label}`, label: `${item.label.replace(" …", "")} (this workflow)`, run: item.run }],
    ),
  );
  return items;
}

/** Nobody leaves with changes that are not saved without being asked. */
function LeaveGuard({ draft, workflowId }: { draft: Draft; workflowId: string | undefined }) {
  useEffect(() => {
    const ask = (event: BeforeUnloadEvent) => {
      if (draft.isSaved() || !draft.hasEdits()) return;
      void draft.save();
      event.preventDefault();
    };
    addEventListener("beforeunload", ask);
    return () => {
      removeEventListener("beforeunload", ask);
      draft.close();
    };
  }, [draft]);
  const blocker = useBlocker({
    shouldBlockFn: async ({ next }) => {
      const own = draft.workflowId ?? workflowId;
      if (own !== undefined && next.pathname === `/workflows/${own}`) return false;
      if (!draft.hasEdits() || draft.isSaved()) return false;
      return !(await draft.save());
    },
    enableBeforeUnload: false,
    withResolver: true,
  });
  return (
    <ConfirmDialog
      title="Leave with changes that are not saved?"
      isOpen={blocker.status === "blocked"}
      onClose={() => blocker.status === "blocked" && blocker.reset()}
      confirm="Leave without them"
      isDangerous
      onConfirm={() => {
        if (blocker.status === "blocked") blocker.proceed();
      }}
    >
      The draft cannot be saved as it is. What is not saved is lost when you leave.
    </ConfirmDialog>
  );
}
