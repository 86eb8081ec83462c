import type { Row } from "./documents";

/** How an event is asked for elsewhere. */
export function cliLine(event: Pick<Row, "category" | "streamId" | "position">): string {
  return `timeloom state get ${event.category}/${quoted(event.streamId)} --at ${event.position} --server ${location.origin}`;
}

/** How the event is read with curl. */
export function curlLine(position: string, before: string): string {
  const query =
    "query($from: Position!, $at: Position!) { events(first: 1, from: $from, asOf: { position: $at }) { nodes { position category type streamId recordedAt actor { kind name } payload } } }";
  const body = JSON.stringify({ query, variables: { from: before, at: position } });
  return [
    `curl ${location.origin}/graphql`,
    `  -H "Authorization: Bearer $TIMELOOM_TOKEN"`,
    `  -H 'Content-Type: application/json'`,
    `  -d ${quoted(body)}`,
  ].join(" \\\n");
}

function quoted(text: string): string {
  return /^[\w.:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
