import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useQuery } from "urql";
import { faultOf, useChange, useLastWrite, useViewer } from "@/api";
import { useKeys } from "@/app/keys";
import type { AdminAccountQuery } from "@/gql/graphql";
import type { Role } from "@/gql/schema";
import { actorName } from "@/parts/ActorName";
import {
  Badge,
  Button,
  ConfirmDialog,
  ErrorState,
  Facts,
  Icon,
  IconButton,
  Menu,
  Skeleton,
  Table,
  Time,
  wordsOf,
} from "@/ui";
import {
  AdminAccount,
  AdminDisableAccount,
  AdminEnableAccount,
  AdminRemovePassword,
  AdminRevokeRole,
  AdminUnlinkIdentity,
} from "./account-documents";
import { GrantRole, LinkIdentity, type OfAccount, RenameAccount, SetPassword, SignInLink } from "./AccountForms";
import { KeyForm } from "./KeyForm";
import { Needs } from "./parts";
import { permissionName } from "./sections";

type Account = NonNullable<AdminAccountQuery["account"]>;
type Identity = Account["identities"][number];
type Doing =
  | { kind: "rename" | "grant" | "link" | "password" | "identity" | "key" | "disable" | "enable" | "removePassword" }
  | { kind: "revoke"; role: Role }
  | { kind: "unlink"; identity: Identity };

/** Everything about one account. */
export function AccountPane({ id, onClose }: { id: string; onClose: () => void }) {
  useKeys([{ keys: "Escape", does: "close the account", run: onClose }], "Account");
  const waitFor = useLastWrite();
  const [{ data, error, fetching }, again] = useQuery({ query: AdminAccount, variables: { id, waitFor } });
  const account = data?.account;
  return (
    <section aria-label="Account" className="flex min-h-0 flex-1 flex-col overflow-auto bg-surface">
      {error && !account && <ErrorState fault={faultOf(error)} onRetry={() => again()} />}
      {!error && fetching && !account && (
        <div className="flex flex-col gap-3 p-4">
          <Skeleton className="h-5 w-1/2" />
          <Skeleton className="h-24" />
        </div>
      )}
      {!error && !fetching && !account && (
        <div className="flex flex-col items-start gap-2 p-4 text-sm">
          <h2 className="font-semibold">There is no such account</h2>
          <p className="text-muted">Its id is wrong, or it is another tenant&apos;s.</p>
          <Button onClick={onClose}>Back to the list</Button>
        </div>
      )}
      {account && <Whole account={account} onClose={onClose} />}
    </section>
  );
}

function Whole({ account, onClose }: { account: Account; onClose: () => void }) {
  const { viewer, can } = useViewer();
  const [doing, setDoing] = useState<Doing>();
  const isOwn = viewer?.account?.id === account.id;
  const mayWrite = can("ACCOUNT_WRITE");
  const isUser = account.kind === "USER";
  return (
    <>
      <header className="flex items-start gap-1 border-b px-4 py-3">
        <div className="min-w-0 flex-1">
          <h2 className="truncate text-[15px] font-semibold" title={account.name}>
            {account.name}
          </h2>
          <p className="flex flex-wrap items-center gap-2 text-xs text-muted">
            {wordsOf(account.kind)}
            {isOwn && <Badge tone="accent">you</Badge>}
            {account.disabled && <Badge tone="bad">disabled</Badge>}
          </p>
        </div>
        {(mayWrite || isOwn) && (
          <Menu
            trigger={<IconButton size="small" label="Change the account" icon={<Icon name="more" />} />}
            items={[
              { label: "Rename", run: () => setDoing({ kind: "rename" }) },
              ...(isUser ? [{ label: "Set a password", run: () => setDoing({ kind: "password" }) }] : []),
              ...(isUser && account.hasPassword
                ? [{ label: "Remove the password", run: () => setDoing({ kind: "removePassword" }) }]
                : []),
              ...(isUser && mayWrite ? [{ label: "Make a sign-in link", run: () => setDoing({ kind: "link" }) }] : []),
              ...(isUser && mayWrite ? [{ label: "Link an identity", run: () => setDoing({ kind: "identity" }) }] : []),
              { label: "Make a key", run: () => setDoing({ kind: "key" }) },
              ...(mayWrite
                ? [
                    "line" as const,
                    account.disabled
                      ? { label: "Enable", run: () => setDoing({ kind: "enable" }) }
                      : { label: "Disable", isDangerous: true, run: () => setDoing({ kind: "disable" }) },
                  ]
                : []),
            ]}
          />
        )}
        <IconButton size="small" label="Close the account" icon={<Icon name="close" />} onClick={onClose} />
      </header>
      <div className="flex flex-col gap-6 p-4">
        <About account={account} />
        <Roles account={account} onDo={setDoing} />
        {account.identities.length > 0 && <Identities account={account} onDo={setDoing} />}
        <AccountKeys account={account} />
      </div>
      {doing && <Dialogs account={account} isOwn={isOwn} doing={doing} onClose={() => setDoing(undefined)} />}
    </>
  );
}

function About({ account }: { account: Account }) {
  const link = "text-accent hover:underline";
  return (
    <Facts
      facts={[
        ["Mail", account.email],
        ["Acts for", account.onBehalfOf?.name],
        [
          "Id",
          <span key="id" className="font-mono text-[12.5px] break-all">
            {account.id}
          </span>,
        ],
        ["Password", account.kind === "USER" ? (account.hasPassword ? "lets in" : "none") : undefined],
        ["Made", <Time key="made" value={account.history.createdAt} exact />],
        [
          "Sessions",
          <Link
            key="sessions"
            to="/admin/$section"
            params={{ section: "sessions" }}
            search={{ account: account.id }}
            className={link}
          >
            {account.sessions.nodes.length} that let in
          </Link>,
        ],
        [
          "History",
          <span key="history" className="flex flex-wrap gap-x-3">
            <Link to="/audit" search={{ actor: account.id, group: "all" }} className={link}>
              what they did
            </Link>
            <Link to="/events" search={{ stream: `account/${account.id}` }} className={link}>
              what was done to it
            </Link>
          </span>,
        ],
        ["May", account.permissions.length === 0 ? "do nothing" : account.permissions.map(permissionName).join(", ")],
      ]}
    />
  );
}

function Part({ title, action, children }: { title: string; action?: ReactNode; children: ReactNode }) {
  return (
    <section>
      <div className="mb-1 flex h-7 items-center justify-between">
        <h3 className="text-[13px] font-semibold">{title}</h3>
        {action}
      </div>
      {children}
    </section>
  );
}

function Roles({ account, onDo }: { account: Account; onDo: (doing: Doing) => void }) {
  const { can } = useViewer();
  return (
    <Part
      title="Roles"
      action={
        <Needs permission="ACCOUNT_WRITE">
          <Button size="small" onClick={() => onDo({ kind: "grant" })}>
            Give a role
          </Button>
        </Needs>
      }
    >
      <Table
        label="Roles"
        rows={account.roles}
        keyOf={(grant) => grant.role}
        empty={<p className="text-sm text-muted">It has none, and so may do nothing.</p>}
        columns={[
          { key: "role", header: "Role", cell: (grant) => <span className="font-medium">{wordsOf(grant.role)}</span> },
          {
            key: "given",
            header: "Given",
            cell: ({ granted }) => (
              <>
                by {actorName(granted.actor)}, <Time value={granted.at} />
              </>
            ),
          },
          { key: "why", header: "Why", wideOnly: true, cell: ({ granted }) => granted.reason ?? "–" },
          {
            key: "do",
            header: <span className="sr-only">What can be done</span>,
            align: "end",
            cell: (grant) =>
              can("ACCOUNT_WRITE") && (
                <Button
                  size="small"
                  kind="quiet"
                  aria-label={`Take the role ${wordsOf(grant.role)}`}
                  onClick={() => onDo({ kind: "revoke", role: grant.role })}
                >
                  Take
                </Button>
              ),
          },
        ]}
      />
    </Part>
  );
}

function Identities({ account, onDo }: { account: Account; onDo: (doing: Doing) => void }) {
  const { can } = useViewer();
  return (
    <Part title="Identities elsewhere">
      <Table
        label="Identities elsewhere"
        rows={account.identities}
        keyOf={(identity) => `${identity.issuer} ${identity.subject}`}
        columns={[
          { key: "issuer", header: "Provider", cell: (identity) => identity.issuer },
          { key: "subject", header: "Name there", cell: (identity) => identity.subject },
          {
            key: "do",
            header: <span className="sr-only">What can be done</span>,
            align: "end",
            cell: (identity) =>
              can("ACCOUNT_WRITE") && (
                <Button
                  size="small"
                  kind="quiet"
                  aria-label={`Unlink ${identity.subject}`}
                  onClick={() => onDo({ kind: "unlink", identity })}
                >
                  Unlink
                </Button>
              ),
          },
        ]}
      />
    </Part>
  );
}

function AccountKeys({ account }: { account: Account }) {
  return (
    <Part
      title="Keys"
      action={
        <Link
          to="/admin/$section"
          params={{ section: "keys" }}
          search={{ account: account.id }}
          className="text-[13px] text-accent hover:underline"
        >
          All its keys
        </Link>
      }
    >
      <Table
        label="Keys of the account"
        rows={account.apiKeys.nodes}
        keyOf={(key) => key.key}
        empty={<p className="text-sm text-muted">It has no key that lets in.</p>}
        columns={[
          { key: "name", header: "Key", cell: (key) => <span className="font-medium">{key.name}</span> },
          { key: "used", header: "Last used", cell: (key) => <Time value={key.lastUsedAt} /> },
          {
            key: "until",
            header: "Lets in until",
            align: "end",
            cell: (key) => (key.expiresAt ? <Time value={key.expiresAt} /> : "no end"),
          },
        ]}
      />
    </Part>
  );
}

interface DialogsProps {
  account: Account;
  isOwn: boolean;
  doing: Doing;
  onClose: () => void;
}

function Dialogs({ account, isOwn, doing, onClose }: DialogsProps) {
  const of: OfAccount = { id: account.id, name: account.name, email: account.email, isOwn };
  switch (doing.kind) {
    case "rename":
      return <RenameAccount account={of} onClose={onClose} />;
    case "grant":
      return <GrantRole account={of} had={account.roles.map((grant) => grant.role)} onClose={onClose} />;
    case "link":
      return <SignInLink account={of} onClose={onClose} />;
    case "password":
      return <SetPassword account={of} onClose={onClose} />;
    case "identity":
      return <LinkIdentity account={of} onClose={onClose} />;
    case "key":
      return <KeyForm account={account.id} onClose={onClose} />;
    default:
      return <Confirming account={account} isOwn={isOwn} doing={doing} onClose={onClose} />;
  }
}

/** What takes something away, or gives it back: asked for once more, with a reason. */
function Confirming({ account, isOwn, doing, onClose }: DialogsProps) {
  const { name, id: accountId } = account;
  const [disable] = useChange(AdminDisableAccount, {
    payload: (data) => data.disableAccount,
    done: `${name} is let in no more`,
    failed: "The account was not disabled",
  });
  const [enable] = useChange(AdminEnableAccount, {
    payload: (data) => data.enableAccount,
    done: `${name} is let in again`,
    failed: "The account was not enabled",
  });
  const [revoke] = useChange(AdminRevokeRole, {
    payload: (data) => data.revokeRole,
    done: `${name} has the role no more`,
    failed: "The role was not taken",
  });
  const [unlink] = useChange(AdminUnlinkIdentity, {
    payload: (data) => data.unlinkIdentity,
    done: "The identity is unlinked",
    failed: "The identity was not unlinked",
  });
  const [removePassword] = useChange(AdminRemovePassword, {
    payload: (data) => data.removePassword,
    done: `No password lets ${name} in any more`,
    failed: "The password was not removed",
  });
  const shape = (() => {
    switch (doing.kind) {
      case "enable":
        return {
          title: `Enable ${name}`,
          confirm: "Enable the account",
          text: "It is let in again, by what let it in before, as far as that has not expired.",
          run: (reason: string) => enable({ input: { accountId, reason } }),
        };
      case "revoke":
        return {
          title: `Take the role ${wordsOf(doing.role)} from ${name}`,
          confirm: "Take the role",
          text: "What it gave counts no more from this moment on, also for keys and for agents that act for it.",
          run: (reason: string) => revoke({ input: { accountId, role: doing.role, reason } }),
        };
      case "unlink":
        return {
          title: `Unlink ${doing.identity.subject}`,
          confirm: "Unlink the identity",
          text: `Who is known so at ${doing.identity.issuer} is not let in as ${name} any more.`,
          run: (reason: string) => unlink({ input: { accountId, ...doing.identity, reason } }),
        };
      case "removePassword":
        return {
          title: `Remove the password of ${name}`,
          confirm: "Remove the password",
          text: "No password lets in any more; links, identities and keys still do.",
          run: (reason: string) => removePassword({ input: { accountId, reason } }),
        };
      default:
        return {
          title: `Disable ${name}`,
          confirm: "Disable the account",
          text: "It is let in no more from this moment on: its keys and sessions are worth nothing, connections that are open are closed, and agents that act for it can do nothing.",
          run: (reason: string) => disable({ input: { accountId, reason } }),
        };
    }
  })();
  return (
    <ConfirmDialog
      title={shape.title}
      isOpen
      onClose={onClose}
      confirm={shape.confirm}
      isDangerous={doing.kind !== "enable"}
      reason={isOwn && doing.kind === "removePassword" ? "optional" : "required"}
      onConfirm={async (reason = "") => (await shape.run(reason)).kind === "done"}
    >
      {shape.text}
    </ConfirmDialog>
  );
}
