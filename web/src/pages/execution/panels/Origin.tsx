import { Link } from "@tanstack/react-router";
import { Badge, Button, Dialog, ErrorState, Skeleton, type Tone } from "@/ui";
import { jsonText } from "@/ui/json-lines";
import type { ProvenanceOrigin } from "@/gql/schema";
import { useExact } from "../exact";
import { type OriginTold, useSource } from "../source";
import { WrittenBy } from "./ChangesPanel";

type Step = OriginTold["steps"][number];

const WORDS: Record<ProvenanceOrigin, [string, Tone]> = {
  COMPUTED: ["computed by the node", "info"],
  EXPRESSION: ["given by an expression", "accent"],
  GIVEN: ["given to the execution", "good"],
  PASSED_ON: ["passed on as it was", "neutral"],
  PINNED: ["pinned or changed items", "warn"],
  WRITTEN: ["written down in the workflow", "good"],
};
const TEXT_MAX = 300;

export interface OriginProps {
  id: string;
  revision: number;
  /** Where in the state, as a JSON Pointer. */
  path: string | undefined;
  onClose: () => void;
  onGo: (revision: number) => void;
  onNode: (node: string, run: number) => void;
}

/** From where a value comes: the chain back to the trigger. */
export function Origin({ id, revision, path, onClose, onGo, onNode }: OriginProps) {
  const source = useSource();
  const { data, fault, isStale } = useExact(path === undefined ? undefined : source.origin?.(revision, path));
  const origin = isStale ? undefined : data;
  return (
    <Dialog
      title="From where this value comes"
      isOpen={path !== undefined}
      onClose={onClose}
      footer={
        <Button kind="primary" onClick={onClose}>
          Close
        </Button>
      }
    >
      <code className="block font-mono text-[12.5px] break-all text-muted">{path}</code>
      {fault ? (
        <ErrorState fault={fault} title="Its origin is not known" />
      ) : !origin ? (
        <Skeleton className="mt-3 h-32" />
      ) : (
        <>
          <Value value={origin.value} />
          <p className="mt-2 text-xs text-muted">
            written by <WrittenBy {...origin.writtenBy} onGo={onGo} />
          </p>
          {origin.steps.length > 0 && (
            <ol aria-label="Steps" className="mt-4 border-l-2 border-line">
              {origin.steps.map((step, place) => (
                // A chain has no other names than its places.
                <StepRow key={String(place)} step={step} place={place} id={id} onGo={onGo} onNode={onNode} />
              ))}
            </ol>
          )}
          {origin.isCut && <p className="mt-2 text-xs text-warn">There are more steps than the two hundred shown.</p>}
        </>
      )}
    </Dialog>
  );
}

interface StepRowProps {
  step: Step;
  place: number;
  id: string;
  onGo: (revision: number) => void;
  onNode: (node: string, run: number) => void;
}

function StepRow({ step, place, id, onGo, onNode }: StepRowProps) {
  const [words, tone] = WORDS[step.origin];
  const isHere = step.executionId === id;
  return (
    <li className="relative pb-4 pl-5 last:pb-0">
      <span
        aria-hidden
        className="absolute top-1 -left-[9px] flex size-4 items-center justify-center rounded-full border bg-raised text-[10px] text-muted"
      >
        {place + 1}
      </span>
      <div className="flex flex-wrap items-center gap-2 text-[13px]">
        {isHere ? (
          <button
            type="button"
            className="font-medium hover:underline"
            onClick={() => onNode(step.node, step.runIndex)}
          >
            {step.node}
          </button>
        ) : (
          <Link
            to="/executions/$executionId"
            params={{ executionId: step.executionId }}
            search={{ node: step.node, run: step.runIndex, tab: "items" }}
            className="font-medium text-accent hover:underline"
          >
            {step.node} in the execution before
          </Link>
        )}
        {step.runIndex > 0 && <span className="text-xs text-muted">run {step.runIndex + 1}</span>}
        <Badge tone={tone}>{words}</Badge>
        {step.writtenBy && isHere && (
          <span className="text-xs">
            <WrittenBy {...step.writtenBy} onGo={onGo} />
          </span>
        )}
      </div>
      <code className="font-mono text-[11px] break-all text-muted">
        output {step.output + 1}
        {step.item !== null && `, item ${step.item}`}
        {step.path !== "" && ` · ${step.path}`}
      </code>
      {step.expression !== null && (
        <code className="mt-1 block rounded bg-accent-soft px-2 py-1 font-mono text-[12.5px] break-all">
          {step.expression}
        </code>
      )}
      {step.parameters.length > 0 && step.expression === null && (
        <p className="mt-1 text-xs text-muted">from the parameters {step.parameters.join(", ")}</p>
      )}
      {step.inputs.length > 1 && (
        <p className="mt-1 text-xs text-muted">made from the steps {step.inputs.map((one) => one + 1).join(", ")}</p>
      )}
      <Value value={step.value} />
    </li>
  );
}

function Value({ value }: { value: unknown }) {
  const text = jsonText(value);
  return (
    <code className="mt-1 block font-mono text-[12.5px] break-all">
      {text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text}
    </code>
  );
}
