import { isRecord } from "@/parts/records";
import { useState } from "react";
import { useQuery } from "urql";
import { useLastWrite } from "@/api";
import { type Choice, Combobox, Input, Select } from "@/ui";
import { EditorResources } from "../documents";
import type { FieldProps } from "./fields";
import { plain } from "./parameter";

/** n8n's way to name something: how it is named, and the name. */
export function ResourceField({ parameter, value, onChange }: FieldProps) {
  const known = parameter.resource?.modes ?? [];
  // A name alone is the value, written in the way that takes one.
  const written = known.find((mode) => !mode.listed)?.name;
  const resource = isRecord(value) ? value : { value: plain(value) };
  const usual = (value === undefined ? known[0]?.name : written) ?? "id";
  const mode = plain(resource.mode) || usual;
  const present = known.find(({ name }) => name === mode);
  const modes = present ? known : [...known, { name: mode, label: mode, listed: false, placeholder: null }];
  const set = (part: Record<string, unknown>) => onChange({ ...resource, __rl: true, mode, ...part });
  return (
    <div className="flex gap-2">
      {modes.length > 1 && (
        <Select
          aria-label={`How it is named: ${parameter.label}`}
          id={undefined}
          className="!w-32 shrink-0"
          value={mode}
          choices={modes.map(({ name, label }) => ({ value: name, label }))}
          onChange={(next) => set({ mode: next })}
        />
      )}
      <div className="min-w-0 flex-1">
        {present?.listed === true ? (
          <Listed
            of={parameter.resource?.of ?? ""}
            value={plain(resource.value)}
            cachedName={plain(resource.cachedResultName)}
            onChange={(next, name) => set({ value: next, cachedResultName: name })}
          />
        ) : (
          <Input
            value={plain(resource.value)}
            placeholder={present?.placeholder ?? parameter.placeholder ?? undefined}
            onChange={(event) => set({ value: event.target.value, cachedResultName: undefined })}
          />
        )}
      </div>
    </div>
  );
}

interface ListedProps {
  of: string;
  value: string;
  /** What the file says that it was called. */
  cachedName: string;
  onChange: (value: string, name: string | undefined) => void;
}

/** Chosen among what is there. Of what nobody keeps a list, such as collections, the name is written. */
function Listed({ of, value, cachedName, onChange }: ListedProps) {
  const [search, setSearch] = useState("");
  const listed = useListed(of, search);
  const isMissing = value !== "" && cachedName !== "" && !listed.some((one) => one.value === value);
  const choices = isMissing ? [{ value, label: cachedName }, ...listed] : listed;
  return (
    <Combobox
      value={value}
      choices={choices}
      isFree
      placeholder={of === "" ? undefined : `name of a ${of}`}
      onSearch={setSearch}
      onChange={(next) => onChange(next, choices.find((one) => one.value === next)?.label)}
    />
  );
}

/** A text that is the name of something: chosen among what is there, or written. */
export function NamedField({
  of,
  value,
  example,
  onChange,
}: {
  of: string;
  value: string;
  example: string | undefined;
  onChange: (value: string) => void;
}) {
  const [search, setSearch] = useState("");
  const listed = useListed(of, search);
  return (
    <Combobox
      value={value}
      choices={listed}
      isFree
      placeholder={example ?? `name of a ${of}`}
      onSearch={setSearch}
      onChange={onChange}
    />
  );
}

/** What can be chosen of a kind of thing; nothing of kinds of which nobody keeps a list. */
function useListed(of: string, search: string): Choice<string>[] {
  const waitFor = useLastWrite();
  const [{ data }] = useQuery({
    query: EditorResources,
    variables: {
      workflows: of === "workflow",
      routes: of === "route",
      agents: of === "agent",
      models: of === "model",
      tables: of === "dataTable",
      name: search === "" ? undefined : search,
      waitFor,
    },
    pause: !["workflow", "route", "agent", "model", "dataTable"].includes(of),
  });
  const named = (name: string) => ({ value: name, label: name });
  return [
    ...(data?.workflows?.nodes ?? []).map(({ id, name }) => ({ value: id, label: name })),
    ...(data?.dataTables ?? []).map(({ id, name }) => ({ value: id, label: name })),
    ...(data?.gatewayRoutes ?? []).map(({ name }) => named(name)),
    ...(data?.agents?.nodes ?? []).filter(({ state }) => state !== "RETIRED").map(({ name }) => named(name)),
    ...(data?.models?.nodes ?? [])
      .filter(({ retired }) => !retired)
      .flatMap(({ name, aliases }) => [named(name), ...aliases.map(({ alias }) => named(`${name}@${alias}`))]),
  ];
}
