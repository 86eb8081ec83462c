import { type Column, EmptyState, VirtualTable, rowsOf } from "@/ui";
import { Panel } from "@/ui/Panel";
import type { Compared } from "./ComparisonPage";
import { Difference } from "./Difference";
import { CaseLink, heightOf } from "./EvaluationPage";
import { type ChangedCase, changedCases, scoreText } from "./scores";
import { RunLink } from "./Tried";

export interface ChangedCasesProps {
  compared: Compared;
  names: readonly [string, string];
  scorer: Compared["scorers"][number];
}

/** The cases whose scores differ by a scorer: those that got worse first, and of these those that lost most. */
export function ChangedCases({ compared, names, scorer }: ChangedCasesProps) {
  const rows = changedCases(compared.before, compared.after, scorer.name);
  const { setName, setVersion } = compared.before;
  const columns: Column<ChangedCase>[] = [
    {
      key: "case",
      header: "Case",
      width: "minmax(4rem, 1fr)",
      cell: (row) => <CaseLink caseId={row.caseId} setName={setName} setVersion={setVersion} />,
    },
    {
      key: "what",
      header: "It got",
      width: "4.5rem",
      cell: (row) =>
        row.difference < 0 ? <span className="text-bad">worse</span> : <span className="text-good">better</span>,
    },
    {
      key: "before",
      header: "Before",
      width: "4.5rem",
      align: "end",
      wideOnly: true,
      cell: (row) => <Score value={row.before} />,
    },
    {
      key: "after",
      header: "After",
      width: "4.5rem",
      align: "end",
      wideOnly: true,
      cell: (row) => <Score value={row.after} />,
    },
    {
      key: "difference",
      header: "Difference",
      width: "5.5rem",
      align: "end",
      cell: (row) => <Difference value={row.difference} />,
    },
    {
      key: "runs",
      header: "What was run",
      width: "minmax(0, 1.5fr)",
      wideOnly: true,
      cell: (row) => (
        <span className="flex gap-3">
          <RunLink run={row.runBefore} label={names[0]} />
          <RunLink run={row.runAfter} label={names[1]} />
        </span>
      ),
    },
  ];
  return (
    <Panel title={`Cases that differ by ${scorer.name}`} hint="Those that got worse come first." isFlush>
      {rows.length === 0 ? (
        <EmptyState icon="check" title="Every case has the same score in both">
          {scorer.ties} cases were judged in both.
        </EmptyState>
      ) : (
        <div className="flex flex-col" style={{ height: heightOf(rows.length) }}>
          <VirtualTable label="Cases that differ" rows={rowsOf(rows)} columns={columns} keyOf={(row) => row.caseId} />
        </div>
      )}
    </Panel>
  );
}

function Score({ value }: { value: number }) {
  return <span className="tabular-nums">{scoreText(value)}</span>;
}
