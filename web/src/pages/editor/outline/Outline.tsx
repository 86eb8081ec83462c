import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import { Icon, classes } from "@/ui";
import { spokenEdge } from "../canvas/graph";
import { NodeIcon } from "../canvas/NodeIcon";
import { MAIN, nodeNamed } from "../model/definition";
import { kindInWords, portsOf } from "../model/ports";
import { type OutlineLine, outline } from "../model/walk";
import { type NodeStates, stateInWords } from "../run/states";
import { useDraftState, useEditor } from "../state/editor";

export interface OutlineProps {
  states: NodeStates;
  problems: ReadonlyMap<string, string>;
}

/** The workflow as text: a tree along its connections, with the same selection as the canvas. */
export function Outline({ states, problems }: OutlineProps) {
  const { draft, openNode } = useEditor();
  const { history, selection } = useDraftState();
  const definition = history.present;
  const lines = useMemo(() => outline(definition), [definition]);
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [at, setAt] = useState<string | undefined>();
  const tree = useRef<HTMLUListElement>(null);
  const shown = useMemo(() => visible(lines, closed), [lines, closed]);
  const active = selection.at(-1);
  const current =
    shown.find((line) => line.key === at && line.name === active) ??
    shown.find((line) => line.name === active) ??
    shown[0];

  const go = (line: OutlineLine | undefined) => {
    if (!line) return;
    setAt(line.key);
    draft.select([line.name]);
    requestAnimationFrame(() =>
      tree.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(line.key)}"]`)?.focus(),
    );
  };
  const setOpen = (line: OutlineLine, isOpen: boolean) => {
    const next = new Set(closed);
    if (isOpen) next.delete(line.key);
    else next.add(line.key);
    setClosed(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!current || event.altKey || event.ctrlKey || event.metaKey) return;
    const place = shown.indexOf(current);
    const hasChildren = lines.some((line) => line.parent === current.key);
    const isOpen = hasChildren && !closed.has(current.key);
    const steps: Record<string, () => void> = {
      ArrowDown: () => go(shown[place + 1]),
      ArrowUp: () => go(shown[place - 1]),
      Home: () => go(shown[0]),
      End: () => go(shown.at(-1)),
      ArrowRight: () => (isOpen ? go(shown[place + 1]) : setOpen(current, true)),
      ArrowLeft: () => (isOpen ? setOpen(current, false) : go(shown.find((line) => line.key === current.parent))),
      Enter: () => openNode(current.name),
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    step();
  };
  return (
    <ul ref={tree} role="tree" aria-label="Outline" onKeyDown={onKeyDown} className="flex flex-col p-2">
      {shown.map((line) => (
        <Line
          key={line.key}
          line={line}
          isCurrent={line === current}
          isChosen={selection.includes(line.name)}
          isOpen={lines.some((one) => one.parent === line.key) ? !closed.has(line.key) : undefined}
          state={stateInWords(states.get(line.name))}
          problem={problems.get(line.name)}
          onPress={() => go(line)}
          onOpen={() => openNode(line.name)}
        />
      ))}
    </ul>
  );
}

interface LineProps {
  line: OutlineLine;
  isCurrent: boolean;
  isChosen: boolean;
  isOpen: boolean | undefined;
  state: string;
  problem: string | undefined;
  onPress: () => void;
  onOpen: () => void;
}

function Line({ line, isCurrent, isChosen, isOpen, state, problem, onPress, onOpen }: LineProps) {
  const { draft, catalogue } = useEditor();
  const node = nodeNamed(draft.definition, line.name);
  const type = node && catalogue.of(node.type);
  const via = viaInWords(line, draft.definition, catalogue.of);
  return (
    <li
      role="treeitem"
      aria-level={line.depth + 1}
      aria-selected={isChosen}
      aria-expanded={isOpen}
      data-key={line.key}
      tabIndex={isCurrent ? 0 : -1}
      title={line.via && spokenEdge(line.via)}
      onClick={onPress}
      onDoubleClick={onOpen}
      style={{ paddingLeft: `${line.depth * 20 + 8}px` }}
      className={classes(
        "flex min-h-9 cursor-default items-center gap-2 rounded-md py-1 pr-2 text-[13px]",
        isChosen ? "bg-accent-soft" : "hover:bg-hover",
      )}
    >
      <span aria-hidden className="w-3 shrink-0 text-muted">
        {isOpen === undefined ? "" : isOpen ? "▾" : "▸"}
      </span>
      {via !== "" && <span className="shrink-0 text-xs text-muted">{via}</span>}
      {node && <NodeIcon type={type} className="!size-6" />}
      <span className={classes("truncate font-medium", node?.disabled === true && "text-muted line-through")}>
        {line.name}
      </span>
      {line.isAgain ? (
        <span className="shrink-0 text-xs text-muted">again, see above</span>
      ) : (
        <span className="truncate text-xs text-muted max-sm:sr-only">{type?.displayName ?? node?.type}</span>
      )}
      <span className="flex-1" />
      {node?.disabled === true && <span className="shrink-0 text-xs text-muted">disabled</span>}
      {problem !== undefined && (
        <span className="flex shrink-0 items-center gap-1 text-xs text-warn">
          <Icon name="warning" />
          <span className="sr-only">problem: {problem}</span>
        </span>
      )}
      {state !== "" && <span className="max-w-60 shrink-0 truncate text-xs text-muted">{state}</span>}
    </li>
  );
}

function viaInWords(
  { via }: OutlineLine,
  definition: Parameters<typeof nodeNamed>[0],
  typeOf: ReturnType<typeof useEditor>["catalogue"]["of"],
): string {
  if (!via) return "";
  if (via.kind !== MAIN) return `${kindInWords(via.kind)}:`;
  const source = nodeNamed(definition, via.source);
  if (!source) return "";
  const output = portsOf(source, typeOf(source.type), []).outputs[via.sourceIndex] ?? String(via.sourceIndex);
  return output === "" ? "" : `${output}:`;
}

/** Lines that are not within a closed one. */
function visible(lines: readonly OutlineLine[], closed: ReadonlySet<string>): OutlineLine[] {
  const shown: OutlineLine[] = [];
  const hidden = new Set<string>();
  for (const line of lines) {
    const isHidden = line.parent !== undefined && (closed.has(line.parent) || hidden.has(line.parent));
    if (isHidden) hidden.add(line.key);
    else shown.push(line);
  }
  return shown;
}
