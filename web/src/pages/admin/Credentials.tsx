import { useState } from "react";
import { graphql, useChange, useLastWrite, usePager, useViewer } from "@/api";
import type { AdminCredentialsQuery, AdminRotateMutation } from "@/gql/graphql";
import {
  Button,
  type Column,
  ConfirmDialog,
  EmptyState,
  Facts,
  IconButton,
  Icon,
  Menu,
  Switch,
  Time,
  VirtualTable,
} from "@/ui";
import { CredentialForm } from "./CredentialForm";
import { FormDialog, Needs, SectionHead, problemOf } from "./parts";

const AdminCredentials = graphql(`
  query AdminCredentials($first: Int, $after: String, $waitFor: Position) {
    credentials(first: $first, after: $after, waitFor: $waitFor) {
      nodes {
        id
        name
        type
        fields
        connectUrl
        version
        key
        history {
          updatedAt
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const AdminDeleteCredential = graphql(`
  mutation AdminDeleteCredential($input: CredentialInput!) {
    deleteCredential(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

const AdminRotate = graphql(`
  mutation AdminRotate($input: RotateCredentialsInput!) {
    rotateCredentials(input: $input) {
      key
      resealedCount
      keptCount
      passwordCount
      failedCount
      failures
      errors {
        ...Errors
      }
    }
  }
`);

/** The field that has the tokens, once somebody has given permission. */
const TOKENS = "oauthTokenData";

/** Leaves the app: a provider's page shows whom permission is given to, and nothing of ours is around it. */
function goTo(url: string | null | undefined) {
  if (url) window.location.assign(url);
}

/** Room for a name of two lines, in pixels. */
const ROW = 48;

type Row = AdminCredentialsQuery["credentials"]["nodes"][number];
type Doing = { kind: "new" | "rotate" } | { kind: "replace" | "delete"; row: Row };

/** What nodes sign in elsewhere with. Values go in and never come out. */
export function Credentials() {
  const { can } = useViewer();
  const [doing, setDoing] = useState<Doing>();
  const waitFor = useLastWrite();
  const rows = usePager(
    AdminCredentials,
    { waitFor },
    { connection: (data) => data.credentials, keyOf: (row) => row.id },
  );
  const mayWrite = can("CREDENTIAL_WRITE");
  const columns: Column<Row>[] = [
    {
      key: "name",
      header: "Name",
      width: "minmax(0, 1.6fr)",
      cell: (row) => <span className="line-clamp-2 font-medium break-words whitespace-normal">{row.name}</span>,
    },
    {
      key: "type",
      header: "Type",
      width: "minmax(0, 1fr)",
      cell: (row) => (
        <>
          <code className="block truncate text-xs">{row.type}</code>
          {row.connectUrl && !row.fields.includes(TOKENS) && (
            <span className="block text-xs text-warn">not connected</span>
          )}
        </>
      ),
    },
    {
      key: "fields",
      header: "Fields",
      width: "minmax(0, 0.8fr)",
      wideOnly: true,
      cell: (row) => <span title={row.fields.join(", ")}>{row.fields.join(", ")}</span>,
    },
    { key: "version", header: "Version", width: "3.5rem", align: "end", wideOnly: true, cell: (row) => row.version },
    {
      key: "key",
      header: "Sealed under",
      width: "6rem",
      wideOnly: true,
      cell: (row) => (
        <code className="text-xs" title={row.key}>
          {row.key}
        </code>
      ),
    },
    {
      key: "saved",
      header: "Saved",
      width: "5.5rem",
      wideOnly: true,
      cell: (row) => <Time value={row.history.updatedAt} />,
    },
    {
      key: "do",
      header: <span className="sr-only">What can be done</span>,
      width: "2rem",
      cell: (row) =>
        mayWrite && (
          <Menu
            trigger={<IconButton size="small" label={`Change ${row.name}`} icon={<Icon name="more" />} />}
            items={[
              ...(row.connectUrl ? [{ label: "Connect…", run: () => goTo(row.connectUrl) }] : []),
              { label: "Give it other values", run: () => setDoing({ kind: "replace", row }) },
              { label: "Delete", isDangerous: true, run: () => setDoing({ kind: "delete", row }) },
            ]}
          />
        ),
    },
  ];
  const close = () => setDoing(undefined);
  return (
    <>
      <SectionHead
        title="Credentials"
        actions={
          <Needs permission="CREDENTIAL_WRITE">
            <Button onClick={() => setDoing({ kind: "rotate" })}>Seal anew</Button>
            <Button kind="primary" onClick={() => setDoing({ kind: "new" })}>
              New credential
            </Button>
          </Needs>
        }
      >
        What nodes sign in elsewhere with. Values are sealed when they are saved; nobody reads them again.
      </SectionHead>
      <VirtualTable
        label="Credentials"
        rows={rows}
        columns={columns}
        keyOf={(row) => row.id}
        rowHeight={ROW}
        empty={
          <EmptyState
            icon="admin"
            title="No credentials"
            action={
              mayWrite && (
                <Button kind="primary" onClick={() => setDoing({ kind: "new" })}>
                  New credential
                </Button>
              )
            }
          >
            Save one under the name that a workflow&apos;s file says, and its nodes find it. Keep a copy of the keys
            that seal them elsewhere: they are in no backup.
          </EmptyState>
        }
      />
      {doing?.kind === "new" && <CredentialForm onClose={close} />}
      {doing?.kind === "replace" && <CredentialForm known={doing.row} onClose={close} />}
      {doing?.kind === "delete" && <Deleting row={doing.row} onClose={close} />}
      {doing?.kind === "rotate" && <Rotating onClose={close} />}
    </>
  );
}

function Deleting({ row, onClose }: { row: Row; onClose: () => void }) {
  const [remove] = useChange(AdminDeleteCredential, {
    payload: (data) => data.deleteCredential,
    done: `The credential ${row.name} is deleted`,
    failed: "The credential was not deleted",
  });
  return (
    <ConfirmDialog
      title={`Delete the credential ${row.name}`}
      isOpen
      onClose={onClose}
      confirm="Delete the credential"
      isDangerous
      reason="optional"
      onConfirm={async (reason) => (await remove({ input: { credentialId: row.id } }, reason)).kind === "done"}
    >
      Nodes that name it fail from their next run on, and say so. It stays in the log&apos;s past, sealed: change the
      secret where it is used when somebody may have learnt it.
    </ConfirmDialog>
  );
}

function Rotating({ onClose }: { onClose: () => void }) {
  const [newKey, setNewKey] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [report, setReport] = useState<AdminRotateMutation["rotateCredentials"]>();
  const [rotate, isRotating] = useChange(AdminRotate, {
    payload: (data) => data.rotateCredentials,
    failed: "Nothing was sealed anew",
    quiet: true,
  });
  const submit = async () => {
    const outcome = await rotate({ input: { newKey } });
    if (outcome.kind === "done") setReport(outcome.payload);
    else setProblem(problemOf(outcome));
  };
  return (
    <FormDialog
      title="Seal every credential anew"
      submit={report ? "Once more" : "Seal them"}
      isBusy={isRotating}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <p className="text-muted">
        Everything is put under the newest key, passwords of users too. Fields stay closed, and versions stay as they
        are.
      </p>
      <Switch label="Make a new key first" checked={newKey} onChange={setNewKey} />
      <p className="text-xs text-muted">
        Where keys are given to the server, it makes none: add a line to the file, start every process again, then do
        this without a new key.
      </p>
      {report && (
        <div role="status" className="rounded-md border p-3">
          <Facts
            facts={[
              ["Key", report.key],
              ["Sealed anew", `${report.resealedCount} credentials, ${report.passwordCount} passwords`],
              ["Were so already", report.keptCount],
              [
                "Did not open",
                report.failedCount === 0 ? "none" : `${report.failedCount}: ${report.failures.join(" · ")}`,
              ],
            ]}
          />
        </div>
      )}
    </FormDialog>
  );
}
