import { useState } from "react";
import { Badge } from "./Badge";
import { classes } from "./class-names";
import { jsonText } from "./json-lines";
import { type Message, type Part, withoutMarks } from "./messages";

const LONG = 1_200;
const ROLES: Record<string, string> = {
  system: "Told beforehand",
  user: "Asked",
  assistant: "Model",
  tool: "Tool gave",
};

/** A text of somebody: as it is, cut where it is long. */
export function LongText({ text, className }: { text: string; className?: string }) {
  const [isWhole, setWhole] = useState(false);
  const isLong = text.length > LONG;
  return (
    <div className={classes("text-[13px] break-words whitespace-pre-wrap", className)}>
      {isLong && !isWhole ? `${text.slice(0, LONG)}…` : text}
      {isLong && (
        <button type="button" className="ml-1 text-accent underline" onClick={() => setWhole(!isWhole)}>
          {isWhole ? "less" : `all ${text.length} characters`}
        </button>
      )}
    </div>
  );
}

/** What a message consists of. */
export function Parts({ parts }: { parts: readonly Part[] }) {
  return (
    <div className="flex flex-col gap-1.5">
      {parts.map((part, place) => (
        // Parts have no names of their own, and never move.
        <PartView key={place} part={part} />
      ))}
    </div>
  );
}

function PartView({ part }: { part: Part }) {
  const code = "overflow-x-auto rounded bg-sunken px-2 py-1 font-mono text-[12.5px]";
  switch (part.kind) {
    case "text":
      return <LongText text={part.text} />;
    case "thinking":
      return <LongText text={part.text} className="text-muted italic" />;
    case "call":
      return (
        <div className={code}>
          <Badge tone="accent">{part.name}</Badge> <span className="break-all">{jsonText(part.arguments)}</span>
        </div>
      );
    case "result":
      return <LongText text={withoutMarks(part.text)} className={code} />;
    default:
      return <LongText text={jsonText(part.value, 2)} className={code} />;
  }
}

export interface MessagesProps {
  label: string;
  messages: readonly Message[];
  /** From which one on they differ from what they are compared with. */
  differsFrom?: number;
}

/** What was said, one after the other. */
export function Messages({ label, messages, differsFrom }: MessagesProps) {
  return (
    <ol aria-label={label} className="divide-y">
      {messages.map((message, place) => (
        <li
          key={place}
          className={classes(
            "border-l-2 px-4 py-2.5",
            differsFrom !== undefined && place >= differsFrom ? "border-l-warn" : "border-l-transparent",
            place === differsFrom && "bg-warn-soft",
          )}
        >
          <div className="mb-0.5 flex items-center gap-2 text-xs font-medium text-muted">
            {ROLES[message.role] ?? message.role}
            {place === differsFrom && <Badge tone="warn">first difference</Badge>}
          </div>
          <Parts parts={message.parts} />
        </li>
      ))}
    </ol>
  );
}
