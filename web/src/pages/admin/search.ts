export type AdminSearch = Record<never, never>;

/** What the address of /admin/$section says: nothing yet. */
export function search(): AdminSearch {
  return {};
}
