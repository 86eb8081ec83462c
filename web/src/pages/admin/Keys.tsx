import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { graphql, useChange, useLastWrite, usePager, useViewer } from "@/api";
import type { AdminKeysQuery } from "@/gql/graphql";
import { actorName } from "@/parts/ActorName";
import { Badge, Button, type Column, ConfirmDialog, EmptyState, Switch, Time, VirtualTable } from "@/ui";
import { KeyForm } from "./KeyForm";
import { SectionHead } from "./parts";
import { permissionName } from "./sections";

const AdminKeys = graphql(`
  query AdminKeys($first: Int, $after: String, $account: UUID, $active: Boolean, $waitFor: Position) {
    apiKeys(first: $first, after: $after, account: $account, active: $active, waitFor: $waitFor) {
      nodes {
        id
        key
        name
        active
        expiresAt
        lastUsedAt
        scopes
        account {
          id
          name
        }
        made {
          at
          actor {
            kind
            name
            displayName
          }
        }
        revoked {
          at
          reason
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const AdminRevokeKey = graphql(`
  mutation AdminRevokeKey($input: RevokeApiKeyInput!) {
    revokeApiKey(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

type Row = AdminKeysQuery["apiKeys"]["nodes"][number];

const route = getRouteApi("/admin/$section");

/** Keys of programs. */
export function Keys() {
  const { show, account } = route.useSearch();
  const navigate = useNavigate();
  const { viewer, can } = useViewer();
  const [isMaking, setMaking] = useState(false);
  const [revoked, setRevoked] = useState<Row>();
  const waitFor = useLastWrite();
  const own = viewer?.account?.id;
  const seesAll = can("ACCOUNT_READ");
  const rows = usePager(
    AdminKeys,
    { account: account ?? (seesAll ? undefined : own), active: show === "all" ? undefined : true, waitFor },
    { connection: (data) => data.apiKeys, keyOf: (row) => row.id, enabled: viewer !== undefined },
  );
  const columns: Column<Row>[] = [
    {
      key: "name",
      header: "Key",
      cell: (row) => (
        <>
          <span className="font-medium">{row.name}</span>{" "}
          <span className="font-mono text-xs text-muted">timeloom_key_{row.key}…</span>
        </>
      ),
    },
    { key: "account", header: "Of", width: "minmax(0, 0.6fr)", cell: (row) => row.account?.name ?? "–" },
    {
      key: "scopes",
      header: "May do",
      width: "minmax(0, 0.7fr)",
      wideOnly: true,
      cell: (row) => {
        const words = row.scopes?.map(permissionName).join(", ") ?? "all that its account may";
        return <span title={words}>{words}</span>;
      },
    },
    {
      key: "made",
      header: "Made by",
      width: "minmax(0, 0.5fr)",
      wideOnly: true,
      cell: (row) => actorName(row.made.actor),
    },
    { key: "used", header: "Last used", width: "6rem", wideOnly: true, cell: (row) => <Time value={row.lastUsedAt} /> },
    {
      key: "until",
      header: "Lets in until",
      width: "7rem",
      wideOnly: true,
      cell: (row) =>
        row.revoked ? (
          <Badge tone="bad">revoked</Badge>
        ) : row.expiresAt ? (
          row.active ? (
            <Time value={row.expiresAt} />
          ) : (
            <Badge>expired</Badge>
          )
        ) : (
          "no end"
        ),
    },
    {
      key: "do",
      header: <span className="sr-only">What can be done</span>,
      width: "4.5rem",
      align: "end",
      cell: (row) =>
        row.active &&
        (row.account?.id === own || can("ACCOUNT_WRITE")) && (
          <Button size="small" kind="quiet" aria-label={`Revoke ${row.name}`} onClick={() => setRevoked(row)}>
            Revoke
          </Button>
        ),
    },
  ];
  return (
    <>
      <SectionHead
        title="Keys"
        actions={
          <>
            <Switch
              label="With those that let in no more"
              checked={show === "all"}
              onChange={(all) =>
                void navigate({
                  to: "/admin/$section",
                  params: { section: "keys" },
                  search: { account, show: all ? "all" : undefined },
                })
              }
            />
            <Button kind="primary" onClick={() => setMaking(true)}>
              New key
            </Button>
          </>
        }
      >
        By which programs are let in.{" "}
        {seesAll ? "Those of all accounts." : "Your own; those of others need account:read."}
      </SectionHead>
      <VirtualTable
        label="Keys"
        rows={rows}
        columns={columns}
        keyOf={(row) => row.id}
        empty={
          <EmptyState
            icon="user"
            title="No keys"
            action={
              <Button kind="primary" onClick={() => setMaking(true)}>
                New key
              </Button>
            }
          >
            A key lets a program in: it sends it as <code>Authorization: Bearer …</code>. Give each program one of its
            own, that may do what it needs and no more.
          </EmptyState>
        }
      />
      {isMaking && <KeyForm onClose={() => setMaking(false)} />}
      {revoked && <Revoking row={revoked} isOwn={revoked.account?.id === own} onClose={() => setRevoked(undefined)} />}
    </>
  );
}

function Revoking({ row, isOwn, onClose }: { row: Row; isOwn: boolean; onClose: () => void }) {
  const [revoke] = useChange(AdminRevokeKey, {
    payload: (data) => data.revokeApiKey,
    done: `The key ${row.name} lets in no more`,
    failed: "The key was not revoked",
  });
  return (
    <ConfirmDialog
      title={`Revoke the key ${row.name}`}
      isOpen
      onClose={onClose}
      confirm="Revoke the key"
      isDangerous
      reason={isOwn ? "optional" : "required"}
      onConfirm={async (reason) =>
        (await revoke({ input: { accountId: row.account?.id, key: row.key, reason } })).kind === "done"
      }
    >
      Whatever uses it is refused from now on, and what it follows ends. This cannot be undone: make another key
      instead.
    </ConfirmDialog>
  );
}
