export type HomeSearch = Record<string, never>;

/** What the address of / says: nothing yet. */
export function search(): HomeSearch {
  return {};
}
