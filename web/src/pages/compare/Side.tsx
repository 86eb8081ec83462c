import { Link } from "@tanstack/react-router";
import { Button, Elapsed, ErrorState, Money, Skeleton, StatusBadge, Time } from "@/ui";
import type { CompareSideQuery } from "@/gql/graphql";
import type { Fault } from "@/api";
import { costsOf } from "./totals";

export type SideData = CompareSideQuery;

export interface SideProps {
  name: "Left" | "Right";
  id: string | undefined;
  data: SideData | undefined;
  fault: Fault | undefined;
  onChoose: () => void;
}

/** One of the two executions. */
export function Side({ name, id, data, fault, onChoose }: SideProps) {
  if (id === undefined)
    return (
      <section
        aria-label={name}
        className="flex items-center justify-between gap-3 rounded-lg border border-dashed p-3"
      >
        <p className="text-[13px] text-muted">Choose the execution to compare with.</p>
        <Button size="small" kind="primary" onClick={onChoose}>
          Choose
        </Button>
      </section>
    );
  if (fault) return <ErrorState fault={fault} />;
  const execution = data?.execution;
  if (data && !execution)
    return (
      <section
        aria-label={name}
        className="flex items-center justify-between gap-3 rounded-lg border border-bad/50 p-3"
      >
        <p className="min-w-0 text-[13px] break-all text-bad">There is no execution {id}.</p>
        <Button size="small" onClick={onChoose}>
          Choose another
        </Button>
      </section>
    );
  if (!execution) return <Skeleton className="h-16" />;
  const version =
    execution.workflowVersion === null
      ? `draft, revision ${execution.workflowRevision}`
      : `version ${execution.workflowVersion}`;
  return (
    <section aria-label={name} className="rounded-lg border bg-surface p-3">
      <div className="flex items-center gap-2">
        <span className="rounded bg-sunken px-1.5 text-xs leading-5 font-semibold text-muted">{name}</span>
        <Link
          to="/executions/$executionId"
          params={{ executionId: execution.id }}
          className="min-w-0 truncate text-sm font-semibold hover:underline"
        >
          {execution.workflow?.name ?? "A workflow that is gone"}
        </Link>
        <StatusBadge status={execution.status} />
        <Button size="small" kind="quiet" className="ml-auto" onClick={onChoose}>
          Change
        </Button>
      </div>
      <p className="mt-1 flex flex-wrap gap-x-2 text-xs text-muted">
        <span className="font-mono">
          {execution.id.slice(0, 8)}…{execution.id.slice(-4)}
        </span>
        <span>{version}</span>
        <Time value={execution.startedAt} />
        <span>
          took <Elapsed from={execution.startedAt} to={execution.endedAt} />
        </span>
        <Cost data={data} />
      </p>
      {execution.errorMessage !== null && (
        <p className="mt-1 truncate text-xs text-bad" title={execution.errorMessage}>
          {execution.errorNode !== null && <strong>{execution.errorNode}: </strong>}
          {execution.errorMessage}
        </p>
      )}
    </section>
  );
}

/** What language models cost in it, as far as prices are known. */
function Cost({ data }: { data: SideData }) {
  const { nodes, pageInfo } = data.modelCalls;
  if (nodes.length === 0) return null;
  const sums = costsOf(data);
  return (
    <span>
      {nodes.length}
      {pageInfo.hasNextPage && "+"} model calls
      {[...sums].map(([currency, sum]) => (
        <span key={currency}>
          , <Money amount={String(sum)} currency={currency} />
        </span>
      ))}
    </span>
  );
}
