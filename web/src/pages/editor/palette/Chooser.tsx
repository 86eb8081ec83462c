import { type ReactNode, useId, useRef, useState } from "react";
import { classes } from "@/ui";

export interface ChoiceRow<T> {
  key: string;
  value: T;
  /** What readers say. */
  label: string;
  group?: string;
}

export interface ChooserProps<T> {
  label: string;
  placeholder: string;
  /** The rows for what is written, the best first. */
  rows: (query: string) => readonly ChoiceRow<T>[];
  row: (value: T) => ReactNode;
  onChoose: (value: T) => void;
  empty: ReactNode;
}

/** A field and a list beneath it: writing narrows the list, arrows move in it, Enter takes. */
export function Chooser<T>({ label, placeholder, rows, row, onChoose, empty }: ChooserProps<T>) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const shown = rows(query);
  const place = Math.min(at, shown.length - 1);
  const go = (next: number) => {
    const bounded = (next + shown.length) % Math.max(1, shown.length);
    setAt(bounded);
    list.current?.querySelector(`[data-place="${bounded}"]`)?.scrollIntoView({ block: "nearest" });
  };
  return (
    <div className="flex max-h-[60vh] flex-col">
      <input
        role="combobox"
        aria-label={label}
        aria-expanded
        aria-controls={id}
        aria-autocomplete="list"
        aria-activedescendant={shown.length > 0 ? `${id}-${place}` : undefined}
        autoComplete="off"
        autoFocus
        placeholder={placeholder}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          const chosen = shown[place];
          if (event.key === "ArrowDown" || (event.key === "Tab" && !event.shiftKey)) go(place + 1);
          else if (event.key === "ArrowUp" || event.key === "Tab") go(place - 1);
          else if (event.key === "Enter" && chosen) onChoose(chosen.value);
          else return;
          event.preventDefault();
        }}
        className="h-11 shrink-0 border-b bg-transparent px-4 text-[15px] outline-none placeholder:text-muted"
      />
      <div ref={list} id={id} role="listbox" aria-label={label} className="min-h-0 flex-1 overflow-auto p-1.5">
        {shown.map((choice, index) => (
          <div key={choice.key} role="none">
            {choice.group !== undefined && choice.group !== shown[index - 1]?.group && (
              <div role="presentation" className="px-2.5 pt-2.5 pb-1 text-xs font-medium text-muted">
                {choice.group}
              </div>
            )}
            <div
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === place}
              aria-label={choice.label}
              data-place={index}
              onMouseMove={() => setAt(index)}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => onChoose(choice.value)}
              className={classes("cursor-pointer rounded-md px-2.5 py-1.5", index === place && "bg-hover")}
            >
              {row(choice.value)}
            </div>
          </div>
        ))}
      </div>
      {shown.length === 0 && <div className="px-4 pb-6 text-center text-sm text-muted">{empty}</div>}
    </div>
  );
}
