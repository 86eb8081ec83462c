import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { usePager } from "@/api";
import type { ExecutionsPayloadHitsQuery } from "@/gql/graphql";
import { type Column, EmptyState, PositionLink, Time, VirtualTable } from "@/ui";
import { counted } from "@/ui/counted";
import { ExecutionsWithText } from "./documents";
import { aroundMatch } from "./excerpt";

type Hit = ExecutionsPayloadHitsQuery["searchPayloads"]["nodes"][number];

/** Where a text is in what happened in executions, the newest first. */
export function PayloadHits({ query }: { query: string }) {
  const navigate = useNavigate();
  const [extent, setExtent] = useState({ query, events: 0 });
  const rows = usePager(
    ExecutionsWithText,
    { query },
    {
      connection: ({ searchPayloads }) => {
        const { extent: now, pageInfo, nodes } = searchPayloads;
        setExtent((before) => ({
          query,
          events: (before.query === query ? before.events : 0) + now.searchedEvents,
        }));
        // One search looks at a bounded part of the log; the rest is behind where it stopped.
        const goesOn = !now.complete && now.goOnAt !== null;
        return goesOn ? { nodes, pageInfo: { hasNextPage: true, endCursor: now.goOnAt } } : { nodes, pageInfo };
      },
      keyOf: (hit) => hit.position,
      pageSize: 50,
    },
  );
  const columns: Column<Hit>[] = [
    {
      key: "execution",
      header: "Execution",
      width: "8rem",
      cell: (hit) => (
        <Link
          to="/executions/$executionId"
          params={{ executionId: hit.event.streamId }}
          search={{ position: hit.position }}
          className="font-mono text-xs font-medium hover:underline"
          aria-label={`Execution ${hit.event.streamId} at event ${hit.position}`}
        >
          …{hit.event.streamId.slice(-12)}
        </Link>
      ),
    },
    {
      key: "excerpt",
      header: "Found in",
      cell: (hit) => <Excerpt text={hit.excerpt} query={query} />,
    },
    { key: "type", header: "Event", width: "11rem", wideOnly: true, cell: (hit) => hit.event.type },
    {
      key: "position",
      header: "Position",
      width: "6rem",
      wideOnly: true,
      cell: (hit) => <PositionLink position={hit.position} />,
    },
    {
      key: "time",
      header: "When",
      width: "7rem",
      wideOnly: true,
      cell: (hit) => <Time value={hit.event.recordedAt} />,
    },
  ];
  return (
    <>
      <p role="status" className="border-b bg-surface px-4 py-1.5 text-[13px] text-muted md:px-6">
        {rows.isLoading ? "Searching…" : rows.hasMore ? "More is found as you go down." : "Everything was searched."}{" "}
        {extent.events > 0 && `Looked at: ${counted(extent.events, "event")}.`}
      </p>
      <VirtualTable
        label="Found in payloads"
        rows={rows}
        columns={columns}
        keyOf={(hit) => hit.position}
        onOpen={(hit) =>
          void navigate({
            to: "/executions/$executionId",
            params: { executionId: hit.event.streamId },
            search: { position: hit.position },
          })
        }
        empty={
          <EmptyState icon="search" title="It is in no payload">
            What is looked for is the text as it stands in the JSON of events: inputs, outputs, errors and answers of
            executions.
          </EmptyState>
        }
      />
    </>
  );
}

function Excerpt({ text, query }: { text: string; query: string }) {
  const [before, match, after] = aroundMatch(text, query);
  return (
    <code className="font-mono text-xs text-muted">
      {before}
      {match !== "" && <mark className="rounded-sm bg-accent-soft px-0.5 text-accent">{match}</mark>}
      {after}
    </code>
  );
}
