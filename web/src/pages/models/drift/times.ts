/** A time as two fields for dates write it, in the zone of whoever looks. */
export interface TimesDraft {
  from: string;
  until: string;
}

export const NO_TIMES: TimesDraft = { from: "", until: "" };

/** A moment as a field for dates writes it; nothing where it is none. */
export function fieldTime(value: string | number | Date | null | undefined): string {
  if (value === null || value === undefined) return "";
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** What is wrong with a time; nothing where it begins before it ends. */
export function timesProblem({ from, until }: TimesDraft): string | undefined {
  const [begins, ends] = [Date.parse(from), Date.parse(until)];
  if (Number.isNaN(begins) || Number.isNaN(ends)) return "Say when it begins and when it ends.";
  return begins < ends ? undefined : "It has to begin before it ends.";
}

/** The time as the API takes it. Call it with one that has no problem. */
export function timesOf({ from, until }: TimesDraft): { from: string; until: string } {
  return { from: new Date(from).toISOString(), until: new Date(until).toISOString() };
}
