import { Handle, type NodeProps, NodeResizer, Position } from "@xyflow/react";
import { memo } from "react";
import { Icon, classes } from "@/ui";
import { kindInWords } from "../model/ports";
import { MAIN } from "../model/definition";
import type { NodeState, NodeStatus } from "../run/states";
import { type CardNode, handleId, isHelper, portOffset } from "./graph";
import { NodeIcon } from "./NodeIcon";
import { useNoteResize } from "./note-resize";
import { useEditor } from "../state/editor";

const HANDLE = "!size-2.5 !rounded-full !border-2 !border-surface !bg-line-strong hover:!bg-accent";
const HELPER_HANDLE = "!size-2.5 !rounded-[2px] !border-2 !border-surface !bg-accent rotate-45";

const EDGES: Partial<Record<NodeStatus, string>> = {
  RUNNING: "border-info ring-2 ring-info/40",
  RETRYING: "border-warn ring-2 ring-warn/40",
  WAITING: "border-warn",
  COMPLETED: "border-good/70",
  FAILED: "border-bad",
};

/** A node on the canvas. It is drawn again only when something of it changed. */
export const Card = memo(function Card({ data, selected, width = 0, height = 0 }: NodeProps<CardNode>) {
  const { node, ports, state, isMissing, problem } = data;
  const isOff = node.disabled === true;
  const isSmall = isHelper(ports);
  return (
    <div
      className={classes(
        "flex h-full items-center rounded-lg border bg-raised px-2 shadow-sm",
        isSmall ? "flex-col justify-center gap-1 rounded-2xl border-dashed text-center" : "gap-2",
        state && !isOff ? EDGES[state.status] : "border-line-strong/50",
        (isMissing || problem !== undefined) && "border-warn",
        selected && "border-accent ring-2 ring-accent",
        isOff && "border-dashed bg-sunken",
      )}
    >
      <NodeIcon type={data.look} className={isOff ? "opacity-60" : undefined} />
      <span className={isSmall ? "w-full min-w-0" : "min-w-0 flex-1"}>
        <span
          className={classes(
            "block truncate text-[13px] leading-tight font-medium",
            isOff && "text-muted line-through",
          )}
        >
          {node.name}
        </span>
        {data.typeName !== node.name && !isSmall && (
          <span className="block truncate text-[11px] leading-tight text-muted">{data.typeName}</span>
        )}
      </span>
      {ports.outputs.length > 1 && (
        <span className="relative h-full w-12 text-right text-[10px] text-muted">
          {ports.outputs.map((name, index) => (
            <span
              key={index}
              className="absolute right-0 max-w-12 -translate-y-1/2 truncate"
              style={{ top: `${portOffset(index, ports.outputs.length, height)}px` }}
            >
              {name}
            </span>
          ))}
        </span>
      )}
      <Marks
        state={isOff ? undefined : state}
        isPinned={data.isPinned}
        hasProblem={isMissing || problem !== undefined}
      />
      {Array.from({ length: ports.inputs }, (_, index) => (
        <Handle
          key={index}
          id={handleId("in", MAIN, index)}
          type="target"
          position={Position.Left}
          className={HANDLE}
          style={{ top: portOffset(index, ports.inputs, height) }}
        />
      ))}
      {ports.outputs.map((_name, index) => (
        <Handle
          key={handleId("out", MAIN, index)}
          id={handleId("out", MAIN, index)}
          type="source"
          position={Position.Right}
          className={HANDLE}
          style={{ top: portOffset(index, ports.outputs.length, height) }}
        />
      ))}
      {ports.takes.map((kind, place) => (
        <HelperPlace key={kind} kind={kind} left={portOffset(place, ports.takes.length, width)} />
      ))}
      {ports.serves.map((kind, place) => (
        <Handle
          key={kind}
          id={handleId("out", kind, 0)}
          type="source"
          position={Position.Top}
          className={HELPER_HANDLE}
          style={{ left: portOffset(place, ports.serves.length, width) }}
        />
      ))}
    </div>
  );
});

/** Places are close beside each other. */
const SHORT: Readonly<Record<string, string>> = { ai_outputParser: "parser", ai_textSplitter: "splitter" };

function HelperPlace({ kind, left }: { kind: string; left: number }) {
  return (
    <>
      <Handle
        id={handleId("in", kind, 0)}
        type="target"
        position={Position.Bottom}
        className={HELPER_HANDLE}
        style={{ left }}
      />
      <span
        className="pointer-events-none absolute top-full mt-1.5 -translate-x-1/2 rounded bg-bg px-0.5 text-[9.5px] leading-3 whitespace-nowrap text-muted"
        style={{ left }}
      >
        {SHORT[kind] ?? kindInWords(kind)}
      </span>
    </>
  );
}

function Marks({
  state,
  isPinned,
  hasProblem,
}: {
  state: NodeState | undefined;
  isPinned: boolean;
  hasProblem: boolean;
}) {
  const items = state?.itemCounts.reduce((sum, count) => sum + count, 0) ?? 0;
  return (
    <span aria-hidden className="absolute -top-2.5 right-2 flex items-center gap-1">
      {hasProblem && (
        <Mark className="bg-warn-soft text-warn">
          <Icon name="warning" className="!size-3" />
        </Mark>
      )}
      {isPinned && <Mark className="bg-accent-soft text-accent">pinned</Mark>}
      {state?.status === "RUNNING" && <Mark className="animate-pulse bg-info-soft text-info">runs</Mark>}
      {state?.status === "RETRYING" && <Mark className="bg-warn-soft text-warn">again</Mark>}
      {state?.status === "WAITING" && <Mark className="bg-warn-soft text-warn">waits</Mark>}
      {state?.status === "FAILED" && <Mark className="bg-bad-soft text-bad">failed</Mark>}
      {state?.status === "COMPLETED" && (
        <Mark className="bg-good-soft text-good">
          <Icon name="check" className="!size-3" />
          {items}
          {state.runs > 1 && ` · ${state.runs}×`}
        </Mark>
      )}
    </span>
  );
}

function Mark({ className, children }: { className: string; children: React.ReactNode }) {
  return (
    <span
      className={`inline-flex h-[18px] items-center gap-0.5 rounded-full border border-surface px-1.5 text-[10.5px] font-medium tabular-nums ${className}`}
    >
      {children}
    </span>
  );
}

/** A note for people. What is in it is shown as it was written. */
export const Note = memo(function Note({ data, selected }: NodeProps<CardNode>) {
  const { node } = data;
  const resize = useNoteResize();
  const { isReadOnly } = useEditor();
  const content = typeof node.parameters.content === "string" ? node.parameters.content : "";
  return (
    <>
      <NodeResizer
        isVisible={selected && !isReadOnly}
        minWidth={80}
        minHeight={60}
        onResizeEnd={(_event, box) => resize(node.name, box)}
        lineClassName="!border-accent"
        handleClassName="!size-2 !rounded-sm !border-accent !bg-surface"
      />
      <div
        className={classes(
          "h-full overflow-hidden rounded-md border border-warn/40 bg-warn-soft p-3 text-[13px] break-words whitespace-pre-wrap",
          selected && "ring-2 ring-accent",
        )}
      >
        {content === "" ? <span className="text-muted">An empty note</span> : content}
      </div>
    </>
  );
});
