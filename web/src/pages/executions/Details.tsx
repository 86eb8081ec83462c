import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect } from "react";
import { useQuery } from "urql";
import { faultOf, useLastWrite } from "@/api";
import type { ExecutionsDetailsQuery } from "@/gql/graphql";
import { type ExecutionAction, type ExecutionRow, canAct } from "@/parts/execution-changes";
import {
  Badge,
  Button,
  CopyButton,
  Duration,
  Elapsed,
  ErrorState,
  Icon,
  IconButton,
  PositionLink,
  Skeleton,
  StatusBadge,
  Time,
  wordsOf,
} from "@/ui";
import { ExecutionsDetails } from "./documents";

type Execution = NonNullable<ExecutionsDetailsQuery["execution"]>;

export interface DetailsProps {
  id: string;
  at: string | undefined;
  /** Changes when the execution did. */
  stamp: number;
  onClose: () => void;
  onAct: (action: ExecutionAction, row: ExecutionRow) => void;
}

/** What there is to know of an execution at a glance. The whole of it is on its own page. */
export function Details({ id, at, stamp, onClose, onAct }: DetailsProps) {
  const waitFor = useLastWrite();
  const asOf = at === undefined ? undefined : { time: at };
  const [{ data, error }, again] = useQuery({
    query: ExecutionsDetails,
    variables: { id, asOf, waitFor: asOf ? undefined : waitFor },
  });
  useEffect(() => {
    if (stamp > 0) again({ requestPolicy: "network-only" });
  }, [stamp, again]);
  const execution = data?.execution?.id === id ? data.execution : undefined;
  return (
    <aside
      aria-label="Details"
      className="fixed inset-x-0 top-1/4 bottom-0 z-20 flex flex-col border-t bg-surface shadow-raised md:static md:w-96 md:shrink-0 md:border-t-0 md:border-l md:shadow-none"
    >
      <header className="flex items-center gap-2 border-b px-4 py-2">
        <h2 className="min-w-0 flex-1 truncate text-sm font-semibold">
          {execution?.workflow?.name ?? (execution ? execution.workflowId : "Execution")}
        </h2>
        {execution && <StatusBadge status={execution.status} />}
        <IconButton size="small" label="Close the details" icon={<Icon name="close" />} onClick={onClose} />
      </header>
      <div className="min-h-0 flex-1 overflow-auto" tabIndex={0} role="region" aria-label="Details of the execution">
        {error && !execution && <ErrorState fault={faultOf(error)} onRetry={() => again()} />}
        {!error &&
          !execution &&
          (data ? <p className="p-4 text-sm text-muted">There is no such execution.</p> : <Bones />)}
        {execution && <Body execution={execution} />}
      </div>
      {execution && (
        <footer className="flex flex-wrap gap-2 border-t px-4 py-2.5">
          <Link
            to="/executions/$executionId"
            params={{ executionId: execution.id }}
            className="inline-flex h-7 items-center gap-1.5 rounded-md bg-accent px-2 text-[13px] font-medium text-on-accent"
          >
            Open
          </Link>
          {ACTIONS.filter(([action]) => at === undefined && canAct(action, execution)).map(([action, label]) => (
            <Button key={action} size="small" onClick={() => onAct(action, execution)}>
              {label}
            </Button>
          ))}
        </footer>
      )}
    </aside>
  );
}

const ACTIONS: readonly [ExecutionAction, string][] = [
  ["retry", "Retry…"],
  ["resume", "End the wait…"],
  ["unpause", "Let it go on…"],
  ["dismiss", "Dismiss…"],
  ["cancel", "Cancel…"],
];

function Bones() {
  return (
    <div className="flex flex-col gap-3 p-4">
      {Array.from({ length: 7 }, (_, place) => (
        <Skeleton key={place} className={place % 2 === 0 ? "h-4 w-2/3" : "h-4 w-1/2"} />
      ))}
    </div>
  );
}

function Body({ execution }: { execution: Execution }) {
  const { nodes, pageInfo } = execution.nodeRuns;
  return (
    <>
      {execution.errorMessage !== null && (
        <section className="border-b px-4 py-3">
          <p className="font-mono text-xs break-words whitespace-pre-wrap text-bad">{execution.errorMessage}</p>
          <p className="mt-1.5 flex flex-wrap gap-2 text-xs text-muted">
            {execution.errorNode !== null && <>at {execution.errorNode}</>}
            {execution.errorFingerprint !== null && (
              <Link
                to="/executions"
                search={{ fingerprint: execution.errorFingerprint }}
                className="text-accent underline"
              >
                all of this cause
              </Link>
            )}
          </p>
        </section>
      )}
      <dl className="grid grid-cols-[5.5rem_minmax(0,1fr)] gap-x-3 gap-y-1.5 border-b px-4 py-3 text-[13px]">
        <Fact name="Id">
          <span className="flex items-center gap-1">
            <span className="truncate font-mono text-xs">{execution.id}</span>
            <CopyButton text={execution.id} label="Copy the id" />
          </span>
        </Fact>
        <Fact name="Workflow">
          <Link
            to="/workflows/$workflowId"
            params={{ workflowId: execution.workflowId }}
            className="text-accent hover:underline"
          >
            {execution.workflow?.name ?? execution.workflowId}
          </Link>{" "}
          <span className="text-muted">
            {typeof execution.workflowVersion === "number" ? `version ${execution.workflowVersion}` : "draft"}
          </span>
        </Fact>
        <Fact name="Began by">
          {execution.trigger ? wordsOf(execution.trigger) : "a person"} · {wordsOf(execution.mode)}
        </Fact>
        <Fact name="Started">
          <Time value={execution.startedAt} exact />
        </Fact>
        <Fact name="Took">
          <Elapsed from={execution.startedAt} to={execution.endedAt} />
        </Fact>
        <Fact name="In the log">
          <PositionLink position={execution.createdPosition} /> to <PositionLink position={execution.updatedPosition} />
        </Fact>
        {execution.waiting && (
          <Fact name="Waits">
            at {execution.waiting.node}
            {execution.waiting.until !== null && (
              <>
                {" "}
                until <Time value={execution.waiting.until} exact />
              </>
            )}
          </Fact>
        )}
        {execution.paused && (
          <Fact name="Stands still">
            {wordsOf(execution.paused.kind)}
            {execution.paused.node ? ` before ${execution.paused.node}` : ""}
            {execution.paused.reason ? `: ${execution.paused.reason}` : ""}
          </Fact>
        )}
        <Other name="Retried as" id={execution.retriedAs} />
        <Other name="Retry of" id={execution.retryOf} />
        <Other name="Forked from" id={execution.forkedFrom?.executionId} />
        <Other name="Because of" id={execution.causedBy === execution.retryOf ? undefined : execution.causedBy} />
        <Other name="Goes on as" id={execution.continuedAs} />
        <Other name="Goes on from" id={execution.continuedFrom} />
        {typeof execution.dismissed === "string" && (
          <Fact name="Dismissed">{execution.dismissed === "" ? "yes" : execution.dismissed}</Fact>
        )}
        {typeof execution.cancelReason === "string" && execution.cancelReason !== "" && (
          <Fact name="Cancelled">{execution.cancelReason}</Fact>
        )}
        {execution.response && <Fact name="Answered">{execution.response.status}</Fact>}
        {execution.savedData.map((fact) => (
          <Fact key={fact.name} name={fact.name}>
            <Link
              to="/executions"
              search={{ fact: fact.name, value: fact.value }}
              className="break-words text-accent hover:underline"
            >
              {fact.value}
            </Link>
          </Fact>
        ))}
      </dl>
      <section className="px-4 py-3">
        <h3 className="mb-1.5 text-xs font-medium text-muted">Node runs</h3>
        {nodes.length === 0 && <p className="text-[13px] text-muted">None has begun.</p>}
        <ol className="flex flex-col gap-1">
          {nodes.map((run) => (
            <li key={run.id} className="text-[13px]">
              <div className="flex items-center gap-2">
                <span className="min-w-0 flex-1 truncate">
                  {run.node}
                  {run.runIndex > 0 && <span className="text-muted"> #{run.runIndex + 1}</span>}
                </span>
                {run.attempts > 1 && <span className="text-xs text-muted">{run.attempts} attempts</span>}
                {run.status !== "COMPLETED" && (
                  <Badge tone={run.status === "FAILED" ? "bad" : "warn"}>{wordsOf(run.status)}</Badge>
                )}
                <span className="text-xs text-muted">{items(run.itemCounts)}</span>
                {typeof run.durationMs === "number" && (
                  <span className="w-16 text-right text-xs text-muted">
                    <Duration milliseconds={run.durationMs} />
                  </span>
                )}
              </div>
            </li>
          ))}
        </ol>
        {pageInfo.hasNextPage && <p className="mt-1 text-xs text-muted">More are on the page of the execution.</p>}
      </section>
    </>
  );
}

function items(counts: readonly number[] | null | undefined): string {
  if (!counts || counts.length === 0) return "";
  const all = counts.reduce((sum, count) => sum + count, 0);
  return all === 1 ? "1 item" : `${all} items`;
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="truncate text-muted">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </>
  );
}

function Other({ name, id }: { name: string; id: string | null | undefined }) {
  if (id === null || id === undefined) return null;
  return (
    <Fact name={name}>
      <Link
        to="/executions/$executionId"
        params={{ executionId: id }}
        className="font-mono text-xs text-accent hover:underline"
      >
        {id.slice(0, 8)}…{id.slice(-8)}
      </Link>
    </Fact>
  );
}
