import { useState } from "react";
import { Button, Combobox, Dialog, Field } from "@/ui";
import { folderOf } from "./folders";

export interface MoveDialogProps {
  /** What is moved; nothing closes the dialog. */
  names: readonly string[] | undefined;
  folders: readonly string[];
  present: string;
  onClose: () => void;
  onMove: (folder: string) => Promise<unknown>;
}

/** Puts workflows into a folder: one that is there, or a new one. */
export function MoveDialog(props: MoveDialogProps) {
  return props.names === undefined ? null : <OpenMoveDialog {...props} />;
}

function OpenMoveDialog({ names = [], folders, present, onClose, onMove }: MoveDialogProps) {
  const [folder, setFolder] = useState(present);
  const [isBusy, setBusy] = useState(false);
  const move = async () => {
    setBusy(true);
    await onMove(folderOf(folder));
    onClose();
  };
  const [first] = names;
  return (
    <Dialog
      title={names.length === 1 && first !== undefined ? `Move ${first}` : `Move ${names.length} workflows`}
      isOpen
      onClose={onClose}
      size="small"
      footer={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button kind="primary" isBusy={isBusy} onClick={() => void move()}>
            Move
          </Button>
        </>
      }
    >
      {/* The list of folders needs room below the field. */}
      <div className="min-h-56">
        <Field
          label="Folder"
          hint="Choose one, or write a new one: names with / between them, such as Billing/Reminders. Empty takes it out of all."
        >
          <Combobox
            value={folder}
            isFree
            placeholder="No folder"
            choices={folders.map((path) => ({ value: path, label: path }))}
            onChange={setFolder}
          />
        </Field>
      </div>
    </Dialog>
  );
}
