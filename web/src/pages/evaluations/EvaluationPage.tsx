import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, useLastWrite, useLive } from "@/api";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import type { EvaluationPageQuery } from "@/gql/graphql";
import {
  type Column,
  Elapsed,
  EmptyState,
  ErrorState,
  Facts,
  Icon,
  PageHeader,
  Progress,
  Skeleton,
  StatusBadge,
  Table,
  Time,
  VirtualTable,
  rowsOf,
} from "@/ui";
import { Copyable } from "@/ui/Copyable";
import { Panel } from "@/ui/Panel";
import { Share } from "@/ui/Share";
import { EvaluationChanged, OneEvaluation } from "./documents";
import { type Scorer, settingsOf } from "./scorers";
import { type CaseRow, type Report, scoreText, worstFirst } from "./scores";
import { RunLink, TriedLink, useTried } from "./Tried";

type Shown = NonNullable<EvaluationPageQuery["evaluation"]>;

const HEAD_PX = 34;
const ROW_PX = 36;

const route = getRouteApi("/evaluations/$evaluationId");

export function EvaluationPage() {
  const { evaluationId } = route.useParams();
  const waitFor = useLastWrite();
  const [{ data, error, fetching }, again] = useQuery({
    query: OneEvaluation,
    variables: { id: evaluationId, waitFor },
  });
  const reload = () => again({ requestPolicy: "network-only" });
  useLive(EvaluationChanged, { id: evaluationId }, reload, {
    position: (event) => event.events.position,
    fromNow: true,
  });
  const evaluation = data?.evaluation;
  if (evaluation?.id === evaluationId) return <OneShown evaluation={evaluation} />;
  return (
    <>
      <PageHeader title="Evaluation" above={<Link to="/evaluation-sets">Evaluation sets</Link>} />
      {error ? (
        <ErrorState fault={faultOf(error)} onRetry={reload} />
      ) : fetching || data === undefined ? (
        <div className="flex flex-col gap-3 p-6" aria-busy="true">
          <Skeleton className="h-6 w-1/2" />
          <Skeleton className="h-40" />
        </div>
      ) : (
        <EmptyState icon="evaluation" title="There is no such evaluation">
          Evaluations are found in their sets.{" "}
          <Link to="/evaluation-sets" className="text-accent underline">
            See all evaluation sets
          </Link>
          .
        </EmptyState>
      )}
    </>
  );
}

function OneShown({ evaluation }: { evaluation: Shown }) {
  const tried = useTried(evaluation);
  usePageTitle(tried, evaluation.setName ?? undefined, "Evaluation");
  const navigate = useNavigate();
  const compare = () => void navigate({ to: "/evaluations/compare", search: { after: evaluation.id } });
  const canCompare = evaluation.scored != null;
  useKeys(canCompare ? [{ keys: "c", does: "compare with another one", run: compare }] : [], "Evaluation");
  return (
    <>
      <PageHeader
        above={<Above setName={evaluation.setName} modelName={evaluation.modelName} />}
        title={
          <span className="inline-flex max-w-full flex-wrap items-center gap-x-2">
            <span className="truncate">{tried}</span>
            <StatusBadge status={evaluation.status} />
          </span>
        }
        actions={
          canCompare && (
            <Link
              to="/evaluations/compare"
              search={{ after: evaluation.id }}
              className="inline-flex h-8 items-center gap-1.5 rounded-md border border-line bg-surface px-3 text-sm font-medium hover:bg-hover"
            >
              <Icon name="compare" /> Compare
            </Link>
          )
        }
      >
        {evaluation.summary}
      </PageHeader>
      <div className="flex flex-col gap-4 p-4 md:p-6">
        {evaluation.status === "REQUESTED" && (
          <div role="status" className="text-[13px] text-muted">
            <Progress label="The evaluation is under way" />
            <p className="mt-1">A worker tries each case. What comes of it shows here by itself.</p>
          </div>
        )}
        {evaluation.failure != null && (
          <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-[13px] break-words text-bad">
            It could not be carried out: {evaluation.failure}
          </p>
        )}
        <div className="grid gap-4 lg:grid-cols-2">
          <Panel title="What was tried">
            <FactsOf evaluation={evaluation} />
          </Panel>
          {evaluation.scorers.length > 0 && (
            <Panel
              title="Scorers"
              hint="Their means over the cases that they could judge, from 0 (bad) to 1 (good)."
              isFlush
            >
              <Table
                label="Scorers"
                rows={evaluation.scorers}
                columns={scorerColumns(evaluation.scored?.scorers)}
                keyOf={(scorer) => scorer.name}
              />
            </Panel>
          )}
        </div>
        {evaluation.scored && (
          <CasesOfReport evaluation={evaluation} report={evaluation.scored} setName={evaluation.setName} />
        )}
      </div>
    </>
  );
}

function Above({ setName, modelName }: { setName?: string | null; modelName?: string | null }) {
  if (setName != null)
    return (
      <>
        <Link to="/evaluation-sets" className="hover:underline">
          Evaluation sets
        </Link>
        {" / "}
        <Link
          to="/evaluation-sets/$setName"
          params={{ setName }}
          search={{ tab: "evaluations" }}
          className="hover:underline"
        >
          {setName}
        </Link>
      </>
    );
  if (modelName != null)
    return (
      <Link to="/models/$modelName" params={{ modelName }} className="hover:underline">
        {modelName}
      </Link>
    );
  return <>Evaluation</>;
}

function FactsOf({ evaluation }: { evaluation: Shown }) {
  const { scored, backtest, setName, setVersion } = evaluation;
  const set = setName != null && setVersion != null && (
    <Link
      to="/evaluation-sets/$setName"
      params={{ setName }}
      search={{ version: setVersion }}
      className="text-accent hover:underline"
    >
      {setName}, version {setVersion}
    </Link>
  );
  const compared =
    backtest &&
    `${backtest.cases} recorded inferences: ${backtest.same} same, ${backtest.near} near, ${backtest.different} different, ${backtest.failed} failed, ${backtest.skipped} left out`;
  return (
    <Facts
      facts={[
        ["Tried", <TriedLink key="tried" subject={evaluation} />],
        ["On the cases of", set],
        ["Compared with", compared],
        ["Cases", scored && `${scored.cases}, ${scored.failed === 0 ? "none failed" : `${scored.failed} failed`}`],
        ["Asked for", <Time key="asked" value={evaluation.requestedAt} exact />],
        ["Ended", evaluation.endedAt != null && <Time key="ended" value={evaluation.endedAt} exact />],
        ["Took", <Elapsed key="took" from={evaluation.requestedAt} to={evaluation.endedAt} />],
        ["Id", <Copyable key="id" text={evaluation.id} label="Copy the evaluation's id" />],
      ]}
    />
  );
}

function scorerColumns(sums: Report["scorers"] | undefined): Column<Scorer>[] {
  const of = (scorer: Scorer) => sums?.find((one) => one.name === scorer.name);
  return [
    { key: "name", header: "Name", cell: (scorer) => <span className="font-medium">{scorer.name}</span> },
    { key: "how", header: "Judges by", cell: (scorer) => <span className="text-muted">{settingsOf(scorer)}</span> },
    {
      key: "mean",
      header: "Mean",
      cell: (scorer) => {
        const mean = of(scorer)?.mean;
        return (
          <span className="flex items-center gap-2">
            <span className="w-11 tabular-nums">{scoreText(mean)}</span>
            {mean != null && (
              <span className="w-16">
                <Share value={mean} />
              </span>
            )}
          </span>
        );
      },
    },
    { key: "judged", header: "Judged", align: "end", cell: (scorer) => of(scorer)?.count ?? "–" },
    {
      key: "none",
      header: <span title="Cases in which it had nothing to judge: they are not in its mean">Left out</span>,
      align: "end",
      cell: (scorer) => of(scorer)?.failed ?? "–",
    },
  ];
}

interface CasesOfReportProps {
  evaluation: Shown;
  report: Report;
  setName: string | null | undefined;
}

/** Each case with its scores, the worst first. */
function CasesOfReport({ evaluation, report, setName }: CasesOfReportProps) {
  const rows = worstFirst(report);
  return (
    <Panel
      title="Cases"
      hint="The worst first. Why is told of the worst hundred, by places and distances alone: what was run for a case has the rest."
      isFlush
    >
      <div className="flex flex-col" style={{ height: heightOf(rows.length) }}>
        <VirtualTable
          label="Cases"
          rows={rowsOf(rows)}
          columns={caseColumns(evaluation.scorers, setName, evaluation.setVersion)}
          keyOf={(row) => row.caseId}
        />
      </div>
    </Panel>
  );
}

function caseColumns(
  scorers: readonly Scorer[],
  setName: string | null | undefined,
  setVersion: number | null | undefined,
): Column<CaseRow>[] {
  return [
    {
      key: "case",
      header: "Case",
      width: "minmax(4rem, 12rem)",
      cell: (row) => <CaseLink caseId={row.caseId} setName={setName} setVersion={setVersion} />,
    },
    ...scorers.map((scorer, place): Column<CaseRow> => ({
      key: scorer.name,
      header: scorer.name,
      width: "5rem",
      align: "end",
      wideOnly: place > 0,
      cell: (row) => <span className="tabular-nums">{scoreText(row.scores[place])}</span>,
    })),
    {
      key: "why",
      header: "Why",
      width: "minmax(0, 1fr)",
      cell: (row) => <span className="text-muted">{row.why.join("; ")}</span>,
    },
    {
      key: "run",
      header: "Run",
      width: "6rem",
      wideOnly: true,
      cell: (row) => <RunLink run={row} label={row.agentRunId === undefined ? "execution" : "agent's run"} />,
    },
  ];
}

/** A table of cases takes what its rows need, and scrolls by itself where they are many. */
export function heightOf(rows: number): string {
  return `min(${HEAD_PX + rows * ROW_PX}px, 32rem)`;
}

export interface CaseLinkProps {
  caseId: string;
  setName: string | null | undefined;
  setVersion: number | null | undefined;
}

/** Leads to the case in its version of the set: what was given, and what was expected. */
export function CaseLink({ caseId, setName, setVersion }: CaseLinkProps) {
  if (setName == null || setVersion == null) return <>{caseId}</>;
  return (
    <Link
      to="/evaluation-sets/$setName"
      params={{ setName }}
      search={{ version: setVersion, case: caseId }}
      className="font-medium hover:underline"
    >
      {caseId}
    </Link>
  );
}
