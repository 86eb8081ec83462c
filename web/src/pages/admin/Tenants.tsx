import { useState } from "react";
import { graphql, useChange, useLastWrite, usePager } from "@/api";
import type { AdminTenantsQuery } from "@/gql/graphql";
import {
  Badge,
  Button,
  type Column,
  ConfirmDialog,
  EmptyState,
  IconButton,
  Icon,
  Menu,
  Time,
  VirtualTable,
} from "@/ui";
import { FormDialog, ReasonField, SectionHead, TextField, problemOf } from "./parts";

const AdminTenants = graphql(`
  query AdminTenants($first: Int, $after: String, $waitFor: Position) {
    tenants(first: $first, after: $after, waitFor: $waitFor) {
      nodes {
        id
        number
        name
        suspended
        history {
          createdAt
          revision
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const AdminCreateTenant = graphql(`
  mutation AdminCreateTenant($input: CreateTenantInput!) {
    createTenant(input: $input) {
      number
      position
      errors {
        ...Errors
      }
    }
  }
`);

const AdminRenameTenant = graphql(`
  mutation AdminRenameTenant($input: RenameTenantInput!) {
    renameTenant(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

const AdminSuspendTenant = graphql(`
  mutation AdminSuspendTenant($input: TenantInput!) {
    suspendTenant(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

const AdminResumeTenant = graphql(`
  mutation AdminResumeTenant($input: TenantInput!) {
    resumeTenant(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

type Row = AdminTenantsQuery["tenants"]["nodes"][number];
type Doing = { kind: "create" } | { kind: "rename" | "suspend" | "resume"; tenant: Row };

/** Tenants: those whose data others never see. */
export function Tenants() {
  const [doing, setDoing] = useState<Doing>();
  const waitFor = useLastWrite();
  const rows = usePager(AdminTenants, { waitFor }, { connection: (data) => data.tenants, keyOf: (row) => row.id });
  const columns: Column<Row>[] = [
    { key: "number", header: "Number", width: "4.5rem", align: "end", cell: (row) => row.number },
    { key: "name", header: "Name", cell: (row) => <span className="font-medium">{row.name}</span> },
    {
      key: "state",
      header: "State",
      width: "6rem",
      cell: (row) => (row.suspended ? <Badge tone="warn">suspended</Badge> : <Badge tone="good">active</Badge>),
    },
    {
      key: "made",
      header: "Made",
      width: "7rem",
      wideOnly: true,
      align: "end",
      cell: (row) => <Time value={row.history?.createdAt} />,
    },
    {
      key: "do",
      header: <span className="sr-only">What can be done</span>,
      width: "2rem",
      cell: (row) => (
        <Menu
          trigger={<IconButton size="small" label={`Change ${row.name}`} icon={<Icon name="more" />} />}
          items={[
            { label: "Rename", run: () => setDoing({ kind: "rename", tenant: row }) },
            row.suspended
              ? { label: "Resume", run: () => setDoing({ kind: "resume", tenant: row }) }
              : {
                  label: "Suspend",
                  isDangerous: true,
                  disabled: row.number === 0,
                  run: () => setDoing({ kind: "suspend", tenant: row }),
                },
          ]}
        />
      ),
    },
  ];
  const close = () => setDoing(undefined);
  return (
    <>
      <SectionHead
        title="Tenants"
        actions={
          <Button kind="primary" onClick={() => setDoing({ kind: "create" })}>
            New tenant
          </Button>
        }
      >
        Data of one is never seen by another. Tenant 0 runs the installation.
      </SectionHead>
      <VirtualTable
        label="Tenants"
        rows={rows}
        columns={columns}
        keyOf={(row) => row.id}
        empty={
          <EmptyState icon="user" title="No tenants">
            Make one for each customer whose data is to be apart.
          </EmptyState>
        }
      />
      {doing?.kind === "create" && <NameForm onClose={close} />}
      {doing?.kind === "rename" && <NameForm tenant={doing.tenant} onClose={close} />}
      {(doing?.kind === "suspend" || doing?.kind === "resume") && (
        <Switching tenant={doing.tenant} isSuspending={doing.kind === "suspend"} onClose={close} />
      )}
    </>
  );
}

function NameForm({ tenant, onClose }: { tenant?: Row; onClose: () => void }) {
  const [name, setName] = useState(tenant?.name ?? "");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [create, isCreating] = useChange(AdminCreateTenant, {
    payload: (data) => data.createTenant,
    done: "The tenant is made",
    failed: "The tenant was not made",
    quiet: true,
  });
  const [rename, isRenaming] = useChange(AdminRenameTenant, {
    payload: (data) => data.renameTenant,
    done: "The tenant has another name",
    failed: "The tenant was not renamed",
    quiet: true,
  });
  const submit = async () => {
    const outcome = tenant
      ? await rename({ input: { tenant: tenant.number, name: name.trim(), reason: reason.trim() } })
      : await create({ input: { name: name.trim(), reason: reason.trim() } });
    if (outcome.kind === "done") onClose();
    else setProblem(problemOf(outcome));
  };
  return (
    <FormDialog
      title={tenant ? `Rename ${tenant.name}` : "New tenant"}
      submit={tenant ? "Rename" : "Make it"}
      isBusy={isCreating || isRenaming}
      isIncomplete={name.trim() === "" || reason.trim() === ""}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <TextField label="Name" value={name} onChange={setName} autoFocus maxLength={200} />
      <ReasonField value={reason} onChange={setReason} />
      {!tenant && (
        <p className="text-xs text-muted">
          Its first owner gets in by a link: <code>timeloom account link --owner --tenant NUMBER</code>
        </p>
      )}
    </FormDialog>
  );
}

function Switching({ tenant, isSuspending, onClose }: { tenant: Row; isSuspending: boolean; onClose: () => void }) {
  const [suspend] = useChange(AdminSuspendTenant, {
    payload: (data) => data.suspendTenant,
    done: `${tenant.name} is suspended`,
    failed: "The tenant was not suspended",
  });
  const [resume] = useChange(AdminResumeTenant, {
    payload: (data) => data.resumeTenant,
    done: `${tenant.name} is let in again`,
    failed: "The tenant was not resumed",
  });
  return (
    <ConfirmDialog
      title={isSuspending ? `Suspend ${tenant.name}` : `Resume ${tenant.name}`}
      isOpen
      onClose={onClose}
      confirm={isSuspending ? "Suspend the tenant" : "Resume the tenant"}
      isDangerous={isSuspending}
      reason="required"
      onConfirm={async (reason = "") => {
        const input = { tenant: tenant.number, reason };
        const outcome = isSuspending ? await suspend({ input }) : await resume({ input });
        return outcome.kind === "done";
      }}
    >
      {isSuspending
        ? "Nobody of it is let in from now on, and nothing of it is started. Its data stays."
        : "Its people and keys are let in again, and its workflows take calls and schedules."}
    </ConfirmDialog>
  );
}
