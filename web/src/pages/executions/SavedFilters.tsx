import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { toast } from "@/api";
import { Badge, Button, Dialog, Field, Icon, IconButton, Input, Menu, type MenuItem } from "@/ui";
import { removeFilter, saveFilter, searchOf, searchText, useSavedFilters } from "./saved-filters";
import type { ExecutionsSearch } from "./search";

/** Filters under names, in this browser, and the link of the present one. */
export function SavedFilters({ search }: { search: ExecutionsSearch }) {
  const filters = useSavedFilters();
  const navigate = useNavigate({ from: "/executions" });
  const [open, setOpen] = useState<"save" | "edit" | undefined>();
  const here = searchText(search);
  const copy = async () => {
    const link = `${location.origin}/executions${here}`;
    try {
      await navigator.clipboard.writeText(link);
      toast({ tone: "good", title: "The link to this list is copied" });
    } catch {
      toast({ tone: "info", title: "The link to this list", text: link });
    }
  };
  const items: (MenuItem | "line")[] = [
    ...filters.map((one) => ({
      label: one.name,
      checked: one.search === here,
      run: () => void navigate({ search: searchOf(one.search) }),
    })),
    ...(filters.length > 0 ? (["line"] as const) : []),
    { label: "Save this filter…", disabled: here === "", run: () => setOpen("save") },
    { label: "Copy the link", run: () => void copy() },
    ...(filters.length > 0 ? [{ label: "Remove saved filters…", run: () => setOpen("edit") }] : []),
  ];
  return (
    <>
      <Menu
        trigger={
          <Button size="small">
            Saved{filters.length > 0 ? ` (${filters.length})` : ""} <Icon name="down" className="size-3" />
          </Button>
        }
        items={items}
      />
      <SaveDialog isOpen={open === "save"} onClose={() => setOpen(undefined)} search={search} />
      <Dialog title="Saved filters" isOpen={open === "edit"} onClose={() => setOpen(undefined)} size="small">
        {filters.length === 0 && <p className="text-sm text-muted">None is saved.</p>}
        <ul className="divide-y">
          {filters.map((one) => (
            <li key={one.name} className="flex items-center gap-2 py-1.5 text-sm">
              <div className="min-w-0 flex-1">
                <div className="truncate">{one.name}</div>
                <div className="truncate font-mono text-xs text-muted">{one.search}</div>
              </div>
              <IconButton
                label={`Remove ${one.name}`}
                icon={<Icon name="trash" />}
                onClick={() => removeFilter(one.name)}
              />
            </li>
          ))}
        </ul>
      </Dialog>
    </>
  );
}

function SaveDialog(props: { isOpen: boolean; onClose: () => void; search: ExecutionsSearch }) {
  return props.isOpen ? <OpenSaveDialog {...props} /> : null;
}

function OpenSaveDialog({ onClose, search }: { onClose: () => void; search: ExecutionsSearch }) {
  const [name, setName] = useState("");
  const save = () => {
    if (name.trim() === "") return;
    saveFilter(name.trim(), search);
    toast({ tone: "good", title: "The filter is saved", text: "In this browser. Copy its link to share it." });
    onClose();
  };
  return (
    <Dialog
      title="Save this filter"
      isOpen
      onClose={onClose}
      size="small"
      footer={
        <Button kind="primary" disabled={name.trim() === ""} onClick={save}>
          Save
        </Button>
      }
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <Field label="Name">
          <Input value={name} maxLength={80} data-autofocus onChange={(event) => setName(event.target.value)} />
        </Field>
      </form>
      <p className="mt-3 text-xs text-muted">
        <Badge>{searchText(search)}</Badge>
      </p>
    </Dialog>
  );
}
