export type HomeSearch = Record<never, never>;

/** What the address of / says: nothing yet. */
export function search(): HomeSearch {
  return {};
}
