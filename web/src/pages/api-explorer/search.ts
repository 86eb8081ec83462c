export type ApiExplorerSearch = Record<never, never>;

/** What the address of /api says: nothing yet. */
export function search(): ApiExplorerSearch {
  return {};
}
