import { type Column, PositionLink, Table, Time } from "@/ui";
import { LineChart } from "@/ui/LineChart";
import { VerdictBadge } from "./ReportView";
import { few, tallyWords, worstOf } from "./report";
import type { Reading } from "./readings";

/** Windows in the table; the chart has all that are there. */
const ROWS_MAX = 20;

const COLUMNS: Column<Reading>[] = [
  { key: "number", header: "Window", align: "end", cell: (one) => one.number.toLocaleString() },
  { key: "verdict", header: "Verdict", cell: (one) => <VerdictBadge verdict={worstOf(one)} /> },
  { key: "tally", header: "Features", cell: (one) => tallyWords(one) },
  {
    key: "worst",
    header: "Moved most",
    wideOnly: true,
    cell: (one) => one.worst && <span className="font-mono text-xs break-all">{one.worst.feature}</span>,
  },
  {
    key: "psi",
    header: <span title="Population stability index of what moved most">Index</span>,
    align: "end",
    cell: (one) => <span className="tabular-nums">{few(one.worst?.psi)}</span>,
  },
  {
    key: "at",
    header: "Judged",
    align: "end",
    cell: (one) => <Time value={new Date(one.at).toISOString()} />,
  },
  {
    key: "event",
    header: "Event",
    align: "end",
    wideOnly: true,
    cell: (one) => <PositionLink position={one.position} />,
  },
];

export interface ReadingsProps {
  /** Oldest first. */
  readings: readonly Reading[];
  /** From where on an index is drift. */
  drifted: number | undefined;
}

/** What came of each window: how far moved what moved most, over time, and the newest windows one by one. */
export function Readings({ readings, drifted }: ReadingsProps) {
  const newest = readings.at(-1);
  if (newest === undefined)
    return <p className="text-[13px] text-muted">No window is full yet: nothing was judged so far.</p>;
  const times = readings.map(({ at }) => at / 1000);
  return (
    <>
      {readings.length > 1 && (
        <LineChart
          label={`The index of what moved most in each of ${readings.length} windows; in the newest ${few(newest.worst?.psi)}`}
          times={times}
          format={few}
          series={[
            { label: "moved most", colour: "accent", values: readings.map(({ worst }) => worst?.psi ?? null) },
            ...(drifted === undefined
              ? []
              : [{ label: "drifted from", colour: "warn" as const, values: readings.map(() => drifted) }]),
          ]}
        />
      )}
      <Table
        label="Windows"
        rows={readings.slice(-ROWS_MAX).toReversed()}
        columns={COLUMNS}
        keyOf={(one) => one.position}
      />
    </>
  );
}
