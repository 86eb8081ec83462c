import { type Ref, useState } from "react";
import { Button, Kbd } from "@/ui";

export interface SearchBoxProps {
  ref: Ref<HTMLInputElement>;
  query: string | undefined;
  onQuery: (query: string | undefined) => void;
}

/** Searches in what happened, when Enter is pressed: a search goes through many events, so it does not begin with each letter. */
export function SearchBox({ ref, query, onQuery }: SearchBoxProps) {
  // What is written counts until the address says something else.
  const [draft, setDraft] = useState({ of: query, text: query ?? "" });
  const text = draft.of === query ? draft.text : (query ?? "");
  return (
    <form
      role="search"
      className="relative flex w-full items-center gap-1 md:w-auto"
      onSubmit={(event) => {
        event.preventDefault();
        onQuery(text.trim() === "" ? undefined : text.trim());
      }}
    >
      <input
        ref={ref}
        type="search"
        aria-label="Search in payloads"
        placeholder="Search in payloads"
        maxLength={200}
        value={text}
        onChange={(event) => setDraft({ of: query, text: event.target.value })}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          setDraft({ of: query, text: "" });
          event.currentTarget.blur();
          if (query !== undefined) onQuery(undefined);
        }}
        className="h-8 min-w-0 flex-1 rounded-md border border-line-strong/60 bg-surface px-2.5 pr-7 text-sm placeholder:text-muted md:w-52 md:flex-none"
      />
      {text === "" && (
        <span aria-hidden className="pointer-events-none absolute right-2 hidden md:block">
          <Kbd keys="/" />
        </span>
      )}
      {query !== undefined && (
        <Button size="small" kind="quiet" onClick={() => onQuery(undefined)}>
          Back to the list
        </Button>
      )}
    </form>
  );
}
