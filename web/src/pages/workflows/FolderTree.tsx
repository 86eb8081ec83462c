import { type DragEvent, type KeyboardEvent, useRef, useState } from "react";
import { Icon, classes } from "@/ui";
import { type FolderNode, shownFolders } from "./folders";

/** What is dragged: ids of workflows, one a line. */
export const DRAGGED = "application/x-timeloom-workflows";

export interface FolderTreeProps {
  tree: readonly FolderNode[];
  all: number;
  folder: string | undefined;
  onFolder: (folder: string | undefined) => void;
  /** Workflows were dropped on a folder; the empty path takes them out of all. */
  /** Absent where whoever looks may not. */
  onMove: ((workflowIds: readonly string[], folder: string) => void) | undefined;
}

/** The folders of workflows, as a tree. A press shows what is in one; workflows can be dragged into it. */
export function FolderTree({ tree, all, folder, onFolder, onMove }: FolderTreeProps) {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [over, setOver] = useState<string | undefined>();
  const box = useRef<HTMLUListElement>(null);
  const root: FolderNode = { path: "", name: "All workflows", level: 1, workflowCount: all, hasChildren: false };
  const shown = [root, ...shownFolders(tree, closed)];
  const present = shown.some(({ path }) => path === (folder ?? "")) ? (folder ?? "") : "";

  const toggle = (path: string) => {
    const next = new Set(closed);
    if (!next.delete(path)) next.add(path);
    setClosed(next);
  };
  const go = (place: number) => {
    const node = shown[Math.max(0, Math.min(shown.length - 1, place))];
    if (!node) return;
    onFolder(node.path === "" ? undefined : node.path);
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>("[tabindex='0']")?.focus());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const place = shown.findIndex(({ path }) => path === present);
    const node = shown[place];
    if (!node) return;
    const isClosed = closed.has(node.path);
    const steps: Record<string, () => void> = {
      ArrowDown: () => go(place + 1),
      ArrowUp: () => go(place - 1),
      Home: () => go(0),
      End: () => go(shown.length - 1),
      ArrowRight: () => (node.hasChildren && isClosed ? toggle(node.path) : undefined),
      ArrowLeft: () => (node.hasChildren && !isClosed ? toggle(node.path) : go(shown.indexOf(outerOf(shown, node)))),
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    step();
  };
  const dropOn = (path: string) => ({
    onDragOver: (event: DragEvent) => {
      if (!onMove || !event.dataTransfer.types.includes(DRAGGED)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "move";
      setOver(path);
    },
    onDragLeave: () => setOver((now) => (now === path ? undefined : now)),
    onDrop: (event: DragEvent) => {
      const ids = event.dataTransfer.getData(DRAGGED);
      setOver(undefined);
      if (!onMove || ids === "") return;
      event.preventDefault();
      event.stopPropagation();
      onMove(ids.split("\n"), path);
    },
  });

  return (
    <ul ref={box} role="tree" aria-label="Folders" onKeyDown={onKeyDown} className="flex flex-col gap-px p-2">
      {shown.map((node) => (
        <li
          key={node.path}
          role="treeitem"
          aria-level={node.level}
          aria-expanded={node.hasChildren ? !closed.has(node.path) : undefined}
          aria-selected={node.path === present}
          aria-label={`${node.name}, ${node.workflowCount}`}
          tabIndex={node.path === present ? 0 : -1}
          onClick={() => onFolder(node.path === "" ? undefined : node.path)}
          {...dropOn(node.path)}
          style={{ paddingLeft: `${(node.level - 1) * 14 + 4}px` }}
          className={classes(
            "flex h-7 cursor-pointer items-center gap-1 rounded-md pr-2 text-[13px] outline-offset-[-2px]",
            node.path === present ? "bg-hover font-medium" : "text-muted hover:bg-hover hover:text-text",
            over === node.path && "bg-accent-soft! text-accent!",
          )}
        >
          <span
            aria-hidden
            className={classes(
              "flex size-5 shrink-0 items-center justify-center rounded",
              node.hasChildren && "hover:bg-line",
            )}
            onClick={(event) => {
              if (!node.hasChildren) return;
              event.stopPropagation();
              toggle(node.path);
            }}
          >
            {node.hasChildren && <Icon name={closed.has(node.path) ? "right" : "down"} className="size-3" />}
          </span>
          <span className="min-w-0 flex-1 truncate">{node.name}</span>
          <span className="text-xs text-muted tabular-nums">{node.workflowCount}</span>
        </li>
      ))}
    </ul>
  );
}

function outerOf(shown: readonly FolderNode[], node: FolderNode): FolderNode {
  const outer = node.path.slice(0, Math.max(0, node.path.lastIndexOf("/")));
  return shown.find(({ path }) => path === outer) ?? node;
}
