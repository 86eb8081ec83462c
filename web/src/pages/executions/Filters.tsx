import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useQuery } from "urql";
import { toast } from "@/api";
import {
  Badge,
  Button,
  type Choice,
  Combobox,
  Dialog,
  EXECUTION_STATUSES,
  Field,
  Icon,
  IconButton,
  Input,
  Menu,
  type MenuItem,
  Select,
  classes,
  instant,
  wordsOf,
} from "@/ui";
import { ExecutionsWorkflow, ExecutionsWorkflows } from "./documents";
import { appliesTo, conditions } from "./matches";
import { removeFilter, saveFilter, searchOf, searchText, useSavedFilters } from "./saved-filters";
import { type ExecutionsFilter, type ExecutionsSearch, TRIGGERS } from "./search";

/** How long somebody has to stop writing before the server is asked. */
const PAUSE_MS = 250;

export interface FiltersProps {
  search: ExecutionsSearch;
  onChange: (change: Partial<ExecutionsSearch>) => void;
  unresolvedCount: number | undefined;
}

/** Which executions are shown. On a phone it is behind a button, so that the list keeps the room. */
export function Filters({ search, onChange, unresolvedCount }: FiltersProps) {
  const [isOpen, setOpen] = useState(false);
  const [more, setMore] = useState<"fact" | "time" | undefined>();
  const count = conditions(search);
  const of = (filter: keyof ExecutionsFilter) => search[filter] !== undefined;
  const has = (filter: keyof ExecutionsFilter) => appliesTo(search.group, filter);
  return (
    <div className="border-b bg-surface px-4 py-2 md:px-6">
      <div className="flex flex-wrap items-center gap-2">
        {has("unresolved") && (
          <Button
            size="small"
            aria-pressed={search.unresolved === true}
            className={search.unresolved === true ? "border-accent! bg-accent-soft! text-accent!" : undefined}
            onClick={() => onChange({ unresolved: search.unresolved === true ? undefined : true })}
          >
            Unresolved
            {unresolvedCount !== undefined && unresolvedCount > 0 && (
              <span className="rounded bg-bad-soft px-1 text-xs text-bad tabular-nums">{unresolvedCount}</span>
            )}
          </Button>
        )}
        <Button size="small" className="md:hidden" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          Filters{count > 0 ? ` (${count})` : ""}
        </Button>
        <div
          className={classes(
            "w-full flex-wrap items-center gap-2 md:flex md:w-auto [&_input]:h-7 [&_input]:text-[13px] [&_select]:h-7 [&_select]:text-[13px]",
            isOpen ? "flex" : "hidden",
          )}
        >
          {has("status") && (
            <Field label="Status" hideLabel className="w-36">
              <Select
                value={search.status ?? ""}
                choices={[
                  { value: "", label: "any status" },
                  ...EXECUTION_STATUSES.map((value) => ({ value, label: wordsOf(value) })),
                ]}
                onChange={(value) => onChange({ status: value === "" ? undefined : value })}
              />
            </Field>
          )}
          {has("trigger") && (
            <Field label="Trigger" hideLabel className="w-36">
              <Select
                value={search.trigger ?? ""}
                choices={[
                  { value: "", label: "any trigger" },
                  ...TRIGGERS.map((value) => ({ value, label: wordsOf(value) })),
                ]}
                onChange={(value) => onChange({ trigger: value === "" ? undefined : value })}
              />
            </Field>
          )}
          {has("workflow") && <WorkflowField value={search.workflow} onChange={(workflow) => onChange({ workflow })} />}
          {has("fact") && !of("fact") && (
            <Button size="small" kind="quiet" onClick={() => setMore("fact")}>
              <Icon name="plus" className="size-3.5" /> Saved fact
            </Button>
          )}
          {!of("at") && (
            <Button size="small" kind="quiet" onClick={() => setMore("time")}>
              <Icon name="clock" className="size-3.5" /> As of a time
            </Button>
          )}
        </div>
        <span className="hidden flex-1 md:block" />
        {count > 0 && (
          <Button
            size="small"
            kind="quiet"
            onClick={() => onChange({ ...NOTHING, fingerprint: undefined, unresolved: undefined })}
          >
            Show all
          </Button>
        )}
        <SavedFilters search={search} />
      </div>
      <Chips search={search} onChange={onChange} />
      <FactDialog isOpen={more === "fact"} onClose={() => setMore(undefined)} onChange={onChange} />
      <TimeDialog isOpen={more === "time"} onClose={() => setMore(undefined)} onChange={onChange} />
    </div>
  );
}

const NOTHING: ExecutionsFilter = {
  status: undefined,
  workflow: undefined,
  trigger: undefined,
  fact: undefined,
  value: undefined,
  at: undefined,
};

/** Conditions that have no field of their own in the row. */
function Chips({ search, onChange }: Pick<FiltersProps, "search" | "onChange">) {
  const { fingerprint, fact, value, at } = search;
  if (fingerprint === undefined && fact === undefined && at === undefined) return null;
  return (
    <ul aria-label="Conditions" className="mt-2 flex flex-wrap gap-2">
      {fingerprint !== undefined && (
        <Chip label="Cause" text={fingerprint} onRemove={() => onChange({ fingerprint: undefined })} />
      )}
      {fact !== undefined && (
        <Chip label={fact} text={value ?? ""} onRemove={() => onChange({ fact: undefined, value: undefined })} />
      )}
      {at !== undefined && (
        <Chip label="As it was at" text={instant(at)} onRemove={() => onChange({ at: undefined })} />
      )}
    </ul>
  );
}

function Chip({ label, text, onRemove }: { label: string; text: string; onRemove: () => void }) {
  return (
    <li className="flex max-w-full items-center rounded-md bg-sunken pl-2 text-[13px]">
      <span className="mr-1.5 text-muted">{label}</span>
      <span className="min-w-0 truncate font-mono text-xs">{text}</span>
      <IconButton
        size="small"
        label={`Remove the condition ${label}`}
        icon={<Icon name="close" className="size-3" />}
        onClick={onRemove}
      />
    </li>
  );
}

function WorkflowField({ value, onChange }: { value: string | undefined; onChange: (id: string | undefined) => void }) {
  const [text, setText] = useState("");
  const [asked, setAsked] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setAsked(text.trim()), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const [{ data }] = useQuery({ query: ExecutionsWorkflows, variables: { name: asked === "" ? null : asked } });
  const [{ data: present }] = useQuery({
    query: ExecutionsWorkflow,
    variables: { id: value ?? "" },
    pause: value === undefined,
  });
  const found = data?.workflows.nodes ?? [];
  const own = value === undefined ? undefined : (present?.workflow ?? { id: value, name: value });
  const choices: Choice<string>[] = [
    { value: "", label: "any workflow" },
    ...(own ? [{ value: own.id, label: own.name }] : []),
    ...found.filter((one) => one.id !== own?.id).map((one) => ({ value: one.id, label: one.name })),
  ];
  return (
    <Field label="Workflow" hideLabel className="w-48">
      <Combobox
        value={value ?? ""}
        choices={choices}
        onSearch={setText}
        onChange={(id) => onChange(id === "" ? undefined : id)}
      />
    </Field>
  );
}

interface MoreProps {
  isOpen: boolean;
  onClose: () => void;
  onChange: FiltersProps["onChange"];
}

function FactDialog(props: MoreProps) {
  return props.isOpen ? <OpenFactDialog {...props} /> : null;
}

function OpenFactDialog({ onClose, onChange }: MoreProps) {
  const [fact, setFact] = useState("");
  const [value, setValue] = useState("");
  const isWhole = fact.trim() !== "" && value.trim() !== "";
  const take = () => {
    if (!isWhole) return;
    onChange({ fact: fact.trim(), value: value.trim() });
    onClose();
  };
  return (
    <Dialog
      title="Executions with a saved fact"
      isOpen
      onClose={onClose}
      size="small"
      footer={
        <Button kind="primary" disabled={!isWhole} onClick={take}>
          Show them
        </Button>
      }
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          take();
        }}
      >
        <p className="text-sm text-muted">
          Nodes can save facts about their execution, such as the number of an order, by which it is found here.
        </p>
        <Field label="Name">
          <Input value={fact} placeholder="order" onChange={(event) => setFact(event.target.value)} data-autofocus />
        </Field>
        <Field label="Says">
          <Input value={value} onChange={(event) => setValue(event.target.value)} />
        </Field>
        <button type="submit" hidden aria-hidden />
      </form>
    </Dialog>
  );
}

function TimeDialog(props: MoreProps) {
  return props.isOpen ? <OpenTimeDialog {...props} /> : null;
}

function OpenTimeDialog({ onClose, onChange }: MoreProps) {
  const [local, setLocal] = useState("");
  const at = new Date(local);
  const isTime = !Number.isNaN(at.getTime());
  return (
    <Dialog
      title="Executions as of a time"
      isOpen
      onClose={onClose}
      size="small"
      footer={
        <Button
          kind="primary"
          disabled={!isTime}
          onClick={() => {
            onChange({ at: at.toISOString() });
            onClose();
          }}
        >
          Show them
        </Button>
      }
    >
      <div className="flex flex-col gap-3">
        <p className="text-sm text-muted">
          The list is shown as it was then: what had begun, and how far each was at that moment.
        </p>
        <Field label="Time" hint="In your time zone.">
          <Input
            type="datetime-local"
            step={1}
            value={local}
            onChange={(event) => setLocal(event.target.value)}
            data-autofocus
          />
        </Field>
      </div>
    </Dialog>
  );
}

function SavedFilters({ search }: { search: ExecutionsSearch }) {
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
