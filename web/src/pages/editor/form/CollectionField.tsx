import { isRecord } from "@/parts/records";
import { Button, Icon, IconButton, Menu } from "@/ui";
import type { Parameter } from "../catalogue";
import type { FieldProps } from "./fields";
import { ParameterRow } from "./ParameterRow";
import { parametersOf } from "./parameter";
import { within } from "./shown";

/** An object of which each field may be there or not: those that are, and a way to add others. */
export function CollectionField({ node, level, parameter, value, onChange }: FieldProps) {
  const values = isRecord(value) ? value : {};
  const inner = within(level, parameter.fields ?? [], values);
  const shown = parametersOf(inner);
  const open = shown.filter(({ name }) => values[name] === undefined);
  const remove = (name: string) => {
    const rest = Object.fromEntries(Object.entries(values).filter(([other]) => other !== name));
    onChange(Object.keys(rest).length === 0 ? undefined : rest);
  };
  return (
    <div className="flex flex-col gap-2">
      {shown
        .filter(({ name }) => values[name] !== undefined)
        .map((field) => (
          <div key={field.name} className="flex gap-1 rounded-md border bg-bg p-2">
            <div className="min-w-0 flex-1">
              <ParameterRow
                node={node}
                level={inner}
                parameter={field}
                value={values[field.name]}
                onChange={(next) => onChange({ ...values, [field.name]: next === undefined ? emptyOf(field) : next })}
              />
            </div>
            <IconButton
              size="small"
              label={`Remove ${field.label}`}
              icon={<Icon name="close" />}
              onClick={() => remove(field.name)}
            />
          </div>
        ))}
      {open.length > 0 && (
        <div>
          <Menu
            align="start"
            trigger={
              <Button size="small">
                <Icon name="plus" />
                Add option
                <span className="sr-only">to {parameter.label}</span>
              </Button>
            }
            items={open.map((field) => ({
              label: field.label,
              run: () => onChange({ ...values, [field.name]: field.default ?? emptyOf(field) }),
            }))}
          />
        </div>
      )}
    </div>
  );
}

/** What stands for a field that is there, but in which nothing is written. */
function emptyOf({ kind, default: byDefault, choices }: Parameter): unknown {
  switch (kind) {
    case "BOOLEAN":
      return byDefault ?? false;
    case "NUMBER":
      return byDefault ?? 0;
    case "OPTIONS":
      return byDefault ?? choices?.[0]?.value ?? "";
    case "MULTI_OPTIONS":
      return byDefault ?? [];
    case "COLLECTION":
    case "LIST":
    case "ASSIGNMENTS":
    case "CONDITIONS":
    case "STRUCTURE":
      return byDefault ?? {};
    default:
      return "";
  }
}
