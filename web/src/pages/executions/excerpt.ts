const BEFORE_MAX = 24;

/** An excerpt cut where a text is in it, with little before it, so that it is in sight on narrow rows too. */
export function aroundMatch(text: string, query: string): [before: string, match: string, after: string] {
  const at = text.toLowerCase().indexOf(query.toLowerCase());
  if (at < 0 || query === "") return [text, "", ""];
  const from = Math.max(0, at - BEFORE_MAX);
  const before = `${from > 0 ? "…" : ""}${text.slice(from, at)}`;
  return [before, text.slice(at, at + query.length), text.slice(at + query.length)];
}
