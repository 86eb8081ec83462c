import { isRecord } from "@/parts/records";
import { Select } from "@/ui";
import type { Parameter } from "../catalogue";
import type { FieldProps } from "./fields";
import { Rows, entriesOf, text } from "./lists";
import { ValueInput } from "./ValueInput";

type Operator = NonNullable<Parameter["operators"]>[number];

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "Text",
  number: "Number",
  dateTime: "Date",
  boolean: "Yes or no",
  array: "List",
  object: "Object",
};

/** What begins a condition, where it can be compared so. */
const USUAL = "string/equals";

function keyOf({ type, operation }: Pick<Operator, "type" | "operation">): string {
  return `${type}/${operation}`;
}

/** An operator as the file has it. */
function inFile({ type, operation, rightType }: Operator): Record<string, unknown> {
  return { type, operation, ...(rightType === null ? { singleValue: true } : {}) };
}

/** The conditions of If, Filter and Switch. */
export function ConditionsField({ node, parameter, value, onChange }: FieldProps) {
  const operators = parameter.operators ?? [];
  const usual = operators.find((one) => keyOf(one) === USUAL) ?? operators[0];
  const base = isRecord(parameter.default) ? parameter.default : {};
  const filter = isRecord(value) ? value : base;
  const conditions = entriesOf(filter.conditions);
  const set = (part: Record<string, unknown>) => onChange({ ...base, ...filter, ...part });
  const change = (place: number, part: Record<string, unknown>) =>
    set({ conditions: conditions.map((one, index) => (index === place ? { ...one, ...part } : one)) });
  const add = () => {
    const operator = usual ? inFile(usual) : {};
    set({ conditions: [...conditions, { id: crypto.randomUUID(), leftValue: "", rightValue: "", operator }] });
  };
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
        onAdd={add}
        onRemove={(place) => set({ conditions: conditions.filter((_one, index) => index !== place) })}
        nameOf={(place) => `condition ${place + 1}`}
      >
        {(place) => (
          <Condition
            node={node}
            place={place}
            operators={operators}
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
  operators: readonly Operator[];
  condition: Record<string, unknown>;
  onChange: (part: Record<string, unknown>) => void;
}

function Condition({ node, place, operators, condition, onChange }: ConditionProps) {
  const operator = isRecord(condition.operator) ? condition.operator : {};
  const present = keyOf({ type: text(operator.type), operation: text(operator.operation) });
  const known = operators.find((one) => keyOf(one) === present);
  const isSingle = known ? known.rightType === null : operator.singleValue === true;
  const choices = operators.map((one) => ({
    value: keyOf(one),
    label: `${TYPE_WORDS[one.type] ?? one.type}: ${one.label}`,
  }));
  const number = place + 1;
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
        choices={known ? choices : [{ value: present, label: present === "/" ? "choose one" : present }, ...choices]}
        onChange={(next) => {
          const chosen = operators.find((one) => keyOf(one) === next);
          if (chosen) onChange({ operator: inFile(chosen) });
        }}
      />
      {!isSingle && (
        <ValueInput
          node={node}
          label={`Compared value of condition ${number}`}
          placeholder="is compared with"
          value={condition.rightValue}
          onChange={(rightValue) => onChange({ rightValue: compared(known?.rightType, rightValue) })}
        />
      )}
    </>
  );
}

/** Numbers are kept as such, once they are written to their end: `1.` is on its way to one. */
function compared(type: string | null | undefined, value: unknown): unknown {
  return type === "number" && typeof value === "string" && String(Number(value)) === value ? Number(value) : value;
}
