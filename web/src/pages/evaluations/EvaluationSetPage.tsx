import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, useLastWrite, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { asOf } from "@/app/search";
import { usePageTitle } from "@/app/title";
import type { EvaluationSetPageQuery } from "@/gql/graphql";
import { MomentField } from "@/parts/MomentField";
import { Badge, Button, EmptyState, ErrorState, Icon, PageHeader, Skeleton, Tabs } from "@/ui";
import { AddCases } from "./AddCases";
import { Cases } from "./Cases";
import { OneSet, SetChanged } from "./documents";
import { Evaluations } from "./Evaluations";
import { RunEvaluation } from "./RunEvaluation";
import { Scores } from "./Scores";
import { type EvaluationSetSearch, SET_TABS } from "./search";

export type SetShown = NonNullable<EvaluationSetPageQuery["evaluationSet"]>;

/** The strip of tabs belongs to the head of the page. */
const TABS_CLASS = "flex-1 [&>[role=tablist]]:bg-surface md:[&>[role=tablist]]:px-3.5";

const route = getRouteApi("/evaluation-sets/$setName");

export function EvaluationSetPage() {
  const { setName } = route.useParams();
  const { at } = route.useSearch();
  usePageTitle(setName, "Evaluation sets");
  const lastWrite = useLastWrite();
  const waitFor = at === undefined ? lastWrite : undefined;
  const [{ data, error, fetching }, again] = useQuery({
    query: OneSet,
    variables: { name: setName, asOf: asOf(at), waitFor },
  });
  const reload = () => again({ requestPolicy: "network-only" });
  useLive(SetChanged, { name: setName }, reload, {
    position: (event) => event.events.position,
    fromNow: true,
    enabled: at === undefined,
  });
  const set = data?.evaluationSet;
  if (set?.name === setName) return <Shown set={set} />;
  return (
    <>
      <PageHeader title={setName} above={<Above at={at} />} />
      {error ? (
        <ErrorState fault={faultOf(error)} onRetry={reload} />
      ) : fetching || data === undefined ? (
        <div className="flex flex-col gap-3 p-6" aria-busy="true">
          <Skeleton className="h-6 w-1/2" />
          <Skeleton className="h-40" />
        </div>
      ) : (
        <EmptyState
          icon="evaluation"
          title={at === undefined ? "There is no set of this name" : "There was no set of this name"}
        >
          {at === undefined ? "It may have been misspelt." : "It was made later."}{" "}
          {at !== undefined && (
            <>
              <Link to="/evaluation-sets/$setName" params={{ setName }} className="text-accent underline">
                Show it as it is now
              </Link>
              , or{" "}
            </>
          )}
          <Link to="/evaluation-sets" className="text-accent underline">
            {at === undefined ? "See" : "see"} all evaluation sets
          </Link>
          .
        </EmptyState>
      )}
    </>
  );
}

function Above({ at }: { at: string | undefined }) {
  return (
    <Link to="/evaluation-sets" search={at === undefined ? {} : { at }} className="hover:underline">
      Evaluation sets
    </Link>
  );
}

function Shown({ set }: { set: SetShown }) {
  const { tab = "cases", at, open, version } = route.useSearch();
  const navigate = useNavigate({ from: "/evaluation-sets/$setName" });
  const put = (part: Partial<EvaluationSetSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  const { can } = useViewer();
  const mayRun = can("EXECUTION_RUN") && at === undefined;
  const go = (next: (typeof SET_TABS)[number]) => put({ tab: next === "cases" ? undefined : next });
  const step = (by: number) =>
    go(SET_TABS[(SET_TABS.indexOf(tab) + by + SET_TABS.length) % SET_TABS.length] ?? "cases");
  useKeys(
    [
      { keys: "]", does: "next tab", run: () => step(1) },
      { keys: "[", does: "tab before", run: () => step(-1) },
      ...(mayRun
        ? [
            { keys: "n", does: "add cases", run: () => put({ open: "add" }) },
            { keys: "r", does: "run it on a version", run: () => put({ open: "run" }) },
          ]
        : []),
    ],
    "Evaluation set",
  );
  useActions(
    mayRun
      ? [
          {
            id: "evaluation-set.run",
            label: `Try a version on ${set.name}`,
            keywords: "run evaluate",
            run: () => put({ open: "run" }),
          },
          { id: "evaluation-set.add", label: `Add cases to ${set.name}`, run: () => put({ open: "add" }) },
        ]
      : [],
  );
  const newest = set.versions.at(-1);
  const actions = (
    <>
      <MomentField key={at} value={at} onChange={(next) => next !== at && put({ at: next })} />
      {mayRun && (
        <>
          <Button onClick={() => put({ open: "add" })}>
            <Icon name="plus" /> Add cases
          </Button>
          <Button kind="primary" onClick={() => put({ open: "run" })}>
            <Icon name="play" /> Try a version
          </Button>
        </>
      )}
    </>
  );
  return (
    <>
      <PageHeader
        above={<Above at={at} />}
        title={
          <span className="inline-flex max-w-full flex-wrap items-center gap-x-2">
            <span className="truncate">{set.name}</span>
            <Badge>version {set.newestVersion}</Badge>
          </span>
        }
        actions={actions}
      >
        <span className="block max-w-3xl truncate" title={set.description}>
          {set.description}
        </span>
        {at !== undefined && (
          <span className="block text-warn">As it was then: nothing can be changed or run here.</span>
        )}
      </PageHeader>
      <Tabs
        label="Evaluation set"
        className={TABS_CLASS}
        value={tab}
        onChange={go}
        tabs={[
          {
            value: "cases",
            label: `Cases (${newest?.caseCount.toLocaleString() ?? 0})`,
            content: <Cases set={set} mayRun={mayRun} />,
          },
          {
            value: "evaluations",
            label: "Evaluations",
            content: <Evaluations set={set} onRun={mayRun ? () => put({ open: "run" }) : undefined} />,
          },
          { value: "scores", label: "Scores by version", content: <Scores set={set} /> },
        ]}
      />
      {open === "add" && mayRun && (
        <AddCases
          set={set}
          onClose={() => put({ open: undefined })}
          onDone={() => put({ open: undefined, tab: undefined, version: undefined })}
        />
      )}
      {open === "run" && mayRun && (
        <RunEvaluation
          set={set}
          version={version}
          onClose={() => put({ open: undefined })}
          onStarted={(id) => void navigate({ to: "/evaluations/$evaluationId", params: { evaluationId: id } })}
        />
      )}
    </>
  );
}
