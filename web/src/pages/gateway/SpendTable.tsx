import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf } from "@/api";
import type { GatewaySpendQuery } from "@/gql/graphql";
import { type Column, EmptyState, ErrorState, Field, Input, Money, Select, Skeleton, Table, wordsOf } from "@/ui";
import { Panel } from "@/ui/Panel";
import { Share } from "@/ui/Share";
import { Keys, Spend, Workflows } from "./documents";
import { SPEND_BY } from "./search";

type Row = GatewaySpendQuery["modelSpend"][number];
type By = (typeof SPEND_BY)[number];

const page = getRouteApi("/gateway");
const DAY_MS = 86_400_000;

/** The day in UTC that is so many days before today. */
const dayBefore = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);

/** What calls took, summed up by what is chosen. */
export function SpendTable() {
  const { by = "ROUTE", from = dayBefore(29), until, route, agent, key, workflow } = page.useSearch();
  const navigate = useNavigate({ from: "/gateway" });
  const filter = {
    from: `${from}T00:00:00Z`,
    until: until === undefined ? undefined : `${until}T00:00:00Z`,
    route,
    agent,
    key,
    workflow,
  };
  const [{ data, error }, again] = useQuery({ query: Spend, variables: { by, filter }, requestPolicy: "network-only" });
  const name = useNames(by);
  const set = (change: Record<string, string | undefined>) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const rows = sorted(data?.modelSpend ?? [], by);
  return (
    <div className="flex flex-col gap-4 p-4 md:p-6">
      <div className="flex flex-wrap items-end gap-3">
        <Field label="Sums by" className="w-36">
          <Select
            value={by}
            choices={SPEND_BY.map((value) => ({ value, label: wordsOf(value) }))}
            onChange={(value) => set({ by: value })}
          />
        </Field>
        <Field label="From (UTC)" className="w-36">
          <Input type="date" value={from} max={until} onChange={(event) => set({ from: event.target.value })} />
        </Field>
        <Field label="Until (UTC)" className="w-36">
          <Input type="date" value={until ?? ""} min={from} onChange={(event) => set({ until: event.target.value })} />
        </Field>
      </div>
      {error ? (
        <ErrorState fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />
      ) : !data ? (
        <div aria-busy="true">
          <Skeleton className="h-40" />
        </div>
      ) : (
        <>
          <Totals rows={rows} />
          <Panel title={`By ${wordsOf(by)}`} isFlush>
            <Table
              label={`Spend by ${wordsOf(by)}`}
              rows={rows}
              columns={columnsOf(by, rows, name)}
              keyOf={(row) => `${row.of ?? ""} ${row.currency ?? ""}`}
              empty={
                <EmptyState icon="gateway" title="Nothing was asked in these days">
                  Calls are summed up by the day on which they came in, as they are recorded.
                </EmptyState>
              }
            />
          </Panel>
        </>
      )}
    </div>
  );
}

/** The dearest first, and days in their order. */
function sorted(rows: readonly Row[], by: By): Row[] {
  if (by === "DAY") return rows.toSorted((left, right) => (right.of ?? "").localeCompare(left.of ?? ""));
  return rows.toSorted((left, right) => Number(right.cost ?? -1) - Number(left.cost ?? -1) || right.calls - left.calls);
}

/** What ids are called, as far as whoever looks may know. */
function useNames(by: By): (of: string) => string {
  const [{ data: keys }] = useQuery({ query: Keys, pause: by !== "KEY" });
  const [{ data: workflows }] = useQuery({ query: Workflows, pause: by !== "WORKFLOW" });
  return (of) => {
    if (by === "KEY") {
      const key = keys?.apiKeys.nodes.find((one) => one.key === of);
      return key ? `${key.name} (${key.account?.name ?? of})` : of;
    }
    return workflows?.workflows.nodes.find((one) => one.id === of)?.name ?? of;
  };
}

function Totals({ rows }: { rows: readonly Row[] }) {
  const sum = (value: (row: Row) => number) => rows.reduce((total, row) => total + value(row), 0);
  const currencies = [...new Set(rows.flatMap((row) => (row.currency == null ? [] : [row.currency])))];
  const costs = currencies.map((currency) => ({
    currency,
    amount: sum((row) => (row.currency === currency ? Number(row.cost ?? 0) : 0)).toFixed(9),
  }));
  const numbers: [string, React.ReactNode][] = [
    ["Cost", costs.length === 0 ? "–" : costs.map((cost) => <Money key={cost.currency} {...cost} />)],
    ["Calls", sum((row) => row.calls).toLocaleString()],
    ["Answered", sum((row) => row.completed).toLocaleString()],
    ["From the cache", sum((row) => row.cached).toLocaleString()],
    ["Tokens read", sum((row) => row.inputTokens).toLocaleString()],
    ["Tokens written", sum((row) => row.outputTokens).toLocaleString()],
  ];
  return (
    <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border bg-line sm:grid-cols-3 lg:grid-cols-6">
      {numbers.map(([name, value]) => (
        <div key={name} className="bg-surface px-4 py-3">
          <dt className="text-xs text-muted">{name}</dt>
          <dd className="flex gap-2 text-lg font-semibold tabular-nums">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function columnsOf(by: By, rows: readonly Row[], name: (of: string) => string): Column<Row>[] {
  const most = (row: Row) =>
    Math.max(...rows.filter((one) => one.currency === row.currency).map((one) => Number(one.cost ?? 0)), 1e-12);
  return [
    {
      key: "of",
      header: wordsOf(by).replace(/^./, (first) => first.toUpperCase()),
      cell: (row) => <NameOf by={by} of={row.of} name={name} />,
    },
    {
      key: "share",
      header: <span className="sr-only">Share of the dearest</span>,
      wideOnly: true,
      cell: (row) => (
        <div className="min-w-24">
          <Share value={Number(row.cost ?? 0) / most(row)} />
        </div>
      ),
    },
    { key: "cost", header: "Cost", align: "end", cell: (row) => <Money amount={row.cost} currency={row.currency} /> },
    { key: "calls", header: "Calls", align: "end", cell: (row) => <Count value={row.calls} /> },
    {
      key: "completed",
      header: "Answered",
      align: "end",
      wideOnly: true,
      cell: (row) => <Count value={row.completed} />,
    },
    {
      key: "cached",
      header: "From the cache",
      align: "end",
      wideOnly: true,
      cell: (row) => <Count value={row.cached} />,
    },
    {
      key: "read",
      header: "Tokens read",
      align: "end",
      wideOnly: true,
      cell: (row) => <Count value={row.inputTokens} />,
    },
    {
      key: "written",
      header: "Tokens written",
      align: "end",
      wideOnly: true,
      cell: (row) => <Count value={row.outputTokens} />,
    },
  ];
}

const Count = ({ value }: { value: number }) => <span className="tabular-nums">{value.toLocaleString()}</span>;

function NameOf({ by, of, name }: { by: By; of: string | null | undefined; name: (of: string) => string }) {
  if (of == null)
    return (
      <span className="text-muted">
        {by === "KEY" ? "no key" : by === "AGENT" ? "no agent" : by === "WORKFLOW" ? "no workflow" : "nobody"}
      </span>
    );
  const text = by === "KEY" || by === "WORKFLOW" ? name(of) : of;
  const filters: Partial<Record<By, "route" | "provider" | "key" | "workflow" | "agent">> = {
    ROUTE: "route",
    PROVIDER: "provider",
    KEY: "key",
    WORKFLOW: "workflow",
    AGENT: "agent",
  };
  const filter = filters[by];
  if (filter === undefined) return <span className="font-medium whitespace-nowrap">{text}</span>;
  return (
    <Link to="/gateway" search={{ [filter]: of }} className="font-medium hover:underline" title="See these calls">
      {text}
    </Link>
  );
}
