import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useQuery } from "urql";
import { faultOf, toast } from "@/api";
import { usePageTitle } from "@/app/title";
import { Button, EmptyState, ErrorState, JsonView, PageHeader, Skeleton, Tabs } from "@/ui";
import { type Catalogue, useCatalogueFor } from "./catalogue";
import { EditorVersion } from "./documents";
import { readDefinition } from "./model/definition";
import { Outline } from "./outline/Outline";
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
}: {
  workflowId: string;
  version: number;
  catalogue: Catalogue;
}) {
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
            <Button isBusy={isBusy} onClick={() => void takeOver()}>
              Take into the draft
            </Button>
            <Button kind="primary" onClick={() => void navigate({ search: {} })}>
              To the draft
            </Button>
          </>
        }
      >
        Version {version}, as it was published. It never changes.
      </PageHeader>
      {definition ? (
        <Shown key={version} definition={definition} catalogue={catalogue} />
      ) : (
        <Skeleton className="m-4 h-60" />
      )}
    </>
  );
}

function Shown({
  definition,
  catalogue: types,
}: {
  definition: NonNullable<ReturnType<typeof readDefinition>>;
  catalogue: Catalogue;
}) {
  const [tab, setTab] = useState<"canvas" | "outline" | "file">("canvas");
  const catalogue = useCatalogueFor(definition, types);
  // Nothing is saved from here: moving nodes about only helps to look.
  const draft = useMemo(
    () => new Draft(definition, 1, () => Promise.resolve({ kind: "saved", revision: 1 }), Number.MAX_SAFE_INTEGER),
    [definition],
  );
  const editor = useMemo((): Editor => {
    const nothing = () => undefined;
    return {
      draft,
      catalogue,
      commands: new Commands(draft, catalogue, nothing),
      workflowId: undefined,
      run: undefined,
      say: nothing,
      openNode: nothing,
      openPalette: nothing,
      openConnect: nothing,
      openRename: nothing,
    };
  }, [draft, catalogue]);
  return (
    <EditorContext value={editor}>
      <Tabs
        label="Views of the version"
        value={tab}
        onChange={setTab}
        className="flex-1"
        tabs={[
          {
            value: "canvas",
            label: "Canvas",
            content: (
              <div className="relative h-full" data-area="canvas">
                <Canvas states={NOTHING} problems={NOTHING} missing={NOTHING} isReadOnly />
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
    </EditorContext>
  );
}
