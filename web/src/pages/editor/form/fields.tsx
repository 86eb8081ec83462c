import type { ComponentType } from "react";
import { useState } from "react";
import type { ParameterKind } from "@/gql/schema";
import { Input, Select, Switch, Textarea } from "@/ui";
import type { Parameter } from "../catalogue";
import { ScriptInput } from "../expression/ExpressionInput";
import { CollectionField } from "./CollectionField";
import { ConditionsField } from "./conditions";
import { JsonField, readJson } from "./JsonField";
import { AssignmentsField, ListField } from "./lists";
import { NamedField, ResourceField } from "./ResourceField";
import { plain } from "./parameter";
import type { Level } from "./shown";

export interface FieldProps {
  /** The node to which it belongs. */
  node: string;
  level: Level;
  parameter: Parameter;
  value: unknown;
  onChange: (value: unknown) => void;
}

/** By the kind of a parameter: the field with which it is written. */
export const FIELDS: Readonly<Record<ParameterKind, ComponentType<FieldProps>>> = {
  TEXT: TextField,
  LONG_TEXT: LongTextField,
  NUMBER: NumberField,
  BOOLEAN: BooleanField,
  OPTIONS: OptionsField,
  MULTI_OPTIONS: MultiOptionsField,
  CODE: CodeField,
  JSON: JsonTextField,
  DATE_TIME: DateTimeField,
  COLOR: ColorField,
  COLLECTION: CollectionField,
  LIST: ListField,
  ASSIGNMENTS: AssignmentsField,
  CONDITIONS: ConditionsField,
  RESOURCE: ResourceField,
  STRUCTURE: StructureField,
};

/** Kinds of several controls, which a legend names together. */
export const GROUPED: ReadonlySet<ParameterKind> = new Set([
  "MULTI_OPTIONS",
  "COLLECTION",
  "LIST",
  "ASSIGNMENTS",
  "CONDITIONS",
]);

/** An example, or else what applies where nothing is written. */
function exampleOf(parameter: Parameter): string | undefined {
  return parameter.placeholder ?? (plain(parameter.default) || undefined);
}

function written(text: string): string | undefined {
  return text === "" ? undefined : text;
}

function TextField(props: FieldProps) {
  const { parameter, value, onChange } = props;
  const text = plain(value);
  // A field of one line would take line breaks away.
  if (text.includes("\n")) return <LongTextField {...props} />;
  if (parameter.names !== null)
    return (
      <NamedField
        of={parameter.names}
        value={text}
        example={exampleOf(parameter)}
        onChange={(next) => onChange(written(next))}
      />
    );
  return (
    <Input
      value={text}
      spellCheck={false}
      placeholder={exampleOf(parameter)}
      onChange={(event) => onChange(written(event.target.value))}
    />
  );
}

function rowsFor(text: string, least: number): number {
  return Math.min(24, Math.max(least, text.split("\n").length + 1));
}

function LongTextField({ parameter, value, onChange }: FieldProps) {
  const text = plain(value);
  return (
    <Textarea
      rows={rowsFor(text, 3)}
      value={text}
      placeholder={exampleOf(parameter)}
      onChange={(event) => onChange(written(event.target.value))}
    />
  );
}

function NumberField({ parameter, value, onChange }: FieldProps) {
  const [text, setText] = useState<string>();
  const shown = text ?? (typeof value === "number" || typeof value === "string" ? String(value) : "");
  const isWrong = shown.trim() !== "" && !Number.isFinite(Number(shown));
  return (
    <>
      <Input
        inputMode="decimal"
        value={shown}
        placeholder={exampleOf(parameter)}
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
  const isOn = (value ?? parameter.default) === true;
  return <Switch label={<span className="sr-only">{parameter.label}</span>} checked={isOn} onChange={onChange} />;
}

/** Values of choices are not all texts: each is named by its JSON. */
function keyOf(value: unknown): string {
  return value === undefined || value === null ? "" : JSON.stringify(value);
}

function OptionsField({ parameter, value, onChange }: FieldProps) {
  const known = parameter.choices ?? [];
  const present = keyOf(value);
  const chosen = known.find((choice) => keyOf(choice.value) === (present || keyOf(parameter.default)));
  const isOther = present !== "" && !known.some((choice) => keyOf(choice.value) === present);
  const byDefault = known.find((choice) => keyOf(choice.value) === keyOf(parameter.default))?.label;
  const nothing = byDefault === undefined ? (parameter.required ? "choose one" : "not set") : `${byDefault} (default)`;
  const choices = [
    ...(parameter.required && present !== "" ? [] : [{ value: "", label: nothing }]),
    ...(isOther ? [{ value: present, label: plain(value) }] : []),
    ...known.map((choice) => ({ value: keyOf(choice.value), label: choice.label })),
  ];
  return (
    <>
      <Select
        value={present}
        choices={choices}
        onChange={(next) => onChange(next === "" ? undefined : (JSON.parse(next) as unknown))}
      />
      {chosen?.description && <p className="text-xs">{chosen.description}</p>}
    </>
  );
}

function MultiOptionsField({ parameter, value, onChange }: FieldProps) {
  const listed: unknown = value ?? parameter.default;
  const chosen = Array.isArray(listed) ? (listed as unknown[]) : [];
  const known = parameter.choices ?? [];
  const others = chosen.filter((one) => !known.some((choice) => choice.value === one));
  const all = [...known, ...others.map((one) => ({ value: one, label: plain(one), description: null }))];
  const toggle = (one: unknown, isOn: boolean) =>
    onChange(all.map((choice) => choice.value).filter((other) => (other === one ? isOn : chosen.includes(other))));
  return (
    <div className="flex flex-wrap gap-x-4 gap-y-1">
      {all.map((choice) => (
        <label
          key={keyOf(choice.value)}
          title={choice.description ?? undefined}
          className="flex items-center gap-1.5 text-sm"
        >
          <input
            type="checkbox"
            className="accent-accent"
            checked={chosen.includes(choice.value)}
            onChange={(event) => toggle(choice.value, event.target.checked)}
          />
          {choice.label}
        </label>
      ))}
    </div>
  );
}

function CodeField({ node, parameter, value, onChange }: FieldProps) {
  const text = plain(value);
  const [hasFocus, setFocus] = useState(false);
  return (
    <div onFocus={() => setFocus(true)} onBlur={() => setFocus(false)}>
      <ScriptInput
        node={node}
        isCode
        isWanted={hasFocus && parameter.language === "JAVA_SCRIPT"}
        rows={rowsFor(text, 8)}
        value={text}
        placeholder={exampleOf(parameter)}
        onChange={(next) => onChange(written(next))}
        className="!border-line-strong/60"
      />
    </div>
  );
}

/** JSON that files have as text: what somebody writes stays as it is. Where it is no text, it stays none. */
function JsonTextField(props: FieldProps) {
  const { parameter, value, onChange } = props;
  if (value !== undefined && value !== null && typeof value !== "string") return <StructureField {...props} />;
  const text = plain(value);
  const read = readJson(text);
  return (
    <>
      <Textarea
        spellCheck={false}
        rows={rowsFor(text, 4)}
        value={text}
        placeholder={exampleOf(parameter)}
        aria-invalid={read.kind === "wrong" || undefined}
        onChange={(event) => onChange(written(event.target.value))}
        className="font-mono !text-[12.5px] leading-5"
      />
      {read.kind === "wrong" && (
        <p role="alert" className="text-xs text-bad">
          This is no JSON: {read.message}.
        </p>
      )}
    </>
  );
}

function StructureField({ value, onChange }: FieldProps) {
  return <JsonField value={value} onChange={onChange} />;
}

/** What the browser's own field for dates can show; others, such as those with a time zone, are written. */
const LOCAL_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?$/;

function DateTimeField(props: FieldProps) {
  const { value, onChange } = props;
  const text = plain(value);
  if (text !== "" && !LOCAL_TIME.test(text)) return <TextField {...props} />;
  return (
    <Input type="datetime-local" step={1} value={text} onChange={(event) => onChange(written(event.target.value))} />
  );
}

const HEX = /^#[\da-f]{6}/i;

function ColorField({ parameter, value, onChange }: FieldProps) {
  const text = plain(value);
  const shown = text === "" ? plain(parameter.default) : text;
  const pick = (picked: string) => {
    // How much shines through is the last two digits, which the browser's field does not know.
    onChange(picked + (HEX.test(shown) ? shown.slice(7) : ""));
  };
  return (
    <div className="flex items-center gap-2">
      <input
        type="color"
        aria-label={`Pick: ${parameter.label}`}
        value={HEX.exec(shown)?.[0] ?? "#000000"}
        onChange={(event) => pick(event.target.value)}
        className="h-8 w-10 shrink-0 rounded-md border bg-surface"
      />
      <Input
        value={text}
        spellCheck={false}
        placeholder={exampleOf(parameter)}
        onChange={(event) => onChange(written(event.target.value))}
      />
    </div>
  );
}
