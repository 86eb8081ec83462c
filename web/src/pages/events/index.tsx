import { getRouteApi } from "@tanstack/react-router";
import { graphql, useLastWrite, usePager } from "@/api";
import { usePageTitle } from "@/app/title";
import type { EventsListQuery } from "@/gql/graphql";
import { type Column, EmptyState, PageHeader, PositionLink, Time, VirtualTable } from "@/ui";

const EventsList = graphql(`
  query EventsList($last: Int, $before: String, $first: Int, $after: String, $waitFor: Position) {
    events(first: $first, after: $after, last: $last, before: $before, waitFor: $waitFor) {
      nodes {
        position
        category
        type
        streamId
        recordedAt
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

type Row = EventsListQuery["events"]["nodes"][number];

const COLUMNS: Column<Row>[] = [
  { key: "position", header: "Position", width: "6rem", cell: (row) => <PositionLink position={row.position} /> },
  { key: "type", header: "Type", cell: (row) => row.type },
  { key: "stream", header: "Stream", wideOnly: true, cell: (row) => `${row.category}/${row.streamId}` },
  { key: "time", header: "Recorded", width: "8rem", cell: (row) => <Time value={row.recordedAt} /> },
];

const route = getRouteApi("/events");

export function EventsPage() {
  usePageTitle("Events");
  const { position } = route.useSearch();
  const waitFor = useLastWrite();
  const rows = usePager(EventsList, { waitFor }, { connection: (data) => data.events, keyOf: (row) => row.position });
  return (
    <>
      <PageHeader title="Events" />
      <VirtualTable
        label="Events"
        rows={rows}
        columns={COLUMNS}
        keyOf={(row) => row.position}
        selectedKey={position}
        empty={
          <EmptyState icon="event" title="The log is empty">
            Whatever happens is an event here, in one order.
          </EmptyState>
        }
      />
    </>
  );
}
