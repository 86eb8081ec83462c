import { useState } from "react";
import { useQuery } from "urql";
import { graphql, useChange, useViewer } from "@/api";
import type { Permission } from "@/gql/schema";
import { Field, Input, Select } from "@/ui";
import { FormDialog, OnceShown, ReasonField, TextField, problemOf } from "./parts";
import { PERMISSIONS, permissionName } from "./sections";

const AdminMakeKey = graphql(`
  mutation AdminMakeKey($input: MakeApiKeyInput!) {
    makeApiKey(input: $input) {
      token
      position
      errors {
        ...Errors
      }
    }
  }
`);

const AdminKeyAccounts = graphql(`
  query AdminKeyAccounts {
    accounts(first: 100, disabled: false) {
      nodes {
        id
        name
        kind
      }
    }
  }
`);

const DAYS = {
  "30": "30 days",
  "90": "90 days",
  "365": "a year",
  never: "it is revoked",
  date: "a day of yours",
} as const;
type Until = keyof typeof DAYS;
const DAY_MS = 86_400_000;

/** Makes a key, and shows it once. */
export function KeyForm({ account, onClose }: { account?: string; onClose: () => void }) {
  const { viewer, can } = useViewer();
  const own = viewer?.account?.id;
  const [{ data }] = useQuery({ query: AdminKeyAccounts, pause: !can("ACCOUNT_WRITE") || !can("ACCOUNT_READ") });
  const [whose, setWhose] = useState(account ?? own ?? "");
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly Permission[]>();
  const [until, setUntil] = useState<Until>("90");
  const [date, setDate] = useState("");
  const [tomorrow] = useState(() => new Date(Date.now() + DAY_MS).toISOString().slice(0, 10));
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [token, setToken] = useState<string>();
  const [make, isMaking] = useChange(AdminMakeKey, {
    payload: (answer) => answer.makeApiKey,
    failed: "The key was not made",
    quiet: true,
  });
  const isOther = whose !== own;
  const submit = async () => {
    const outcome = await make({
      input: {
        accountId: whose,
        name: name.trim(),
        scopes: scopes === undefined ? undefined : [...scopes],
        expiresAt: expiry(until, date),
        reason: reason.trim() === "" ? undefined : reason.trim(),
      },
    });
    if (outcome.kind === "done") setToken(outcome.payload.token ?? "");
    else setProblem(problemOf(outcome));
  };
  if (token !== undefined)
    return (
      <OnceShown title={`The key ${name.trim()}`} secret={token} onClose={onClose}>
        Copy it now: it is told here and nowhere else, not even in the log. A program sends it as{" "}
        <code>Authorization: Bearer …</code>; the command line reads it from <code>TIMELOOM_TOKEN</code>.
      </OnceShown>
    );
  const accounts = data?.accounts.nodes ?? [];
  return (
    <FormDialog
      title="New key"
      submit="Make the key"
      isBusy={isMaking}
      isIncomplete={
        name.trim() === "" ||
        (isOther && reason.trim() === "") ||
        (until === "date" && date === "") ||
        scopes?.length === 0
      }
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <TextField
        label="What it is for"
        value={name}
        onChange={setName}
        autoFocus
        maxLength={200}
        placeholder="deploys"
      />
      {accounts.length > 0 && (
        <Field label="Of which account">
          <Select
            value={whose}
            onChange={setWhose}
            choices={accounts.map((one) => ({ value: one.id, label: one.id === own ? `${one.name} (you)` : one.name }))}
          />
        </Field>
      )}
      <ScopesField value={scopes} onChange={setScopes} />
      <div className="grid grid-cols-2 gap-2">
        <Field label="It lets in until">
          <Select<Until>
            value={until}
            onChange={setUntil}
            choices={(["30", "90", "365", "date", "never"] as const).map((value) => ({ value, label: DAYS[value] }))}
          />
        </Field>
        {until === "date" && (
          <Field label="The day">
            <Input type="date" min={tomorrow} value={date} onChange={(event) => setDate(event.target.value)} />
          </Field>
        )}
      </div>
      {isOther && <ReasonField value={reason} onChange={setReason} />}
    </FormDialog>
  );
}

function expiry(until: Until, date: string): string | undefined {
  if (until === "never") return undefined;
  if (until === "date") return new Date(`${date}T00:00:00`).toISOString();
  return new Date(Date.now() + Number(until) * DAY_MS).toISOString();
}

function ScopesField({
  value,
  onChange,
}: {
  value: readonly Permission[] | undefined;
  onChange: (value: readonly Permission[] | undefined) => void;
}) {
  return (
    <fieldset className="flex flex-col gap-1.5">
      <legend className="mb-1 text-[13px] font-medium">What it may do</legend>
      <label className="flex items-center gap-2">
        <input
          type="radio"
          name="scopes"
          checked={value === undefined}
          onChange={() => onChange(undefined)}
          className="accent-accent"
        />
        all that its account may
      </label>
      <label className="flex items-center gap-2">
        <input
          type="radio"
          name="scopes"
          checked={value !== undefined}
          onChange={() => onChange([])}
          className="accent-accent"
        />
        only these
      </label>
      {value !== undefined && (
        <div className="grid grid-cols-2 gap-x-3 gap-y-1 pl-6 text-[13px]">
          {PERMISSIONS.map((permission) => (
            <label key={permission} className="flex items-center gap-2">
              <input
                type="checkbox"
                checked={value.includes(permission)}
                onChange={(event) =>
                  onChange(event.target.checked ? [...value, permission] : value.filter((one) => one !== permission))
                }
                className="accent-accent"
              />
              {permissionName(permission)}
            </label>
          ))}
        </div>
      )}
    </fieldset>
  );
}
