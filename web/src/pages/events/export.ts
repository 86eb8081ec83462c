import { client, faultOf } from "@/api";
import type { EventsWholeFragment } from "@/gql/graphql";
import type { EventFilter } from "@/gql/schema";
import { actorName } from "@/parts/ActorName";
import type { ExportPart } from "@/ui";
import { EventsExport } from "./documents";

/** Payloads may be large: where a page is too much for one answer, smaller ones are asked for. */
const SIZES = [100, 20, 1] as const;

/** Every event that passes a filter, up to the head of the log at the beginning, the oldest first. */
export async function* exported(
  filter: EventFilter,
  signal: AbortSignal,
): AsyncGenerator<ExportPart<EventsWholeFragment>> {
  let after: string | undefined;
  let head: string | undefined;
  let size = 0;
  while (!signal.aborted) {
    const { data, error } = await client
      .query(
        EventsExport,
        { first: SIZES[size] ?? 1, after, asOf: head === undefined ? undefined : { position: head }, filter },
        { requestPolicy: "network-only" },
      )
      .toPromise();
    if (error || !data) {
      const fault = error && faultOf(error);
      if (fault?.kind === "refused" && size < SIZES.length - 1) {
        size += 1;
        continue;
      }
      throw new Error(fault === undefined ? "No answer came." : `${fault.message} ${fault.advice}`);
    }
    head ??= data.head.position;
    const { nodes, pageInfo } = data.events;
    const last = nodes.at(-1)?.position;
    yield { rows: nodes, share: last === undefined ? undefined : Number(last) / Math.max(1, Number(head)) };
    if (!pageInfo.hasNextPage) return;
    after = pageInfo.endCursor ?? undefined;
  }
}

type Whole = EventsWholeFragment;

export const EXPORT_COLUMNS = [
  { name: "position", value: (row: Whole) => row.position },
  { name: "recordedAt", value: (row: Whole) => row.recordedAt },
  { name: "category", value: (row: Whole) => row.category },
  { name: "stream", value: (row: Whole) => row.streamId },
  { name: "revision", value: (row: Whole) => row.revision },
  { name: "type", value: (row: Whole) => row.type },
  { name: "actor", value: (row: Whole) => actorName(row.actor) },
  { name: "actorId", value: (row: Whole) => row.actor.name },
  { name: "onBehalfOf", value: (row: Whole) => row.onBehalfOf && actorName(row.onBehalfOf) },
  { name: "via", value: (row: Whole) => row.via },
  { name: "reason", value: (row: Whole) => row.reason },
  { name: "requestId", value: (row: Whole) => row.requestId },
  { name: "commandId", value: (row: Whole) => row.commandId },
  { name: "causationId", value: (row: Whole) => row.causationId },
  { name: "payload", value: (row: Whole) => row.payload },
];
