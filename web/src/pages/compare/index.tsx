import { Link, getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useQuery } from "urql";
import { type Pager, faultOf, useLastWrite, useLive, usePager } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import {
  Badge,
  Button,
  type Column,
  EmptyState,
  ErrorState,
  Icon,
  Kbd,
  Money,
  PageHeader,
  Skeleton,
  Splitter,
  Switch,
  VirtualTable,
  duration,
} from "@/ui";
import { useIsWide } from "@/ui/wide";
import type { CompareSummaryQuery } from "@/gql/graphql";
import { CompareChanged, CompareSide, CompareSteps, CompareSummary } from "./documents";
import { Picker } from "./Picker";
import type { CompareSearch } from "./search";
import { Side } from "./Side";
import { StepDetail, type StepRow } from "./StepDetail";
import { type OfTotals, dearer, longerMs } from "./totals";
import { OUTCOMES, REASONS, stepName } from "./words";

const route = getRouteApi("/compare");
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function ComparePage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [picks, setPicks] = useState<"left" | "right" | undefined>();
  const waitFor = useLastWrite();
  const left = useSide(search.left, waitFor);
  const right = useSide(search.right, waitFor);
  const change = (next: Partial<CompareSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  const swap = () => change({ left: search.right, right: search.left, leftAt: search.rightAt, rightAt: search.leftAt });
  const names = [left, right].map((side) => side.data?.execution?.workflow?.name);
  usePageTitle(names[0], "Compare");
  useKeys([{ keys: "x", does: "swap the sides", run: swap }], "Compare");
  useActions([
    { id: "compare-left", label: "Choose the left execution", run: () => setPicks("left") },
    { id: "compare-right", label: "Choose the right execution", run: () => setPicks("right") },
    { id: "compare-swap", label: "Swap the sides", run: swap },
  ]);
  const isReady = left.data?.execution && right.data?.execution;
  const other = picks === "left" ? right.data?.execution : left.data?.execution;
  return (
    <>
      <PageHeader
        title="Compare"
        actions={
          <Button size="small" onClick={swap} disabled={search.left === undefined && search.right === undefined}>
            Swap <Kbd keys="x" />
          </Button>
        }
      />
      <div className="grid grid-cols-1 gap-3 border-b px-4 py-3 md:grid-cols-2 md:px-6">
        <Side name="Left" id={search.left} {...left} onChoose={() => setPicks("left")} />
        <Side name="Right" id={search.right} {...right} onChoose={() => setPicks("right")} />
      </div>
      {isReady && search.left !== undefined && search.right !== undefined ? (
        <Comparison
          key={`${search.left} ${search.right}`}
          search={search}
          left={search.left}
          right={search.right}
          leftEarlier={left.earlier}
          rightEarlier={right.earlier}
          totals={[left.data, right.data]}
          change={change}
          onChanged={() => {
            left.again();
            right.again();
          }}
        />
      ) : (
        (search.left === undefined || search.right === undefined) && (
          <EmptyState icon="compare" title="Two runs, step by step">
            Each run of a node is laid beside the same run on the other side: what differs first, because of what, and
            what that changed behind it. A fork or a retry is compared with what it goes on from: press <kbd>c</kbd> in
            it. Versions of a workflow are compared where they are listed:{" "}
            <Link to="/workflows" className="text-accent underline">
              choose the workflow
            </Link>
            , then its versions.
          </EmptyState>
        )
      )}
      {picks && (
        <Picker
          title={picks === "left" ? "Choose the left execution" : "Choose the right execution"}
          workflow={other?.workflow ?? undefined}
          other={other?.id}
          onPick={(id) => change({ [picks]: id, node: undefined, run: undefined })}
          onClose={() => setPicks(undefined)}
        />
      )}
    </>
  );
}

function useSide(id: string | undefined, waitFor: string | undefined) {
  const isId = id !== undefined && ID.test(id);
  const [{ data, error }, run] = useQuery({
    query: CompareSide,
    variables: { id: id ?? "", entity: id ?? "", waitFor },
    pause: !isId,
  });
  const none = { execution: null, stateAt: null, modelCalls: { nodes: [], pageInfo: { hasNextPage: false } } };
  const shown = id === undefined ? undefined : isId ? data : none;
  const earlier = data?.stateAt?.earlier;
  return {
    data: shown,
    fault: error && !data && isId ? faultOf(error) : undefined,
    earlier: typeof earlier === "number" ? earlier : 0,
    again: () => run({ requestPolicy: "network-only" }),
  };
}

interface ComparisonProps {
  search: CompareSearch;
  left: string;
  right: string;
  leftEarlier: number;
  rightEarlier: number;
  /** Both sides, as far as they are known. */
  totals: readonly [OfTotals | undefined, OfTotals | undefined];
  change: (next: Partial<CompareSearch>) => void;
  onChanged: () => void;
}

function Comparison(props: ComparisonProps) {
  const { search, left, right, leftEarlier, rightEarlier, totals, change, onChanged } = props;
  const leftAsOf = search.leftAt === undefined ? undefined : { position: search.leftAt };
  const rightAsOf = search.rightAt === undefined ? undefined : { position: search.rightAt };
  const waitFor = useLastWrite();
  const isWide = useIsWide(900);
  const sides = { left, right, leftAsOf, rightAsOf, waitFor };
  const differing = search.all !== true;
  // Totals are those of now.
  const isNow = leftAsOf === undefined && rightAsOf === undefined;
  const [{ data, error }, again] = useQuery({ query: CompareSummary, variables: sides });
  const rows = usePager(
    CompareSteps,
    { ...sides, differing },
    {
      connection: ({ compareExecutions: { steps } }) => ({
        nodes: steps.edges.map(({ node, cursor }): StepRow => ({ ...node, cursor })),
        pageInfo: steps.pageInfo,
      }),
      keyOf: keyOf,
    },
  );
  useLive(
    CompareChanged,
    {},
    ({ executionsChanged: { executionId } }) => {
      if (executionId !== left && executionId !== right) return;
      again({ requestPolicy: "network-only" });
      rows.reload();
      onChanged();
    },
    { position: (event) => event.executionsChanged.position, fromNow: true },
  );
  const summary = data?.compareExecutions;
  const wanted =
    search.node === undefined ? summary?.firstDivergence : { node: search.node, runIndex: search.run ?? 0 };
  const index = indexOf(rows, wanted);
  const isMissing = index < 0 && wanted != null && rows.hasMore;
  // The chosen step may lie further down than what is here.
  useEffect(() => {
    if (isMissing) rows.ensure(rows.count, rows.count);
  });
  const choose = (step: { node: string; runIndex: number }) =>
    change({ node: step.node, run: step.runIndex > 0 ? step.runIndex : undefined });
  const step = (by: 1 | -1) => {
    for (let at = index + by; at >= 0 && at < rows.count; at += by) {
      const row = rows.rowAt(at);
      if (row && (row.outcome !== "SAME" || row.nodeDiffers || row.inputsDiffer)) {
        choose(row);
        return;
      }
    }
    if (by === 1 && rows.hasMore) rows.ensure(rows.count, rows.count);
  };
  useKeys(
    [
      { keys: "n", does: "next difference", run: () => step(1) },
      { keys: "p", does: "difference before", run: () => step(-1) },
    ],
    "Compare",
  );
  if (error && !data)
    return (
      <ErrorState
        fault={faultOf(error)}
        title="They could not be compared"
        onRetry={() => again({ requestPolicy: "network-only" })}
      />
    );
  if (!summary) return <Skeleton className="m-6 h-24" />;
  const row = rows.rowAt(index);
  const detail = row && (
    <StepDetail
      step={row}
      after={rows.rowAt(index - 1)?.cursor}
      left={left}
      right={right}
      leftAsOf={leftAsOf}
      rightAsOf={rightAsOf}
      leftEarlier={leftEarlier}
      rightEarlier={rightEarlier}
      differing={differing}
      onStep={choose}
    />
  );
  const list = (
    <div className="flex min-h-0 flex-1 flex-col bg-surface">
      <div className="flex items-center justify-between gap-2 border-b px-4 py-1.5 md:px-6">
        <Switch
          label="Also what is the same"
          checked={!differing}
          onChange={(all) => change({ all: all || undefined })}
        />
        <span className="flex gap-1">
          <Button size="small" kind="quiet" onClick={() => step(-1)}>
            Before <Kbd keys="p" />
          </Button>
          <Button size="small" kind="quiet" onClick={() => step(1)}>
            Next <Kbd keys="n" />
          </Button>
        </span>
      </div>
      <VirtualTable
        label="Steps"
        rows={rows}
        columns={COLUMNS}
        keyOf={keyOf}
        selectedKey={row && keyOf(row)}
        onOpen={choose}
        onActive={choose}
        empty={
          <EmptyState
            icon="check"
            title="Every step is the same"
            action={
              <Button size="small" onClick={() => change({ all: true })}>
                Show the steps all the same
              </Button>
            }
          >
            Both ran the same nodes, and each gave the same.
          </EmptyState>
        }
      />
    </div>
  );
  return (
    <>
      <Verdict summary={summary} totals={isNow ? totals : undefined} onStep={choose} />
      {isWide ? (
        <Splitter
          label="Steps and what is other about one"
          initial={45}
          keepAs="compare"
          first={list}
          second={detail}
        />
      ) : (
        <div className="flex flex-1 flex-col">
          <div className="flex h-72 shrink-0 flex-col border-b">{list}</div>
          <div className="flex min-h-[28rem] flex-col">{detail}</div>
        </div>
      )}
    </>
  );
}

type Summary = CompareSummaryQuery["compareExecutions"];

function Verdict({
  summary,
  totals,
  onStep,
}: {
  summary: Summary;
  totals: ComparisonProps["totals"] | undefined;
  onStep: (step: { node: string; runIndex: number }) => void;
}) {
  const { cause, firstDivergence } = summary;
  const counts: [number, string][] = [
    [summary.sameCount, "the same"],
    [summary.changedCount, "gave something else"],
    [summary.onlyLeftCount, "only left"],
    [summary.onlyRightCount, "only right"],
  ];
  return (
    <section aria-label="Result" className="border-b bg-surface px-4 py-2.5 md:px-6">
      <p className="flex items-start gap-2 text-sm">
        <Icon
          name={summary.same ? "check" : "warning"}
          className={`mt-0.5 ${summary.same ? "text-good" : "text-warn"}`}
        />
        <span>
          {summary.same ? (
            "Both did the same and ended alike."
          ) : firstDivergence ? (
            <>
              They differ first at{" "}
              <button
                type="button"
                className="font-semibold text-accent hover:underline"
                onClick={() => onStep(firstDivergence)}
              >
                {stepName(firstDivergence)}
              </button>
              {cause && (
                <>
                  {stepName(cause.step) !== stepName(firstDivergence) && (
                    <>
                      {" "}
                      because of{" "}
                      <button
                        type="button"
                        className="font-semibold text-accent hover:underline"
                        onClick={() => onStep(cause.step)}
                      >
                        {stepName(cause.step)}
                      </button>
                    </>
                  )}
                  : {REASONS[cause.reason]}
                </>
              )}
              .
            </>
          ) : (
            "Every step is the same, but they ended otherwise."
          )}
        </span>
      </p>
      <p className="mt-1 flex flex-wrap gap-x-4 pl-6 text-xs text-muted">
        {counts.map(([count, words]) => (
          <span key={words} className="tabular-nums">
            <strong className="font-semibold text-text">{count.toLocaleString()}</strong> {words}
          </span>
        ))}
        {totals?.[0] && totals[1] && <Totals left={totals[0]} right={totals[1]} />}
      </p>
    </section>
  );
}

/** By how much the right one differs in all. */
function Totals({ left, right }: { left: OfTotals; right: OfTotals }) {
  const longer = longerMs(left, right);
  return (
    <>
      {longer !== undefined && longer !== 0 && (
        <span className="tabular-nums">
          right took <strong className="font-semibold text-text">{duration(Math.abs(longer))}</strong>{" "}
          {longer > 0 ? "longer" : "less"}
        </span>
      )}
      {dearer(left, right)
        .filter(([, amount]) => amount !== 0)
        .map(([currency, amount]) => (
          <span key={currency}>
            right cost{" "}
            <strong className="font-semibold text-text">
              <Money amount={Math.abs(amount).toFixed(9)} currency={currency} />
            </strong>{" "}
            {amount > 0 ? "more" : "less"}
          </span>
        ))}
    </>
  );
}

function keyOf(step: { node: string; runIndex: number }): string {
  return `${step.runIndex} ${step.node}`;
}

function indexOf(rows: Pager<StepRow>, wanted: { node: string; runIndex: number } | null | undefined): number {
  if (!wanted) return -1;
  for (let at = 0; at < rows.count; at += 1) {
    const row = rows.rowAt(at);
    if (row?.node === wanted.node && row.runIndex === wanted.runIndex) return at;
  }
  return -1;
}

const COLUMNS: Column<StepRow>[] = [
  {
    key: "outcome",
    header: "Outcome",
    width: "5.5rem",
    cell: ({ outcome }) => <Badge tone={OUTCOMES[outcome][1]}>{OUTCOMES[outcome][0]}</Badge>,
  },
  {
    key: "node",
    header: "Step",
    cell: (step) => (
      <>
        <span className="font-medium">{step.node}</span>
        {step.runIndex > 0 && <span className="text-muted"> run {step.runIndex + 1}</span>}
        {step.nodeDiffers && <span className="ml-2 text-xs text-accent">written otherwise</span>}
      </>
    ),
  },
  {
    key: "cause",
    header: "Because of",
    width: "8rem",
    wideOnly: true,
    cell: (step) => <span className="text-muted">{step.cause ? stepName(step.cause.step) : ""}</span>,
  },
  {
    key: "delta",
    header: "Time",
    width: "5rem",
    align: "end",
    cell: ({ durationDeltaMs: delta }) =>
      delta === null || delta === 0 ? (
        <span className="text-muted">–</span>
      ) : (
        <span className={`tabular-nums ${delta > 0 ? "text-bad" : "text-good"}`}>
          {delta > 0 ? "+" : "−"}
          {duration(Math.abs(delta))}
        </span>
      ),
  },
];
