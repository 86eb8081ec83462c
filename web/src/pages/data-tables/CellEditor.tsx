import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { classes } from "@/ui";
import type { TableColumn } from "./cells";

/** Where somebody goes who leaves a cell. */
export type Leaves = "down" | "right" | "left" | "here" | "away";

export interface CellEditorProps {
  label: string;
  type: TableColumn["type"];
  /** What is in the cell. */
  text: string;
  /** Writes it; answers what is wrong with it. */
  onWrite: (text: string) => Promise<string | undefined>;
  onLeave: (leaves: Leaves) => void;
}

/** Lines that a text may show at once. */
const LINES_MAX = 8;
const BOX =
  "absolute inset-x-0 top-0 z-[3] min-h-full w-full resize-none rounded-sm border-2 border-accent bg-raised px-2 py-1 text-[13px] leading-[22px] text-text shadow-raised outline-none";

/** A cell that is being written: Enter and Tab keep it, Escape leaves it as it was. */
export function CellEditor({ label, type, text, onWrite, onLeave }: CellEditorProps) {
  const [draft, setDraft] = useState(text);
  const [problem, setProblem] = useState<string>();
  const field = useRef<HTMLTextAreaElement & HTMLSelectElement>(null);
  const isBusy = useRef(false);
  useEffect(() => {
    field.current?.focus();
    if (field.current && "select" in field.current) field.current.select();
  }, []);
  const keep = async (next: string, leaves: Leaves) => {
    if (isBusy.current) return;
    if (next === text) {
      onLeave(leaves);
      return;
    }
    isBusy.current = true;
    const wrong = await onWrite(next);
    isBusy.current = false;
    if (wrong === undefined) onLeave(leaves);
    else {
      setProblem(wrong);
      field.current?.focus();
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault();
      isBusy.current = true;
      onLeave("here");
    } else if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey)) {
      event.preventDefault();
      void keep(draft, event.key === "Enter" ? "down" : event.shiftKey ? "left" : "right");
    }
  };
  const attributes = {
    ref: field,
    "aria-label": label,
    "aria-invalid": problem !== undefined || undefined,
    onKeyDown,
    onBlur: () => void keep(draft, "away"),
    className: classes(BOX, problem !== undefined && "border-bad"),
  };
  return (
    <>
      {type === "BOOLEAN" ? (
        <select {...attributes} value={draft} onChange={(event) => setDraft(event.target.value)}>
          <option value="">empty</option>
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      ) : (
        <textarea
          {...attributes}
          rows={type === "STRING" ? Math.min(LINES_MAX, draft.split("\n").length) : 1}
          spellCheck={type === "STRING"}
          inputMode={type === "NUMBER" ? "decimal" : undefined}
          placeholder={type === "DATE" ? "2026-03-31 14:00, in UTC" : undefined}
          value={draft}
          onChange={(event) => {
            setDraft(event.target.value);
            setProblem(undefined);
          }}
        />
      )}
      {problem !== undefined && (
        <p
          role="alert"
          className="absolute top-full left-0 z-[3] mt-1 w-64 rounded-md border border-bad bg-raised px-2 py-1 text-left text-xs text-bad shadow-raised"
        >
          {problem}
        </p>
      )}
    </>
  );
}
