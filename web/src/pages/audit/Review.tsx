import { useState } from "react";
import { client, faultOf, faultText, useLastWrite, usePager } from "@/api";
import type { AuditReviewQuery } from "@/gql/graphql";
import type { Permission } from "@/gql/schema";
import { actorName } from "@/parts/ActorName";
import {
  Badge,
  type Column,
  Dialog,
  EmptyState,
  ExportDialog,
  type ExportPart,
  Facts,
  Table,
  Time,
  VirtualTable,
  wordsOf,
} from "@/ui";
import { AuditReview, asOfOf } from "./documents";
import { isPermission, wordOf } from "./permissions";
import type { AuditSearch } from "./search";

type Entry = AuditReviewQuery["accessReview"]["nodes"][number];

const KEPT_OUT: Record<string, string> = {
  DISABLED: "disabled",
  NO_ROLE: "no role",
  PRINCIPAL: "whom it acts for may not",
  TENANT_SUSPENDED: "tenant suspended",
};

const COLUMNS: Column<Entry>[] = [
  {
    key: "who",
    header: "Who",
    width: "minmax(0, 1.2fr)",
    cell: ({ account }) => (
      <>
        <span className="font-medium">{account.name}</span>
        {account.email && <span className="ml-2 text-muted">{account.email}</span>}
      </>
    ),
  },
  { key: "kind", header: "Kind", width: "5rem", wideOnly: true, cell: ({ account }) => wordsOf(account.kind) },
  {
    key: "because",
    header: "Because of",
    cell: ({ grants, keptOut }) =>
      keptOut ? (
        <Badge tone="warn">may do nothing: {KEPT_OUT[keptOut] ?? wordsOf(keptOut)}</Badge>
      ) : (
        <span className="inline-flex gap-1">
          {grants.map((grant) => (
            <Badge key={grant.role} tone={grant.role === "OWNER" || grant.role === "ADMIN" ? "accent" : "neutral"}>
              {wordsOf(grant.role)}
            </Badge>
          ))}
        </span>
      ),
  },
  {
    key: "why",
    header: "Given by, and why",
    width: "minmax(0, 1.2fr)",
    wideOnly: true,
    cell: ({ grants }) => {
      const [first] = grants;
      return first && `${actorName(first.granted.actor)}: ${first.granted.reason ?? "not said"}`;
    },
  },
  {
    key: "may",
    header: "May do",
    width: "4.5rem",
    align: "end",
    wideOnly: true,
    cell: ({ permissions }) => permissions.length,
  },
  { key: "keys", header: "Keys", width: "3.5rem", align: "end", cell: ({ keys }) => keys.length },
];

export interface ReviewProps {
  search: AuditSearch;
  isExporting: boolean;
  onExport: (isExporting: boolean) => void;
}

function variablesOf(search: AuditSearch) {
  return { permission: permissionOf(search.permission), account: search.account, asOf: asOfOf(search.at) };
}

function permissionOf(text: string | undefined): Permission | undefined {
  return text !== undefined && isPermission(text) ? text : undefined;
}

/** Who could do what at a moment, and because of what. */
export function Review({ search, isExporting, onExport }: ReviewProps) {
  const [open, setOpen] = useState<Entry>();
  const waitFor = useLastWrite();
  const rows = usePager(
    AuditReview,
    { ...variablesOf(search), waitFor: search.at === undefined ? waitFor : undefined },
    { connection: (data) => data.accessReview, keyOf: (row) => row.account.id, pageSize: 20 },
  );
  const permission = permissionOf(search.permission);
  return (
    <>
      <VirtualTable
        key={JSON.stringify(variablesOf(search))}
        label="Access review"
        rows={rows}
        columns={COLUMNS}
        keyOf={(row) => row.account.id}
        onOpen={setOpen}
        empty={
          <EmptyState icon="audit" title={permission ? `Nobody could ${wordOf(permission)}` : "There was nobody"}>
            {permission
              ? "No account had a role that gives this permission at that moment."
              : "At that moment there was no account. Choose a later one, or none for the present."}
          </EmptyState>
        }
      />
      {open && <EntryDialog entry={open} onClose={() => setOpen(undefined)} />}
      <ExportDialog
        title="Write the review into a file"
        isOpen={isExporting}
        onClose={() => onExport(false)}
        fileName="access-review"
        read={(signal) => exported(search, signal)}
        columns={[
          { name: "account", value: (row: Entry) => row.account.name },
          { name: "email", value: (row: Entry) => row.account.email },
          { name: "accountId", value: (row: Entry) => row.account.id },
          { name: "kind", value: (row: Entry) => row.account.kind },
          { name: "roles", value: (row: Entry) => row.grants.map((grant) => grant.role).join(" ") },
          {
            name: "givenBy",
            value: (row: Entry) =>
              row.grants.map(({ role, granted }) => `${role}: ${actorName(granted.actor)}, ${granted.at}`).join("; "),
          },
          { name: "why", value: (row: Entry) => row.grants.map(({ granted }) => granted.reason ?? "").join("; ") },
          { name: "permissions", value: (row: Entry) => row.permissions.join(" ") },
          { name: "keptOut", value: (row: Entry) => row.keptOut },
          {
            name: "keys",
            value: (row: Entry) => row.keys.map(({ apiKey }) => `${apiKey.name} (${apiKey.key})`).join("; "),
          },
        ]}
      >
        Every account of the list with its roles, who gave them, why, and its keys. The answer about a moment never
        changes.
      </ExportDialog>
    </>
  );
}

async function* exported(search: AuditSearch, signal: AbortSignal): AsyncGenerator<ExportPart<Entry>> {
  let after: string | undefined;
  while (!signal.aborted) {
    const { data, error } = await client
      .query(AuditReview, { first: 50, after, ...variablesOf(search) }, { requestPolicy: "network-only" })
      .toPromise();
    if (error) throw new Error(faultText(faultOf(error)));
    if (!data) return;
    yield { rows: data.accessReview.nodes };
    if (!data.accessReview.pageInfo.hasNextPage) return;
    after = data.accessReview.pageInfo.endCursor ?? undefined;
  }
}

function EntryDialog({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  const { account, grants, keys, permissions, limitedBy, keptOut } = entry;
  return (
    <Dialog title={account.name} isOpen onClose={onClose}>
      <div className="flex flex-col gap-4">
        <Facts
          facts={[
            ["Kind", wordsOf(account.kind)],
            ["Mail", account.email],
            ["Acts for", limitedBy?.name],
            ["Kept out", keptOut ? (KEPT_OUT[keptOut] ?? wordsOf(keptOut)) : undefined],
            ["May", permissions.length === 0 ? "do nothing" : permissions.map((one) => wordOf(one)).join(", ")],
          ]}
        />
        <Table
          label="Roles, and who gave them"
          rows={grants}
          keyOf={(grant) => grant.role}
          columns={[
            { key: "role", header: "Role", cell: (grant) => wordsOf(grant.role) },
            { key: "by", header: "Given by", cell: (grant) => actorName(grant.granted.actor) },
            { key: "at", header: "When", cell: (grant) => <Time value={grant.granted.at} /> },
            { key: "why", header: "Why", cell: (grant) => grant.granted.reason ?? "–" },
          ]}
        />
        {keys.length > 0 && (
          <Table
            label="Keys that could be used"
            rows={keys}
            keyOf={(key) => key.apiKey.key}
            columns={[
              { key: "name", header: "Key", cell: (key) => key.apiKey.name },
              { key: "id", header: "Begins with", cell: (key) => <code className="text-xs">{key.apiKey.key}</code> },
              { key: "used", header: "Last used", cell: (key) => <Time value={key.apiKey.lastUsedAt} /> },
              {
                key: "expires",
                header: "Expires",
                cell: (key) => (key.apiKey.expiresAt ? <Time value={key.apiKey.expiresAt} /> : "never"),
              },
              { key: "may", header: "May do", align: "end", cell: (key) => key.permissions.length },
            ]}
          />
        )}
      </div>
    </Dialog>
  );
}
