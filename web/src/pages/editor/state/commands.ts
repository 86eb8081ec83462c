import type { Catalogue, NodeType } from "../catalogue";
import { newestVersion } from "../catalogue";
import { copyNodes, duplicateNodes, pasteNodes } from "../model/clipboard";
import {
  type Definition,
  type Edge,
  MAIN,
  STICKY_NOTE,
  type WorkflowNode,
  edgesOf,
  nodeNamed,
} from "../model/definition";
import {
  addNode,
  connect,
  disconnect,
  insertInto,
  isSameEdge,
  moveNodes,
  removeNodes,
  renameNode,
  setDisabled,
} from "../model/edit";
import { kindInWords, portsOf } from "../model/ports";
import { type Way, neighbour } from "../model/walk";
import type { Draft } from "./draft";

/** Where a node that is added belongs. */
export interface Place {
  /** Behind this output of a node. */
  after?: { node: string; output: number };
  /** Attached to this node, as this kind of helper. */
  helps?: { node: string; kind: string };
  /** Into this connection. */
  into?: Edge;
  at?: { x: number; y: number };
}

const GAP_X = 240;
const GAP_Y = 100;
const HELPER_X = 120;
/** Types that are called from outside under an id of their own. */
const IS_CALLED = /\.(webhook|formTrigger|chatTrigger|form|wait)$/;

/** What can be done with a draft, by keys, pointer and menus alike. Each tells what it did, for those who do not see it. */
export class Commands {
  constructor(
    private readonly draft: Draft,
    private readonly catalogue: Catalogue,
    private readonly say: (text: string) => void,
  ) {}

  /** The node that keys act on. */
  get active(): string | undefined {
    return this.draft.get().selection.at(-1);
  }

  add(type: NodeType, place: Place): string {
    const before = this.draft.definition;
    const webhookId = IS_CALLED.test(type.type) ? crypto.randomUUID() : undefined;
    const node: Omit<WorkflowNode, "id"> = {
      name: type.displayName,
      type: type.type,
      typeVersion: newestVersion(type),
      position: this.positionFor(before, place),
      // A webhook without a path has no address.
      parameters: type.type.endsWith(".webhook") ? { path: webhookId } : {},
      ...(webhookId === undefined ? {} : { webhookId }),
    };
    const added = addNode(before, node);
    const name = added.name;
    const [definition, words] = this.joined(added.definition, type, name, place);
    this.draft.edit(definition, { select: [name] });
    this.say(`Added ${name}${words}`);
    return name;
  }

  private joined(definition: Definition, type: NodeType, name: string, place: Place): [Definition, string] {
    if (place.helps) {
      const { node, kind } = place.helps;
      const edge = { source: name, sourceIndex: 0, target: node, targetIndex: 0, kind };
      return [connect(definition, edge), `, which serves ${node} as ${kindInWords(kind)}`];
    }
    if (type.ports.inputs === 0) return [definition, ""];
    if (place.into && type.ports.outputs > 0)
      return [insertInto(definition, place.into, name), ` between ${place.into.source} and ${place.into.target}`];
    if (!place.after) return [definition, ""];
    const { node: source, output: sourceIndex } = place.after;
    const edge = { source, sourceIndex, target: name, targetIndex: 0, kind: MAIN };
    return [connect(definition, edge), ` behind ${source}`];
  }

  private positionFor(definition: Definition, place: Place): readonly [number, number] {
    if (place.at) return [Math.round(place.at.x), Math.round(place.at.y)];
    const node = nodeNamed(definition, place.helps?.node ?? place.after?.node ?? place.into?.source);
    if (!node) {
      const bottom = Math.max(-GAP_Y, ...definition.nodes.map((one) => one.position[1]));
      return [0, definition.nodes.length === 0 ? 0 : bottom + GAP_Y];
    }
    const [x, y] = node.position;
    const output = place.after?.output ?? 0;
    return place.helps
      ? this.free(definition, x, y + 140, HELPER_X, 0)
      : this.free(definition, x + GAP_X, y + output * GAP_Y, 0, GAP_Y);
  }

  /** The first place from there on where no node is. */
  private free(definition: Definition, x: number, y: number, dx: number, dy: number): readonly [number, number] {
    const isTaken = () =>
      definition.nodes.some(
        ({ type, position }) =>
          type !== STICKY_NOTE &&
          Math.abs(position[0] - x) < (dx > 0 ? HELPER_X : GAP_X - 60) &&
          Math.abs(position[1] - y) < GAP_Y - 40,
      );
    while (isTaken()) {
      x += dx;
      y += dy;
    }
    return [x, y];
  }

  /** Where a node belongs that is added with the present selection. */
  placeNow(): Place {
    const { edge, selection } = this.draft.get();
    const chosen = edgesOf(this.draft.definition).find((one) => one.id === edge);
    if (chosen?.kind === MAIN) return { into: chosen };
    const node = nodeNamed(this.draft.definition, selection.at(-1));
    if (!node || node.type === STICKY_NOTE) return {};
    const edges = edgesOf(this.draft.definition);
    const ports = portsOf(
      node,
      this.catalogue.of(node.type),
      edges.filter((one) => one.source === node.name || one.target === node.name),
    );
    if (ports.outputs.length === 0 || (ports.inputs === 0 && ports.serves.length > 0)) return {};
    const isUsed = (output: number) =>
      edges.some((one) => one.source === node.name && one.kind === MAIN && one.sourceIndex === output);
    const open = ports.outputs.findIndex((_name, output) => !isUsed(output));
    return { after: { node: node.name, output: Math.max(0, open) } };
  }

  connect(edge: Omit<Edge, "id">): boolean {
    const { definition } = this.draft;
    if (edge.source === edge.target && edge.kind !== MAIN) return false;
    const connected = connect(definition, edge);
    if (connected === definition) {
      this.say(`${edge.source} leads to ${edge.target} already`);
      return false;
    }
    this.draft.edit(connected);
    this.say(`Connected ${edge.source} to ${edge.target}`);
    return true;
  }

  disconnect(edge: Omit<Edge, "id">): void {
    this.draft.edit(disconnect(this.draft.definition, (one) => isSameEdge(one, edge)));
    this.say(`Took the connection from ${edge.source} to ${edge.target} away`);
  }

  /** Takes away what is chosen: a connection, or nodes. */
  remove(): void {
    const { edge, selection } = this.draft.get();
    const chosen = edgesOf(this.draft.definition).find((one) => one.id === edge);
    if (chosen) this.disconnect(chosen);
    else if (selection.length > 0) {
      const name = selection.at(-1) ?? "";
      const next = neighbour(this.draft.definition, name, "left") ?? neighbour(this.draft.definition, name, "right");
      const left = next !== undefined && !selection.includes(next) ? [next] : [];
      this.draft.edit(removeNodes(this.draft.definition, new Set(selection)), { select: left });
      this.say(`Removed ${several(selection)}`);
    }
  }

  rename(from: string, to: string): string {
    const { definition, name } = renameNode(this.draft.definition, from, to);
    if (name === from) return from;
    const selection = this.draft.get().selection.map((one) => (one === from ? name : one));
    this.draft.edit(definition, { select: selection });
    this.say(`Renamed ${from} to ${name}`);
    return name;
  }

  duplicate(): void {
    const copied = duplicateNodes(this.draft.definition, new Set(this.draft.get().selection));
    if (!copied) return;
    this.draft.edit(copied.definition, { select: copied.names });
    this.say(`Duplicated as ${several(copied.names)}`);
  }

  copy(): string | undefined {
    const { selection } = this.draft.get();
    if (selection.length === 0) return undefined;
    this.say(`Copied ${several(selection)}`);
    return copyNodes(this.draft.definition, new Set(selection));
  }

  /** Takes in what was copied here or in n8n. `false` when it is nothing of the kind. */
  paste(text: string, at?: { x: number; y: number }): boolean {
    const active = nodeNamed(this.draft.definition, this.active);
    const beside = active ? { x: active.position[0] + 40, y: active.position[1] + GAP_Y } : { x: 0, y: 0 };
    const pasted = pasteNodes(this.draft.definition, text, at ?? beside);
    if (!pasted) return false;
    this.draft.edit(pasted.definition, { select: pasted.names });
    this.say(`Pasted ${several(pasted.names)}`);
    return true;
  }

  selectAll(): void {
    this.draft.select(this.draft.definition.nodes.map((node) => node.name));
    this.say(`Chose all ${this.draft.definition.nodes.length} nodes`);
  }

  /** Moves the selection along the connections. */
  walk(way: Way): string | undefined {
    const from = this.active;
    const to = from === undefined ? this.draft.definition.nodes[0]?.name : neighbour(this.draft.definition, from, way);
    if (to === undefined) this.say("Nothing there");
    else this.draft.select([to]);
    return to;
  }

  move(dx: number, dy: number): void {
    const { selection } = this.draft.get();
    if (selection.length === 0) return;
    this.draft.edit(moveNodes(this.draft.definition, new Set(selection), dx, dy), {
      merge: `move ${selection.join(" ")}`,
    });
    const node = nodeNamed(this.draft.definition, this.active);
    if (node) this.say(`${several(selection)} at ${node.position[0]}, ${node.position[1]}`);
  }

  toggleDisabled(): void {
    const { selection } = this.draft.get();
    const nodes = this.draft.definition.nodes.filter((node) => selection.includes(node.name));
    if (nodes.length === 0) return;
    const disable = nodes.some((node) => node.disabled !== true);
    this.draft.edit(setDisabled(this.draft.definition, new Set(selection), disable));
    this.say(`${disable ? "Disabled" : "Enabled"} ${several(selection)}`);
  }

  undo(): void {
    this.say(this.draft.undo() ? "Undone" : "Nothing to undo");
  }

  redo(): void {
    this.say(this.draft.redo() ? "Done again" : "Nothing to do again");
  }

  /** Nodes to which an output may lead, the likeliest first: those that nothing leads to yet. */
  targetsOf(source: string): { name: string; kind: string; input: number; words: string }[] {
    const { definition } = this.draft;
    const node = nodeNamed(definition, source);
    if (!node) return [];
    const edges = edgesOf(definition);
    const own = portsOf(
      node,
      this.catalogue.of(node.type),
      edges.filter((edge) => edge.source === source || edge.target === source),
    );
    const targets = definition.nodes.flatMap((target) => {
      if (target.name === source || target.type === STICKY_NOTE) return [];
      const ports = portsOf(
        target,
        this.catalogue.of(target.type),
        edges.filter((edge) => edge.target === target.name),
      );
      const helped = own.serves.filter((kind) => ports.takes.includes(kind));
      const fed = Array.from({ length: own.outputs.length > 0 ? ports.inputs : 0 }, (_, input) => ({
        name: target.name,
        kind: MAIN,
        input,
        words: ports.inputs > 1 ? `input ${input + 1}` : "",
      }));
      return [...helped.map((kind) => ({ name: target.name, kind, input: 0, words: kindInWords(kind) })), ...fed];
    });
    const isFed = (name: string) => edges.some((edge) => edge.target === name);
    return targets.sort((one, other) => Number(isFed(one.name)) - Number(isFed(other.name)));
  }
}

function several(names: readonly string[]): string {
  return names.length <= 3 ? names.join(", ") : `${names.length} nodes`;
}
