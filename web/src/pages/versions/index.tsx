import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useQuery } from "urql";
import { faultOf, graphql, sayFault, toast, useLastWrite, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import type { VersionsWorkflowQuery } from "@/gql/graphql";
import { download, fileName } from "@/ui/download";
import { PublishDialog } from "@/parts/publish/PublishDialog";
import { activateWorkflow, deactivateWorkflow, definitionOf, importWorkflow } from "@/parts/workflow-changes";
import {
  Badge,
  Button,
  ConfirmDialog,
  EmptyState,
  ErrorState,
  Field,
  JsonView,
  PageHeader,
  Select,
  Skeleton,
  Tabs,
} from "@/ui";
import { DiffOfVersions } from "./DiffOfVersions";
import { VersionsDefinition, VersionsWorkflow } from "./documents";
import { History } from "./History";
import { RolloutDialog, RolloutPanel } from "./Rollout";
import { TestCasesPanel } from "./TestCases";
import type { Side, VersionsSearch } from "./search";

const VersionsChanged = graphql(`
  subscription VersionsChanged($id: ID!, $resumeFrom: Position) {
    events(filter: { stream: { category: "workflow", id: $id } }, resumeFrom: $resumeFrom) {
      position
    }
  }
`);

const route = getRouteApi("/workflows/$workflowId/versions");
type Question = "activate" | "take" | "publish" | "deactivate" | "rollout";

export function VersionsPage() {
  const { workflowId } = route.useParams();
  const written = useLastWrite();
  const [changed, setChanged] = useState<string | undefined>();
  const [{ data, error }, again] = useQuery({
    query: VersionsWorkflow,
    variables: { id: workflowId, waitFor: newest(written, changed) },
  });
  useLive(VersionsChanged, { id: workflowId }, ({ events: { position } }) => setChanged(position), {
    position: (event) => event.events.position,
    fromNow: true,
  });
  const workflow = data?.workflow;
  usePageTitle("Versions", workflow?.name);
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={() => again()} />;
  if (data && !workflow)
    return (
      <EmptyState
        icon="workflow"
        title="There is no such workflow"
        action={
          <Link to="/workflows" className="text-sm font-medium text-accent underline">
            All workflows
          </Link>
        }
      >
        Its address may be of another server, or be cut off.
      </EmptyState>
    );
  if (!workflow)
    return (
      <>
        <PageHeader title={<Skeleton className="my-1 h-5 w-64" />} above="Versions" />
        <div className="flex flex-col gap-3 p-6">
          <Skeleton className="h-24" />
          <Skeleton className="h-24" />
        </div>
      </>
    );
  return <Versions workflow={workflow} stamp={changed} />;
}

type Workflow = NonNullable<VersionsWorkflowQuery["workflow"]>;

function Versions({ workflow, stamp }: { workflow: Workflow; stamp: string | undefined }) {
  const { id, name, publishedVersion, activeVersion, archived } = workflow;
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/workflows/$workflowId/versions" });
  const [question, setQuestion] = useState<Question | undefined>();
  const { can } = useViewer();
  const mayChange = !archived && can("WORKFLOW_WRITE");
  const right = search.right ?? "draft";
  const left = search.left ?? before(right, publishedVersion);
  const change = (part: Partial<VersionsSearch>) => void navigate({ search: (was) => ({ ...was, ...part }) });
  const setAdding = (isAdding: boolean) => change({ add: isAdding ? true : undefined });
  const choose = (side: Side) => change({ right: side, left: undefined });
  const all: Side[] = [
    "draft",
    ...Array.from({ length: publishedVersion ?? 0 }, (_, place) => (publishedVersion ?? 0) - place),
  ];
  const step = (by: number) => {
    const side = all[all.indexOf(right) + by];
    if (side !== undefined) choose(side);
  };
  const canActivate = mayChange && typeof right === "number" && right !== activeVersion && !workflow.rollout;
  const canRollOut = canActivate && activeVersion !== null;
  const canTake = mayChange && typeof right === "number";
  const save = async () => {
    const file = await definitionOf(id, right === "draft" ? undefined : right);
    if (file)
      download(
        `${fileName(name)}${right === "draft" ? "" : ` v${right}`}.json`,
        JSON.stringify(file.definition, null, 2),
      );
  };
  useKeys(
    [
      { keys: "j", does: "older version", run: () => step(1) },
      { keys: "k", does: "newer version", run: () => step(-1) },
      { keys: "p", does: "publish the draft", run: () => mayChange && setQuestion("publish") },
      { keys: "t", does: "add a test case", run: () => mayChange && setAdding(true) },
      { keys: "a", does: "activate the version", run: () => canActivate && setQuestion("activate") },
      {
        keys: "d",
        does: "show what changed, or the definition",
        run: () => change({ show: search.show ? undefined : "definition" }),
      },
    ],
    "Versions",
  );
  useActions([
    ...(mayChange
      ? [
          { id: "version-publish", label: "Publish the draft", keywords: "version", run: () => setQuestion("publish") },
          { id: "version-test", label: "Add a test case", keywords: "capsule replay", run: () => setAdding(true) },
        ]
      : []),
    ...(canActivate
      ? [{ id: "version-activate", label: `Activate ${nameOf(right)}`, run: () => setQuestion("activate") }]
      : []),
    ...(canTake
      ? [{ id: "version-take", label: `Take ${nameOf(right)} as the draft`, run: () => setQuestion("take") }]
      : []),
    { id: "version-export", label: `Export ${nameOf(right)}`, run: () => void save() },
    ...(can("EXECUTION_RUN")
      ? [
          {
            id: "version-evaluation-set",
            label: "Make an evaluation set of its executions",
            keywords: "cases recorded",
            run: () => void navigate({ to: "/evaluation-sets", search: { open: "new", workflow: id } }),
          },
        ]
      : []),
  ]);
  return (
    <>
      <PageHeader
        title={name}
        above={
          <>
            <Link to="/workflows" className="hover:underline">
              Workflows
            </Link>{" "}
            /{" "}
            <Link to="/workflows/$workflowId" params={{ workflowId: id }} className="hover:underline">
              Editor
            </Link>{" "}
            / Versions
          </>
        }
        actions={
          <>
            {archived && <Badge>archived</Badge>}
            {workflow.active ? (
              <Badge tone="good">version {activeVersion} is active</Badge>
            ) : (
              !archived && <Badge>inactive</Badge>
            )}
            {workflow.active && mayChange && (
              <Button kind="quiet" onClick={() => setQuestion("deactivate")}>
                Deactivate…
              </Button>
            )}
            {mayChange && (
              <Button kind="primary" onClick={() => setQuestion("publish")}>
                <span>
                  Publish<span className="hidden md:inline"> the draft</span>…
                </span>
              </Button>
            )}
          </>
        }
      />
      {workflow.rollout && <RolloutPanel workflowId={id} mayChange={mayChange} waitFor={stamp} />}
      <TestCasesPanel
        workflowId={id}
        mayChange={mayChange}
        isAdding={mayChange && search.add === true}
        onAdding={setAdding}
      />
      {workflow.missingNodes.length > 0 && (
        <p className="border-b bg-warn-soft px-4 py-1.5 text-[13px] text-warn md:px-6">
          The draft has {workflow.missingNodes.length === 1 ? "a node" : `${workflow.missingNodes.length} nodes`} that
          cannot run here, so that it cannot be published: {workflow.missingNodes.map((one) => one.node).join(", ")}.
        </p>
      )}
      <div className="flex min-h-0 flex-1 flex-col md:flex-row">
        <nav
          aria-label="Versions"
          className="max-h-48 shrink-0 overflow-auto border-b bg-surface md:max-h-none md:w-64 md:border-r md:border-b-0"
        >
          <History workflowId={id} activeVersion={activeVersion} right={right} onChoose={choose} stamp={stamp} />
        </nav>
        <section aria-label={nameOf(right)} className="flex min-h-0 min-w-0 flex-1 flex-col">
          <div className="flex flex-wrap items-center gap-2 border-b bg-surface px-4 py-2 md:px-6">
            <h2 className="mr-2 text-sm font-semibold">{nameOf(right)}</h2>
            {canActivate && (
              <Button size="small" onClick={() => setQuestion("activate")}>
                {activeVersion !== null && right < activeVersion ? "Roll back to it…" : "Activate…"}
              </Button>
            )}
            {canRollOut && (
              <Button size="small" onClick={() => setQuestion("rollout")}>
                Roll out…
              </Button>
            )}
            {canTake && (
              <Button size="small" onClick={() => setQuestion("take")}>
                Take as draft…
              </Button>
            )}
            <Button size="small" kind="quiet" onClick={() => void save()}>
              Export
            </Button>
            <Link
              to="/workflows/$workflowId"
              params={{ workflowId: id }}
              search={right === "draft" ? {} : { version: right }}
              className="inline-flex h-7 items-center rounded-md px-2 text-[13px] font-medium text-muted hover:bg-hover hover:text-text"
            >
              On the canvas
            </Link>
          </div>
          <Tabs
            label="What is shown"
            className="flex-1"
            value={search.show ?? "changes"}
            onChange={(tab) => change({ show: tab === "definition" ? "definition" : undefined })}
            tabs={[
              {
                value: "changes",
                label: "What changed",
                content: (
                  <Changes
                    id={id}
                    all={all}
                    left={left}
                    right={right}
                    onLeft={(side) => change({ left: side })}
                    stamp={stamp}
                  />
                ),
              },
              {
                value: "definition",
                label: "Definition",
                content: <Definition id={id} side={right} stamp={stamp} />,
              },
            ]}
          />
        </section>
      </div>
      <Questions
        workflow={workflow}
        version={typeof right === "number" ? right : undefined}
        question={question}
        onClose={() => setQuestion(undefined)}
        onChoose={choose}
      />
    </>
  );
}

interface ChangesProps {
  id: string;
  all: readonly Side[];
  left: Side | undefined;
  right: Side;
  onLeft: (side: Side) => void;
  stamp: string | undefined;
}

function Changes({ id, all, left, right, onLeft, stamp }: ChangesProps) {
  const older = useDefinition(id, left, stamp);
  const newer = useDefinition(id, right, stamp);
  const others = all.filter((side) => side !== right);
  let content: ReactNode;
  if (left === undefined)
    content = (
      <EmptyState icon="compare" title={right === "draft" ? "Nothing was published yet" : "This is the first version"}>
        {right === "draft"
          ? "When a version is published, what the draft changes of it is shown here."
          : "There is nothing before it to compare with. Choose another one above."}
      </EmptyState>
    );
  else if (older.fault ?? newer.fault) {
    const fault = older.fault ?? newer.fault;
    content = fault && <ErrorState fault={fault} onRetry={older.fault ? older.again : newer.again} />;
  } else if (!older.isThere || !newer.isThere) content = <Bones />;
  else if (older.definition === null || newer.definition === null)
    content = (
      <EmptyState icon="workflow" title="There is no such version">
        Choose one from the list of versions.
      </EmptyState>
    );
  else
    content = (
      <DiffOfVersions
        left={older.definition}
        right={newer.definition}
        leftName={nameOf(left)}
        rightName={nameOf(right)}
      />
    );
  return (
    <>
      {others.length > 0 && (
        <div className="flex items-center gap-2 px-4 pt-4 text-[13px] text-muted md:px-6">
          <span aria-hidden>From</span>
          <Field label="Compared with" hideLabel className="w-36">
            <Select
              value={left === undefined ? "" : String(left)}
              choices={[
                ...(left === undefined ? [{ value: "", label: "–" }] : []),
                ...others.map((side) => ({ value: String(side), label: nameOf(side) })),
              ]}
              onChange={(side) => onLeft(side === "draft" ? "draft" : Number(side))}
            />
          </Field>
          <span>to {nameOf(right)}</span>
        </div>
      )}
      {content}
    </>
  );
}

function Definition({ id, side, stamp }: { id: string; side: Side; stamp: string | undefined }) {
  const { definition, isThere, fault, again } = useDefinition(id, side, stamp);
  if (fault) return <ErrorState fault={fault} onRetry={again} />;
  if (!isThere) return <Bones />;
  if (definition === null)
    return (
      <EmptyState icon="workflow" title="There is no such version">
        Choose one from the list of versions.
      </EmptyState>
    );
  return <JsonView label={`the definition of ${nameOf(side)}`} value={definition} depth={3} className="h-full" />;
}

function Bones() {
  return (
    <div className="flex flex-col gap-3 p-4 md:p-6">
      <Skeleton className="h-5 w-48" />
      <Skeleton className="h-20" />
      <Skeleton className="h-20" />
    </div>
  );
}

function useDefinition(id: string, side: Side | undefined, stamp: string | undefined) {
  const written = useLastWrite();
  const [{ data, error, fetching }, again] = useQuery({
    query: VersionsDefinition,
    // A version never changes, so that it is read once.
    variables: {
      id,
      version: side === "draft" ? null : side,
      waitFor: side === "draft" ? newest(written, stamp) : undefined,
    },
    requestPolicy: side === "draft" ? "cache-and-network" : "cache-first",
    pause: side === undefined,
  });
  const isOf = data?.workflow?.id === id;
  return {
    definition: data?.workflow?.definition ?? null,
    isThere: isOf && !(fetching && data.workflow?.definition === undefined),
    fault: error && !data ? faultOf(error) : undefined,
    again: () => again({ requestPolicy: "network-only" }),
  };
}

interface QuestionsProps {
  workflow: Workflow;
  version: number | undefined;
  question: Question | undefined;
  onClose: () => void;
  onChoose: (side: Side) => void;
}

function Questions({ workflow, version, question, onClose, onChoose }: QuestionsProps) {
  const { id, activeVersion } = workflow;
  const activate = async () => {
    const outcome = await activateWorkflow(id, version);
    if (outcome.kind !== "done") return false;
    toast({ tone: "good", title: `Version ${version ?? ""} is active` });
    return true;
  };
  const deactivate = async () => (await deactivateWorkflow(id)).kind === "done";
  const take = async () => {
    const file = await definitionOf(id, version);
    if (!file) return false;
    const outcome = await importWorkflow({ workflowId: id, definition: file.definition });
    if (outcome.kind === "done") {
      toast({ tone: "good", title: `The draft is as version ${version ?? ""} was` });
      onChoose("draft");
      return true;
    }
    if (outcome.kind === "fault") sayFault("The draft was not changed", outcome.fault);
    else
      toast({
        tone: "bad",
        title: "The draft was not changed",
        text: outcome.errors.map((error) => error.message).join(" · "),
        requestId: outcome.requestId,
      });
    return false;
  };
  return (
    <>
      <ConfirmDialog
        title={`Activate version ${version ?? ""}`}
        isOpen={question === "activate"}
        onClose={onClose}
        confirm="Activate"
        onConfirm={activate}
      >
        It takes calls and schedules from now on
        {activeVersion === null ? "." : `, in place of version ${activeVersion}.`} Executions that are under way go on
        with what they began with. The draft stays as it is.
      </ConfirmDialog>
      <ConfirmDialog
        title="Deactivate the workflow"
        isOpen={question === "deactivate"}
        onClose={onClose}
        confirm="Deactivate"
        onConfirm={deactivate}
      >
        Its webhooks and schedules start nothing any more. What runs goes on.
      </ConfirmDialog>
      <ConfirmDialog
        title={`Take version ${version ?? ""} as the draft`}
        isOpen={question === "take"}
        onClose={onClose}
        confirm="Take it"
        onConfirm={take}
      >
        The draft becomes what version {version} is. What the draft is now stays in the workflow's history. Nothing that
        runs changes by it.
      </ConfirmDialog>
      {version !== undefined && activeVersion !== null && (
        <RolloutDialog
          isOpen={question === "rollout"}
          onClose={onClose}
          workflowId={id}
          version={version}
          activeVersion={activeVersion}
        />
      )}
      <PublishDialog
        isOpen={question === "publish"}
        onClose={onClose}
        workflowId={id}
        revision={() => workflow.history.revision}
        nextVersion={(workflow.publishedVersion ?? 0) + 1}
        isActive={workflow.active}
        onPublished={onChoose}
      />
    </>
  );
}

/** What something is compared with when nothing is said: the version before it. */
function before(right: Side, publishedVersion: number | null): Side | undefined {
  if (right === "draft") return publishedVersion ?? undefined;
  return right > 1 ? right - 1 : undefined;
}

function nameOf(side: Side): string {
  return side === "draft" ? "Draft" : `Version ${side}`;
}

function newest(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return BigInt(left) > BigInt(right) ? left : right;
}
