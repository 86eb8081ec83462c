import { useMemo, useState } from "react";
import { useQuery } from "urql";
import { faultOf } from "@/api";
import { ItemsView } from "@/parts/items/ItemsView";
import { type Shape, ShapeSelect } from "@/parts/items/ShapeSelect";
import { Badge, Button, EmptyState, ErrorState, JsonView, Select, Skeleton } from "@/ui";
import { EditorItems } from "../documents";
import { JsonField } from "../form/JsonField";
import { inputOf, itemsOf } from "../expression/sight";
import type { WorkflowNode } from "../model/definition";
import { setPins } from "../model/edit";
import { portsOf } from "../model/ports";
import type { NodeRunFact } from "../run/states";
import { useDraftState, useEditor } from "../state/editor";
import { bareItem, readItems } from "./schema";

/** The items that came into a node in the shown run. */
export function NodeInput({ node }: { node: WorkflowNode }) {
  const { run } = useEditor();
  const definition = useDraftState().history.present;
  const source = inputOf(definition, run, node.name);
  if (!source)
    return (
      <EmptyState icon="execution" title="No input yet">
        {run ? "Nothing led items into this node in the shown run." : "Run the workflow: then its items are here."}
      </EmptyState>
    );
  return <Output id={source.id} label={`Input of ${node.name}`} before={`From ${source.node}`} only={source.output} />;
}

/** The items that a node gave in the shown run, and those that stand in for them when they are pinned. */
export function NodeOutput({ node }: { node: WorkflowNode }) {
  const { run, draft, isReadOnly } = useEditor();
  const definition = useDraftState().history.present;
  const [isEditing, setEditing] = useState(false);
  const [index, setIndex] = useState<number>();
  const runs = run?.runs.filter((one) => one.node === node.name) ?? [];
  const shown = runs.find((one) => one.runIndex === index) ?? runs.at(-1);
  const pinned = definition.pinData?.[node.name];
  const pin = (items: readonly unknown[] | undefined) =>
    draft.edit(setPins(draft.definition, node.name, items), {
      merge: items && isEditing ? `pins ${node.id}` : undefined,
    });
  if (pinned)
    return (
      <div className="flex min-h-0 flex-1 flex-col">
        <div className="flex flex-wrap items-center gap-2 px-3 py-2">
          <Badge tone="accent">pinned</Badge>
          <span className="flex-1 text-xs text-muted">
            {pinned.length === 1 ? "1 item stands" : `${pinned.length} items stand`} in for this node in manual runs.
          </span>
          {!isReadOnly && (
            <>
              <Button size="small" aria-pressed={isEditing} onClick={() => setEditing(!isEditing)}>
                {isEditing ? "Look at them" : "Edit"}
              </Button>
              <Button size="small" onClick={() => pin(undefined)}>
                Unpin
              </Button>
            </>
          )}
        </div>
        {isEditing ? (
          <div className="px-3 pb-3">
            <PinEditor name={node.name} items={pinned} onChange={pin} />
          </div>
        ) : (
          <Items label={`Pinned items of ${node.name}`} items={pinned} />
        )}
      </div>
    );
  if (!shown)
    return (
      <EmptyState
        icon="execution"
        title="No output yet"
        action={
          !isReadOnly && (
            <Button
              size="small"
              onClick={() => {
                pin([{ json: {} }]);
                setEditing(true);
              }}
            >
              Pin items by hand
            </Button>
          )
        }
      >
        {run ? "This node did not run in the shown run." : "Run the workflow to see its items."}
        {!isReadOnly && " Or pin items: they stand in for it in manual runs."}
      </EmptyState>
    );
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      {runs.length > 1 && (
        <div className="px-3 pt-2">
          <Select
            aria-label="Which run of the node"
            value={String(shown.runIndex)}
            choices={runs.map((one) => ({
              value: String(one.runIndex),
              label: `Run ${one.runIndex + 1} of ${runs.length}`,
            }))}
            onChange={(next) => setIndex(Number(next))}
          />
        </div>
      )}
      <RunOutput node={node} run={shown} onPin={isReadOnly ? undefined : pin} />
    </div>
  );
}

function RunOutput({
  node,
  run,
  onPin,
}: {
  node: WorkflowNode;
  run: NodeRunFact;
  onPin: ((items: readonly unknown[]) => void) | undefined;
}) {
  if (run.status === "COMPLETED")
    return (
      <Output
        id={run.id}
        label={`Output of ${node.name}`}
        node={node}
        onPin={onPin}
        took={run.durationMs ?? undefined}
      />
    );
  if (run.status === "FAILED") return <Failure run={run} />;
  return <p className="px-4 py-6 text-center text-sm text-muted">It has given nothing yet.</p>;
}

function Failure({ run }: { run: NodeRunFact }) {
  const [{ data }] = useQuery({ query: EditorItems, variables: { id: run.id }, requestPolicy: "cache-first" });
  const error = data?.node && "error" in data.node ? data.node.error : undefined;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <p role="alert" className="m-3 rounded-md bg-bad-soft px-3 py-2 text-sm break-words text-bad">
        {run.errorMessage ?? "It failed."}
      </p>
      {error !== undefined && error !== null && <JsonView label="Error" value={error} className="flex-1 border-t" />}
    </div>
  );
}

interface OutputProps {
  id: string;
  label: string;
  before?: string;
  /** Only this output is shown. */
  only?: number;
  node?: WorkflowNode;
  took?: number;
  onPin?: ((items: readonly unknown[]) => void) | undefined;
}

function Output({ id, label, before, only, node, took, onPin }: OutputProps) {
  const { catalogue } = useEditor();
  const [{ data, error }, again] = useQuery({ query: EditorItems, variables: { id }, requestPolicy: "cache-first" });
  const [chosen, setChosen] = useState<number>();
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={again} />;
  if (!data) return <Skeleton className="m-3 h-40" />;
  const output = data.node && "output" in data.node ? data.node.output : undefined;
  const outputs = Array.isArray(output) ? (output as unknown[]) : [];
  const firstFull = Math.max(
    0,
    [...outputs.keys()].findIndex((index) => itemsOf(output, index).length > 0),
  );
  const place = only ?? chosen ?? firstFull;
  const items = itemsOf(output, place);
  const names = node ? portsOf(node, catalogue.of(node.type), []).outputs : [];
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex flex-wrap items-center gap-2 px-3 py-2 text-xs text-muted">
        {before !== undefined && <span>{before}</span>}
        {only === undefined && outputs.length > 1 && (
          <Select
            aria-label="Which output"
            className="!h-7 !w-40"
            value={String(place)}
            choices={outputs.map((_items, index) => ({
              value: String(index),
              label: `${(names[index] ?? "") || `output ${index}`} (${itemsOf(output, index).length})`,
            }))}
            onChange={(next) => setChosen(Number(next))}
          />
        )}
        <span className="flex-1 tabular-nums">
          {items.length} {items.length === 1 ? "item" : "items"}
          {took !== undefined && ` in ${took.toFixed(took < 10 ? 1 : 0)} ms`}
        </span>
        {onPin && items.length > 0 && (
          <Button size="small" onClick={() => onPin(items)} title="They stand in for this node in manual runs">
            Pin
          </Button>
        )}
      </div>
      {items.length === 0 ? (
        <p className="border-t px-4 py-6 text-center text-sm text-muted">It gave no items here.</p>
      ) : (
        <Items key={`${id} ${place}`} label={label} items={items} />
      )}
    </div>
  );
}

/** Items in one of three shapes. */
function Items({ label, items }: { label: string; items: readonly unknown[] }) {
  const [shape, setShape] = useState<Shape>("table");
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="px-3 pb-2">
        <ShapeSelect value={shape} onChange={setShape} />
      </div>
      <ItemsView label={label} items={items} shape={shape} forExpressions />
    </div>
  );
}

interface PinEditorProps {
  name: string;
  items: readonly unknown[];
  onChange: (items: readonly unknown[]) => void;
}

function PinEditor({ name, items, onChange }: PinEditorProps) {
  const bare = useMemo(() => items.map(bareItem), [items]);
  return (
    <JsonField
      label={`Pinned items of ${name} as JSON`}
      rows={14}
      value={bare}
      check={(value) => {
        const read = readItems(value);
        return "problem" in read ? read.problem : undefined;
      }}
      onChange={(value) => {
        const read = readItems(value);
        if ("items" in read) onChange(read.items);
      }}
    />
  );
}
