import { useId, useState } from "react";
import { classes } from "./class-names";
import { type Choice, Input } from "./Field";

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

/** One of many, found by writing. */
export function Combobox({ value, onChange, choices, placeholder, onSearch, isFree }: ComboboxProps) {
  const list = useId();
  const [text, setText] = useState<string | undefined>();
  const [at, setAt] = useState(0);
  const label = choices.find((choice) => choice.value === value)?.label ?? value;
  const shown =
    text === undefined
      ? []
      : choices.filter((choice) => choice.label.toLowerCase().includes(text.toLowerCase())).slice(0, SHOWN_MAX);
  const take = (choice: Choice<string> | undefined) => {
    if (choice) onChange(choice.value);
    else if (isFree === true && text !== undefined) onChange(text);
    setText(undefined);
  };
  const isOpen = text !== undefined && shown.length > 0;
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
        value={text ?? label}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
          onSearch?.(event.target.value);
        }}
        onFocus={(event) => event.target.select()}
        onBlur={() => (isFree === true && text !== undefined ? take(undefined) : setText(undefined))}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") {
            event.preventDefault();
            if (text === undefined) setText("");
            else setAt(Math.min(at + 1, shown.length - 1));
          } else if (event.key === "ArrowUp") {
            event.preventDefault();
            setAt(Math.max(at - 1, 0));
          } else if (event.key === "Enter" && text !== undefined) {
            event.preventDefault();
            take(shown[at]);
          } else if (event.key === "Escape" && text !== undefined) {
            event.stopPropagation();
            setText(undefined);
          }
        }}
      />
      <ul
        id={list}
        role="listbox"
        aria-label="Choices"
        hidden={!isOpen}
        className="absolute z-30 mt-1 max-h-64 w-full overflow-auto rounded-md border bg-raised py-1 shadow-raised"
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
