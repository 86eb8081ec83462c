import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import { Button } from "./Button";
import { classes } from "./class-names";
import { CopyButton } from "./CopyButton";
import { type JsonLine, jsonLines, jsonMatches, jsonText } from "./json-lines";

export interface JsonViewProps {
  label: string;
  value: unknown;
  /** How deep it is open at first. */
  depth?: number;
  /** Paths (JSON Pointers) that are marked, such as those that changed. */
  marked?: ReadonlySet<string>;
  /** Somebody chose a path. */
  onPath?: (path: string) => void;
  className?: string;
  hideTools?: boolean;
}

const LINE = 20;
/** Longer texts are cut where they are shown; they are copied whole. */
const TEXT_MAX = 2_000;
const COLOURS: Record<JsonLine["type"], string> = {
  object: "text-muted",
  array: "text-muted",
  string: "text-good",
  number: "text-info",
  boolean: "text-warn",
  null: "text-muted",
};

/** A value as JSON: parts open and close, any size, with a search. It is always text, never HTML. */
export function JsonView({ label, value, depth = 2, marked, onPath, className, hideTools }: JsonViewProps) {
  const [toggled, setToggled] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [openTo, setOpenTo] = useState(depth);
  const [query, setQuery] = useState("");
  const [match, setMatch] = useState(0);
  const [active, setActive] = useState(0);
  const scroll = useRef<HTMLDivElement>(null);
  const matches = useMemo(() => jsonMatches(value, query), [value, query]);
  const lines = useMemo(
    () => jsonLines(value, (path, level) => toggled.get(path) ?? level < openTo),
    [value, toggled, openTo],
  );
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => LINE,
    overscan: 20,
    initialRect: { width: 600, height: 400 },
  });
  const matched = matches[match];
  const toggle = (line: JsonLine, open = !line.isOpen) => setToggled(new Map(toggled).set(line.path, open));
  const show = (place: number) => {
    const path = matches[(place + matches.length) % Math.max(1, matches.length)];
    if (path === undefined) return;
    const opened = new Map(toggled);
    for (let at = path.lastIndexOf("/"); at >= 0; at = path.lastIndexOf("/", at - 1))
      opened.set(path.slice(0, at), true);
    setToggled(opened);
    setMatch((place + matches.length) % matches.length);
    const after = jsonLines(value, (one, level) => opened.get(one) ?? level < openTo);
    const index = after.findIndex((line) => line.path === path);
    requestAnimationFrame(() => virtual.scrollToIndex(index, { align: "center" }));
  };
  const focus = (index: number) => {
    const next = Math.max(0, Math.min(lines.length - 1, index));
    setActive(next);
    virtual.scrollToIndex(next);
    requestAnimationFrame(() => scroll.current?.querySelector<HTMLElement>(`[data-line="${next}"]`)?.focus());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const line = lines[active];
    if (!line) return;
    const steps: Record<string, () => void> = {
      ArrowDown: () => focus(active + 1),
      ArrowUp: () => focus(active - 1),
      Home: () => focus(0),
      End: () => focus(lines.length - 1),
      ArrowRight: () => (line.kind === "open" && !line.isOpen ? toggle(line, true) : focus(active + 1)),
      ArrowLeft: () => (line.kind === "open" && line.isOpen ? toggle(line, false) : focus(parentOf(lines, active))),
      Enter: () => (line.kind === "open" ? toggle(line) : onPath?.(line.path)),
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    step();
  };
  return (
    <div className={classes("flex min-h-0 flex-col", className)}>
      {hideTools !== true && (
        <div className="flex items-center gap-1 border-b px-2 py-1">
          <input
            type="search"
            aria-label={`Search in ${label}`}
            placeholder="Search"
            value={query}
            onChange={(event) => {
              setQuery(event.target.value);
              setMatch(0);
            }}
            onKeyDown={(event) => {
              if (event.key === "Enter") show(event.shiftKey ? match - 1 : match + (matched === undefined ? 0 : 1));
            }}
            className="h-7 min-w-0 flex-1 rounded border border-line-strong/60 bg-surface px-2 text-[13px] placeholder:text-muted"
          />
          {query !== "" && (
            <span role="status" className="px-1 text-xs whitespace-nowrap text-muted">
              {matches.length === 0 ? "none" : `${match + 1} of ${matches.length}`}
            </span>
          )}
          <Button
            size="small"
            kind="quiet"
            onClick={() => {
              setToggled(new Map());
              setOpenTo(Number.POSITIVE_INFINITY);
            }}
          >
            Open all
          </Button>
          <Button
            size="small"
            kind="quiet"
            onClick={() => {
              setToggled(new Map());
              setOpenTo(1);
            }}
          >
            Close all
          </Button>
          <CopyButton text={() => jsonText(value, 2)} label={`Copy ${label}`} />
        </div>
      )}
      <div
        ref={scroll}
        role="tree"
        aria-label={label}
        onKeyDown={onKeyDown}
        className="min-h-24 flex-1 overflow-auto py-1 font-mono text-[12.5px]"
      >
        <div role="none" className="relative w-max min-w-full" style={{ height: `${virtual.getTotalSize()}px` }}>
          {virtual.getVirtualItems().map((item) => {
            const line = lines[item.index];
            if (!line) return null;
            return (
              <Line
                key={item.key}
                line={line}
                index={item.index}
                start={item.start}
                isActive={item.index === Math.min(active, lines.length - 1)}
                isMarked={marked?.has(line.path) === true}
                isMatched={query !== "" && line.path === matched && line.kind !== "close"}
                onPress={() => {
                  setActive(item.index);
                  if (line.kind === "open" && line.entries > 0) toggle(line);
                  else onPath?.(line.path);
                }}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface LineProps {
  line: JsonLine;
  index: number;
  start: number;
  isActive: boolean;
  isMarked: boolean;
  isMatched: boolean;
  onPress: () => void;
}

function Line({ line, index, start, isActive, isMarked, isMatched, onPress }: LineProps) {
  const canOpen = line.kind === "open" && line.entries > 0;
  const text =
    line.text.length > TEXT_MAX ? `${line.text.slice(0, TEXT_MAX)}… (${line.text.length} characters)` : line.text;
  return (
    <div
      role="treeitem"
      aria-level={line.depth + 1}
      aria-expanded={canOpen ? line.isOpen : undefined}
      aria-selected={isActive}
      data-line={index}
      tabIndex={isActive ? 0 : -1}
      onClick={onPress}
      style={{ height: `${LINE}px`, transform: `translateY(${start}px)`, paddingLeft: `${line.depth * 14 + 8}px` }}
      className={classes(
        "absolute top-0 left-0 min-w-full cursor-default pr-4 leading-5 whitespace-pre outline-offset-[-2px] hover:bg-hover",
        isMarked && "bg-warn-soft",
        isMatched && "bg-accent-soft",
      )}
    >
      <span aria-hidden className="inline-block w-3.5 text-muted">
        {canOpen ? (line.isOpen ? "▾" : "▸") : ""}
      </span>
      {line.name !== undefined && <span className="text-accent">{line.name}: </span>}
      <span className={COLOURS[line.type]}>{text}</span>
      {canOpen && !line.isOpen && <span className="text-muted"> {line.entries}</span>}
    </div>
  );
}

function parentOf(lines: readonly JsonLine[], index: number): number {
  const depth = lines[index]?.depth ?? 0;
  for (let at = index - 1; at >= 0; at -= 1) if ((lines[at]?.depth ?? 0) < depth) return at;
  return 0;
}
