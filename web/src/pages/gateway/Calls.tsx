import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { graphql, useLastWrite, useLive, useNewest, usePager } from "@/api";
import type { GatewayCallsQuery } from "@/gql/graphql";
import {
  Badge,
  Button,
  type Column,
  Duration,
  EmptyState,
  Field,
  Input,
  Money,
  Select,
  StatusBadge,
  Time,
  VirtualTable,
  wordsOf,
} from "@/ui";
import { ConnectLines } from "./Connect";
import { CALL_STATUSES, type GatewaySearch } from "./search";

const CallsList = graphql(`
  query GatewayCalls($first: Int, $after: String, $filter: ModelCallFilterInput!, $waitFor: Position) {
    modelCalls(first: $first, after: $after, filter: $filter, waitFor: $waitFor) {
      nodes {
        id
        askedAt
        route
        kind
        status
        provider
        model
        problem
        cost
        currency
        tookUs
        firstTokenUs
        attemptCount
        cachedFrom
        agent
        node
        usage {
          inputTokens
          outputTokens
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const CallsChanged = graphql(`
  subscription GatewayCallsChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["model-call"] }) {
      position
    }
  }
`);

const FilterKeys = ["route", "provider", "agent", "key", "workflow", "execution"] as const;
const OneFilter: Record<(typeof FilterKeys)[number], string> = {
  route: "route",
  provider: "provider",
  agent: "agent",
  key: "key",
  workflow: "workflow",
  execution: "execution",
};

type Row = GatewayCallsQuery["modelCalls"]["nodes"][number];

const COLUMNS: Column<Row>[] = [
  {
    key: "route",
    header: "Route",
    width: "minmax(6rem, 1fr)",
    cell: (row) => (
      <Link to="/gateway/calls/$callId" params={{ callId: row.id }} className="font-medium hover:underline">
        {row.route}
      </Link>
    ),
  },
  {
    key: "status",
    header: "Status",
    width: "7rem",
    cell: (row) => <StatusBadge status={row.status} />,
  },
  {
    key: "answered",
    header: "Answered by",
    width: "minmax(0, 1.4fr)",
    wideOnly: true,
    cell: (row) =>
      row.cachedFrom != null ? (
        <Badge tone="info">from the cache</Badge>
      ) : row.status === "COMPLETED" ? (
        <span>
          {row.provider} / {row.model} {row.attemptCount > 1 && <Badge tone="warn">{row.attemptCount} attempts</Badge>}
        </span>
      ) : (
        <span className="text-bad">{row.problem == null ? "" : wordsOf(row.problem)}</span>
      ),
  },
  {
    key: "who",
    header: "Asked by",
    width: "minmax(0, 1fr)",
    wideOnly: true,
    cell: (row) => row.agent ?? row.node ?? <span className="text-muted">a client</span>,
  },
  {
    key: "tokens",
    header: "Tokens",
    width: "7rem",
    align: "end",
    wideOnly: true,
    cell: (row) =>
      row.usage ? <span className="tabular-nums">{`${row.usage.inputTokens} → ${row.usage.outputTokens}`}</span> : "–",
  },
  {
    key: "cost",
    header: "Cost",
    width: "5rem",
    align: "end",
    wideOnly: true,
    cell: (row) => <Money amount={row.cost} currency={row.currency} />,
  },
  {
    key: "took",
    header: "Took",
    width: "5rem",
    align: "end",
    wideOnly: true,
    cell: (row) => <Duration milliseconds={row.tookUs / 1000} />,
  },
  { key: "asked", header: "Asked", width: "6.5rem", align: "end", cell: (row) => <Time value={row.askedAt} /> },
];

const LIST = { connection: (data: GatewayCallsQuery) => data.modelCalls, keyOf: (row: Row) => row.id };

const page = getRouteApi("/gateway");

/** What was asked, newest first. */
export function Calls({ onConnect }: { onConnect: () => void }) {
  const found = page.useSearch();
  const { status, route, provider, agent, key, workflow, execution } = found;
  const navigate = useNavigate({ from: "/gateway" });
  const waitFor = useLastWrite();
  const filter = { status, route, provider, agent, key, workflow, execution };
  const rows = usePager(CallsList, { filter, waitFor }, LIST);
  const look = useNewest(CallsList, { filter, waitFor }, rows, LIST);
  useLive(CallsChanged, {}, look, { position: (event) => event.events.position, fromNow: true });
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  const set = (change: Partial<GatewaySearch>) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const isEmptyForGood = rows.isEmpty && !isFiltered;
  return (
    <div className="flex min-h-0 flex-1 flex-col bg-surface">
      {!isEmptyForGood && (
        <div className="flex flex-wrap items-center gap-2 border-b px-4 py-2 md:px-6">
          <Field label="Status" hideLabel className="w-36">
            <Select
              value={status ?? ""}
              choices={[
                { value: "", label: "any status" },
                ...CALL_STATUSES.map((value) => ({ value, label: wordsOf(value) })),
              ]}
              onChange={(value) => set({ status: value === "" ? undefined : value })}
            />
          </Field>
          <TextFilter
            key={`route ${route ?? ""}`}
            label="Route"
            value={route}
            onChange={(value) => set({ route: value })}
          />
          <TextFilter
            key={`agent ${agent ?? ""}`}
            label="Agent"
            value={agent}
            onChange={(value) => set({ agent: value })}
          />
          {FilterKeys.filter((name) => name !== "route" && name !== "agent" && filter[name] !== undefined).map(
            (name) => (
              <Button
                key={name}
                size="small"
                onClick={() => set({ [name]: undefined })}
                aria-label={`Every ${OneFilter[name]} again`}
              >
                {OneFilter[name]}: {filter[name]?.slice(0, 18)} ×
              </Button>
            ),
          )}
        </div>
      )}
      <VirtualTable
        label="Calls"
        rows={rows}
        columns={COLUMNS}
        keyOf={(row) => row.id}
        onOpen={(row) => void navigate({ to: "/gateway/calls/$callId", params: { callId: row.id } })}
        empty={
          isFiltered ? (
            <EmptyState
              icon="gateway"
              title="No call is like that"
              action={
                <Button onClick={() => void navigate({ search: {} })} className="mt-2">
                  Show all calls
                </Button>
              }
            >
              Nothing was asked that passes what is chosen above.
            </EmptyState>
          ) : (
            <div className="overflow-auto">
              <EmptyState icon="gateway" title="Nothing was asked yet">
                <p className="mb-4">
                  Set up a{" "}
                  <Link to="/gateway" search={{ tab: "providers" }} className="text-accent underline">
                    provider
                  </Link>{" "}
                  and a{" "}
                  <Link to="/gateway" search={{ tab: "routes" }} className="text-accent underline">
                    route
                  </Link>
                  , then point a client at this address:
                </p>
                <ConnectLines />
              </EmptyState>
              <div className="pb-8 text-center">
                <Button onClick={onConnect}>See it larger</Button>
              </div>
            </div>
          )
        }
      />
    </div>
  );
}

interface TextFilterProps {
  label: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}

/** A filter that counts when it was written to its end: Enter, or another field. */
function TextFilter({ label, value, onChange }: TextFilterProps) {
  const take = (text: string) => {
    const next = text.trim() === "" ? undefined : text.trim();
    if (next !== value) onChange(next);
  };
  return (
    <Field label={label} hideLabel className="w-32">
      <Input
        type="search"
        placeholder={`any ${label.toLowerCase()}`}
        defaultValue={value ?? ""}
        onBlur={(event) => take(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") take(event.currentTarget.value);
        }}
      />
    </Field>
  );
}
