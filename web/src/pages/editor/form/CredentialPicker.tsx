import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { useLastWrite } from "@/api";
import { Field, Icon, IconButton, Select } from "@/ui";
import { EditorCredentials } from "../documents";
import type { Parameter } from "../catalogue";
import type { WorkflowNode } from "../model/definition";
import { updateNode } from "../model/edit";
import { useEditor } from "../state/editor";
import { labelOf } from "./parameter";
import { isShown, levelOf } from "./shown";

/** The credentials that a node uses: those that its type takes with its parameters, and those that it names besides. */
export function CredentialPicker({ node, told }: { node: WorkflowNode; told: readonly Parameter[] }) {
  const { draft, catalogue } = useEditor();
  const waitFor = useLastWrite();
  const [{ data, error }] = useQuery({ query: EditorCredentials, variables: { waitFor } });
  const [added, setAdded] = useState<readonly string[]>([]);
  const type = catalogue.of(node.type);
  const level = levelOf(node, told);
  const taken = (type?.credentials ?? []).filter((one) => isShown(level, one));
  const known = data?.credentials.nodes ?? [];
  const types = [...new Set([...taken.map((one) => one.type), ...Object.keys(node.credentials ?? {}), ...added])];
  const isNeeded = (wanted: string) => taken.some((one) => one.type === wanted && one.required);
  const others = [
    ...new Set([...(data?.credentialTypes ?? []).map(({ name }) => name), ...known.map(({ type }) => type)]),
  ].filter((type) => !types.includes(type));
  const nameOf = (type: string) => data?.credentialTypes.find((one) => one.name === type)?.displayName ?? labelOf(type);
  const choose = (type: string, name: string | undefined) => {
    const credentials = { ...node.credentials };
    const chosen = known.find((one) => one.type === type && one.name === name);
    if (name === undefined || name === "") Reflect.deleteProperty(credentials, type);
    else credentials[type] = { id: chosen?.id ?? null, name };
    const kept = Object.keys(credentials).length > 0 ? credentials : undefined;
    draft.edit(updateNode(draft.definition, node.name, () => ({ credentials: kept })));
  };
  // A type that takes none of its own may still be given one by a file; others are offered where any is taken at all.
  const mayTakeOthers = type === undefined || type.credentials.length > 0;
  if ((error && !data) || (types.length === 0 && !mayTakeOthers)) return null;
  return (
    <details open={types.length > 0} className="border-b">
      <summary className="px-4 py-2.5 text-[13px] font-medium">
        Credentials
        {types.length > 0 && <span className="ml-1 font-normal text-muted">{types.map(nameOf).join(", ")}</span>}
      </summary>
      <div className="flex flex-col gap-3 px-4 pb-4">
        {types.map((type) => (
          <CredentialRow
            key={type}
            type={type}
            label={nameOf(type)}
            isNeeded={isNeeded(type)}
            names={known.filter((one) => one.type === type).map(({ name }) => name)}
            present={node.credentials?.[type]?.name ?? ""}
            onChoose={(name) => choose(type, name)}
            onRemove={() => {
              setAdded(added.filter((one) => one !== type));
              choose(type, undefined);
            }}
          />
        ))}
        {mayTakeOthers && (
          <Field label="Use another type of credentials">
            <Select
              value=""
              choices={[
                { value: "", label: "choose a type" },
                ...others.map((type) => ({ value: type, label: nameOf(type) })),
              ]}
              onChange={(type) => type !== "" && setAdded([...added, type])}
            />
          </Field>
        )}
        <p className="text-xs text-muted">
          Credentials are kept sealed, and made under{" "}
          <Link to="/admin/$section" params={{ section: "credentials" }} className="text-accent underline">
            Admin
          </Link>
          . The file names them only.
        </p>
      </div>
    </details>
  );
}

interface CredentialRowProps {
  type: string;
  label: string;
  /** Whether a run without it fails. */
  isNeeded: boolean;
  names: readonly string[];
  present: string;
  onChoose: (name: string) => void;
  onRemove: () => void;
}

function CredentialRow({ type, label, isNeeded, names, present, onChoose, onRemove }: CredentialRowProps) {
  const isMissing = present !== "" && !names.includes(present);
  const choices = [
    { value: "", label: names.length === 0 ? "there is none yet" : "choose one" },
    ...(isMissing ? [{ value: present, label: `${present} (not kept here)` }] : []),
    ...names.map((name) => ({ value: name, label: name })),
  ];
  return (
    <div className="flex items-end gap-1">
      <Field
        label={isNeeded ? `${label} (needed)` : label}
        className="min-w-0 flex-1"
        error={
          isMissing
            ? `No credential of the type ${type} is called “${present}”: make it, or choose another.`
            : undefined
        }
      >
        <Select value={present} choices={choices} onChange={onChoose} />
      </Field>
      <IconButton label={`Use no ${label}`} icon={<Icon name="close" />} onClick={onRemove} />
    </div>
  );
}
