import { Link, useNavigate } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import { useQuery } from "urql";
import { faultOf, toast, useViewer } from "@/api";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import { Button, EmptyState, ErrorState, JsonView, PageHeader, Skeleton, Tabs } from "@/ui";
import { type Catalogue, useCatalogueFor } from "./catalogue";
import { EditorVersion } from "./documents";
import { readDefinition } from "./model/definition";
import { NodePanel } from "./NodePanel";
import { Outline } from "./outline/Outline";
import type { EditorSearch, NodeTab } from "./search";
import { Split } from "./Split";
import { Commands } from "./state/commands";
import { Draft } from "./state/draft";
import { type Editor, EditorContext } from "./state/editor";
import { readWorkflow, saver } from "./state/save";
import { Canvas } from "./canvas/Canvas";

const NOTHING = new Map<string, never>();

/** A published version, as it is: to look at, and to take into the draft. */
export function VersionView({
  workflowId,
  version,
  catalogue,
  search,
}: {
  workflowId: string;
  version: number;
  catalogue: Catalogue;
  search: EditorSearch;
}) {
  const { can } = useViewer();
  const navigate = useNavigate({ from: "/workflows/$workflowId" });
  const [{ data, error }, again] = useQuery({ query: EditorVersion, variables: { id: workflowId, version } });
  const definition = useMemo(() => readDefinition(data?.workflow?.definition), [data]);
  const [isBusy, setBusy] = useState(false);
  usePageTitle(`Version ${version}`, definition?.name);
  const takeOver = async () => {
    if (!definition) return;
    setBusy(true);
    const now = await readWorkflow(workflowId);
    const outcome = now && (await saver(workflowId, () => undefined)(definition, now.theirs, now.revision));
    setBusy(false);
    if (outcome?.kind !== "saved") {
      toast({
        tone: "bad",
        title: "The draft stays as it is",
        text: outcome && "message" in outcome ? outcome.message : undefined,
        advice: "Reload, look at it, then try again.",
      });
      return;
    }
    toast({ tone: "good", title: `The draft is as version ${version} now` });
    void navigate({ search: {} });
  };
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={again} />;
  if (data && !definition)
    return (
      <EmptyState icon="workflow" title={`There is no version ${version}`}>
        <Link to="/workflows/$workflowId/versions" params={{ workflowId }} className="text-accent underline">
          All versions
        </Link>
      </EmptyState>
    );
  return (
    <>
      <PageHeader
        title={definition?.name ?? "Workflow"}
        above={
          <Link to="/workflows/$workflowId/versions" params={{ workflowId }} className="hover:underline">
            Versions
          </Link>
        }
        actions={
          <>
            {can("WORKFLOW_WRITE") && (
              <Button isBusy={isBusy} onClick={() => void takeOver()}>
                Take into the draft
              </Button>
            )}
            <Button kind="primary" onClick={() => void navigate({ search: {} })}>
              To the draft
            </Button>
          </>
        }
      >
        Version {version}, as it was published. It never changes.
      </PageHeader>
      {definition ? (
        <Shown key={version} definition={definition} catalogue={catalogue} search={search} />
      ) : (
        <Skeleton className="m-4 h-60" />
      )}
    </>
  );
}

function Shown({
  definition,
  catalogue: types,
  search: { node, tab: nodeTab, view },
}: {
  definition: NonNullable<ReturnType<typeof readDefinition>>;
  catalogue: Catalogue;
  search: EditorSearch;
}) {
  const navigate = useNavigate({ from: "/workflows/$workflowId" });
  const catalogue = useCatalogueFor(definition, types);
  const draft = useMemo(() => {
    const shown = new Draft(definition, 1, () => Promise.resolve({ kind: "saved", revision: 1 }));
    shown.fix(true);
    return shown;
  }, [definition]);
  const openNode = useCallback(
    (name: string | undefined, open?: NodeTab) => {
      if (name !== undefined) draft.select([name]);
      void navigate({
        search: (before) => ({ ...before, node: name, tab: name === undefined ? undefined : open }),
        replace: true,
      });
    },
    [navigate, draft],
  );
  const editor = useMemo((): Editor => {
    const nothing = () => undefined;
    return {
      draft,
      catalogue,
      commands: new Commands(draft, catalogue, nothing),
      workflowId: undefined,
      isReadOnly: true,
      run: undefined,
      say: nothing,
      openNode,
      openPalette: nothing,
      openConnect: nothing,
      openRename: nothing,
    };
  }, [draft, catalogue, openNode]);
  useKeys(
    node === undefined ? [] : [{ keys: "Escape", does: "close the node", run: () => openNode(undefined) }],
    "Editor",
  );
  const views = (
    <Tabs
      label="Views of the version"
      value={view ?? "canvas"}
      onChange={(next) => void navigate({ search: (before) => ({ ...before, view: next }), replace: true })}
      className="flex-1"
      tabs={[
        {
          value: "canvas",
          label: "Canvas",
          content: (
            <div className="relative h-full" data-area="canvas">
              <Canvas states={NOTHING} problems={NOTHING} missing={NOTHING} />
            </div>
          ),
        },
        { value: "outline", label: "Outline", content: <Outline states={NOTHING} problems={NOTHING} /> },
        {
          value: "file",
          label: "File",
          content: <JsonView label="Workflow file" value={definition} depth={3} className="h-full" />,
        },
      ]}
    />
  );
  return (
    <EditorContext value={editor}>
      <div className="relative flex min-h-0 flex-1">
        {node === undefined ? (
          views
        ) : (
          <Split main={views} panel={<NodePanel name={node} tab={nodeTab ?? "parameters"} missing={undefined} />} />
        )}
      </div>
    </EditorContext>
  );
}
