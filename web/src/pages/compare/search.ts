import { type RawSearch, count, flag, position, text } from "@/app/search";

export interface CompareSearch {
  left?: string;
  right?: string;
  /** The moments at which they are compared; absent = now. */
  leftAt?: string;
  rightAt?: string;
  /** The step that is looked at: a node and which run of it. */
  node?: string;
  run?: number;
  /** Also steps that are the same. */
  all?: true;
}

/** What the address of /compare says. */
export function search(raw: RawSearch): CompareSearch {
  return {
    left: text(raw.left),
    right: text(raw.right),
    leftAt: position(raw.leftAt),
    rightAt: position(raw.rightAt),
    node: text(raw.node),
    run: count(raw.run),
    all: flag(raw.all),
  };
}
