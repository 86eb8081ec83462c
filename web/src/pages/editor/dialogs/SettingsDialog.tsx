import { useState } from "react";
import { useQuery } from "urql";
import { graphql } from "@/api";
import { Button, Combobox, Dialog, Field, Select, Switch } from "@/ui";
import { NumberSetting } from "../form/NodeSettings";
import { useDraftState, useEditor } from "../state/editor";

const EditorWorkflows = graphql(`
  query EditorWorkflows {
    workflows(first: 100) {
      nodes {
        id
        name
      }
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

type Settings = Readonly<Record<string, unknown>>;

/** How the workflow runs. Settings that this page does not know stay as they are. */
function OpenSettingsDialog({ onClose }: SettingsDialogProps) {
  const { draft, workflowId } = useEditor();
  const present = useDraftState().history.present;
  const [settings, setSettings] = useState<Settings>(present.settings ?? {});
  const [{ data }] = useQuery({ query: EditorWorkflows });
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
  const others = (data?.workflows.nodes ?? []).filter((one) => one.id !== workflowId);
  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      <Button kind="primary" onClick={save}>
        Save the settings
      </Button>
    </>
  );
  return (
    <Dialog title="Settings of the workflow" isOpen onClose={onClose} footer={footer}>
      <div className="grid gap-4 sm:grid-cols-2">
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
        <Field label="Workflow for failures" hint="It is started when a run of this one fails.">
          <Select
            value={text("errorWorkflow")}
            choices={[
              { value: "", label: "none" },
              ...(text("errorWorkflow") !== "" && !others.some((one) => one.id === text("errorWorkflow"))
                ? [{ value: text("errorWorkflow"), label: text("errorWorkflow") }]
                : []),
              ...others.map((one) => ({ value: one.id, label: one.name })),
            ]}
            onChange={(id) => set("errorWorkflow", id)}
          />
        </Field>
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
      </div>
    </Dialog>
  );
}
