import type { DriftVerdict } from "@/gql/schema";
import { Badge, type Column, EmptyState, Table } from "@/ui";
import { PsiBar } from "./PsiBar";
import { type Judged, type Report, TESTS, VERDICTS, chanceWords, few, judgedOf, tallyOf, tallyWords } from "./report";

export function VerdictBadge({ verdict }: { verdict: DriftVerdict }) {
  const { words, tone } = VERDICTS[verdict];
  return <Badge tone={tone}>{words}</Badge>;
}

/** Two numbers, then and now. */
function Pair({ before, now }: { before: string; now: string }) {
  return (
    <span className="whitespace-nowrap tabular-nums">
      {before} <span aria-hidden>→</span>
      <span className="sr-only">then, now</span> {now}
    </span>
  );
}

function columnsOf(bounds: { moderate: number; drifted: number }): Column<Judged>[] {
  return [
    {
      key: "feature",
      header: "Feature",
      cell: (one) => (
        <span className="font-mono text-xs break-all">
          {one.feature}
          {one.isMissing && <span className="font-sans text-muted"> missing</span>}
        </span>
      ),
    },
    { key: "verdict", header: "Verdict", cell: (one) => <VerdictBadge verdict={one.verdict} /> },
    {
      key: "psi",
      header: <span title="Population stability index">Index</span>,
      align: "end",
      cell: (one) => <span className="tabular-nums">{few(one.shift?.psi)}</span>,
    },
    {
      key: "bar",
      header: <span className="sr-only">Index beside its bounds</span>,
      wideOnly: true,
      cell: (one) => one.shift && <PsiBar psi={one.shift.psi} verdict={one.verdict} bounds={bounds} />,
    },
    {
      key: "test",
      header: "Test",
      align: "end",
      wideOnly: true,
      cell: (one) =>
        one.shift && (
          <span className="whitespace-nowrap tabular-nums" title={TESTS[one.kind].title}>
            <span className="text-muted">{TESTS[one.kind].words}</span> {few(one.shift.test)}
          </span>
        ),
    },
    {
      key: "chance",
      header: <span title="How likely that much is by chance">Chance</span>,
      align: "end",
      cell: (one) => <span className="whitespace-nowrap tabular-nums">{chanceWords(one.shift?.pValue)}</span>,
    },
    {
      key: "mean",
      header: "Mean",
      align: "end",
      wideOnly: true,
      cell: ({ means: [before, now] }) =>
        before === null && now === null ? null : <Pair before={few(before)} now={few(now)} />,
    },
    {
      key: "counts",
      header: "How often",
      align: "end",
      wideOnly: true,
      cell: ({ counts: [before, now] }) => <Pair before={before.toLocaleString()} now={now.toLocaleString()} />,
    },
  ];
}

function countsWords({ inferences, notKept, erased }: Report["window"], what = ""): string {
  const parts = [
    ...(notKept > 0 ? [`${notKept.toLocaleString()} not kept whole`] : []),
    ...(erased > 0 ? [`${erased.toLocaleString()} erased`] : []),
  ];
  return inferences.toLocaleString() + what + (parts.length > 0 ? ` (${parts.join(", ")})` : "");
}

export interface ReportViewProps {
  report: Report;
  bounds: { moderate: number; drifted: number };
}

/** What came of a comparison: the whole in a sentence, then feature by feature, what moved most first. */
export function ReportView({ report, bounds }: ReportViewProps) {
  const judged = judgedOf(report.features);
  return (
    <div className="flex flex-col gap-3">
      <div role="status" className="flex flex-wrap items-center gap-x-2 gap-y-1 text-[13px]">
        <VerdictBadge verdict={report.verdict} />
        <span>
          {countsWords(report.window, " inferences")} compared with {countsWords(report.baseline)}:{" "}
          {tallyWords(tallyOf(judged))}
        </span>
      </div>
      {judged.length === 0 ? (
        <EmptyState icon="model" title="There is nothing to compare">
          No inference like that was recorded with what went in or came out. Choose other times, or let the model record
          more in its settings.
        </EmptyState>
      ) : (
        <>
          <Table label="Features" rows={judged} columns={columnsOf(bounds)} keyOf={(one) => one.key} />
          <p className="text-xs text-muted">
            Moderate from {few(bounds.moderate)}, drifted from {few(bounds.drifted)}, which the marks of the bars show,
            and only where chance brings that less often than {chanceWords(report.pBound)}.
            {report.hasMoreFeatures && " The model has more features: those that come first are looked at."}
          </p>
        </>
      )}
    </div>
  );
}
