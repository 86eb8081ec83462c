import { type Column, Table } from "@/ui";
import { Panel } from "@/ui/Panel";
import type { Compared } from "./ComparisonPage";
import { Difference } from "./Difference";
import { settingsOf } from "./scorers";
import { chance, scoreText } from "./scores";

type Row = Compared["scorers"][number];

export interface ComparedScorersProps {
  compared: Compared;
  /** What the two are called. */
  names: readonly [string, string];
  /** The scorer whose cases are shown. */
  chosen: string;
  onChoose: (scorer: string) => void;
}

/** Both means by each scorer that both have, their difference, and how likely it is by chance. */
export function ComparedScorers({ compared, names, chosen, onChoose }: ComparedScorersProps) {
  const number = (value: number) => <span className="tabular-nums">{value.toLocaleString()}</span>;
  const columns: Column<Row>[] = [
    {
      key: "scorer",
      header: "Scorer",
      cell: (row) => {
        const scorer = compared.before.scorers.find((one) => one.name === row.name);
        return (
          <label className="flex items-center gap-2 whitespace-nowrap" title={scorer && settingsOf(scorer)}>
            <input
              type="radio"
              name="scorer"
              checked={row.name === chosen}
              onChange={() => onChoose(row.name)}
              className="accent-accent"
            />
            <span className="font-medium">{row.name}</span>
          </label>
        );
      },
    },
    { key: "before", header: names[0], align: "end", cell: (row) => <Score value={row.before} /> },
    { key: "after", header: names[1], align: "end", cell: (row) => <Score value={row.after} /> },
    {
      key: "difference",
      header: "Difference",
      align: "end",
      cell: (row) => (row.difference == null ? "–" : <Difference value={row.difference} />),
    },
    { key: "worse", header: "Worse", align: "end", cell: (row) => number(row.losses) },
    { key: "better", header: "Better", align: "end", cell: (row) => number(row.wins) },
    { key: "same", header: "Same", align: "end", cell: (row) => number(row.ties) },
    {
      key: "chance",
      header: (
        <span title="The two-sided p value of the sign test: how likely it is that better and worse are so far from even by chance alone">
          By chance
        </span>
      ),
      align: "end",
      cell: (row) => <span className="whitespace-nowrap tabular-nums">{chance(row.pValue)}</span>,
    },
  ];
  return (
    <Panel
      title="By scorer"
      hint="Over the cases that have a score in both. A small p value says that the difference is no chance, not that it is large."
      isFlush
    >
      <Table label="Scorers compared" rows={compared.scorers} columns={columns} keyOf={(row) => row.name} />
    </Panel>
  );
}

function Score({ value }: { value: number | null | undefined }) {
  return <span className="tabular-nums">{scoreText(value)}</span>;
}
