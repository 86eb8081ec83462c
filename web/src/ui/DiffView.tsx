import { type ReactNode, useState } from "react";
import { Badge } from "./Badge";
import { Button } from "./Button";
import { jsonText } from "./json-lines";

/** A change as the API tells it. `path` is a JSON Pointer. */
export interface Change {
  op: string;
  path: string;
  before?: unknown;
  after?: unknown;
}

export interface DiffViewProps<C extends Change> {
  label: string;
  changes: readonly C[];
  /** What else is to be said of a change, such as which event wrote it. */
  aside?: (change: C) => ReactNode;
  empty?: ReactNode;
}

const SHOWN = 100;
const TEXT_MAX = 400;
const TONE: Record<string, "good" | "bad" | "warn"> = { add: "good", remove: "bad", replace: "warn" };
const WORD: Record<string, string> = { add: "added", remove: "removed", replace: "changed" };

/** What differs, path by path: before in one line, after in the next. */
export function DiffView<C extends Change>({ label, changes, aside, empty }: DiffViewProps<C>) {
  const [shown, setShown] = useState(SHOWN);
  if (changes.length === 0) return <>{empty ?? <p className="p-4 text-sm text-muted">Nothing differs.</p>}</>;
  return (
    <div>
      <ul aria-label={label} className="divide-y">
        {changes.slice(0, shown).map((change) => (
          <li key={`${change.op} ${change.path}`} className="px-3 py-2">
            <div className="flex flex-wrap items-center gap-2">
              <Badge tone={TONE[change.op] ?? "neutral"}>{WORD[change.op] ?? change.op}</Badge>
              <code className="min-w-0 font-mono text-[12.5px] break-all">
                {change.path === "" ? "(all of it)" : change.path}
              </code>
              {aside && <span className="ml-auto text-xs text-muted">{aside(change)}</span>}
            </div>
            {change.op !== "add" && (
              <Side sign="−" name="before" value={change.before} className="bg-bad-soft text-bad" />
            )}
            {change.op !== "remove" && (
              <Side sign="+" name="after" value={change.after} className="bg-good-soft text-good" />
            )}
          </li>
        ))}
      </ul>
      {changes.length > shown && (
        <div className="p-3">
          <Button size="small" onClick={() => setShown(shown + SHOWN)}>
            Show more ({changes.length - shown} left)
          </Button>
        </div>
      )}
    </div>
  );
}

function Side({ sign, name, value, className }: { sign: string; name: string; value: unknown; className: string }) {
  const [isWhole, setWhole] = useState(false);
  const text = jsonText(value);
  const isLong = text.length > TEXT_MAX;
  return (
    <div className={`mt-1 flex gap-2 rounded px-2 py-0.5 font-mono text-[12.5px] ${className}`}>
      <span aria-hidden>{sign}</span>
      <span className="sr-only">{name}: </span>
      <span className="min-w-0 break-all whitespace-pre-wrap">
        {isLong && !isWhole ? `${text.slice(0, TEXT_MAX)}…` : text}
        {isLong && (
          <button type="button" className="ml-2 underline" onClick={() => setWhole(!isWhole)}>
            {isWhole ? "less" : "all of it"}
          </button>
        )}
      </span>
    </div>
  );
}
