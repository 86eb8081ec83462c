import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { faultOf } from "@/api";
import { Badge, DiffView, ErrorState, JsonView, Skeleton, Tabs, duration, wordsOf } from "@/ui";
import type { CompareStepFactsFragment } from "@/gql/graphql";
import type { AsOf } from "@/gql/schema";
import { CompareRun, CompareStep } from "./documents";
import { OUTCOMES, REASONS, stepName } from "./words";

export type StepRow = CompareStepFactsFragment & { cursor: string };

export interface StepDetailProps {
  left: string;
  right: string;
  leftAsOf: AsOf | undefined;
  rightAsOf: AsOf | undefined;
  leftEarlier: number;
  rightEarlier: number;
  differing: boolean;
  step: StepRow;
  /** Cursor of the step before; absent for the first. */
  after: string | undefined;
  onStep: (step: { node: string; runIndex: number }) => void;
}

type Tab = "output" | "input" | "node" | "both" | "attempts";

/** All that is other about a step, and both sides of it. */
export function StepDetail(props: StepDetailProps) {
  const { left, right, leftAsOf, rightAsOf, differing, step, after, onStep } = props;
  const [wanted, setTab] = useState<Tab | undefined>();
  const [{ data, error }] = useQuery({
    query: CompareStep,
    variables: { left, right, leftAsOf, rightAsOf, differing, after },
  });
  const found = data?.compareExecutions.steps.nodes[0];
  // While the next one comes the last one is still there.
  const detail = found?.node === step.node && found.runIndex === step.runIndex ? found : undefined;
  const [words, tone] = OUTCOMES[step.outcome];
  const isOneSided = step.outcome === "ONLY_LEFT" || step.outcome === "ONLY_RIGHT";
  const tab = wanted ?? (isOneSided ? "both" : step.nodeDiffers ? "node" : "output");
  const cause = step.cause;
  const isOwn = cause?.step.node === step.node && cause.step.runIndex === step.runIndex;
  return (
    <div className="flex min-h-0 flex-1 flex-col bg-surface">
      <div className="border-b px-4 py-3">
        <h2 className="flex flex-wrap items-center gap-2 text-[15px] font-semibold">
          <span className="min-w-0 truncate">{stepName(step)}</span>
          <Badge tone={tone}>{words}</Badge>
          {step.nodeDiffers && <Badge tone="accent">written otherwise</Badge>}
          {step.inputsDiffer && <Badge tone="info">given other items</Badge>}
        </h2>
        {cause && (
          <p className="mt-1 text-[13px] text-muted">
            {isOwn ? (
              <>Here it begins: {REASONS[cause.reason]}.</>
            ) : (
              <>
                Because of{" "}
                <button type="button" className="text-accent hover:underline" onClick={() => onStep(cause.step)}>
                  {stepName(cause.step)}
                </button>
                : {REASONS[cause.reason]}.
              </>
            )}
          </p>
        )}
        <dl className="mt-2 grid grid-cols-[auto_1fr_1fr] gap-x-4 gap-y-0.5 text-[13px]">
          <dt />
          <dd className="text-xs text-muted">Left</dd>
          <dd className="text-xs text-muted">Right</dd>
          <dt className="text-muted">Status</dt>
          <dd>{step.left ? wordsOf(step.left.status) : "–"}</dd>
          <dd>{step.right ? wordsOf(step.right.status) : "–"}</dd>
          <dt className="text-muted">Took</dt>
          <dd className="tabular-nums">{took(step.left?.durationMs)}</dd>
          <dd className="tabular-nums">
            {took(step.right?.durationMs)}
            {step.durationDeltaMs !== null && step.durationDeltaMs !== 0 && (
              <span className={step.durationDeltaMs > 0 ? "text-bad" : "text-good"}>
                {" "}
                {step.durationDeltaMs > 0 ? "+" : "−"}
                {duration(Math.abs(step.durationDeltaMs))}
              </span>
            )}
          </dd>
          <dt className="text-muted">Items</dt>
          <dd className="tabular-nums">{step.left?.itemCounts.join(", ") ?? "–"}</dd>
          <dd className="tabular-nums">{step.right?.itemCounts.join(", ") ?? "–"}</dd>
        </dl>
      </div>
      {error && !data ? (
        <ErrorState fault={faultOf(error)} />
      ) : !detail ? (
        <Skeleton className="m-4 h-32" />
      ) : (
        <Tabs<Tab>
          label="What is other"
          value={tab}
          onChange={setTab}
          className="flex-1"
          tabs={[
            {
              value: "output",
              label: `Gave (${detail.outputChanges.length})`,
              content: <Changes label="What it gave" changes={detail.outputChanges} empty="It gave the same." />,
            },
            {
              value: "input",
              label: `Given (${detail.inputChanges.length})`,
              content: (
                <Changes label="What it was given" changes={detail.inputChanges} empty="It was given the same." />
              ),
            },
            {
              value: "node",
              label: `Node (${detail.nodeChanges.length})`,
              content: (
                <Changes label="How the node is written" changes={detail.nodeChanges} empty="It is written the same." />
              ),
            },
            { value: "both", label: "Both sides", content: tab === "both" && <Both {...props} /> },
            ...(detail.attempts.length > 0
              ? [
                  {
                    value: "attempts" as const,
                    label: `Failed attempts (${detail.attempts.length})`,
                    content: <JsonView label="Failed attempts" value={detail.attempts} depth={3} />,
                  },
                ]
              : []),
          ]}
        />
      )}
    </div>
  );
}

function took(milliseconds: number | null | undefined): string {
  return milliseconds === null || milliseconds === undefined ? "–" : duration(milliseconds);
}

interface ChangesProps {
  label: string;
  changes: readonly { op: string; path: string; before: unknown; after: unknown }[];
  empty: string;
}

function Changes({ label, changes, empty }: ChangesProps) {
  return <DiffView label={label} changes={changes} empty={<p className="p-4 text-sm text-muted">{empty}</p>} />;
}

/** The state of both runs beside each other. */
function Both({ left, right, leftAsOf, rightAsOf, leftEarlier, rightEarlier, step }: StepDetailProps) {
  return (
    <div className="grid h-full min-h-64 divide-y md:grid-cols-2 md:divide-x md:divide-y-0">
      <Run name="Left" id={left} asOf={leftAsOf} earlier={leftEarlier} step={step} place={step.left?.executionIndex} />
      <Run
        name="Right"
        id={right}
        asOf={rightAsOf}
        earlier={rightEarlier}
        step={step}
        place={step.right?.executionIndex}
      />
    </div>
  );
}

interface RunProps {
  name: string;
  id: string;
  asOf: AsOf | undefined;
  /** Node runs before the first of this execution. */
  earlier: number;
  step: StepRow;
  place: number | undefined;
}

function Run({ name, id, asOf, earlier, step, place }: RunProps) {
  const isOwn = place !== undefined && place >= earlier;
  const path = `/node_runs/${(place ?? 0) - earlier}`;
  const [{ data, error }] = useQuery({ query: CompareRun, variables: { id, asOf, path }, pause: !isOwn });
  return (
    <section aria-label={`${name} run`} className="flex min-h-48 min-w-0 flex-col">
      <div className="flex items-center justify-between border-b bg-sunken px-3 py-1 text-xs text-muted">
        {name}
        {place !== undefined && (
          <Link
            to="/executions/$executionId"
            params={{ executionId: id }}
            search={{ node: step.node, run: step.runIndex, tab: "items" }}
            className="text-accent hover:underline"
          >
            Open there
          </Link>
        )}
      </div>
      {place === undefined ? (
        <p className="p-4 text-sm text-muted">This side did not run it.</p>
      ) : !isOwn ? (
        <p className="p-4 text-sm text-muted">
          It ran before this execution went on from another one. Open it there to see what it gave.
        </p>
      ) : error ? (
        <ErrorState fault={faultOf(error)} />
      ) : data ? (
        <JsonView label={`${name} run`} value={data.stateAt?.part} depth={5} className="flex-1" />
      ) : (
        <Skeleton className="m-4 h-24" />
      )}
    </section>
  );
}
