import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { graphql, useChange, useLastWrite, usePager, useViewer } from "@/api";
import type { AdminSessionsQuery } from "@/gql/graphql";
import { browserOf } from "@/parts/browser";
import { Badge, Button, type Column, ConfirmDialog, EmptyState, Switch, Time, VirtualTable, wordsOf } from "@/ui";
import { SectionHead } from "./parts";

const AdminSessions = graphql(`
  query AdminSessions($first: Int, $after: String, $account: UUID, $active: Boolean, $waitFor: Position) {
    sessions(first: $first, after: $after, account: $account, active: $active, waitFor: $waitFor) {
      nodes {
        id
        active
        address
        userAgent
        method
        startedAt
        lastUsedAt
        letsInUntil
        end
        account {
          id
          name
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const AdminVia = graphql(`
  query AdminVia {
    viewer {
      via
    }
  }
`);

const AdminEndSession = graphql(`
  mutation AdminEndSession($input: EndSessionInput!) {
    endSession(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

type Row = AdminSessionsQuery["sessions"]["nodes"][number];

const route = getRouteApi("/admin/$section");

/** Who is signed in with a browser. */
export function Sessions() {
  const { show, account } = route.useSearch();
  const navigate = useNavigate();
  const { viewer, can } = useViewer();
  const [ended, setEnded] = useState<Row>();
  const [{ data: own }] = useQuery({ query: AdminVia });
  const waitFor = useLastWrite();
  const seesAll = can("ACCOUNT_READ");
  const rows = usePager(
    AdminSessions,
    {
      account: account ?? (seesAll ? undefined : viewer?.account?.id),
      active: show === "all" ? undefined : true,
      waitFor,
    },
    { connection: (data) => data.sessions, keyOf: (row) => row.id, enabled: viewer !== undefined },
  );
  const isThis = (row: Row) => own?.viewer.via === `session:${row.id}`;
  const columns: Column<Row>[] = [
    {
      key: "who",
      header: "Who",
      cell: (row) => (
        <>
          <span className="font-medium">{row.account?.name ?? "–"}</span>{" "}
          {isThis(row) && <Badge tone="accent">this browser</Badge>}
        </>
      ),
    },
    { key: "method", header: "Signed in by", width: "7rem", wideOnly: true, cell: (row) => wordsOf(row.method) },
    { key: "from", header: "From", width: "7rem", wideOnly: true, cell: (row) => row.address ?? "–" },
    {
      key: "browser",
      header: "Browser",
      wideOnly: true,
      cell: (row) => <span title={row.userAgent ?? undefined}>{browserOf(row.userAgent)}</span>,
    },
    { key: "began", header: "Began", width: "6rem", cell: (row) => <Time value={row.startedAt} /> },
    {
      key: "until",
      header: "Lets in until",
      width: "7rem",
      wideOnly: true,
      cell: (row) =>
        row.active ? <Time value={row.letsInUntil} /> : <Badge>{row.end ? wordsOf(row.end) : "expired"}</Badge>,
    },
    {
      key: "do",
      header: <span className="sr-only">What can be done</span>,
      width: "3.5rem",
      align: "end",
      cell: (row) =>
        row.active &&
        (row.account?.id === viewer?.account?.id || can("ACCOUNT_WRITE")) && (
          <Button
            size="small"
            kind="quiet"
            aria-label={`End the session of ${row.account?.name ?? "somebody"}`}
            onClick={() => setEnded(row)}
          >
            End
          </Button>
        ),
    },
  ];
  return (
    <>
      <SectionHead
        title="Sessions"
        actions={
          <Switch
            label="With those that ended"
            checked={show === "all"}
            onChange={(all) =>
              void navigate({
                to: "/admin/$section",
                params: { section: "sessions" },
                search: { account, show: all ? "all" : undefined },
              })
            }
          />
        }
      >
        Who is signed in with a browser.{" "}
        {seesAll ? "Those of all accounts." : "Your own; those of others need account:read."}
      </SectionHead>
      <VirtualTable
        label="Sessions"
        rows={rows}
        columns={columns}
        keyOf={(row) => row.id}
        empty={
          <EmptyState icon="user" title="Nobody is signed in">
            Somebody signs in at /sign-in. A session lets in for 12 hours at most, and an hour after its last use.
          </EmptyState>
        }
      />
      {ended && <Ending row={ended} isThis={isThis(ended)} onClose={() => setEnded(undefined)} />}
    </>
  );
}

function Ending({ row, isThis, onClose }: { row: Row; isThis: boolean; onClose: () => void }) {
  const [end] = useChange(AdminEndSession, {
    payload: (data) => data.endSession,
    done: "The session has ended",
    failed: "The session was not ended",
  });
  return (
    <ConfirmDialog
      title={`End the session of ${row.account?.name ?? "somebody"}`}
      isOpen
      onClose={onClose}
      confirm="End the session"
      isDangerous
      reason="optional"
      onConfirm={async (reason) => (await end({ input: { sessionId: row.id, reason } })).kind === "done"}
    >
      {isThis
        ? "It is the one of this browser: you are led to the page for signing in."
        : "That browser is let in no more, and what it follows ends. Whoever it is can sign in again."}
    </ConfirmDialog>
  );
}
