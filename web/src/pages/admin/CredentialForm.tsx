import { useState } from "react";
import { useQuery } from "urql";
import { faultOf, graphql, useChange } from "@/api";
import type { AdminCredentialTypesQuery } from "@/gql/graphql";
import { ErrorState, Field, Input, Select, Skeleton, Textarea } from "@/ui";
import { Copyable } from "@/ui/Copyable";
import { FormDialog, ReasonField, TextField, problemOf } from "./parts";

const AdminCredentialTypes = graphql(`
  query AdminCredentialTypes {
    credentialTypes {
      name
      displayName
      callbackUrl
      fields {
        name
        kind
        required
        secret
        options
        description
      }
    }
  }
`);

const AdminSaveCredential = graphql(`
  mutation AdminSaveCredential($input: SaveCredentialInput!) {
    saveCredential(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

type CredentialType = AdminCredentialTypesQuery["credentialTypes"][number];
type FieldOf = CredentialType["fields"][number];

const OTHER = "another type";

/** Saves a credential, or gives one other values. What is typed is sent and kept nowhere else. */
export function CredentialForm({ known, onClose }: { known?: { name: string; type: string }; onClose: () => void }) {
  const [{ data, error, fetching }] = useQuery({ query: AdminCredentialTypes, requestPolicy: "cache-first" });
  const types = data?.credentialTypes ?? [];
  const [chosen, setChosen] = useState(known?.type ?? "httpBasicAuth");
  const [otherType, setOtherType] = useState("");
  const [name, setName] = useState(known?.name ?? "");
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const [json, setJson] = useState("");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [save, isSaving] = useChange(AdminSaveCredential, {
    payload: (answer) => answer.saveCredential,
    done: `The credential ${name.trim()} is saved`,
    failed: "The credential was not saved",
    quiet: true,
  });
  const type = types.find((one) => one.name === chosen);
  const typeName = type?.name ?? (known ? known.type : otherType.trim());
  const missing =
    type?.fields.some((field) => field.required && (values[field.name] ?? "") === "") ?? json.trim() === "";
  const submit = async () => {
    const fields = type ? fieldsOf(type, values) : parsed(json);
    if (typeof fields === "string") {
      setProblem(fields);
      return;
    }
    const outcome = await save(
      { input: { name: name.trim(), type: typeName, data: fields } },
      reason.trim() === "" ? undefined : reason,
    );
    if (outcome.kind === "done") onClose();
    else setProblem(problemOf(outcome));
  };
  return (
    <FormDialog
      title={known ? `Other values for ${known.name}` : "New credential"}
      submit="Save and seal"
      isBusy={isSaving}
      isIncomplete={name.trim() === "" || typeName === "" || missing}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      {error && <ErrorState fault={faultOf(error)} />}
      {fetching && <Skeleton className="h-8" />}
      {known ? (
        <p className="text-muted">
          Of type <code>{known.type}</code>. All fields are given anew: what is left empty is not kept from before.
        </p>
      ) : (
        <>
          <Field label="Type">
            <Select
              value={type ? chosen : OTHER}
              onChange={setChosen}
              choices={[
                ...types.map((one) => ({ value: one.name, label: one.displayName })),
                { value: OTHER, label: "Another type…" },
              ]}
            />
          </Field>
          {!type && !fetching && (
            <TextField
              label="Name of the type"
              value={otherType}
              onChange={setOtherType}
              placeholder="slackApi"
              maxLength={100}
            />
          )}
          <TextField
            label="Name"
            value={name}
            onChange={setName}
            maxLength={200}
            hint="As workflows name it. The credential of that type and name is replaced."
          />
        </>
      )}
      {type?.callbackUrl && (
        <div className="text-muted">
          <p>
            Tell the provider this address for the way back. Once the credential is saved, choose{" "}
            <strong>Connect…</strong> in its menu to give the permission.
          </p>
          <Copyable text={type.callbackUrl} label="Copy the address for the way back" />
        </div>
      )}
      {type?.fields.map((field) => (
        <OneField
          key={field.name}
          field={field}
          value={values[field.name] ?? ""}
          onChange={(value) => setValues({ ...values, [field.name]: value })}
        />
      ))}
      {!type && !fetching && (
        <Field label="Fields" hint="A JSON object of names and values.">
          <Textarea
            rows={6}
            spellCheck={false}
            className="font-mono text-[12.5px]"
            placeholder={'{"accessToken": "…"}'}
            value={json}
            onChange={(event) => setJson(event.target.value)}
          />
        </Field>
      )}
      <ReasonField isOptional value={reason} onChange={setReason} />
    </FormDialog>
  );
}

function OneField({ field, value, onChange }: { field: FieldOf; value: string; onChange: (value: string) => void }) {
  const isLong = field.kind === "JSON" || /private ?key|certificate|PEM/i.test(`${field.name} ${field.description}`);
  return (
    <Field label={field.required ? field.name : `${field.name} (may be left out)`} hint={field.description}>
      {field.kind === "OPTIONS" || field.kind === "BOOLEAN" ? (
        <Select
          value={value}
          onChange={onChange}
          choices={[{ value: "", label: "–" }, ...wordsOf(field).map((one) => ({ value: one, label: one }))]}
        />
      ) : isLong ? (
        <Textarea
          rows={4}
          spellCheck={false}
          className="font-mono text-[12.5px]"
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      ) : (
        <Input
          type={field.secret ? "password" : "text"}
          inputMode={field.kind === "NUMBER" ? "numeric" : undefined}
          autoComplete={field.secret ? "new-password" : "off"}
          spellCheck={false}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

function wordsOf(field: FieldOf): readonly string[] {
  return field.kind === "BOOLEAN" ? ["true", "false"] : (field.options ?? []);
}

/** The fields that have a value; or what is wrong with one. */
function fieldsOf(type: CredentialType, values: Readonly<Record<string, string>>): Record<string, unknown> | string {
  const fields: Record<string, unknown> = {};
  for (const field of type.fields) {
    const value = values[field.name] ?? "";
    if (value === "") continue;
    if (field.kind === "JSON") {
      try {
        JSON.parse(value);
      } catch (error) {
        return `${field.name} is no JSON: ${error instanceof Error ? error.message : String(error)}`;
      }
    }
    if (field.kind === "NUMBER" && !Number.isFinite(Number(value))) return `${field.name} is to be a number.`;
    fields[field.name] = typed(field, value);
  }
  return fields;
}

function typed(field: FieldOf, value: string): unknown {
  if (field.kind === "NUMBER") return Number(value);
  return field.kind === "BOOLEAN" ? value === "true" : value;
}

function parsed(text: string): Record<string, unknown> | string {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    return "The fields are to be a JSON object.";
  } catch (error) {
    return `The fields are no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}
