import { Dialog } from "@/ui";
import { NodeIcon } from "../canvas/NodeIcon";
import { type Catalogue, GROUPS, type NodeType } from "../catalogue";
import { kindInWords } from "../model/ports";
import type { Place } from "../state/commands";
import { Chooser, type ChoiceRow } from "./Chooser";
import { score } from "./fuzzy";

const ORDER = Object.keys(GROUPS);

export interface NodePaletteProps {
  place: Place | undefined;
  catalogue: Catalogue;
  onChoose: (type: NodeType) => void;
  onClose: () => void;
}

/** All nodes that can be added, found by writing a part of their names. */
export function NodePalette({ place, catalogue, onChoose, onClose }: NodePaletteProps) {
  const title = place?.helps
    ? `Add a ${kindInWords(place.helps.kind)} for ${place.helps.node}`
    : place?.after
      ? `Add a node behind ${place.after.node}`
      : "Add a node";
  return (
    <Dialog title={title} hideTitle isOpen={place !== undefined} onClose={onClose}>
      <Chooser
        label={title}
        placeholder={`${title} …`}
        rows={(query) => matching(catalogue.types, place ?? {}, query)}
        row={(type: NodeType) => <TypeRow type={type} />}
        onChoose={onChoose}
        empty="No node is called so. A service without a node of its own is asked by an HTTP Request."
      />
    </Dialog>
  );
}

function TypeRow({ type }: { type: NodeType }) {
  return (
    <span className="flex items-center gap-3">
      <NodeIcon type={type} />
      <span className="min-w-0">
        <span className="block truncate text-sm font-medium">{type.displayName}</span>
        <span className="block truncate text-xs text-muted">
          {type.switchedOff && <span className="text-warn">Switched off here. </span>}
          {type.description}
        </span>
      </span>
    </span>
  );
}

/** The types that fit a place and what was written: by group where nothing was written, else the best first. */
export function matching(types: readonly NodeType[], place: Place, query: string): ChoiceRow<NodeType>[] {
  const fitting = types.filter((type) => fits(type, place));
  const isSearch = query.trim() !== "";
  const scored = fitting.map((type) => ({ type, points: points(type, query) })).filter((one) => one.points > 0);
  scored.sort((one, other) =>
    isSearch
      ? other.points - one.points
      : ORDER.indexOf(one.type.group) - ORDER.indexOf(other.type.group) ||
        one.type.displayName.localeCompare(other.type.displayName),
  );
  return scored.map(({ type }) => ({
    key: type.type,
    value: type,
    label: type.displayName,
    group: isSearch ? undefined : GROUPS[type.group],
  }));
}

function fits(type: NodeType, place: Place): boolean {
  if (place.helps) return type.helperPorts.serves.includes(place.helps.kind);
  return place.after || place.into ? type.ports.inputs > 0 : true;
}

function points(type: NodeType, query: string): number {
  if (query.trim() === "") return 1;
  const short = type.type.slice(type.type.lastIndexOf(".") + 1);
  const best = Math.max(
    score(type.displayName, query),
    score(short, query) - 1,
    ...type.aliases.map((alias) => score(alias, query) - 2),
    wordIn(type.description, query),
  );
  // What newer types do better is below all others.
  return best <= 0 ? 0 : type.group === "OLDER" ? best / 2 : best;
}

/** Descriptions are long: only whole beginnings of words count there. */
function wordIn(text: string, query: string): number {
  const wanted = query.trim().toLowerCase();
  return wanted.length > 2 && ` ${text.toLowerCase()}`.includes(` ${wanted}`) ? 5 : 0;
}
