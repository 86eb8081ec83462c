import { useId } from "react";
import { client } from "@/api";
import { Button, Field, Icon, Input, Select, Textarea } from "@/ui";
import { jsonText } from "@/ui/json-lines";
import type { Drawn } from "../definition";
import { ExecutionPart } from "../documents";
import type { History } from "../history/history";
import { type ChangeKind, type Draft, at, plainOutputs, pointers } from "./changes";

export interface ChangeEditorProps {
  draft: Draft;
  problem: string | undefined;
  id: string;
  history: History;
  drawn: Drawn | undefined;
  onChange: (draft: Draft) => void;
  onRemove: () => void;
}

const TITLES: Record<ChangeKind, string> = {
  output: "What a node gives",
  parameter: "A parameter",
  variable: "A variable",
};

export function ChangeEditor({ draft, problem, id, history, drawn, onChange, onRemove }: ChangeEditorProps) {
  const { kind } = draft;
  const list = useId();
  const nodes = drawn?.nodes ?? [];
  const node = nodes.find((one) => one.name === draft.node);
  const paths = node ? pointers(node.parameters) : [];
  const setPath = (path: string) => {
    const now = at(node?.parameters, path);
    onChange({ ...draft, path, text: kind === "parameter" && now !== undefined ? jsonText(now, 2) : draft.text });
  };
  const recorded = history.runOf(draft.node, draft.runIndex);
  const takeRecorded = async () => {
    if (!recorded) return;
    const path = `/node_runs/${recorded.executionIndex - history.earlierRuns}/outputs`;
    const { data } = await client.query(ExecutionPart, { id, path }).toPromise();
    onChange({ ...draft, text: jsonText(plainOutputs(data?.stateAt?.part), 2) });
  };
  return (
    <fieldset className="flex flex-col gap-3 rounded-md border p-3">
      <legend className="px-1 text-[13px] font-medium">{TITLES[kind]}</legend>
      <div className="grid items-end gap-3 sm:grid-cols-[1fr_1fr_auto]">
        {kind === "variable" ? (
          <Field label="Name" className="sm:col-span-2" hint="As expressions say it: $vars.NAME">
            <Input value={draft.path} onChange={(event) => onChange({ ...draft, path: event.target.value })} />
          </Field>
        ) : (
          <Field label="Node">
            <Select
              value={draft.node}
              onChange={(name) => onChange({ ...draft, node: name, path: "", runIndex: 0 })}
              choices={[
                { value: "", label: "Choose a node" },
                ...nodes.map(({ name }) => ({ value: name, label: name })),
              ]}
            />
          </Field>
        )}
        {kind === "output" && (
          <Field label="Which run" hint={recorded ? undefined : "It has not run here."}>
            <Input
              type="number"
              min={1}
              value={draft.runIndex + 1}
              onChange={(event) => onChange({ ...draft, runIndex: Math.max(0, Number(event.target.value) - 1) })}
            />
          </Field>
        )}
        {kind === "parameter" && (
          <Field label="Where in its parameters">
            <Input
              list={list}
              placeholder="/url"
              value={draft.path}
              onChange={(event) => setPath(event.target.value)}
            />
          </Field>
        )}
        <datalist id={list}>
          {paths.map((path) => (
            <option key={path} value={path} />
          ))}
        </datalist>
        <Button kind="quiet" onClick={onRemove}>
          <Icon name="trash" /> Remove
        </Button>
      </div>
      <Field
        label={kind === "output" ? "Items by output, as JSON" : "Value, as JSON"}
        error={draft.text === "" ? undefined : problem}
        hint={
          kind === "parameter" ? 'An expression is a text that begins with =, such as "={{ $json.total }}"' : undefined
        }
      >
        <Textarea
          rows={kind === "output" ? 8 : 3}
          spellCheck={false}
          className="font-mono text-[12.5px]"
          placeholder={kind === "output" ? '[[{ "total": 4 }]]' : '"text", 4, true, { … }'}
          value={draft.text}
          onChange={(event) => onChange({ ...draft, text: event.target.value })}
        />
      </Field>
      {kind === "output" && recorded && (
        <Button size="small" className="self-start" onClick={() => void takeRecorded()}>
          Begin with what was recorded
        </Button>
      )}
    </fieldset>
  );
}
