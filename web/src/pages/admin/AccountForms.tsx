import { useState } from "react";
import { useQuery } from "urql";
import { graphql, useChange } from "@/api";
import type { AccountKind, Role } from "@/gql/schema";
import { Field, Select, wordsOf } from "@/ui";
import {
  AdminCreateAccount,
  AdminGrantRole,
  AdminLinkIdentity,
  AdminRenameAccount,
  AdminSetPassword,
  AdminSignInLink,
} from "./account-documents";
import { FormDialog, OnceShown, ReasonField, TextField, problemOf } from "./parts";
import { ROLES, ROLE_WORDS } from "./sections";

const AdminPrincipals = graphql(`
  query AdminPrincipals {
    accounts(first: 100, disabled: false) {
      nodes {
        id
        name
        kind
      }
    }
  }
`);

const KINDS: readonly { value: AccountKind; label: string }[] = [
  { value: "USER", label: "A person" },
  { value: "SERVICE", label: "A program" },
  { value: "AGENT", label: "An agent, which acts for somebody" },
];

export function CreateAccount({ onClose }: { onClose: (made?: string) => void }) {
  const [kind, setKind] = useState<AccountKind>("USER");
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role | "">("");
  const [principal, setPrincipal] = useState("");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [{ data }] = useQuery({ query: AdminPrincipals, pause: kind !== "AGENT" });
  const [create, isCreating] = useChange(AdminCreateAccount, {
    payload: (answer) => answer.createAccount,
    done: "The account is made",
    failed: "The account was not made",
    quiet: true,
  });
  const principals = (data?.accounts.nodes ?? []).filter((one) => one.kind !== "AGENT");
  const submit = async () => {
    const outcome = await create({
      input: {
        kind,
        name: name.trim(),
        email: kind === "USER" && email.trim() !== "" ? email.trim() : undefined,
        onBehalfOf: kind === "AGENT" ? principal : undefined,
        roles: role === "" ? [] : [role],
        reason: reason.trim(),
      },
    });
    if (outcome.kind === "done") onClose(outcome.payload.accountId ?? undefined);
    else setProblem(problemOf(outcome));
  };
  return (
    <FormDialog
      title="New account"
      submit="Make the account"
      isBusy={isCreating}
      isIncomplete={name.trim() === "" || reason.trim() === "" || (kind === "AGENT" && principal === "")}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={() => onClose()}
    >
      <Field label="Whose it is">
        <Select value={kind} onChange={setKind} choices={KINDS} />
      </Field>
      <TextField label="Name" value={name} onChange={setName} maxLength={200} />
      {kind === "USER" && (
        <TextField
          label="E-mail address"
          type="email"
          value={email}
          onChange={setEmail}
          hint="Also the name to sign in with."
        />
      )}
      {kind === "AGENT" && (
        <Field label="For whom it acts" hint="It may do no more than they may at that moment.">
          <Select
            value={principal}
            onChange={setPrincipal}
            choices={[{ value: "", label: "Choose" }, ...principals.map((one) => ({ value: one.id, label: one.name }))]}
          />
        </Field>
      )}
      <Field label="Role" hint={role === "" ? "Without a role it may do nothing." : ROLE_WORDS[role]}>
        <Select
          value={role}
          onChange={setRole}
          choices={[
            { value: "" as const, label: "None yet" },
            ...ROLES.map((one) => ({ value: one, label: wordsOf(one) })),
          ]}
        />
      </Field>
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  );
}

export interface OfAccount {
  id: string;
  name: string;
  email?: string | null;
  isOwn: boolean;
}

interface FormProps {
  account: OfAccount;
  onClose: () => void;
}

export function RenameAccount({ account, onClose }: FormProps) {
  const [name, setName] = useState(account.name);
  const [email, setEmail] = useState(account.email ?? "");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [rename, isRenaming] = useChange(AdminRenameAccount, {
    payload: (data) => data.renameAccount,
    done: "The account has another name",
    failed: "The account was not renamed",
    quiet: true,
  });
  const submit = async () => {
    const outcome = await rename({
      input: {
        accountId: account.id,
        name: name.trim(),
        email: email.trim() === "" ? undefined : email.trim(),
        reason: reason.trim() === "" ? undefined : reason.trim(),
      },
    });
    if (outcome.kind === "done") onClose();
    else setProblem(problemOf(outcome));
  };
  return (
    <FormDialog
      title={`Rename ${account.name}`}
      submit="Rename"
      isBusy={isRenaming}
      isIncomplete={name.trim() === "" || (!account.isOwn && reason.trim() === "")}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <TextField label="Name" value={name} onChange={setName} maxLength={200} />
      <TextField label="E-mail address" type="email" value={email} onChange={setEmail} />
      <ReasonField value={reason} onChange={setReason} isOptional={account.isOwn} />
    </FormDialog>
  );
}

export function GrantRole({ account, had, onClose }: FormProps & { had: readonly Role[] }) {
  const left = ROLES.filter((role) => !had.includes(role));
  const [role, setRole] = useState<Role>(left.at(-1) ?? "VIEWER");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [grant, isGranting] = useChange(AdminGrantRole, {
    payload: (data) => data.grantRole,
    done: `${account.name} has the role now`,
    failed: "The role was not given",
    quiet: true,
  });
  const submit = async () => {
    const outcome = await grant({ input: { accountId: account.id, role, reason: reason.trim() } });
    if (outcome.kind === "done") onClose();
    else setProblem(problemOf(outcome));
  };
  return (
    <FormDialog
      title={`Give ${account.name} a role`}
      submit="Give the role"
      isBusy={isGranting}
      isIncomplete={reason.trim() === ""}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <Field label="Role" hint={ROLE_WORDS[role]}>
        <Select value={role} onChange={setRole} choices={left.map((one) => ({ value: one, label: wordsOf(one) }))} />
      </Field>
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  );
}

const MINUTES = [
  { value: "60", label: "an hour" },
  { value: "1440", label: "a day" },
  { value: "10080", label: "a week" },
] as const;

export function SignInLink({ account, onClose }: FormProps) {
  const [minutes, setMinutes] = useState<(typeof MINUTES)[number]["value"]>("1440");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [link, setLink] = useState<string>();
  const [make, isMaking] = useChange(AdminSignInLink, {
    payload: (data) => data.makeSignInLink,
    failed: "The link was not made",
    quiet: true,
  });
  const submit = async () => {
    const outcome = await make({ input: { accountId: account.id, minutes: Number(minutes), reason: reason.trim() } });
    if (outcome.kind === "done")
      setLink(`${location.origin}/sign-in/link?token=${encodeURIComponent(outcome.payload.token ?? "")}`);
    else setProblem(problemOf(outcome));
  };
  if (link !== undefined)
    return (
      <OnceShown title={`A link for ${account.name}`} secret={link} onClose={onClose}>
        It lets {account.name} in, once. Send it to them alone: whoever opens it is them. It is told here and nowhere
        else.
      </OnceShown>
    );
  return (
    <FormDialog
      title={`A sign-in link for ${account.name}`}
      submit="Make the link"
      isBusy={isMaking}
      isIncomplete={reason.trim() === ""}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <Field label="It lets in for">
        <Select value={minutes} onChange={setMinutes} choices={MINUTES} />
      </Field>
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  );
}

export function SetPassword({ account, onClose }: FormProps) {
  const [password, setPassword] = useState("");
  const [current, setCurrent] = useState("");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [set, isSetting] = useChange(AdminSetPassword, {
    payload: (data) => data.setPassword,
    done: `The password of ${account.name} is set`,
    failed: "The password was not set",
    quiet: true,
  });
  const submit = async () => {
    const outcome = await set({
      input: {
        accountId: account.id,
        password,
        currentPassword: account.isOwn && current !== "" ? current : undefined,
        reason: reason.trim() === "" ? undefined : reason.trim(),
      },
    });
    if (outcome.kind === "done") onClose();
    else setProblem(problemOf(outcome));
  };
  return (
    <FormDialog
      title={account.isOwn ? "Another password" : `A password for ${account.name}`}
      submit="Set the password"
      isBusy={isSetting}
      isIncomplete={password === "" || (!account.isOwn && reason.trim() === "")}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      {account.isOwn && (
        <TextField
          label="The one that you have"
          hint="Not needed within five minutes after you signed in."
          type="password"
          autoComplete="current-password"
          value={current}
          onChange={setCurrent}
        />
      )}
      <TextField
        label="The new one"
        type="password"
        autoComplete="new-password"
        value={password}
        onChange={setPassword}
      />
      <ReasonField value={reason} onChange={setReason} isOptional={account.isOwn} />
    </FormDialog>
  );
}

export function LinkIdentity({ account, onClose }: FormProps) {
  const [issuer, setIssuer] = useState("");
  const [subject, setSubject] = useState("");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [link, isLinking] = useChange(AdminLinkIdentity, {
    payload: (data) => data.linkIdentity,
    done: "The identity is linked",
    failed: "The identity was not linked",
    quiet: true,
  });
  const submit = async () => {
    const outcome = await link({
      input: { accountId: account.id, issuer: issuer.trim(), subject: subject.trim(), reason: reason.trim() },
    });
    if (outcome.kind === "done") onClose();
    else setProblem(problemOf(outcome));
  };
  return (
    <FormDialog
      title={`Who ${account.name} is elsewhere`}
      submit="Link"
      isBusy={isLinking}
      isIncomplete={issuer.trim() === "" || subject.trim() === "" || reason.trim() === ""}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <TextField
        label="The provider's address"
        value={issuer}
        onChange={setIssuer}
        placeholder="https://login.example.org"
      />
      <TextField label="The name there (sub)" value={subject} onChange={setSubject} />
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  );
}
