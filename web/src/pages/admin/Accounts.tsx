import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useLastWrite, usePager } from "@/api";
import { useActions } from "@/app/actions";
import { useIsWide } from "@/ui/wide";
import type { AdminAccountsQuery } from "@/gql/graphql";
import type { Role } from "@/gql/schema";
import { Badge, Button, type Column, EmptyState, Field, Select, Splitter, Time, VirtualTable, wordsOf } from "@/ui";
import { AdminAccounts } from "./account-documents";
import { CreateAccount } from "./AccountForms";
import { AccountPane } from "./AccountPane";
import { Needs, SectionHead } from "./parts";
import { ROLES } from "./sections";

type Row = AdminAccountsQuery["accounts"]["nodes"][number];

const COLUMNS: Column<Row>[] = [
  {
    key: "name",
    header: "Name",
    width: "minmax(0, 1.6fr)",
    cell: (row) => (
      <>
        <span className="font-medium">{row.name}</span> <span className="text-muted">{row.email}</span>
      </>
    ),
  },
  { key: "kind", header: "Kind", width: "5rem", wideOnly: true, cell: (row) => wordsOf(row.kind) },
  {
    key: "roles",
    header: "Roles",
    width: "minmax(0, 0.9fr)",
    cell: (row) =>
      row.disabled ? (
        <Badge tone="bad">disabled</Badge>
      ) : row.roles.length === 0 ? (
        <span className="text-muted">none</span>
      ) : (
        <span className="inline-flex gap-1">
          {row.roles.map(({ role }) => (
            <Badge key={role} tone={role === "OWNER" || role === "ADMIN" ? "accent" : "neutral"}>
              {wordsOf(role)}
            </Badge>
          ))}
        </span>
      ),
  },
  {
    key: "made",
    header: "Made",
    width: "6rem",
    align: "end",
    wideOnly: true,
    cell: (row) => <Time value={row.history.createdAt} />,
  },
];

const route = getRouteApi("/admin/$section");

/** Who and what is let in, and what they may do. */
export function Accounts() {
  const { account } = route.useSearch();
  const navigate = useNavigate();
  const isWide = useIsWide();
  const [role, setRole] = useState<Role | "" | "disabled">("");
  const [isCreating, setCreating] = useState(false);
  const waitFor = useLastWrite();
  const rows = usePager(
    AdminAccounts,
    {
      role: role === "" || role === "disabled" ? undefined : role,
      disabled: role === "disabled" ? true : undefined,
      waitFor,
    },
    { connection: (data) => data.accounts, keyOf: (row) => row.id },
  );
  const open = (id: string | undefined) =>
    void navigate({ to: "/admin/$section", params: { section: "accounts" }, search: { account: id } });
  useActions([{ id: "admin.account", label: "New account", run: () => setCreating(true) }]);
  const list = (
    <div className="flex min-h-0 min-w-0 flex-1 flex-col">
      <VirtualTable
        label="Accounts"
        rows={rows}
        columns={account !== undefined && isWide ? COLUMNS.filter((one) => one.key !== "made") : COLUMNS}
        keyOf={(row) => row.id}
        selectedKey={account}
        onOpen={(row) => open(row.id)}
        empty={
          <EmptyState icon="user" title={role === "" ? "No accounts" : "None is like that"}>
            An account is a person&apos;s, a program&apos;s or an agent&apos;s. What it may do, its roles say.
          </EmptyState>
        }
      />
    </div>
  );
  const pane = account !== undefined && <AccountPane key={account} id={account} onClose={() => open(undefined)} />;
  return (
    <>
      {(isWide || pane === false) && (
        <SectionHead
          title="Accounts"
          actions={
            <>
              <Field label="Which" hideLabel>
                <Select
                  value={role}
                  onChange={setRole}
                  choices={[
                    { value: "" as const, label: "All" },
                    ...ROLES.map((one) => ({ value: one, label: `Role ${wordsOf(one)}` })),
                    { value: "disabled" as const, label: "Disabled" },
                  ]}
                />
              </Field>
              <Needs permission="ACCOUNT_WRITE">
                <Button kind="primary" onClick={() => setCreating(true)}>
                  New account
                </Button>
              </Needs>
            </>
          }
        >
          People, programs and agents, with what they may do and who said so.
        </SectionHead>
      )}
      {pane === false ? (
        list
      ) : isWide ? (
        <Splitter
          label="The list and the account"
          first={list}
          second={pane}
          initial={50}
          min={30}
          max={70}
          keepAs="accounts"
        />
      ) : (
        pane
      )}
      {isCreating && (
        <CreateAccount
          onClose={(made) => {
            setCreating(false);
            if (made !== undefined) open(made);
          }}
        />
      )}
    </>
  );
}
