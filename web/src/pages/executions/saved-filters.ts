import { useSyncExternalStore } from "react";
import { parseSearch, stringifySearch } from "@/app/search";
import { type ExecutionsFilter, type ExecutionsSearch, filterOf, GROUPINGS, ORDERS } from "./search";

/** A filter under a name. It is kept in this browser; its link can be given to others. */
export interface SavedFilter {
  name: string;
  /** As addresses write it. */
  search: string;
}

const KEY = "timeloom.executions.filters";
const MAX = 50;
const listeners = new Set<() => void>();
let known: { text: string | null; filters: readonly SavedFilter[] } = { text: null, filters: [] };

/** What is kept, whatever somebody else wrote there. */
export function readFilters(text: string | null): SavedFilter[] {
  try {
    const list: unknown = JSON.parse(text ?? "[]");
    if (!Array.isArray(list)) return [];
    return list.filter(isFilter).slice(0, MAX);
  } catch {
    return [];
  }
}

function isFilter(one: unknown): one is SavedFilter {
  if (typeof one !== "object" || one === null) return false;
  const { name, search } = one as Record<string, unknown>;
  return typeof name === "string" && name !== "" && typeof search === "string";
}

function read(): readonly SavedFilter[] {
  const text = localStorage.getItem(KEY);
  if (text !== known.text) known = { text, filters: readFilters(text) };
  return known.filters;
}

function write(filters: readonly SavedFilter[]): void {
  localStorage.setItem(KEY, JSON.stringify(filters.slice(-MAX)));
  for (const listener of listeners) listener();
}

/** Keeps a filter; one of the same name is replaced. */
export function saveFilter(name: string, search: ExecutionsSearch): void {
  write([...read().filter((one) => one.name !== name), { name, search: searchText(search) }]);
}

export function removeFilter(name: string): void {
  write(read().filter((one) => one.name !== name));
}

export function useSavedFilters(): readonly SavedFilter[] {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    addEventListener("storage", listener);
    return () => {
      listeners.delete(listener);
      removeEventListener("storage", listener);
    };
  }, read);
}

/** What a filter says as an address has it: without the row that is looked at. */
export function searchText(search: ExecutionsSearch): string {
  const { order, group, query } = search;
  const filter: ExecutionsFilter = filterOf({ ...search });
  return stringifySearch({ ...filter, order, group, query });
}

/** The other way round; what it does not understand is left out. */
export function searchOf(text: string): ExecutionsSearch {
  const raw = parseSearch(text.replace(/^\?/, ""));
  return {
    ...filterOf(raw),
    order: ORDERS.find((one) => one === raw.order),
    group: GROUPINGS.find((one) => one === raw.group),
    query: typeof raw.query === "string" && raw.query !== "" ? raw.query : undefined,
  };
}
