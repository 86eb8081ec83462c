import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { useKeys } from "../app/keys";
import { Button, IconButton } from "./Button";
import { classes } from "./class-names";
import { Field, Textarea } from "./Field";
import { Icon } from "./Icon";

export interface DialogProps {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  children: ReactNode;
  /** Buttons at its foot. */
  footer?: ReactNode;
  size?: "small" | "normal" | "large";
  /** Keeps the title for those who do not see. */
  hideTitle?: boolean;
}

const SIZES = { small: "max-w-md", normal: "max-w-2xl", large: "max-w-5xl" };

/** The browser's own dialog: what is behind it is out of reach until it closes, and the focus goes back to where it was. */
export function Dialog(props: DialogProps) {
  return props.isOpen ? <OpenDialog {...props} /> : null;
}

function OpenDialog({ title, onClose, children, footer, size = "normal", hideTitle }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    if (dialog && !dialog.open) {
      dialog.showModal();
      // The browser begins at the button that closes it; whoever opens a form wants to write.
      dialog.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    }
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === ref.current) onClose();
      }}
      className={classes(
        "m-auto mt-[10vh] max-h-[80vh] w-[calc(100%-2rem)] flex-col overflow-hidden rounded-lg border bg-raised text-text shadow-raised open:flex",
        SIZES[size],
      )}
    >
      <header className={hideTitle === true ? "sr-only" : "flex items-center justify-between border-b px-4 py-2.5"}>
        <h2 id={id} className="text-[15px] font-semibold">
          {title}
        </h2>
        {hideTitle !== true && <IconButton label="Close" icon={<Icon name="close" />} onClick={onClose} size="small" />}
      </header>
      <div className={classes("min-h-0 flex-1 overflow-auto", hideTitle !== true && "p-4")}>{children}</div>
      {footer !== undefined && <footer className="flex justify-end gap-2 border-t px-4 py-3">{footer}</footer>}
    </dialog>
  );
}

/** Keys of what is in a dialog; others do nothing while one is open. */
export function useDialogKeys(bindings: Parameters<typeof useKeys>[0]): void {
  useKeys(bindings, "Dialog");
}

export interface ConfirmDialogProps {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  /** What will happen. */
  children: ReactNode;
  /** What the button says, such as "Cancel the execution". */
  confirm: string;
  isDangerous?: boolean;
  /** Asks why: `optional`, or `required`. What is written is given to `onConfirm`. */
  reason?: "optional" | "required";
  /** The dialog closes when it is done, unless it answers `false`. */
  onConfirm: (reason: string | undefined) => unknown;
}

export function ConfirmDialog(props: ConfirmDialogProps) {
  return props.isOpen ? <OpenConfirmDialog {...props} /> : null;
}

function OpenConfirmDialog({ title, onClose, children, confirm, isDangerous, reason, onConfirm }: ConfirmDialogProps) {
  const [text, setText] = useState("");
  const [isBusy, setBusy] = useState(false);
  const isMissing = reason === "required" && text.trim() === "";
  const go = async () => {
    setBusy(true);
    try {
      if ((await onConfirm(text.trim() === "" ? undefined : text.trim())) !== false) onClose();
    } finally {
      setBusy(false);
    }
  };
  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      <Button
        kind={isDangerous === true ? "danger" : "primary"}
        isBusy={isBusy}
        disabled={isMissing}
        onClick={() => void go()}
      >
        {confirm}
      </Button>
    </>
  );
  return (
    <Dialog title={title} isOpen onClose={onClose} size="small" footer={footer}>
      <div className="flex flex-col gap-3 text-sm">
        <div>{children}</div>
        {reason !== undefined && (
          <Field label={reason === "required" ? "Why" : "Why (if you want to say)"} hint="It is kept with the event.">
            <Textarea rows={2} maxLength={1000} value={text} onChange={(event) => setText(event.target.value)} />
          </Field>
        )}
      </div>
    </Dialog>
  );
}
