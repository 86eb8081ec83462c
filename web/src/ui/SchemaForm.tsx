import { useState } from "react";
import { Button, IconButton } from "./Button";
import { Field, Input, Select, Textarea } from "./Field";
import { Icon } from "./Icon";
import { jsonText } from "./json-lines";
import { type Schema, asSchema, beginning, fieldsOf, shapeOf } from "./schema-form";
import { Switch } from "./Switch";

export interface SchemaFormProps {
  schema: Schema;
  value: unknown;
  onChange: (value: unknown) => void;
  /** What is wrong, by JSON Pointer. */
  problems: ReadonlyMap<string, string>;
  /** What the whole is called where it is not an object. */
  label: string;
}

/** A form for what a JSON Schema describes. Parts that a form cannot show are written as JSON. */
export function SchemaForm({ schema, value, onChange, problems, label }: SchemaFormProps) {
  return (
    <div className="flex flex-col gap-3">
      <Part schema={schema} value={value} onChange={onChange} problems={problems} name={label} at="" isRequired />
    </div>
  );
}

interface PartProps extends Omit<SchemaFormProps, "label"> {
  name: string;
  at: string;
  isRequired: boolean;
}

function labelOf(name: string, schema: Schema): string {
  return typeof schema.title === "string" && schema.title !== "" ? schema.title : name;
}

function Part(props: PartProps) {
  const { schema, value, onChange, problems, name, at, isRequired } = props;
  const shape = shapeOf(schema);
  if (shape === "object") return <Fields {...props} />;
  if (shape === "list") return <List {...props} />;
  const title = labelOf(name, schema);
  const label = isRequired ? title : `${title} (may be left out)`;
  const hint = typeof schema.description === "string" ? schema.description : undefined;
  if (shape === "flag") {
    return (
      <div>
        <Switch label={title} checked={value === true} onChange={onChange} />
        {hint !== undefined && <p className="mt-0.5 text-xs text-muted">{hint}</p>}
      </div>
    );
  }
  return (
    <Field label={label} hint={hint} error={problems.get(at)}>
      {shape === "choice" ? (
        <Select
          value={typeof value === "string" ? value : ""}
          choices={[
            ...(isRequired ? [] : [{ value: "", label: "–" }]),
            ...(schema.enum as string[]).map((one) => ({ value: one, label: one })),
          ]}
          onChange={(next) => onChange(next === "" && !isRequired ? undefined : next)}
        />
      ) : shape === "text" ? (
        <TextPart
          value={value}
          schema={schema}
          onChange={(text) => onChange(text === "" && !isRequired ? undefined : text)}
        />
      ) : shape === "number" || shape === "integer" ? (
        <NumberPart value={value} onChange={onChange} />
      ) : (
        <JsonPart value={value} onChange={onChange} />
      )}
    </Field>
  );
}

function TextPart({ value, schema, onChange }: { value: unknown; schema: Schema; onChange: (text: string) => void }) {
  const text = typeof value === "string" ? value : "";
  const isLong =
    text.length > 80 || text.includes("\n") || (typeof schema.maxLength === "number" && schema.maxLength > 200);
  return isLong ? (
    <Textarea rows={4} value={text} onChange={(event) => onChange(event.target.value)} />
  ) : (
    <Input value={text} onChange={(event) => onChange(event.target.value)} />
  );
}

function NumberPart({ value, onChange }: { value: unknown; onChange: (value: unknown) => void }) {
  // What is being written is kept as text: `1.` is on its way to `1.5`.
  const [text, setText] = useState(typeof value === "number" ? String(value) : "");
  return (
    <Input
      inputMode="decimal"
      value={text}
      onChange={(event) => {
        setText(event.target.value);
        const written = event.target.value.trim();
        // Not a number is kept as it is written, so that the form says what is wrong.
        onChange(written === "" ? undefined : Number.isFinite(Number(written)) ? Number(written) : written);
      }}
    />
  );
}

/** A field for any JSON. What is not JSON yet does not change the value, and the field says so. */
export function JsonPart({
  value,
  onChange,
  rows = 4,
}: {
  value: unknown;
  onChange: (value: unknown) => void;
  rows?: number;
}) {
  const [text, setText] = useState(value === undefined ? "" : jsonText(value, 2));
  const [isBroken, setBroken] = useState(false);
  return (
    <>
      <Textarea
        rows={rows}
        spellCheck={false}
        className="font-mono text-[12.5px]"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          try {
            onChange(event.target.value.trim() === "" ? undefined : (JSON.parse(event.target.value) as unknown));
            setBroken(false);
          } catch {
            setBroken(true);
          }
        }}
      />
      {isBroken && (
        <p role="alert" className="text-xs text-bad">
          This is not JSON yet: a text stands in &quot; &quot;. What was here before counts until it is.
        </p>
      )}
    </>
  );
}

function Fields({ schema, value, onChange, problems, name, at }: PartProps) {
  const object = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const fields = fieldsOf(schema).map((field) => (
    <Part
      key={field.name}
      schema={field.schema}
      value={object[field.name]}
      problems={problems}
      name={field.name}
      at={`${at}/${field.name}`}
      isRequired={field.isRequired}
      onChange={(next) => onChange({ ...object, [field.name]: next })}
    />
  ));
  if (at === "") return <>{fields}</>;
  return (
    <fieldset className="rounded-md border p-3">
      <legend className="px-1 text-[13px] font-medium">{labelOf(name, schema)}</legend>
      <div className="flex flex-col gap-3">{fields}</div>
    </fieldset>
  );
}

function List({ schema, value, onChange, problems, name, at }: PartProps) {
  const list: unknown[] = Array.isArray(value) ? value : [];
  const items = asSchema(schema.items);
  const title = labelOf(name, schema);
  return (
    <fieldset className="rounded-md border p-3">
      <legend className="px-1 text-[13px] font-medium">{title}</legend>
      <div className="flex flex-col gap-2">
        {list.map((one, place) => (
          <div key={`${list.length}-${String(place)}`} className="flex items-end gap-2">
            <div className="min-w-0 flex-1">
              <Part
                schema={items}
                value={one}
                problems={problems}
                name={`${title} ${place + 1}`}
                at={`${at}/${place}`}
                isRequired
                onChange={(next) => onChange(list.map((had, index) => (index === place ? next : had)))}
              />
            </div>
            <IconButton
              label={`Remove ${title} ${place + 1}`}
              icon={<Icon name="trash" />}
              onClick={() => onChange(list.filter((_, index) => index !== place))}
            />
          </div>
        ))}
        <div>
          <Button size="small" onClick={() => onChange([...list, beginning(items)])}>
            <Icon name="plus" /> Add
          </Button>
        </div>
      </div>
    </fieldset>
  );
}
