import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, useLastWrite, useLive } from "@/api";
import { asOf } from "@/app/search";
import { type Column, EmptyState, ErrorState, Skeleton, Table, Time } from "@/ui";
import { Panel } from "@/ui/Panel";
import { Share } from "@/ui/Share";
import { EvaluationsChanged, EvaluationsOfSet } from "./documents";
import type { SetShown } from "./EvaluationSetPage";
import { Difference } from "./Difference";
import { settingsOf } from "./scorers";
import { type VersionScores, scoreText, scoresByVersion } from "./scores";
import { TriedName } from "./Tried";
import { VersionField, versionOf } from "./VersionField";

/** Evaluations that are looked at. */
const NEWEST = 100;

const route = getRouteApi("/evaluation-sets/$setName");

/** What came of each version that was tried on a version of the set, and how it differs from the version before. */
export function Scores({ set }: { set: SetShown }) {
  const { version: said, at } = route.useSearch();
  const navigate = useNavigate({ from: "/evaluation-sets/$setName" });
  const lastWrite = useLastWrite();
  const waitFor = at === undefined ? lastWrite : undefined;
  const [{ data, error }, again] = useQuery({
    query: EvaluationsOfSet,
    variables: { set: set.name, status: "COMPLETED", first: NEWEST, asOf: asOf(at), waitFor },
  });
  const reload = () => again({ requestPolicy: "network-only" });
  useLive(EvaluationsChanged, {}, reload, {
    position: (event) => event.events.position,
    fromNow: true,
    enabled: at === undefined,
  });
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={reload} />;
  if (!data)
    return (
      <div className="p-4 md:p-6" aria-busy="true">
        <Skeleton className="h-40" />
      </div>
    );
  const { nodes, pageInfo } = data.evaluations;
  // A version that nothing was tried on says nothing: the newest of the others is shown where none is named.
  const newestTried = Math.max(0, ...nodes.map((one) => one.setVersion ?? 0));
  const version = versionOf(set, said ?? newestTried);
  const { scorers, rows } = scoresByVersion(nodes, version);
  const columns: Column<VersionScores>[] = [
    {
      key: "tried",
      header: "Version",
      cell: ({ evaluation }) => (
        <Link
          to="/evaluations/$evaluationId"
          params={{ evaluationId: evaluation.id }}
          className="font-medium whitespace-nowrap hover:underline"
        >
          <TriedName subject={evaluation} />
        </Link>
      ),
    },
    ...scorers.map((scorer, place): Column<VersionScores> => ({
      key: `${place} ${scorer.name}`,
      header: <span title={settingsOf(scorer)}>{scorer.name}</span>,
      cell: ({ means, differences }) => <Mean mean={means[place]} difference={differences[place]} />,
    })),
    { key: "asked", header: "Asked for", cell: ({ evaluation }) => <Time value={evaluation.requestedAt} /> },
    {
      key: "compare",
      header: "Case by case",
      cell: ({ evaluation, before }) =>
        before ? (
          <Link
            to="/evaluations/compare"
            search={{ before: before.id, after: evaluation.id }}
            className="whitespace-nowrap text-accent hover:underline"
          >
            compare with version {before.version}
          </Link>
        ) : (
          <span className="text-muted">–</span>
        ),
    },
  ];
  return (
    <div className="flex flex-col gap-4 p-4 md:p-6">
      <div className="w-56">
        <VersionField
          set={set}
          version={version}
          onChange={(next) => void navigate({ search: (before) => ({ ...before, version: next }), replace: true })}
        />
      </div>
      <Panel
        title={`Mean scores on version ${version} of the set`}
        hint={`From 0 (bad) to 1 (good), of the newest evaluation of each version${pageInfo.hasNextPage ? `, among the newest ${NEWEST} evaluations` : ""}. The second number is the difference to the version before.`}
        isFlush
      >
        <Table
          label="Scores by version"
          rows={rows}
          columns={columns}
          keyOf={({ evaluation }) => evaluation.id}
          empty={
            <EmptyState icon="evaluation" title="Nothing was tried on this version yet">
              Try a version of a model, a workflow or an agent on it, and its scores are here.
            </EmptyState>
          }
        />
      </Panel>
    </div>
  );
}

function Mean({ mean, difference }: { mean: number | undefined; difference: number | undefined }) {
  if (mean === undefined) return <span className="text-muted">–</span>;
  return (
    <span className="flex min-w-28 items-center gap-2">
      <span className="w-11 tabular-nums">{scoreText(mean)}</span>
      <span className="w-12">
        <Share value={mean} />
      </span>
      {difference !== undefined && <Difference value={difference} />}
    </span>
  );
}
