import { Field, Input, Select } from "@/ui";
import { isRecord } from "../model/definition";
import type { FieldProps } from "./fields";
import { Rows, entriesOf, text } from "./lists";
import { ValueInput } from "./ValueInput";

/** What a value is compared as, and how. */
const OPERATIONS: Readonly<Record<string, readonly [string, string][]>> = {
  string: [
    ["equals", "is"],
    ["notEquals", "is not"],
    ["contains", "contains"],
    ["notContains", "does not contain"],
    ["startsWith", "begins with"],
    ["notStartsWith", "does not begin with"],
    ["endsWith", "ends with"],
    ["notEndsWith", "does not end with"],
    ["regex", "matches the pattern"],
    ["notRegex", "does not match the pattern"],
  ],
  number: [
    ["equals", "is"],
    ["notEquals", "is not"],
    ["gt", "is more than"],
    ["gte", "is at least"],
    ["lt", "is less than"],
    ["lte", "is at most"],
  ],
  dateTime: [
    ["equals", "is"],
    ["notEquals", "is not"],
    ["after", "is after"],
    ["before", "is before"],
    ["afterOrEquals", "is not before"],
    ["beforeOrEquals", "is not after"],
  ],
  boolean: [
    ["true", "is true"],
    ["false", "is false"],
    ["equals", "is"],
    ["notEquals", "is not"],
  ],
  array: [
    ["contains", "contains"],
    ["notContains", "does not contain"],
    ["lengthEquals", "has so many"],
    ["lengthNotEquals", "has not so many"],
    ["lengthGt", "has more than"],
    ["lengthLt", "has less than"],
    ["lengthGte", "has at least"],
    ["lengthLte", "has at most"],
  ],
  object: [],
};
const OF_ALL: readonly [string, string][] = [
  ["exists", "is there"],
  ["notExists", "is not there"],
  ["empty", "is empty"],
  ["notEmpty", "is not empty"],
];
/** They look at one value alone. */
const SINGLE = new Set(["exists", "notExists", "empty", "notEmpty", "true", "false"]);
const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "Text",
  number: "Number",
  dateTime: "Date",
  boolean: "Yes or no",
  array: "List",
  object: "Object",
};

const OPERATORS = Object.entries(OPERATIONS).flatMap(([type, own]) =>
  [...own, ...OF_ALL].map(([operation, words]) => ({
    value: `${type}/${operation}`,
    label: `${TYPE_WORDS[type] ?? type}: ${words}`,
  })),
);

const FRESH = { leftValue: "", rightValue: "", operator: { type: "string", operation: "equals" } };

/** The conditions of If, Filter and Switch. */
export function ConditionsField({ node, value, onChange }: FieldProps) {
  const filter = isRecord(value) ? value : {};
  const conditions = entriesOf(filter.conditions);
  const set = (part: Record<string, unknown>) =>
    onChange({
      options: { caseSensitive: true, leftValue: "", typeValidation: "loose", version: 2 },
      combinator: "and",
      ...filter,
      ...part,
    });
  const change = (place: number, part: Record<string, unknown>) =>
    set({ conditions: conditions.map((one, index) => (index === place ? { ...one, ...part } : one)) });
  return (
    <div className="flex flex-col gap-2">
      {conditions.length > 1 && (
        <Select
          aria-label="How conditions go together"
          value={filter.combinator === "or" ? "or" : "and"}
          choices={[
            { value: "and", label: "All of these hold" },
            { value: "or", label: "One of these holds" },
          ]}
          onChange={(combinator) => set({ combinator })}
        />
      )}
      <Rows
        addLabel="Add a condition"
        count={conditions.length}
        onAdd={() => set({ conditions: [...conditions, { id: crypto.randomUUID(), ...FRESH }] })}
        onRemove={(place) => set({ conditions: conditions.filter((_one, index) => index !== place) })}
        nameOf={(place) => `condition ${place + 1}`}
      >
        {(place) => (
          <Condition
            node={node}
            place={place}
            condition={conditions[place] ?? {}}
            onChange={(part) => change(place, part)}
          />
        )}
      </Rows>
    </div>
  );
}

interface ConditionProps {
  node: string;
  place: number;
  condition: Record<string, unknown>;
  onChange: (part: Record<string, unknown>) => void;
}

function Condition({ node, place, condition, onChange }: ConditionProps) {
  const operator = isRecord(condition.operator) ? condition.operator : FRESH.operator;
  const type = text(operator.type) || "string";
  const operation = text(operator.operation) || "equals";
  const present = `${type}/${operation}`;
  const isKnown = OPERATORS.some((one) => one.value === present);
  const number = place + 1;
  const take = (next: string) => {
    const [nextType = "string", nextOperation = "equals"] = next.split("/");
    const single = SINGLE.has(nextOperation) ? { singleValue: true } : {};
    onChange({ operator: { type: nextType, operation: nextOperation, ...single } });
  };
  return (
    <>
      <ValueInput
        node={node}
        label={`Value of condition ${number}`}
        placeholder="value, such as an expression"
        value={condition.leftValue}
        onChange={(leftValue) => onChange({ leftValue })}
      />
      <Select
        aria-label={`Comparison of condition ${number}`}
        value={present}
        choices={isKnown ? OPERATORS : [{ value: present, label: present }, ...OPERATORS]}
        onChange={take}
      />
      {!SINGLE.has(operation) && (
        <ValueInput
          node={node}
          label={`Compared value of condition ${number}`}
          placeholder="is compared with"
          value={condition.rightValue}
          onChange={(rightValue) => onChange({ rightValue: compared(type, rightValue) })}
        />
      )}
    </>
  );
}

function compared(type: string, value: unknown): unknown {
  const isNumber =
    type === "number" && typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value));
  return isNumber ? Number(value) : value;
}

/** The outputs of a Switch: the conditions of each, and what it is called. */
export function RulesField(props: FieldProps) {
  const { value, onChange } = props;
  const rules = isRecord(value) ? value : {};
  const entries = entriesOf(rules.values);
  const set = (values: readonly unknown[]) => onChange({ ...rules, values });
  const change = (place: number, part: Record<string, unknown>) =>
    set(entries.map((entry, index) => (index === place ? { ...entry, ...part } : entry)));
  return (
    <Rows
      addLabel="Add an output"
      count={entries.length}
      onAdd={() =>
        set([
          ...entries,
          {
            conditions: {
              conditions: [{ id: crypto.randomUUID(), ...FRESH }],
              combinator: "and",
              options: { caseSensitive: true, leftValue: "", typeValidation: "loose", version: 2 },
            },
          },
        ])
      }
      onRemove={(place) => set(entries.filter((_entry, index) => index !== place))}
      nameOf={(place) => text(entries[place]?.outputKey) || `output ${place}`}
    >
      {(place) => (
        <>
          <Field label={`Name of output ${place}`}>
            <Input
              placeholder={String(place)}
              value={text(entries[place]?.outputKey)}
              onChange={(event) => {
                const outputKey = event.target.value;
                change(place, { outputKey, renameOutput: outputKey !== "" });
              }}
            />
          </Field>
          <ConditionsField
            {...props}
            value={entries[place]?.conditions}
            onChange={(conditions) => change(place, { conditions })}
          />
        </>
      )}
    </Rows>
  );
}
