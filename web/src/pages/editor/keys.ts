import { useEffect, useState } from "react";
import { useKeys } from "@/app/keys";
import { toast } from "@/api";
import { MAIN, edgesOf, nodeNamed } from "./model/definition";
import { portsOf } from "./model/ports";
import type { Commands } from "./state/commands";
import type { Editor } from "./state/editor";

const STEP = 20;

export interface EditorKeys {
  editor: Editor;
  isPanelOpen: boolean;
  /** Absent where whoever looks may not. */
  run: (() => void) | undefined;
  publish: () => void;
  toggleView: () => void;
}

/** The keys of the editor. Those that a list or a field would take too are there only while the canvas or the outline has the focus. */
export function useEditorKeys({ editor, isPanelOpen, run, publish, toggleView }: EditorKeys): void {
  const { draft, commands, isReadOnly, openNode } = editor;
  const isOnCanvas = useIsOnCanvas();
  useKeys(
    [
      ...(run ? [{ keys: "Ctrl+Enter", does: "run the workflow", run, inFields: true }] : []),
      { keys: "v", does: "canvas or outline", run: toggleView },
      ...(isReadOnly ? [] : changes(editor, publish)),
      ...(isPanelOpen ? [{ keys: "Escape", does: "close the node", run: () => openNode(undefined) }] : []),
    ],
    "Editor",
  );
  useKeys(
    isOnCanvas
      ? [
          ...walks(commands),
          { keys: "Enter", does: "open the node", run: withActive(editor, (name) => openNode(name)) },
          { keys: "e", does: "choose a connection of the node, the next each time", run: () => nextEdge(editor) },
          { keys: "Ctrl+a", does: "choose all nodes", run: () => commands.selectAll() },
          // The browser's own events bring this one, see `useClipboard`; in capitals it is shown, and takes no press away.
          { keys: "Ctrl+C", does: "copy, for here and for n8n", run: () => undefined },
          ...(isReadOnly ? [] : changesOfNodes(editor)),
          ...(isPanelOpen ? [] : [{ keys: "Escape", does: "choose nothing", run: () => draft.select([]) }]),
        ]
      : [],
    "Canvas and outline",
  );
}

function withActive({ commands }: Editor, act: (name: string) => void): () => void {
  return () => {
    const name = commands.active;
    if (name !== undefined) act(name);
  };
}

function changes({ draft, commands, openPalette }: Editor, publish: () => void) {
  return [
    { keys: "Ctrl+s", does: "save now", run: () => void draft.save(), inFields: true },
    { keys: "Ctrl+z", does: "undo", run: () => commands.undo() },
    { keys: "Ctrl+y", does: "redo", run: () => commands.redo() },
    { keys: "+", does: "add a node behind the chosen one", run: () => openPalette(commands.placeNow()) },
    { keys: "p", does: "publish", run: publish },
  ];
}

function changesOfNodes(editor: Editor) {
  const { commands, openPalette, openConnect, openRename } = editor;
  return [
    ...moves(commands),
    { keys: "Tab", does: "add a node behind the chosen one", run: () => openPalette(commands.placeNow()) },
    {
      keys: "c",
      does: "connect the node to another, by name",
      run: withActive(editor, (name) => openConnect(name, 0)),
    },
    {
      keys: "h",
      does: "attach a helper to the node, such as a model or a tool",
      run: withActive(editor, (name) => attach(editor, name)),
    },
    { keys: "F2", does: "rename the node", run: withActive(editor, openRename) },
    { keys: "d", does: "disable or enable", run: () => commands.toggleDisabled() },
    { keys: "Delete", does: "remove what is chosen", run: () => commands.remove() },
    { keys: "Backspace", does: "remove what is chosen", run: () => commands.remove() },
    { keys: "Ctrl+d", does: "duplicate", run: () => commands.duplicate() },
    { keys: "Ctrl+V", does: "paste, from here and from n8n", run: () => undefined },
  ];
}

function walks(commands: Commands) {
  return (["Left", "Right", "Up", "Down"] as const).map((way) => ({
    keys: `Arrow${way}`,
    does: `go ${way === "Left" || way === "Right" ? "along the connections" : "to the node"} ${way.toLowerCase()}`,
    run: () => void commands.walk(way.toLowerCase() as "left" | "right" | "up" | "down"),
  }));
}

function moves(commands: Commands) {
  const steps = { Left: [-STEP, 0], Right: [STEP, 0], Up: [0, -STEP], Down: [0, STEP] } as const;
  return (["Left", "Right", "Up", "Down"] as const).map((way) => ({
    keys: `Alt+Arrow${way}`,
    does: `move the chosen nodes ${way.toLowerCase()}`,
    run: () => commands.move(steps[way][0], steps[way][1]),
  }));
}

/** Offers what the node needs first: kinds of which it has none yet. */
function attach({ draft, catalogue, openPalette, say }: Editor, name: string): void {
  const node = nodeNamed(draft.definition, name);
  const edges = edgesOf(draft.definition).filter((edge) => edge.target === name && edge.kind !== MAIN);
  const takes = node ? portsOf(node, catalogue.of(node.type), edges).takes : [];
  const kind = takes.find((one) => !edges.some((edge) => edge.kind === one)) ?? takes.at(-1);
  if (kind === undefined) say(`Nothing can be attached to ${name}`);
  else openPalette({ helps: { node: name, kind } });
}

/** The connections of the chosen node, one after the other. */
function nextEdge({ draft, say }: Editor): void {
  const links = [...document.querySelectorAll<HTMLElement>("[data-area=canvas] .react-flow__edge")];
  const ids = links.map((link) => link.dataset.id ?? "");
  const { edge, selection } = draft.get();
  const name = selection.at(-1);
  const near = ids.filter((id) => name === undefined || isOf(id, name));
  const next = near[(near.indexOf(edge ?? "") + 1) % Math.max(1, near.length)];
  if (next === undefined) {
    say("It has no connection");
    return;
  }
  draft.select(selection, next);
  const link = links.find((one) => one.dataset.id === next);
  link?.focus({ preventScroll: true });
  say(link?.getAttribute("aria-label") ?? "");
}

function isOf(id: string, name: string): boolean {
  const [source, , , target] = JSON.parse(id) as string[];
  return source === name || target === name;
}

/** Whether the focus is, or was last, on the canvas or the outline. A dialog in between changes nothing. */
function useIsOnCanvas(): boolean {
  const [isOn, setOn] = useState(true);
  useEffect(() => {
    const look = (event: FocusEvent) => {
      if (!(event.target instanceof HTMLElement) || event.target.closest("dialog")) return;
      const area = event.target.closest<HTMLElement>("[data-area]")?.dataset.area;
      setOn(area === "canvas" || event.target.id === "main");
    };
    document.addEventListener("focusin", look);
    return () => document.removeEventListener("focusin", look);
  }, []);
  return isOn;
}

/** Copying and pasting by the browser's own events, which also work where pages may not read the clipboard. */
export function useClipboard({ commands, isReadOnly, say }: Editor): void {
  useEffect(() => {
    const isOurs = (event: ClipboardEvent) =>
      !(
        event.target instanceof HTMLElement &&
        event.target.closest("input, textarea, select, dialog, [data-area=panel]")
      );
    const copy = (event: ClipboardEvent) => {
      if (!isOurs(event) || document.getSelection()?.isCollapsed === false) return;
      const text = commands.copy();
      if (text === undefined) return;
      event.clipboardData?.setData("text/plain", text);
      event.preventDefault();
      if (event.type === "cut" && !isReadOnly) commands.remove();
    };
    const paste = (event: ClipboardEvent) => {
      if (!isOurs(event) || isReadOnly) return;
      const text = event.clipboardData?.getData("text/plain") ?? "";
      if (text.trim() === "") return;
      event.preventDefault();
      if (commands.paste(text)) return;
      say("That is no workflow");
      toast({
        tone: "info",
        title: "That is no workflow",
        advice: "Copy nodes here or in n8n, or the text of a workflow file.",
      });
    };
    document.addEventListener("copy", copy);
    document.addEventListener("cut", copy);
    document.addEventListener("paste", paste);
    return () => {
      document.removeEventListener("copy", copy);
      document.removeEventListener("cut", copy);
      document.removeEventListener("paste", paste);
    };
  }, [commands, isReadOnly, say]);
}
