import { useState } from "react";
import { Button, Field, Icon, Input, Select, Switch, Textarea } from "@/ui";
import type { WorkflowNode } from "../model/definition";
import { updateNode } from "../model/edit";
import { useEditor } from "../state/editor";

const ON_ERROR = [
  { value: "", label: "Stop the workflow" },
  { value: "continueRegularOutput", label: "Go on, with the error as an item" },
  { value: "continueErrorOutput", label: "Go on at an output for errors" },
];

/** What is the same for nodes of all types: how it is called, and what happens when it fails. */
export function NodeSettings({ node }: { node: WorkflowNode }) {
  const { draft, commands, catalogue, openNode } = useEditor();
  const type = catalogue.of(node.type);
  const set = (part: Partial<WorkflowNode>, merge?: string) =>
    draft.edit(
      updateNode(draft.definition, node.name, () => part),
      { merge: merge && `${merge} ${node.id}` },
    );
  const versions = type?.versions ?? [];
  const known = versions.includes(node.typeVersion) ? versions : [...versions, node.typeVersion];
  return (
    <div className="flex flex-col gap-4 p-4">
      <NameField key={node.name} name={node.name} onRename={(to) => openNode(commands.rename(node.name, to), "node")} />
      <Field label="Notes" hint="For people; they change nothing of what it does.">
        <Textarea
          rows={2}
          value={node.notes ?? ""}
          onChange={(event) => set({ notes: event.target.value === "" ? undefined : event.target.value }, "notes")}
        />
      </Field>
      <Field label="When it fails">
        <Select
          value={node.onError ?? ""}
          choices={ON_ERROR}
          onChange={(onError) => set({ onError: onError === "" || onError === "stopWorkflow" ? undefined : onError })}
        />
      </Field>
      <Switch
        label="Try again when it fails"
        checked={node.retryOnFail === true}
        onChange={(on) => set({ retryOnFail: on || undefined })}
      />
      {node.retryOnFail === true && (
        <div className="grid grid-cols-2 gap-3">
          <NumberSetting
            label="Attempts"
            placeholder="3"
            value={node.maxTries}
            onChange={(maxTries) => set({ maxTries }, "tries")}
          />
          <NumberSetting
            label="Milliseconds between"
            placeholder="1000"
            value={node.waitBetweenTries}
            onChange={(waitBetweenTries) => set({ waitBetweenTries }, "between")}
          />
        </div>
      )}
      <NumberSetting
        label="Seconds that it may take"
        placeholder="as long as it likes"
        value={node.timeoutSeconds}
        onChange={(timeoutSeconds) => set({ timeoutSeconds }, "timeout")}
      />
      <Switch
        label="Run once, for the first item"
        checked={node.executeOnce === true}
        onChange={(on) => set({ executeOnce: on || undefined })}
      />
      <Switch
        label="Give an empty item where it gives none"
        checked={node.alwaysOutputData === true}
        onChange={(on) => set({ alwaysOutputData: on || undefined })}
      />
      <Switch
        label="Disabled: items pass it by"
        checked={node.disabled === true}
        onChange={(on) => set({ disabled: on || undefined })}
      />
      <Field label="Version of the type" hint="An older one keeps the parameters and results that it had.">
        <Select
          value={String(node.typeVersion)}
          choices={known.map((version) => ({ value: String(version), label: String(version) }))}
          onChange={(version) => set({ typeVersion: Number(version) })}
        />
      </Field>
      <p className="text-xs break-all text-muted">
        {node.type} · {type?.description ?? "This build has no such node."}
      </p>
      <div className="flex flex-wrap gap-2">
        <Button size="small" onClick={() => commands.duplicate()}>
          <Icon name="copy" />
          Duplicate
        </Button>
        <Button
          size="small"
          kind="danger"
          onClick={() => {
            draft.select([node.name]);
            commands.remove();
            openNode(undefined);
          }}
        >
          <Icon name="trash" />
          Remove
        </Button>
      </div>
    </div>
  );
}

function NameField({ name, onRename }: { name: string; onRename: (to: string) => void }) {
  const [text, setText] = useState(name);
  const take = () => {
    if (text.trim() !== "" && text.trim() !== name) onRename(text);
    else setText(name);
  };
  return (
    <Field label="Name" hint="Expressions that speak of it are changed as well.">
      <Input
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={take}
        onKeyDown={(event) => {
          if (event.key === "Enter") take();
        }}
      />
    </Field>
  );
}

interface NumberSettingProps {
  label: string;
  value: number | undefined;
  placeholder: string;
  onChange: (value: number | undefined) => void;
}

export function NumberSetting({ label, value, placeholder, onChange }: NumberSettingProps) {
  const [text, setText] = useState<string>();
  const shown = text ?? (value === undefined ? "" : String(value));
  const isWrong = shown.trim() !== "" && !(Number(shown) >= 0);
  return (
    <Field label={label} error={isWrong ? "Write a number that is not below zero." : undefined}>
      <Input
        inputMode="decimal"
        placeholder={placeholder}
        value={shown}
        onChange={(event) => {
          const next = event.target.value;
          setText(next);
          if (next.trim() === "") onChange(undefined);
          else if (Number(next) >= 0) onChange(Number(next));
        }}
        onBlur={() => setText(undefined)}
      />
    </Field>
  );
}
