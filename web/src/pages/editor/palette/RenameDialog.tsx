import { type SyntheticEvent, useState } from "react";
import { Button, Dialog, Field, Input } from "@/ui";

export interface RenameDialogProps {
  name: string | undefined;
  onRename: (from: string, to: string) => void;
  onClose: () => void;
}

export function RenameDialog({ name, ...rest }: RenameDialogProps) {
  return name === undefined ? null : <OpenRenameDialog key={name} name={name} {...rest} />;
}

function OpenRenameDialog({ name, onRename, onClose }: RenameDialogProps & { name: string }) {
  const [text, setText] = useState(name);
  const rename = (event: SyntheticEvent) => {
    event.preventDefault();
    onRename(name, text);
    onClose();
  };
  return (
    <Dialog title="Rename the node" size="small" isOpen onClose={onClose}>
      <form onSubmit={rename} className="flex flex-col gap-4">
        <Field label="Name" hint="Expressions of other nodes that speak of it are changed as well.">
          <Input
            // The dialog gives the focus to what says so itself; without it the button that closes it would have it.
            ref={(field) => field?.setAttribute("autofocus", "")}
            value={text}
            onFocus={(event) => event.target.select()}
            onChange={(event) => setText(event.target.value)}
          />
        </Field>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Not now</Button>
          <Button kind="primary" type="submit" disabled={text.trim() === ""}>
            Rename
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
