export type ApiExplorerSearch = Record<string, never>;

/** What the address of /api says: nothing yet. */
export function search(): ApiExplorerSearch {
  return {};
}
