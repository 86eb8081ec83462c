import { useState } from "react";
import { Button, Dialog, Field, Select } from "@/ui";
import { readItems } from "../data/schema";
import { inputOf, itemsOf, jsonOf, outputOf } from "../expression/sight";
import { JsonField } from "../form/JsonField";
import { STICKY_NOTE } from "../model/definition";
import { useDraftState, useEditor } from "../state/editor";

export interface RunDialogProps {
  isOpen: boolean;
  onClose: () => void;
  onRun: (startNode: string | undefined, items: unknown) => void;
}

export function RunDialog(props: RunDialogProps) {
  return props.isOpen ? <OpenRunDialog {...props} /> : null;
}

/** A run that begins at a node of one's choice, with items of one's own. */
function OpenRunDialog({ onClose, onRun }: RunDialogProps) {
  const { catalogue, run, commands } = useEditor();
  const definition = useDraftState().history.present;
  const runnable = definition.nodes.filter((node) => {
    const role = catalogue.of(node.type)?.role;
    return node.type !== STICKY_NOTE && role !== "HELPER" && role !== "ANNOTATION";
  });
  const [start, setStart] = useState(runnable.find((node) => node.name === commands.active)?.name ?? "");
  const [items, setItems] = useState<unknown>();
  const source = start === "" ? undefined : inputOf(definition, run, start);
  const take = async () => {
    if (source) setItems(itemsOf(await outputOf(source.id), source.output).map(jsonOf));
  };
  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      <Button
        kind="primary"
        onClick={() => {
          onRun(start === "" ? undefined : start, items);
          onClose();
        }}
      >
        Run
      </Button>
    </>
  );
  return (
    <Dialog title="Run with items of your own" isOpen onClose={onClose} footer={footer}>
      <div className="flex flex-col gap-4">
        <Field label="Begin with" hint="What is before it does not run; its pinned items count all the same.">
          <Select
            value={start}
            choices={[
              { value: "", label: "the trigger" },
              ...runnable.map((node) => ({ value: node.name, label: node.name })),
            ]}
            onChange={setStart}
          />
        </Field>
        {source && (
          <Button size="small" className="self-start" onClick={() => void take()}>
            Take the items that it had in the shown run
          </Button>
        )}
        <Field label="Items" hint='A list of objects, such as [{ "name": "Ada" }]. Nothing here is one empty item.'>
          <JsonField
            rows={10}
            value={items}
            onChange={setItems}
            check={(value) => {
              const read = readItems(value);
              return "problem" in read ? read.problem : undefined;
            }}
          />
        </Field>
      </div>
    </Dialog>
  );
}
