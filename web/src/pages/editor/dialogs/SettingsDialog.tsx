import { useState } from "react";
import { useQuery } from "urql";
import { graphql } from "@/api";
import { Button, Combobox, Dialog, Field, Select, Switch } from "@/ui";
import { Fixed } from "../form/Fixed";
import { NumberSetting } from "../form/NodeSettings";
import { useDraftState, useEditor } from "../state/editor";

const EditorWorkflows = graphql(`
  query EditorWorkflows($name: String, $present: UUID!) {
    workflows(first: 50, archived: false, name: $name) {
      nodes {
        id
        name
      }
    }
    present: workflow(id: $present) {
      id
      name
    }
  }
`);

export interface SettingsDialogProps {
  isOpen: boolean;
  onClose: () => void;
}

export function SettingsDialog(props: SettingsDialogProps) {
  return props.isOpen ? <OpenSettingsDialog {...props} /> : null;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Nothing has this id. */
const NONE = "00000000-0000-0000-0000-000000000000";

type Settings = Readonly<Record<string, unknown>>;

/** How the workflow runs. Settings that this page does not know stay as they are. */
function OpenSettingsDialog({ onClose }: SettingsDialogProps) {
  const { draft, workflowId, isReadOnly } = useEditor();
  const present = useDraftState().history.present;
  const [settings, setSettings] = useState<Settings>(present.settings ?? {});
  const set = (name: string, value: unknown) => {
    const next = { ...settings };
    if (value === undefined || value === "" || value === false) Reflect.deleteProperty(next, name);
    else next[name] = value;
    setSettings(next);
  };
  const text = (name: string) => (typeof settings[name] === "string" ? settings[name] : "");
  const number = (name: string) => (typeof settings[name] === "number" ? settings[name] : undefined);
  const save = () => {
    draft.edit({ ...draft.definition, settings });
    void draft.save();
    onClose();
  };
  const footer = isReadOnly ? (
    <Button onClick={onClose}>Close</Button>
  ) : (
    <>
      <Button onClick={onClose}>Not now</Button>
      <Button kind="primary" onClick={save}>
        Save the settings
      </Button>
    </>
  );
  return (
    <Dialog title="Settings of the workflow" isOpen onClose={onClose} footer={footer}>
      <Fixed isFixed={isReadOnly} className="grid gap-4 sm:grid-cols-2">
        <Field label="Time zone" hint="Of schedules and of $now. Nothing is the deployment's.">
          <Combobox
            isFree
            value={text("timezone")}
            choices={Intl.supportedValuesOf("timeZone").map((zone) => ({ value: zone, label: zone }))}
            onChange={(zone) => set("timezone", zone)}
          />
        </Field>
        <Field label="Order of branches">
          <Select
            value={text("executionOrder")}
            choices={[
              { value: "v1", label: "One branch to its end, then the next" },
              { value: "", label: "Step by step across the branches" },
            ]}
            onChange={(order) => set("executionOrder", order)}
          />
        </Field>
        <NumberSetting
          label="Seconds that a run may take"
          placeholder="as long as it likes"
          value={number("executionTimeout")}
          onChange={(value) => set("executionTimeout", value)}
        />
        <NumberSetting
          label="Runs at once"
          placeholder="as many as there is room for"
          value={number("concurrency")}
          onChange={(value) => set("concurrency", value)}
        />
        <WorkflowForFailures
          own={workflowId}
          value={text("errorWorkflow")}
          onChange={(id) => set("errorWorkflow", id)}
        />
        <Field label="A finished step survives">
          <Select
            value={text("durability")}
            choices={[
              { value: "", label: "the loss of power" },
              { value: "relaxed", label: "the end of the process" },
            ]}
            onChange={(durability) => set("durability", durability)}
          />
        </Field>
        <Switch
          label="Branches run at the same time"
          checked={settings.parallelBranches === true}
          onChange={(on) => set("parallelBranches", on)}
        />
      </Fixed>
    </Dialog>
  );
}

interface WorkflowForFailuresProps {
  own: string | undefined;
  value: string;
  onChange: (id: string) => void;
}

function WorkflowForFailures({ own, value, onChange }: WorkflowForFailuresProps) {
  const [name, setName] = useState("");
  const present = UUID.test(value) ? value : NONE;
  const [{ data }] = useQuery({ query: EditorWorkflows, variables: { name: name === "" ? null : name, present } });
  const found = (data?.workflows.nodes ?? []).filter((one) => one.id !== own && one.id !== value);
  return (
    <Field label="Workflow for failures" hint="It is started when a run of this one fails.">
      <Combobox
        value={value}
        onSearch={setName}
        choices={[
          { value: "", label: "none" },
          ...(value === "" ? [] : [{ value, label: data?.present?.name ?? value }]),
          ...found.map((one) => ({ value: one.id, label: one.name })),
        ]}
        onChange={onChange}
      />
    </Field>
  );
}
