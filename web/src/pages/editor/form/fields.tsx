import type { ComponentType } from "react";
import { useState } from "react";
import { Input, Select, Switch, Textarea } from "@/ui";
import { ScriptInput } from "../expression/ExpressionInput";
import { isRecord } from "../model/definition";
import { AssignmentsField, PairsField } from "./lists";
import { ConditionsField, RulesField } from "./conditions";
import { JsonField } from "./JsonField";
import type { FormParameter } from "./parameter";

export interface FieldProps {
  /** The node to which it belongs. */
  node: string;
  parameter: FormParameter;
  value: unknown;
  onChange: (value: unknown) => void;
}

/** By the kind of a parameter: the field with which it is written. */
export const FIELDS: Readonly<Record<string, ComponentType<FieldProps>>> = {
  TEXT: TextField,
  NUMBER: NumberField,
  BOOLEAN: BooleanField,
  OPTIONS: OptionsField,
  CODE: CodeField,
  STRUCTURE: StructureField,
  JSON: StructureField,
  ASSIGNMENTS: AssignmentsField,
  PAIRS: PairsField,
  CONDITIONS: ConditionsField,
  RULES: RulesField,
  RESOURCE: ResourceField,
};

/** Kinds that make their own label and have expressions within, not in place of them. */
export const WITHOUT_SWITCH: ReadonlySet<string> = new Set(["ASSIGNMENTS", "PAIRS", "CONDITIONS", "RULES", "CODE"]);

/** The field for a parameter; of a kind that is not known, its JSON. */
export function ParameterField(props: FieldProps) {
  const Control = FIELDS[props.parameter.kind] ?? StructureField;
  return <Control {...props} />;
}

function TextField({ value, onChange }: FieldProps) {
  const text = typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
  const change = (next: string) => onChange(next === "" ? undefined : next);
  return text.includes("\n") || text.length > 60 ? (
    <Textarea
      rows={Math.min(10, text.split("\n").length + 1)}
      value={text}
      onChange={(event) => change(event.target.value)}
    />
  ) : (
    <Input value={text} spellCheck={false} onChange={(event) => change(event.target.value)} />
  );
}

function NumberField({ value, onChange }: FieldProps) {
  const [text, setText] = useState<string>();
  const shown = text ?? (typeof value === "number" || typeof value === "string" ? String(value) : "");
  const isWrong = shown.trim() !== "" && !Number.isFinite(Number(shown));
  return (
    <>
      <Input
        inputMode="decimal"
        value={shown}
        aria-invalid={isWrong || undefined}
        onChange={(event) => {
          const next = event.target.value;
          setText(next);
          if (next.trim() === "") onChange(undefined);
          else if (Number.isFinite(Number(next))) onChange(Number(next));
        }}
        onBlur={() => setText(undefined)}
      />
      {isWrong && (
        <p role="alert" className="text-xs text-bad">
          This is no number: what was there before is kept.
        </p>
      )}
    </>
  );
}

function BooleanField({ parameter, value, onChange }: FieldProps) {
  return (
    <Switch label={<span className="sr-only">{parameter.label}</span>} checked={value === true} onChange={onChange} />
  );
}

function OptionsField({ parameter, value, onChange }: FieldProps) {
  const present = typeof value === "string" ? value : "";
  const isOther = present !== "" && !parameter.choices.some((choice) => choice.value === present);
  const choices = [
    ...(parameter.required ? [] : [{ value: "", label: "not set: the node’s own default" }]),
    ...(parameter.required && present === "" ? [{ value: "", label: "choose one" }] : []),
    ...(isOther ? [{ value: present, label: present }] : []),
    ...parameter.choices,
  ];
  return <Select value={present} choices={choices} onChange={(next) => onChange(next === "" ? undefined : next)} />;
}

function CodeField({ node, value, onChange }: FieldProps) {
  const text = typeof value === "string" ? value : "";
  const [hasFocus, setFocus] = useState(false);
  return (
    <div onFocus={() => setFocus(true)} onBlur={() => setFocus(false)}>
      <ScriptInput
        node={node}
        isCode
        isWanted={hasFocus}
        rows={Math.min(24, Math.max(8, text.split("\n").length + 1))}
        value={text}
        onChange={(next) => onChange(next === "" ? undefined : next)}
        className="!border-line-strong/60"
      />
    </div>
  );
}

function StructureField({ value, onChange }: FieldProps) {
  return <JsonField value={value} onChange={onChange} />;
}

const MODES: Readonly<Record<string, string>> = {
  list: "From a list",
  id: "By id",
  url: "By address",
  name: "By name",
};

/** n8n's way to name something: how it is named, and the name. */
function ResourceField({ value, onChange }: FieldProps) {
  const resource = isRecord(value) ? value : { __rl: true, mode: "id", value: "" };
  const mode = typeof resource.mode === "string" ? resource.mode : "id";
  const text = typeof resource.value === "string" || typeof resource.value === "number" ? String(resource.value) : "";
  const modes = Object.keys(MODES).includes(mode) ? Object.keys(MODES) : [...Object.keys(MODES), mode];
  return (
    <div className="flex gap-2">
      <Select
        aria-label="How it is named"
        id={undefined}
        className="!w-32 shrink-0"
        value={mode}
        choices={modes.map((one) => ({ value: one, label: MODES[one] ?? one }))}
        onChange={(next) => onChange({ ...resource, __rl: true, mode: next })}
      />
      <Input
        value={text}
        onChange={(event) =>
          onChange({ ...resource, __rl: true, mode, value: event.target.value, cachedResultName: undefined })
        }
      />
    </div>
  );
}
