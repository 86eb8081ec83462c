import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { type Fault, client, faultOf, graphql } from "@/api";
import { Button, EmptyState, ErrorState, Field, Input, Select, Skeleton, Switch } from "@/ui";
import { jsonText } from "@/ui/json-lines";
import type { ExecutionWatchQuery } from "@/gql/graphql";
import type { WatchInput, WatchOver } from "@/gql/schema";
import { counted } from "@/ui/counted";
import type { Drawn } from "../definition";

const ExecutionWatch = graphql(`
  query ExecutionWatch($input: WatchInput!, $after: String) {
    watchExecutions(input: $input, first: 20, after: $after) {
      nodes {
        executionId
        isCut
        passedOver
        hits {
          node
          runIndex
          position
          value
          error
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

type Watched = ExecutionWatchQuery["watchExecutions"]["nodes"][number];

interface Found {
  input: WatchInput;
  rows: readonly Watched[];
  looked: number;
  next: string | undefined;
}

const HITS_SHOWN = 8;

export interface WatchPanelProps {
  id: string;
  workflowId: string;
  drawn: Drawn | undefined;
  node: string | undefined;
  expression: string;
  onExpression: (expression: string) => void;
  onPosition: (position: number, node: string, run: number) => void;
}

/** An expression over executions of the past: every run in which it was true. */
export function WatchPanel(props: WatchPanelProps) {
  const { id, workflowId, drawn, node, expression, onExpression, onPosition } = props;
  const [over, setOver] = useState<WatchOver>("OUTPUT");
  const [only, setOnly] = useState(node ?? "");
  const [all, setAll] = useState(false);
  const [from, setFrom] = useState("");
  const [found, setFound] = useState<Found | undefined>();
  const [fault, setFault] = useState<Fault | undefined>();
  const [isLooking, setLooking] = useState(false);
  const look = async (input: WatchInput, before?: Found) => {
    setLooking(true);
    const { data, error } = await client
      .query(ExecutionWatch, { input, after: before?.next }, { requestPolicy: "network-only" })
      .toPromise();
    setLooking(false);
    setFault(data ? undefined : error && faultOf(error));
    if (!data) return;
    const { nodes, pageInfo } = data.watchExecutions;
    setFound({
      input,
      rows: [...(before?.rows ?? []), ...nodes.filter((one) => one.hits.length > 0 || one.passedOver !== null)],
      looked: (before?.looked ?? 0) + nodes.length,
      next: pageInfo.hasNextPage ? (pageInfo.endCursor ?? undefined) : undefined,
    });
  };
  const begin = () => {
    if (expression.trim() === "") return;
    const since = from === "" ? undefined : new Date(from).toISOString();
    void look({ workflowId, expression, over, all, node: only === "" ? undefined : only, from: since });
  };
  return (
    <div className="flex min-h-0 flex-1 flex-col overflow-auto">
      <form
        aria-label="Watch"
        className="flex flex-col gap-3 border-b p-3"
        onSubmit={(event) => {
          event.preventDefault();
          begin();
        }}
      >
        <Field
          label="List every run of this workflow in which"
          hint="$json is the first item that a node gave, $input all of them, $('Node') another node of the run."
        >
          <Input
            spellCheck={false}
            className="font-mono text-[13px]"
            placeholder="$json.total > 100"
            value={expression}
            onChange={(event) => onExpression(event.target.value)}
          />
        </Field>
        <div className="grid grid-cols-2 gap-3 lg:grid-cols-3">
          <Field label="At">
            <Select
              value={only}
              onChange={setOnly}
              choices={[
                { value: "", label: "Every node" },
                ...(drawn?.nodes ?? []).map(({ name }) => ({ value: name, label: name })),
              ]}
            />
          </Field>
          <Field label="Over">
            <Select<WatchOver>
              value={over}
              onChange={setOver}
              choices={[
                { value: "OUTPUT", label: "What it gave" },
                { value: "INPUT", label: "What it was given" },
              ]}
            />
          </Field>
          <Field label="Since">
            <Input type="date" value={from} onChange={(event) => setFrom(event.target.value)} />
          </Field>
        </div>
        <div className="flex flex-wrap items-center justify-between gap-2">
          <Switch label="Give the value at every run" checked={all} onChange={setAll} />
          <Button kind="primary" type="submit" isBusy={isLooking} disabled={expression.trim() === ""}>
            Look
          </Button>
        </div>
      </form>
      {fault ? (
        <ErrorState fault={fault} title="It could not be watched" />
      ) : found ? (
        <Results
          id={id}
          found={found}
          isLooking={isLooking}
          onMore={() => void look(found.input, found)}
          onPosition={onPosition}
        />
      ) : isLooking ? (
        <Skeleton className="m-4 h-24" />
      ) : (
        <EmptyState icon="search" title="Breakpoints after the fact">
          Write an expression and look through the past: no run has to happen again. Each hit leads to the event.
        </EmptyState>
      )}
    </div>
  );
}

interface ResultsProps {
  id: string;
  found: Found;
  isLooking: boolean;
  onMore: () => void;
  onPosition: (position: number, node: string, run: number) => void;
}

function Results({ id, found, isLooking, onMore, onPosition }: ResultsProps) {
  const hits = found.rows.reduce((sum, row) => sum + row.hits.length, 0);
  return (
    <div className="p-3">
      <p role="status" className="mb-2 text-xs text-muted">
        {counted(hits, "hit")} in {counted(found.looked, "execution")} looked at
      </p>
      {hits === 0 && found.input.all !== true && (
        <p className="mb-2 rounded-md bg-info-soft px-3 py-2 text-[13px] text-info">
          It was true nowhere. An expression that fails counts as not true: let it give the value at every run to see
          what it gave, and why it failed.
        </p>
      )}
      <ul aria-label="Executions with hits" className="flex flex-col gap-2">
        {found.rows.map((row) => (
          <li key={row.executionId} className="rounded-md border">
            <div className="flex items-center gap-2 border-b bg-sunken px-3 py-1.5 text-[13px]">
              {row.executionId === id ? (
                <span className="font-medium">This execution</span>
              ) : (
                <Link
                  to="/executions/$executionId"
                  params={{ executionId: row.executionId }}
                  className="font-mono text-[12.5px] text-accent hover:underline"
                >
                  {row.executionId}
                </Link>
              )}
              <span className="ml-auto text-xs text-muted">
                {row.isCut ? "1,000 hits and more" : `${row.hits.length} hits`}
              </span>
            </div>
            {row.passedOver !== null && <p className="px-3 py-1.5 text-xs text-warn">Passed over: {row.passedOver}</p>}
            <ul className="divide-y">
              {row.hits.slice(0, HITS_SHOWN).map((hit) => (
                <li key={`${hit.node} ${hit.runIndex}`} className="flex items-center gap-2 px-3 py-1 text-[13px]">
                  <HitLink row={row} hit={hit} id={id} onPosition={onPosition} />
                  {hit.runIndex > 0 && <span className="text-xs text-muted">run {hit.runIndex + 1}</span>}
                  <code className="ml-auto min-w-0 truncate font-mono text-[12px] text-muted">
                    {hit.error ?? jsonText(hit.value).slice(0, 120)}
                  </code>
                </li>
              ))}
            </ul>
            {row.hits.length > HITS_SHOWN && (
              <p className="px-3 py-1 text-xs text-muted">and {(row.hits.length - HITS_SHOWN).toLocaleString()} more</p>
            )}
          </li>
        ))}
      </ul>
      {found.next !== undefined && (
        <Button size="small" className="mt-3" isBusy={isLooking} onClick={onMore}>
          Look further back
        </Button>
      )}
    </div>
  );
}

interface HitLinkProps {
  id: string;
  row: Watched;
  hit: Watched["hits"][number];
  onPosition: (position: number, node: string, run: number) => void;
}

function HitLink({ id, row, hit, onPosition }: HitLinkProps) {
  const { position } = hit;
  if (row.executionId === id && position !== null)
    return (
      <button
        type="button"
        className="truncate text-accent hover:underline"
        onClick={() => onPosition(Number(position), hit.node, hit.runIndex)}
      >
        {hit.node}
      </button>
    );
  return (
    <Link
      to="/executions/$executionId"
      params={{ executionId: row.executionId }}
      search={{ position: position ?? undefined, node: hit.node, run: hit.runIndex }}
      className="truncate text-accent hover:underline"
    >
      {hit.node}
    </Link>
  );
}
