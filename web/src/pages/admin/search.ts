export type AdminSearch = Record<string, never>;

/** What the address of /admin/$section says: nothing yet. */
export function search(): AdminSearch {
  return {};
}
