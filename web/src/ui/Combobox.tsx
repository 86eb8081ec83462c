import { useId, useState } from "react";
import { classes } from "./class-names";
import { type Choice, Input } from "./Field";
import { Icon } from "./Icon";

export interface ComboboxProps {
  value: string;
  onChange: (value: string) => void;
  choices: readonly Choice<string>[];
  placeholder?: string;
  /** Called as somebody writes, where choices come from the server. */
  onSearch?: (text: string) => void;
  /** Whether what is written counts although it is no choice. */
  isFree?: boolean;
}

const SHOWN_MAX = 50;

/** One of many, found by writing; a press or the down arrow shows what there is. */
export function Combobox({ value, onChange, choices, placeholder, onSearch, isFree }: ComboboxProps) {
  const list = useId();
  /** What is being written; absent while the field shows the present choice. */
  const [text, setText] = useState<string | undefined>();
  const [isWanted, setWanted] = useState(false);
  const [at, setAt] = useState(0);
  const label = choices.find((choice) => choice.value === value)?.label ?? value;
  const shown = isWanted ? matching(choices, text, value) : [];
  const isOpen = shown.length > 0;
  const open = () => {
    setWanted(true);
    setAt(
      Math.max(
        0,
        matching(choices, text, value).findIndex((choice) => choice.value === value),
      ),
    );
  };
  const close = () => {
    setText(undefined);
    setWanted(false);
  };
  const take = (choice: Choice<string> | undefined) => {
    if (choice) onChange(choice.value);
    else if (isFree === true && text !== undefined) onChange(text);
    close();
  };
  return (
    <div className="relative">
      <Input
        role="combobox"
        aria-expanded={isOpen}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={isOpen ? `${list}-${at}` : undefined}
        autoComplete="off"
        placeholder={placeholder}
        className="pr-7"
        value={text ?? label}
        onChange={(event) => {
          setText(event.target.value);
          setWanted(true);
          setAt(0);
          onSearch?.(event.target.value);
        }}
        onClick={() => {
          if (!isWanted) open();
        }}
        onFocus={(event) => event.target.select()}
        onBlur={() => (text === undefined ? close() : take(undefined))}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") {
            event.preventDefault();
            if (isOpen) setAt(Math.min(at + 1, shown.length - 1));
            else open();
          } else if (event.key === "ArrowUp") {
            event.preventDefault();
            setAt(Math.max(at - 1, 0));
          } else if (event.key === "Enter" && isWanted) {
            event.preventDefault();
            take(shown[at]);
          } else if (event.key === "Escape" && isWanted) {
            event.stopPropagation();
            close();
          }
        }}
      />
      <Icon name="down" className="pointer-events-none absolute top-1/2 right-2 size-3.5 -translate-y-1/2 text-muted" />
      <ul
        id={list}
        role="listbox"
        aria-label="Choices"
        hidden={!isOpen}
        className="absolute z-30 mt-1 max-h-64 w-full min-w-40 overflow-auto rounded-md border bg-raised py-1 shadow-raised"
      >
        {shown.map((choice, place) => (
          <li
            key={choice.value}
            id={`${list}-${place}`}
            role="option"
            aria-selected={place === at}
            // The field would lose the focus, and close the list, before the press counts.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(choice)}
            className={classes("cursor-pointer truncate px-2.5 py-1 text-sm", place === at && "bg-hover")}
          >
            {choice.label}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** What fits what is written; without that all, of which the present one is never left out. */
function matching(choices: readonly Choice<string>[], text: string | undefined, value: string): Choice<string>[] {
  const wanted = text?.toLowerCase() ?? "";
  const found = choices.filter((choice) => choice.label.toLowerCase().includes(wanted));
  const place = found.findIndex((choice) => choice.value === value);
  const first = text === undefined && place >= SHOWN_MAX ? found.slice(place, place + 1) : [];
  return [...first, ...found].slice(0, SHOWN_MAX);
}
