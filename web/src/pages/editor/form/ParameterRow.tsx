import { isRecord } from "@/parts/records";
import { Field, Switch } from "@/ui";
import type { Parameter } from "../catalogue";
import { ExpressionInput } from "../expression/ExpressionInput";
import { isExpression, toExpression, toFixed } from "./expressions";
import { FIELDS, GROUPED } from "./fields";
import { defaultInWords, fieldKind, parametersOf } from "./parameter";
import type { Level } from "./shown";
import { ExpressionSwitch } from "./ValueInput";

export interface ParameterRowsProps {
  /** The node to which they belong. */
  node: string;
  level: Level;
  onChange: (name: string, value: unknown) => void;
}

/** The fields of an entry: those that count, and what else is in it. */
export function ParameterRows({ node, level, onChange }: ParameterRowsProps) {
  const { values } = level.here;
  return parametersOf(level).map((parameter) => (
    <ParameterRow
      key={parameter.name}
      node={node}
      level={level}
      parameter={parameter}
      value={isRecord(values) ? values[parameter.name] : undefined}
      onChange={(value) => onChange(parameter.name, value)}
    />
  ));
}

export interface ParameterRowProps {
  node: string;
  level: Level;
  parameter: Parameter;
  value: unknown;
  error?: string;
  onChange: (value: unknown) => void;
}

/** A parameter with its label, its field, and a switch between a fixed value and an expression. */
export function ParameterRow(props: ParameterRowProps) {
  const { node, parameter, value, error, onChange } = props;
  const kind = fieldKind(parameter, value);
  if (isExpression(value))
    return (
      <WithSwitch {...props} isOn onToggle={() => onChange(toFixed(value, parameter.kind))}>
        <Field label={<Label parameter={parameter} />} hint={<Hint parameter={parameter} />} error={error}>
          <div className="mt-1">
            <ExpressionInput node={node} value={value.slice(1)} onChange={(text) => onChange(`=${text}`)} />
          </div>
        </Field>
      </WithSwitch>
    );
  const Control = FIELDS[kind];
  const control = <Control {...props} />;
  const body = GROUPED.has(kind) ? (
    <Group parameter={parameter} error={error}>
      {control}
    </Group>
  ) : kind === "BOOLEAN" ? (
    <div className="pr-10">
      <Switch
        label={<Label parameter={parameter} />}
        checked={(value ?? parameter.default) === true}
        onChange={onChange}
      />
      <Below parameter={parameter} error={error} />
    </div>
  ) : (
    <Field label={<Label parameter={parameter} />} hint={<Hint parameter={parameter} />} error={error}>
      <div className="mt-1 flex flex-col gap-1">{control}</div>
    </Field>
  );
  const hasOwnExpressions = ["ASSIGNMENTS", "CONDITIONS", "LIST", "COLLECTION"].includes(kind);
  // A script is no text with expressions in it.
  if (hasOwnExpressions || (kind === "CODE" && parameter.language === "JAVA_SCRIPT")) return body;
  return (
    <WithSwitch {...props} isOn={false} onToggle={() => onChange(toExpression(value))}>
      {body}
    </WithSwitch>
  );
}

interface WithSwitchProps extends ParameterRowProps {
  isOn: boolean;
  onToggle: () => void;
  children: React.ReactNode;
}

function WithSwitch({ parameter, isOn, onToggle, children }: WithSwitchProps) {
  return (
    <div className="relative">
      {children}
      <span className="absolute -top-1.5 right-0">
        <ExpressionSwitch label={parameter.label} isOn={isOn} onToggle={onToggle} />
      </span>
    </div>
  );
}

function Label({ parameter }: { parameter: Parameter }) {
  return (
    <>
      {parameter.label}
      {parameter.required && <span className="font-normal text-muted"> (needed)</span>}
    </>
  );
}

/** So long may a default be that is told in a sentence. */
const TOLD_MAX = 80;

/** What it is for, and what applies where it is left out. */
function Hint({ parameter }: { parameter: Parameter }) {
  const words = parameter.kind === "OPTIONS" ? undefined : defaultInWords(parameter);
  const isTold = words !== undefined && words.length <= TOLD_MAX && !words.includes("\n");
  return (
    <>
      {parameter.description}
      {isTold && ` Left out, it is ${words}.`}
    </>
  );
}

interface GroupProps {
  parameter: Parameter;
  error: string | undefined;
  children: React.ReactNode;
}

function Group({ parameter, error, children }: GroupProps) {
  return (
    <fieldset className="flex min-w-0 flex-col gap-1">
      <legend className="mb-1 text-[13px] font-medium">
        <Label parameter={parameter} />
      </legend>
      {children}
      <Below parameter={parameter} error={error} />
    </fieldset>
  );
}

function Below({ parameter, error }: Omit<GroupProps, "children">) {
  return (
    <>
      <p className="mt-1 text-xs text-muted">
        <Hint parameter={parameter} />
      </p>
      {error !== undefined && (
        <p role="alert" className="text-xs text-bad">
          {error}
        </p>
      )}
    </>
  );
}
