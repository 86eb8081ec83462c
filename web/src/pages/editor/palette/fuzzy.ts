/**
 * How well a text answers what somebody wrote: 0 when it does not. Letters have to come in order; beginnings of words and
 * letters in a row count more, so that `hr` finds “HTTP Request” and `req` does too.
 */
export function score(text: string, query: string): number {
  const wanted = query.toLowerCase().replace(/\s+/g, "");
  if (wanted === "") return 1;
  const lower = text.toLowerCase();
  const whole = lower.indexOf(query.trim().toLowerCase());
  if (whole >= 0) return 1000 - whole * (isStart(text, whole) ? 1 : 4) - text.length / 100;
  let total = 0;
  let at = 0;
  let row = 0;
  for (const letter of wanted) {
    const found = nextOf(text, lower, letter, at, row > 0);
    if (found < 0) return 0;
    row = found === at ? row + 1 : 1;
    total += isStart(text, found) ? 12 : row > 1 ? 6 : 1;
    at = found + 1;
  }
  return total - text.length / 100;
}

/** The next place of a letter: right here where a run goes on, else the beginning of a word, else anywhere. */
function nextOf(text: string, lower: string, letter: string, from: number, isRun: boolean): number {
  if (isRun && lower[from] === letter) return from;
  for (let at = from; at < lower.length; at += 1) if (lower[at] === letter && isStart(text, at)) return at;
  return lower.indexOf(letter, from);
}

function isStart(text: string, at: number): boolean {
  if (at === 0) return true;
  const [before, here] = [text[at - 1] ?? "", text[at] ?? ""];
  return /[^\p{L}\p{N}]/u.test(before) || (/\p{Ll}/u.test(before) && /\p{Lu}/u.test(here));
}
