import { useState } from "react";
import { Field, Input, Select } from "@/ui";
import type { ModelShown } from "../ModelPage";
import type { BoundsDraft, BoundsProblems } from "./bounds";
import type { TimesDraft } from "./times";

interface TimesFieldsProps {
  /** What was answered then, such as "The baseline". */
  legend: string;
  value: TimesDraft;
  problem: string | undefined;
  onChange: (value: TimesDraft) => void;
}

/** From when until when, in the zone of whoever looks. */
export function TimesFields({ legend, value, problem, onChange }: TimesFieldsProps) {
  return (
    <fieldset className="flex min-w-0 flex-col gap-2">
      <legend className="mb-1 text-[13px] font-medium">{legend}</legend>
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="From" error={problem}>
          <Input
            type="datetime-local"
            step={1}
            value={value.from}
            onChange={(event) => onChange({ ...value, from: event.target.value })}
          />
        </Field>
        <Field label="Until" hint="Not part of it.">
          <Input
            type="datetime-local"
            step={1}
            value={value.until}
            onChange={(event) => onChange({ ...value, until: event.target.value })}
          />
        </Field>
      </div>
    </fieldset>
  );
}

interface Target {
  version: string;
  alias: string;
}

interface TargetFieldsProps {
  model: ModelShown;
  value: Target;
  onChange: (part: Partial<Target>) => void;
}

/** Which inferences of the model are meant. */
export function TargetFields({ model, value, onChange }: TargetFieldsProps) {
  const versions = model.versions.map(({ version }) => String(version));
  const aliases = model.aliases.map(({ alias }) => alias);
  // What is not there any more stays to be chosen while it is.
  const among = (known: string[], chosen: string) =>
    chosen === "" || known.includes(chosen) ? known : [...known, chosen];
  return (
    <div className="grid gap-3 sm:grid-cols-2">
      <Field label="Which version answered">
        <Select
          value={value.version}
          choices={[
            { value: "", label: "any version" },
            ...among(versions, value.version).map((one) => ({ value: one, label: `version ${one}` })),
          ]}
          onChange={(version) => onChange({ version })}
        />
      </Field>
      <Field label="What was asked for">
        <Select
          value={value.alias}
          choices={[
            { value: "", label: "anything" },
            ...among(aliases, value.alias).map((one) => ({ value: one, label: `@${one}` })),
          ]}
          onChange={(alias) => onChange({ alias })}
        />
      </Field>
    </div>
  );
}

interface BoundsFieldsProps {
  value: BoundsDraft;
  problems: BoundsProblems;
  onChange: (value: BoundsDraft) => void;
}

/** What counts as drift: folded up, since the usual bounds do. */
export function BoundsFields({ value, problems, onChange }: BoundsFieldsProps) {
  const [isOpen, setOpen] = useState(false);
  const hasProblem = [problems.moderate, problems.drifted, problems.chance].some((problem) => problem !== undefined);
  const field = (name: keyof BoundsDraft, label: string, hint: string) => (
    <Field label={label} hint={hint} error={problems[name]}>
      <Input
        inputMode="decimal"
        value={value[name]}
        onChange={(event) => onChange({ ...value, [name]: event.target.value })}
      />
    </Field>
  );
  return (
    // What a problem opened stays open, so that the field does not go away under whoever mends it.
    <details open={isOpen || hasProblem} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="text-[13px] text-muted">
        What counts: moderate from {value.moderate || "?"}, drifted from {value.drifted || "?"}
      </summary>
      <div className="mt-2 grid gap-3 sm:grid-cols-3">
        {field("moderate", "Moderate from", "Population stability index.")}
        {field("drifted", "Drifted from", "Population stability index.")}
        {field("chance", "Unless chance brings it as often as", "Over all features together, from 0 to 1.")}
      </div>
    </details>
  );
}
