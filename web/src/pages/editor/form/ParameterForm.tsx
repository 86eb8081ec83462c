import { Field, Switch } from "@/ui";
import { ExpressionInput } from "../expression/ExpressionInput";
import type { WorkflowNode } from "../model/definition";
import { setParameter } from "../model/edit";
import type { Problem } from "../state/draft";
import { useEditor } from "../state/editor";
import { ParameterField, WITHOUT_SWITCH } from "./fields";
import { type FormParameter, isExpression, parametersOf, toExpression, toFixed } from "./parameter";
import { ExpressionSwitch } from "./ValueInput";

export interface ParameterFormProps {
  node: WorkflowNode;
  problems: readonly Problem[];
}

/** The parameters of a node, made from what the catalogue says of its type. */
export function ParameterForm({ node, problems }: ParameterFormProps) {
  const { draft, catalogue } = useEditor();
  const parameters = parametersOf(node, catalogue.of(node.type)?.parameters ?? []);
  if (parameters.length === 0)
    return <p className="p-4 text-sm text-muted">This node needs nothing to be set: it works as it is.</p>;
  return (
    <div className="flex flex-col gap-4 p-4">
      {parameters.map((parameter) => (
        <ParameterRow
          key={`${node.id} ${parameter.name}`}
          node={node}
          parameter={parameter}
          error={problems.find(({ field }) => isAbout(field, parameter.name))?.message}
          onChange={(value) =>
            draft.edit(setParameter(draft.definition, node.name, parameter.name, value), {
              merge: `parameter ${node.id} ${parameter.name}`,
            })
          }
        />
      ))}
    </div>
  );
}

function isAbout(field: string, name: string): boolean {
  const path = field.replace(/^parameters\./, "");
  return path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[`);
}

interface ParameterRowProps {
  node: WorkflowNode;
  parameter: FormParameter;
  error: string | undefined;
  onChange: (value: unknown) => void;
}

function ParameterRow({ node, parameter, error, onChange }: ParameterRowProps) {
  const value = node.parameters[parameter.name];
  const isOn = isExpression(value);
  const control = <ParameterField node={node.name} parameter={parameter} value={value} onChange={onChange} />;
  if (parameter.kind === "CODE" && !isOn)
    return (
      <Field label={<Label parameter={parameter} />} hint={parameter.description} error={error}>
        {control}
      </Field>
    );
  if (WITHOUT_SWITCH.has(parameter.kind) && !isOn)
    return (
      <Group parameter={parameter} error={error}>
        {control}
      </Group>
    );
  const toggle = (
    <span className="absolute -top-1.5 right-0">
      <ExpressionSwitch
        label={parameter.label}
        isOn={isOn}
        onToggle={() => onChange(isOn ? toFixed(value, parameter.kind) : toExpression(value))}
      />
    </span>
  );
  if (parameter.kind === "BOOLEAN" && !isOn)
    return (
      <div className="relative pr-10">
        <Switch label={<Label parameter={parameter} />} checked={value === true} onChange={onChange} />
        <Below parameter={parameter} error={error} />
        {toggle}
      </div>
    );
  return (
    <div className="relative">
      <Field label={<Label parameter={parameter} />} hint={parameter.description} error={error}>
        <div className="mt-1 flex flex-col gap-1">
          {isOn ? (
            <ExpressionInput node={node.name} value={value.slice(1)} onChange={(text) => onChange(`=${text}`)} />
          ) : (
            control
          )}
        </div>
      </Field>
      {toggle}
    </div>
  );
}

function Label({ parameter }: { parameter: FormParameter }) {
  return (
    <>
      {parameter.label}
      {parameter.required && <span className="font-normal text-muted"> (needed)</span>}
    </>
  );
}

function Group({
  parameter,
  error,
  children,
}: {
  parameter: FormParameter;
  error: string | undefined;
  children: React.ReactNode;
}) {
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

function Below({ parameter, error }: { parameter: FormParameter; error: string | undefined }) {
  return (
    <>
      <p className="mt-1 text-xs text-muted">{parameter.description}</p>
      {error !== undefined && (
        <p role="alert" className="text-xs text-bad">
          {error}
        </p>
      )}
    </>
  );
}
