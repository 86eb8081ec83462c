import { useState } from "react";
import { ConfirmDialog, Icon, IconButton } from "@/ui";

/** A button that asks whether something is to go. */
export function Remove({
  what,
  children,
  onRemove,
}: {
  what: string;
  children: string;
  onRemove: () => Promise<boolean>;
}) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <IconButton size="small" label={`Remove ${what}`} icon={<Icon name="trash" />} onClick={() => setOpen(true)} />
      <ConfirmDialog
        title={`Remove ${what}`}
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        confirm="Remove it"
        isDangerous
        onConfirm={onRemove}
      >
        {children}
      </ConfirmDialog>
    </>
  );
}
