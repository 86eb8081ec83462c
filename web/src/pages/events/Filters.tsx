import { type Ref, useEffect, useRef, useState } from "react";
import { useQuery } from "urql";
import { graphql, useViewer } from "@/api";
import { EVENT_KINDS } from "@/app/event-kinds";
import { Button, Combobox, Field, Icon, IconButton, Input, Select } from "@/ui";
import type { EventsSearch } from "./search";

const EventsAccounts = graphql(`
  query EventsAccounts {
    accounts(first: 100) {
      nodes {
        id
        name
        email
      }
    }
  }
`);

const MACHINES = ["engine", "scheduler", "webhooks", "gateway", "inference", "sign-in"].map((name) => ({
  value: `system:${name}`,
  label: `${name} (Timeloom itself)`,
}));
const PAUSE_MS = 400;

export interface FiltersProps {
  search: EventsSearch;
  onChange: (change: Partial<EventsSearch>) => void;
  field: Ref<HTMLInputElement>;
}

/** What the list is narrowed down to. On a phone it is folded away. */
export function Filters({ search, onChange, field }: FiltersProps) {
  const [isOpen, setOpen] = useState(false);
  const count = [search.category, search.actor, search.stream, ...(search.type ?? [])].filter(Boolean).length;
  return (
    <div className="border-b bg-surface px-4 py-2 md:px-6">
      <div className="flex flex-wrap items-end gap-2">
        <TextFilter
          // What the address says is what is in the field, also after somebody goes back.
          key={search.query ?? ""}
          value={search.query ?? ""}
          onChange={(query) => onChange({ query })}
          field={field}
        />
        <Button className="lg:hidden" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          Filters{count > 0 && ` (${count})`}
        </Button>
        <div className={`${isOpen ? "grid" : "hidden"} w-full grid-cols-2 gap-2 lg:flex lg:w-auto lg:flex-1`}>
          <MoreFilters search={search} onChange={onChange} />
        </div>
      </div>
      <Chips search={search} onChange={onChange} />
    </div>
  );
}

function MoreFilters({ search, onChange }: Omit<FiltersProps, "field">) {
  const { can } = useViewer();
  const seesAll = can("AUDIT_READ");
  const [{ data }] = useQuery({ query: EventsAccounts, pause: !can("ACCOUNT_READ"), requestPolicy: "cache-first" });
  const kinds = EVENT_KINDS.filter((kind) => seesAll || can(kind.permission));
  const types = (search.category === undefined ? kinds : kinds.filter((kind) => kind.category === search.category))
    .flatMap((kind) => kind.types)
    .filter((type) => search.type?.includes(type) !== true);
  const known = kinds.some((kind) => kind.category === search.category);
  const accounts = (data?.accounts.nodes ?? []).map(({ id, name, email }) => ({
    value: id,
    label: email ? `${name} (${email})` : name,
  }));
  return (
    <>
      <Field label="Category" hideLabel className="lg:w-44">
        <Select
          value={search.category ?? ""}
          onChange={(category) => onChange({ category, type: undefined })}
          choices={[
            { value: "", label: "All categories" },
            ...kinds.map((kind) => ({ value: kind.category, label: kind.label })),
            ...(search.category !== undefined && !known ? [{ value: search.category, label: search.category }] : []),
          ]}
        />
      </Field>
      <Field label="Type" hideLabel className="lg:w-44">
        <Combobox
          key={(search.type ?? []).join()}
          value=""
          placeholder="Type"
          isFree
          onChange={(type) =>
            type.trim() !== "" && onChange({ type: [...new Set([...(search.type ?? []), type.trim()])] })
          }
          choices={types.map((type) => ({ value: type, label: type }))}
        />
      </Field>
      <Field label="Who" hideLabel className="lg:w-48">
        <Combobox
          value={search.actor ?? ""}
          placeholder="Who"
          isFree
          onChange={(actor) => onChange({ actor: actor.trim() })}
          choices={[...accounts, ...MACHINES]}
        />
      </Field>
      <StreamFilter key={search.stream ?? ""} value={search.stream ?? ""} onChange={(stream) => onChange({ stream })} />
    </>
  );
}

function TextFilter({
  value,
  onChange,
  field,
}: {
  value: string;
  onChange: (value: string) => void;
  field: Ref<HTMLInputElement>;
}) {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const trimmed = text.trim();
  const later = (next: string) => {
    setText(next);
    clearTimeout(timer.current);
    if (next.trim().length === 1) return;
    timer.current = setTimeout(() => onChange(next.trim()), PAUSE_MS);
  };
  return (
    <Field
      label="Text in payloads"
      hideLabel
      className="min-w-0 flex-1 lg:max-w-72"
      error={trimmed.length === 1 ? "Two characters or more." : undefined}
    >
      <Input
        ref={field}
        type="search"
        placeholder="Text in payloads"
        maxLength={200}
        autoFocus={value !== "" && document.activeElement === document.body}
        value={text}
        onChange={(event) => later(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || trimmed.length === 1) return;
          clearTimeout(timer.current);
          onChange(trimmed);
        }}
      />
    </Field>
  );
}

const STREAM = /^[^/\s]+\/\S+$/;

function StreamFilter({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [text, setText] = useState(value);
  const trimmed = text.trim();
  const isWrong = trimmed !== "" && !STREAM.test(trimmed);
  const take = () => {
    if (!isWrong && trimmed !== value) onChange(trimmed);
  };
  return (
    <Field
      label="Stream"
      hideLabel
      className="lg:w-48"
      error={isWrong ? "A kind and an id, such as execution/01a2…" : undefined}
    >
      <Input
        placeholder="Stream: kind/id"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={take}
        onKeyDown={(event) => event.key === "Enter" && take()}
        className="font-mono text-[12.5px]"
      />
    </Field>
  );
}

function Chips({ search, onChange }: Omit<FiltersProps, "field">) {
  const chips: { key: string; label: string; without: Partial<EventsSearch> }[] = [
    ...(search.type ?? []).map((type) => ({
      key: `type ${type}`,
      label: type,
      without: { type: search.type?.filter((one) => one !== type) },
    })),
    ...(search.stream === undefined
      ? []
      : [{ key: "stream", label: search.stream, without: { stream: undefined } as Partial<EventsSearch> }]),
  ];
  if (chips.length === 0) return null;
  return (
    <ul aria-label="Filters in use" className="mt-2 flex flex-wrap gap-1.5">
      {chips.map((chip) => (
        <li
          key={chip.key}
          className="flex max-w-full items-center gap-1 rounded-md border bg-sunken pl-2 font-mono text-xs"
        >
          <span className="truncate">{chip.label}</span>
          <IconButton
            size="small"
            label={`Without ${chip.label}`}
            icon={<Icon name="close" className="size-3" />}
            onClick={() => onChange(chip.without)}
          />
        </li>
      ))}
    </ul>
  );
}
