import { Button, ErrorState, Icon, IconButton, Skeleton, Tabs } from "@/ui";
import { NodeIcon } from "./canvas/NodeIcon";
import { NodeInput, NodeOutput } from "./data/NodeData";
import { CredentialPicker } from "./form/CredentialPicker";
import { Fixed } from "./form/Fixed";
import { NodeSettings } from "./form/NodeSettings";
import { type Parameter, useParameters } from "./catalogue";
import { ParameterForm, isAbout } from "./form/ParameterForm";
import { parametersOf } from "./form/parameter";
import { levelOf } from "./form/shown";
import { MAIN, STICKY_NOTE, type WorkflowNode, edgesOf, nodeNamed } from "./model/definition";
import { kindInWords, portsOf } from "./model/ports";
import type { NodeTab } from "./search";
import { problemsOf } from "./state/draft";
import { useDraftState, useEditor } from "./state/editor";

export interface NodePanelProps {
  name: string;
  tab: NodeTab;
  missing: string | undefined;
}

/** Everything about one node: its parameters, and what came in and went out in the shown run. */
export function NodePanel({ name, tab, missing }: NodePanelProps) {
  const { openNode } = useEditor();
  const { history } = useDraftState();
  const node = nodeNamed(history.present, name);
  return (
    <section aria-label={`Node ${name}`} data-area="panel" className="flex min-h-0 flex-1 flex-col bg-surface">
      {node ? (
        <Opened key={node.id} node={node} tab={tab} missing={missing} />
      ) : (
        <div className="flex items-center gap-2 p-4 text-sm text-muted">
          <span className="min-w-0 flex-1 break-words">No node of this workflow is called “{name}”.</span>
          <IconButton label="Close" icon={<Icon name="close" />} onClick={() => openNode(undefined)} />
        </div>
      )}
    </section>
  );
}

function Opened({ node, tab, missing }: { node: WorkflowNode; tab: NodeTab; missing: string | undefined }) {
  const { openNode, catalogue, isReadOnly, workflowId } = useEditor();
  const state = useDraftState();
  const type = catalogue.of(node.type);
  const own = problemsOf(state).filter((problem) => problem.node === node.name);
  const { parameters, fault, retry } = useParameters(node.type);
  const others = own.filter(({ field, message }) => !isShownAtField(field, node, parameters) && message !== missing);
  // Notes and helpers have no items of their own; those of a version that is looked at are in its executions.
  const hasNoItems = node.type === STICKY_NOTE || type?.role === "HELPER" || (isReadOnly && workflowId === undefined);
  return (
    <>
      <header className="flex items-center gap-2.5 px-4 py-2.5">
        <NodeIcon type={type} />
        <div className="min-w-0 flex-1">
          <h2 className="truncate text-sm font-semibold">{node.name}</h2>
          <p className="truncate text-xs text-muted">{type?.displayName ?? node.type}</p>
        </div>
        <IconButton label="Close the node" icon={<Icon name="close" />} onClick={() => openNode(undefined)} />
      </header>
      {type?.switchedOff === true && (
        <p className="mx-4 mb-2 rounded-md bg-warn-soft px-3 py-2 text-[13px] text-warn">
          Nodes of this type are switched off for your tenant and fail when they are run. Ask whoever runs this
          installation.
        </p>
      )}
      {missing !== undefined && (
        <p className="mx-4 mb-2 rounded-md bg-warn-soft px-3 py-2 text-[13px] break-words text-warn">{missing}</p>
      )}
      {others.length > 0 && (
        <ul aria-label={`Problems of ${node.name}`} className="mx-4 mb-2 flex flex-col gap-1">
          {others.map((problem) => (
            <li
              key={`${problem.field} ${problem.message}`}
              className="rounded-md bg-warn-soft px-3 py-2 text-[13px] break-words text-warn"
            >
              {problem.message}
            </li>
          ))}
        </ul>
      )}
      <Helpers node={node} />
      <Tabs
        label={`Parts of ${node.name}`}
        value={hasNoItems && (tab === "input" || tab === "output") ? "parameters" : tab}
        onChange={(next) => openNode(node.name, next)}
        className="flex-1"
        tabs={[
          {
            value: "parameters",
            label: "Parameters",
            content: (
              <Fixed isFixed={isReadOnly}>
                {parameters ? (
                  <>
                    {node.type !== STICKY_NOTE && <CredentialPicker node={node} told={parameters} />}
                    <ParameterForm node={node} told={parameters} problems={own} />
                  </>
                ) : fault ? (
                  <ErrorState title="Its parameters could not be read" fault={fault} onRetry={retry} />
                ) : (
                  <Skeleton className="m-4 h-24" />
                )}
              </Fixed>
            ),
          },
          ...(hasNoItems
            ? []
            : [
                {
                  value: "input" as const,
                  label: "Input",
                  content: (
                    <Tall>
                      <NodeInput node={node} />
                    </Tall>
                  ),
                },
                {
                  value: "output" as const,
                  label: "Output",
                  content: (
                    <Tall>
                      <NodeOutput node={node} />
                    </Tall>
                  ),
                },
              ]),
          {
            value: "node",
            label: "Settings",
            content: (
              <Fixed isFixed={isReadOnly}>
                <NodeSettings node={node} />
              </Fixed>
            ),
          },
        ]}
      />
    </>
  );
}

/** Whether a problem is told beside the field that it is about. */
function isShownAtField(field: string, node: WorkflowNode, told: readonly Parameter[] | undefined): boolean {
  if (!field.startsWith("parameters.")) return false;
  const shown = parametersOf(levelOf(node, told ?? []));
  return shown.some((parameter) => isAbout(field, parameter.name));
}

/** What can be attached to the node, and what is. */
function Helpers({ node }: { node: WorkflowNode }) {
  const { draft, catalogue, isReadOnly, openPalette, openNode } = useEditor();
  const edges = edgesOf(draft.definition).filter((edge) => edge.target === node.name && edge.kind !== MAIN);
  const { takes } = portsOf(node, catalogue.of(node.type), edges);
  if (takes.length === 0 || (isReadOnly && edges.length === 0)) return null;
  return (
    <div role="group" aria-label={`Attached to ${node.name}`} className="flex flex-wrap items-center gap-1.5 px-4 pb-2">
      {edges.map((edge) => (
        <Button key={edge.id} size="small" kind="quiet" onClick={() => openNode(edge.source)}>
          {kindInWords(edge.kind)}: {edge.source}
        </Button>
      ))}
      {!isReadOnly &&
        takes.map((kind) => (
          <Button key={kind} size="small" onClick={() => openPalette({ helps: { node: node.name, kind } })}>
            <Icon name="plus" />
            {kindInWords(kind)}
          </Button>
        ))}
    </div>
  );
}

function Tall({ children }: { children: React.ReactNode }) {
  return <div className="flex h-full min-h-64 flex-col pt-1">{children}</div>;
}
