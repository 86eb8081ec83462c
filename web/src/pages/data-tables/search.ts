import { type RawSearch, flag, moment, oneOf, text, texts } from "@/app/search";
import { CONDITIONS_MAX, conditionOf, textOf } from "./conditions";

export interface DataTablesSearch {
  /** Only those with this in their names. */
  name?: string;
  /** As of when: a position, or a time; absent is now. */
  at?: string;
  open?: "new";
}

/** What the address of /data-tables says. */
export function search(raw: RawSearch): DataTablesSearch {
  return { name: text(raw.name)?.slice(0, 128), at: moment(raw.at), open: oneOf(["new"], raw.open) };
}

/** A dialog that an address can open. */
export const DIALOGS = ["row", "import", "export", "column", "rename"] as const;

export interface DataTableSearch {
  /** Conditions as `timeloom table rows --where` takes them, such as `orders gte 3`. */
  where?: string[];
  /** Whether one of them is enough. */
  any?: true;
  /** The column in whose order rows come; by their numbers where it is absent. */
  sort?: string;
  descending?: true;
  /** As of when: a position, or a time; absent is now. */
  at?: string;
  open?: (typeof DIALOGS)[number];
}

/** What the address of /data-tables/$tableId says. */
export function tableSearch(raw: RawSearch): DataTableSearch {
  const where = texts(raw.where)?.filter((one) => conditionOf(one) !== undefined);
  return {
    where: where !== undefined && where.length > 0 ? where.slice(0, CONDITIONS_MAX) : undefined,
    any: flag(raw.any),
    sort: text(raw.sort),
    descending: flag(raw.descending),
    at: moment(raw.at),
    open: oneOf(DIALOGS, raw.open),
  };
}

/** What an address says after a column got another name, or went. */
export function withoutOldName(search: DataTableSearch, column: string, name?: string): DataTableSearch {
  const where = search.where?.flatMap((text) => {
    const condition = conditionOf(text);
    if (condition?.column !== column) return [text];
    return name === undefined ? [] : [textOf({ ...condition, column: name })];
  });
  const isSorted = search.sort === column;
  return {
    ...search,
    where: where !== undefined && where.length > 0 ? where : undefined,
    sort: isSorted ? name : search.sort,
    descending: isSorted && name === undefined ? undefined : search.descending,
  };
}
