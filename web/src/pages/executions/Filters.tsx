import { useEffect, useState } from "react";
import { useQuery } from "urql";
import {
  Button,
  type Choice,
  Combobox,
  EXECUTION_STATUSES,
  Field,
  Icon,
  IconButton,
  Menu,
  Select,
  classes,
  instant,
  wordsOf,
} from "@/ui";
import { ExecutionsWorkflow, ExecutionsWorkflows } from "./documents";
import { BeganDialog, FactDialog, TimeDialog } from "./FilterDialogs";
import { appliesTo, conditions } from "./matches";
import { SavedFilters } from "./SavedFilters";
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
  const [asked, setAsked] = useState<"fact" | "began" | "time" | undefined>();
  const count = conditions(search);
  const of = (filter: keyof ExecutionsFilter) => search[filter] !== undefined;
  const has = (filter: keyof ExecutionsFilter) => appliesTo(search.group, filter);
  const more = [
    has("fact") && !of("fact") && { label: "A fact that they saved…", run: () => setAsked("fact") },
    has("from") && !of("from") && !of("to") && { label: "When they began…", run: () => setAsked("began") },
    !of("at") && { label: "As of a time…", run: () => setAsked("time") },
  ].filter((item) => item !== false);
  const close = () => setAsked(undefined);
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
            <Field label="Status" hideLabel className="w-32">
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
            <Field label="Trigger" hideLabel className="w-32">
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
          {search.group === undefined && (
            <Field label="Order" hideLabel className="w-36">
              <Select
                value={search.order ?? ""}
                choices={[
                  { value: "", label: "unresolved first" },
                  { value: "newest", label: "newest first" },
                ]}
                onChange={(order) => onChange({ order: order === "" ? undefined : order })}
              />
            </Field>
          )}
          {has("workflow") && <WorkflowField value={search.workflow} onChange={(workflow) => onChange({ workflow })} />}
          {more.length > 0 && (
            <Menu
              align="start"
              trigger={
                <Button size="small" kind="quiet">
                  <Icon name="plus" className="size-3.5" /> Condition
                </Button>
              }
              items={more}
            />
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
      <FactDialog isOpen={asked === "fact"} onClose={close} onChange={onChange} />
      <BeganDialog isOpen={asked === "began"} onClose={close} onChange={onChange} />
      <TimeDialog isOpen={asked === "time"} onClose={close} onChange={onChange} />
    </div>
  );
}

const NOTHING: ExecutionsFilter = {
  status: undefined,
  workflow: undefined,
  trigger: undefined,
  fact: undefined,
  value: undefined,
  from: undefined,
  to: undefined,
  at: undefined,
};

/** Conditions that have no field of their own in the row. */
function Chips({ search, onChange }: Pick<FiltersProps, "search" | "onChange">) {
  const { fingerprint, fact, value, from, to, at } = search;
  if ([fingerprint, fact, from, to, at].every((one) => one === undefined)) return null;
  return (
    <ul aria-label="Conditions" className="mt-2 flex flex-wrap gap-2">
      {fingerprint !== undefined && (
        <Chip label="Cause" text={fingerprint} onRemove={() => onChange({ fingerprint: undefined })} />
      )}
      {fact !== undefined && (
        <Chip label={fact} text={value ?? ""} onRemove={() => onChange({ fact: undefined, value: undefined })} />
      )}
      {from !== undefined && (
        <Chip label="Began from" text={instant(from)} onRemove={() => onChange({ from: undefined })} />
      )}
      {to !== undefined && (
        <Chip label="Began before" text={instant(to)} onRemove={() => onChange({ to: undefined })} />
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
    <Field label="Workflow" hideLabel className="w-36">
      <Combobox
        value={value ?? ""}
        choices={choices}
        onSearch={setText}
        onChange={(id) => onChange(id === "" ? undefined : id)}
      />
    </Field>
  );
}
