import { type KeyboardEvent, useId, useRef, useState } from "react";
import { classes, useFieldAttributes } from "@/ui";
import { type Completions, complete, completionsAt } from "./completion";
import { type Preview, usePreview } from "./preview";
import { useSight } from "./sight";

export interface ExpressionInputProps {
  /** The node to which it belongs. */
  node: string;
  /** The text without the `=` before it. */
  value: string;
  onChange: (value: string) => void;
  label?: string;
  rows?: number;
}

const NOTHING: Completions = { from: 0, to: 0, options: [] };

/** An expression: suggestions by real data of a run while it is written, and beneath it what it gives. */
export function ExpressionInput({ node, value, onChange, label, rows }: ExpressionInputProps) {
  const [itemIndex, setItemIndex] = useState(0);
  const [hasFocus, setFocus] = useState(false);
  const preview = usePreview(node, value, itemIndex);
  return (
    <div className="flex flex-col gap-1" onFocus={() => setFocus(true)} onBlur={() => setFocus(false)}>
      <ScriptInput
        node={node}
        value={value}
        onChange={onChange}
        label={label}
        rows={rows ?? Math.min(8, Math.max(1, value.split("\n").length))}
        isWanted={hasFocus}
      />
      <PreviewLine preview={preview} itemIndex={itemIndex} onItem={setItemIndex} isShort={!hasFocus} />
    </div>
  );
}

export interface ScriptInputProps extends ExpressionInputProps {
  /** Whether suggestions are looked for. */
  isWanted: boolean;
  /** All of it is JavaScript, not only what is between braces. */
  isCode?: boolean;
  placeholder?: string;
  className?: string;
}

/** A text with suggestions beneath: arrows move among them, Enter or Tab takes one, Escape closes them. */
export function ScriptInput(props: ScriptInputProps) {
  const { node, value, onChange, label, rows, isWanted, isCode, placeholder, className } = props;
  const id = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const sight = useSight(node, isWanted);
  const [caret, setCaret] = useState<number>();
  const [at, setAt] = useState(0);
  const shown = caret === undefined ? NOTHING : suggestions(value, caret, sight, isCode === true);
  const isOpen = shown.options.length > 0;
  const place = Math.min(at, shown.options.length - 1);
  const take = (index: number) => {
    const option = shown.options[index];
    if (!option) return;
    const done = complete(value, shown, option);
    onChange(done.text);
    setAt(0);
    // A path goes on, so the next part is offered at once.
    setCaret(option.insert.endsWith(")") && !option.back ? undefined : done.caret);
    requestAnimationFrame(() => field.current?.setSelectionRange(done.caret, done.caret));
  };
  const go = (next: number) => {
    const bounded = (next + shown.options.length) % shown.options.length;
    setAt(bounded);
    list.current?.children[bounded]?.scrollIntoView({ block: "nearest" });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      setCaret(field.current?.selectionStart);
      return;
    }
    if (!isOpen) return;
    const steps: Record<string, () => void> = {
      ArrowDown: () => go(place + 1),
      ArrowUp: () => go(place - 1),
      Enter: () => take(place),
      Tab: () => take(place),
      Escape: () => setCaret(undefined),
    };
    const step = event.shiftKey || event.ctrlKey || event.metaKey ? undefined : steps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    step();
  };
  return (
    <div className="relative">
      <textarea
        {...useFieldAttributes()}
        ref={field}
        aria-label={label}
        placeholder={placeholder}
        aria-autocomplete="list"
        aria-haspopup="listbox"
        aria-controls={isOpen ? id : undefined}
        aria-activedescendant={isOpen ? `${id}-${place}` : undefined}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        rows={rows ?? 1}
        value={value}
        onChange={(event) => {
          onChange(event.target.value);
          setCaret(event.target.selectionStart);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
        onClick={() => setCaret(undefined)}
        onBlur={() => setCaret(undefined)}
        className={classes(
          "block w-full resize-y rounded-md border border-accent/60 bg-surface px-2.5 py-1.5 font-mono text-[12.5px] leading-5 text-text placeholder:text-muted",
          className,
        )}
      />
      {isOpen && (
        <ul
          ref={list}
          id={id}
          role="listbox"
          aria-label="Suggestions"
          className="absolute z-40 mt-1 max-h-64 w-full min-w-64 overflow-auto rounded-md border bg-raised py-1 shadow-raised"
        >
          {shown.options.map((option, index) => (
            <li
              key={option.label}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === place}
              // The field would lose the focus, and close the list, before the press counts.
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => take(index)}
              className={classes("flex cursor-pointer items-baseline gap-3 px-2.5 py-1", index === place && "bg-hover")}
            >
              <span className="shrink-0 font-mono text-[12.5px]">{option.label}</span>
              <span className="min-w-0 flex-1 truncate text-right text-xs text-muted">{option.detail}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function suggestions(
  value: string,
  caret: number,
  sight: Parameters<typeof completionsAt>[2],
  isCode: boolean,
): Completions {
  if (!isCode) return completionsAt(value, caret, sight);
  // A script is inside of braces from its first letter on. Where no `$` or `.` stands there is nothing to suggest.
  if (!/[$.][\p{ID_Continue}$]*$|\$\([^)]*$/u.test(value.slice(0, caret))) return NOTHING;
  const inner = completionsAt(`{{${value}`, caret + 2, sight);
  return { ...inner, from: inner.from - 2, to: inner.to - 2 };
}

interface PreviewLineProps {
  preview: Preview;
  itemIndex: number;
  onItem: (index: number) => void;
  /** Hints are for those who are writing. */
  isShort: boolean;
}

function PreviewLine({ preview, itemIndex, onItem, isShort }: PreviewLineProps) {
  if (preview.kind === "none") return isShort ? null : <p className="text-xs text-muted">{preview.why}</p>;
  const count = preview.kind === "value" ? preview.itemCount : 0;
  return (
    <div className="flex min-h-5 items-start gap-2 text-xs">
      <div role="status" className="min-w-0 flex-1 font-mono break-words">
        {preview.kind === "asking" && <span className="text-muted">…</span>}
        {preview.kind === "problem" && <span className="text-bad">{preview.message}</span>}
        {preview.kind === "value" && (
          <span className="text-good">
            {preview.value === undefined || preview.value === null ? (
              <span className="text-warn">{preview.value === null ? "nothing: undefined or null" : "undefined"}</span>
            ) : (
              shortened(preview.value)
            )}
          </span>
        )}
      </div>
      {count > 1 && (
        <span className="flex shrink-0 items-center gap-1 text-muted">
          <button
            type="button"
            aria-label="Item before"
            disabled={itemIndex === 0}
            onClick={() => onItem(itemIndex - 1)}
            className="px-1 disabled:opacity-40"
          >
            ‹
          </button>
          item {itemIndex + 1} of {count}
          <button
            type="button"
            aria-label="Next item"
            disabled={itemIndex >= count - 1}
            onClick={() => onItem(itemIndex + 1)}
            className="px-1 disabled:opacity-40"
          >
            ›
          </button>
        </span>
      )}
    </div>
  );
}

function shortened(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text === "") return "an empty text";
  return text.length > 300 ? `${text.slice(0, 297)}…` : text;
}
