import { type Column, PositionLink, Table, Time } from "@/ui";
import { PsiBar } from "./PsiBar";
import { STATISTICS, chanceWords, few } from "./report";
import type { WatchShown } from "./Watch";

type Finding = WatchShown["findings"][number];

const COLUMNS: Column<Finding>[] = [
  { key: "window", header: "Window", align: "end", cell: (one) => one.window.number.toLocaleString() },
  {
    key: "feature",
    header: "Feature",
    cell: (one) => <span className="font-mono text-xs break-all">{one.feature}</span>,
  },
  { key: "statistic", header: "What drifted", wideOnly: true, cell: (one) => STATISTICS[one.statistic] },
  {
    key: "value",
    header: <span title="Population stability index">Index</span>,
    align: "end",
    cell: (one) => (
      <span className="whitespace-nowrap tabular-nums">
        {few(one.value)} <span className="text-muted">of {few(one.bound)}</span>
      </span>
    ),
  },
  {
    key: "bar",
    header: <span className="sr-only">Index beside its bound</span>,
    wideOnly: true,
    cell: (one) => <PsiBar psi={one.value} verdict="DRIFTED" bounds={{ moderate: one.bound, drifted: one.bound }} />,
  },
  {
    key: "chance",
    header: <span title="How likely that much is by chance, and from where on chance explains it">Chance</span>,
    align: "end",
    wideOnly: true,
    cell: (one) => (
      <span className="whitespace-nowrap tabular-nums">
        {chanceWords(one.pValue)} <span className="text-muted">of {chanceWords(one.pBound)}</span>
      </span>
    ),
  },
  {
    key: "counts",
    header: "Observed",
    align: "end",
    wideOnly: true,
    cell: (one) => (
      <span className="whitespace-nowrap tabular-nums">
        {one.baselineObservations.toLocaleString()} then, {one.observations.toLocaleString()} now
      </span>
    ),
  },
  { key: "at", header: "Found", align: "end", cell: (one) => <Time value={one.foundAt} /> },
  {
    key: "upTo",
    header: "Up to",
    align: "end",
    wideOnly: true,
    cell: (one) => <PositionLink position={one.window.upTo} />,
  },
];

/** What a watch found, the newest first. */
export function Findings({ findings }: { findings: readonly Finding[] }) {
  if (findings.length === 0) return <p className="text-[13px] text-muted">Nothing drifted so far.</p>;
  return (
    <div className="max-h-96 overflow-y-auto">
      <Table
        label="What drifted"
        rows={findings}
        columns={COLUMNS}
        keyOf={(one) => `${one.window.number} ${one.feature} ${one.statistic}`}
      />
    </div>
  );
}
