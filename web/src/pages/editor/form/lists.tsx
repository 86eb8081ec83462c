import { isRecord } from "@/parts/records";
import type { ReactNode } from "react";
import { Button, Icon, IconButton, Input, Select, Switch } from "@/ui";
import type { Section } from "../catalogue";
import { isExpression } from "./expressions";
import type { FieldProps } from "./fields";
import { JsonField } from "./JsonField";
import { ParameterRows } from "./ParameterRow";
import { plain } from "./parameter";
import { within } from "./shown";
import { ExpressionSwitch, ValueInput } from "./ValueInput";

/** The fields that Edit Fields sets: a name, a type and a value each. */
export function AssignmentsField({ node, parameter, value, onChange }: FieldProps) {
  const types = (parameter.choices ?? []).map((choice) => ({ value: plain(choice.value), label: choice.label }));
  const entries = entriesOf(isRecord(value) ? value.assignments : undefined);
  const set = (next: readonly Record<string, unknown>[]) =>
    onChange({ ...(isRecord(value) ? value : {}), assignments: next });
  const change = (place: number, part: Record<string, unknown>) =>
    set(entries.map((entry, index) => (index === place ? { ...entry, ...part } : entry)));
  return (
    <Rows
      addLabel="Add a field"
      onAdd={() => set([...entries, { id: crypto.randomUUID(), name: "", type: "string", value: "" }])}
      onRemove={(place) => set(entries.filter((_entry, index) => index !== place))}
      nameOf={(place) => text(entries[place]?.name) || `field ${place + 1}`}
      count={entries.length}
    >
      {(place) => {
        const entry = entries[place] ?? {};
        const type = text(entry.type) || "string";
        const isKnown = types.some((one) => one.value === type);
        const name = text(entry.name) || `field ${place + 1}`;
        return (
          <>
            <div className="flex gap-2">
              <Input
                aria-label={`Name of field ${place + 1}`}
                placeholder="name"
                value={text(entry.name)}
                onChange={(event) => change(place, { name: event.target.value })}
              />
              <Select
                aria-label={`Type of ${name}`}
                className="!w-28 shrink-0"
                value={type}
                choices={isKnown ? types : [...types, { value: type, label: type }]}
                onChange={(next) => change(place, { type: next, value: emptyOf(next) })}
              />
            </div>
            <AssignedValue
              node={node}
              name={name}
              type={type}
              value={entry.value}
              onChange={(next) => change(place, { value: next })}
            />
          </>
        );
      }}
    </Rows>
  );
}

interface AssignedValueProps {
  node: string;
  name: string;
  type: string;
  value: unknown;
  onChange: (value: unknown) => void;
}

function AssignedValue({ node, name, type, value, onChange }: AssignedValueProps) {
  const label = `Value of ${name}`;
  if (isExpression(value) || type === "string" || type === "number") {
    const take = (next: unknown) => {
      const isNumber =
        type === "number" && typeof next === "string" && next.trim() !== "" && Number.isFinite(Number(next));
      onChange(isNumber ? Number(next) : next);
    };
    return <ValueInput node={node} label={label} value={value} onChange={take} placeholder="value" />;
  }
  return (
    <div className="flex items-start gap-1">
      <div className="min-w-0 flex-1">
        {type === "boolean" ? (
          <Switch label={<span className="sr-only">{label}</span>} checked={value === true} onChange={onChange} />
        ) : (
          <JsonField label={label} value={typeof value === "string" ? parsed(value) : value} onChange={onChange} />
        )}
      </div>
      <ExpressionSwitch label={label} isOn={false} onToggle={() => onChange(`={{ ${JSON.stringify(value)} }}`)} />
    </div>
  );
}

function emptyOf(type: string): unknown {
  const empty: Record<string, unknown> = { string: "", number: 0, boolean: false, array: [], object: {} };
  return empty[type];
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** An object of lists: the entries of each section, and a way to add one to each. */
export function ListField({ node, level, parameter, value, onChange }: FieldProps) {
  const present = value ?? parameter.default;
  const values = isRecord(present) ? present : {};
  const set = (section: Section, entries: readonly Record<string, unknown>[]) => {
    const others = Object.fromEntries(Object.entries(values).filter(([key]) => key !== section.key));
    const next = entries.length === 0 ? others : { ...others, [section.key]: section.many ? entries : entries[0] };
    onChange(Object.keys(next).length === 0 ? undefined : next);
  };
  return (
    <div className="flex flex-col gap-3">
      {(parameter.sections ?? []).map((section) => {
        const found = values[section.key];
        const entries = isRecord(found) ? [found] : entriesOf(found);
        const change = (place: number, name: string, part: unknown) =>
          set(
            section,
            entries.map((entry, index) => (index === place ? changed(entry, name, part) : entry)),
          );
        return (
          <Rows
            key={section.key}
            addLabel={`Add ${inSentence(section.label)}`}
            onAdd={section.many || entries.length === 0 ? () => set(section, [...entries, {}]) : undefined}
            onRemove={(place) =>
              set(
                section,
                entries.filter((_entry, index) => index !== place),
              )
            }
            nameOf={(place) => `${inSentence(section.label)} ${place + 1}`}
            count={entries.length}
          >
            {(place) => (
              <div
                role="group"
                aria-label={section.many ? `${section.label} ${place + 1}` : section.label}
                className="flex flex-col gap-3"
              >
                <ParameterRows
                  node={node}
                  level={within(level, section.fields, entries[place] ?? {})}
                  onChange={(name, next) => change(place, name, next)}
                />
              </div>
            )}
          </Rows>
        );
      })}
    </div>
  );
}

function changed(entry: Record<string, unknown>, name: string, value: unknown): Record<string, unknown> {
  const next = { ...entry, [name]: value };
  if (value === undefined) Reflect.deleteProperty(next, name);
  return next;
}

/** A label within a sentence: words with more than one capital keep theirs. */
function inSentence(label: string): string {
  return /^.[^A-Z]*$/.test(label) ? label.toLowerCase() : label;
}

export interface RowsProps {
  count: number;
  addLabel: string;
  /** Absent where there is room for no more. */
  onAdd: (() => void) | undefined;
  onRemove: (place: number) => void;
  nameOf: (place: number) => string;
  children: (place: number) => ReactNode;
}

/** Entries of a list, each with a way to take it out, and beneath them a way to add one. */
export function Rows({ count, addLabel, onAdd, onRemove, nameOf, children }: RowsProps) {
  return (
    <div className="flex flex-col gap-2">
      {Array.from({ length: count }, (_, place) => (
        <div key={place} className="flex gap-1 rounded-md border bg-bg p-2">
          <div className="flex min-w-0 flex-1 flex-col gap-2">{children(place)}</div>
          <IconButton
            size="small"
            label={`Remove ${nameOf(place)}`}
            icon={<Icon name="close" />}
            onClick={() => onRemove(place)}
          />
        </div>
      ))}
      {onAdd && (
        <Button size="small" className="self-start" onClick={onAdd}>
          <Icon name="plus" />
          {addLabel}
        </Button>
      )}
    </div>
  );
}

export function entriesOf(value: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(value) ? (value as unknown[]).filter(isRecord) : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
