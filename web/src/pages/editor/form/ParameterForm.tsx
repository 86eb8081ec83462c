import type { Parameter } from "../catalogue";
import type { WorkflowNode } from "../model/definition";
import { setParameter } from "../model/edit";
import type { Problem } from "../state/draft";
import { useEditor } from "../state/editor";
import { ParameterRow } from "./ParameterRow";
import { parametersOf } from "./parameter";
import { levelOf } from "./shown";

export interface ParameterFormProps {
  node: WorkflowNode;
  /** What its type has to be set. */
  told: readonly Parameter[];
  problems: readonly Problem[];
}

/** The parameters of a node, made from what the catalogue says of its type. */
export function ParameterForm({ node, told, problems }: ParameterFormProps) {
  const { draft } = useEditor();
  const level = levelOf(node, told);
  const parameters = parametersOf(level);
  if (parameters.length === 0)
    return <p className="p-4 text-sm text-muted">This node needs nothing to be set: it works as it is.</p>;
  return (
    <div className="flex flex-col gap-4 p-4">
      {parameters.map((parameter) => (
        <ParameterRow
          key={`${node.id} ${parameter.name}`}
          node={node.name}
          level={level}
          parameter={parameter}
          value={node.parameters[parameter.name]}
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

/** Whether a field of a file is this parameter, or within it. */
export function isAbout(field: string, name: string): boolean {
  const path = field.replace(/^parameters\./, "");
  return path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[`);
}
