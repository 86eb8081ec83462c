import type { NodeGroup } from "@/gql/schema";
import { classes } from "@/ui";
import type { NodeType } from "../catalogue";

/** Marks of 16 × 16 for what nodes do, drawn in lines. */
const MARKS = {
  pointer: "M4.5 2.5v7.2l1.9-1.6 1.5 3.6 1.7-.7-1.5-3.5h2.6z",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M8 4.5V8l2.5 1.5",
  hook: "M6.5 6.5a2 2 0 1 1 2.9-1.8L11 9M9.8 11a2 2 0 1 0 2.2-2M4 9a2 2 0 1 0 2.5 2H10M5.2 9.2l2-3.4",
  globe: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M2.2 8h11.6M8 2c-4 4-4 8 0 12M8 2c4 4 4 8 0 12",
  code: "M5.5 4.5 2 8l3.5 3.5M10.5 4.5 14 8l-3.5 3.5M9 3 7 13",
  fork: "M2 8h4l3.5-4H14M6 8l3.5 4H14M12 2l2 2-2 2M12 10l2 2-2 2",
  funnel: "M2.5 3h11L9.5 8v4.5l-3 1V8z",
  join: "M2 4h3.5L9 8h5M2 12h3.5L9 8M12 6l2 2-2 2",
  loop: "M13 8a5 5 0 1 1-1.5-3.5L13 6M13 3v3h-3",
  pencil: "M3 13l.5-2.5 7-7 2 2-7 7zM9 5l2 2",
  cube: "M8 2l5.5 3v6L8 14l-5.5-3V5zM2.5 5 8 8l5.5-3M8 8v6",
  disks:
    "M2.5 4c0-1 2.5-2 5.5-2s5.5 1 5.5 2-2.5 2-5.5 2-5.5-1-5.5-2M2.5 4v8c0 1 2.5 2 5.5 2s5.5-1 5.5-2V4M2.5 8c0 1 2.5 2 5.5 2s5.5-1 5.5-2",
  star: "M8 2l1.4 4.6L14 8l-4.6 1.4L8 14l-1.4-4.6L2 8l4.6-1.4z",
  form: "M3.5 2.5h9v11h-9zM5.5 5.5h5M5.5 8h5M5.5 10.5h2.5",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3",
  sign: "M8 2.5 14.5 13.5h-13zM8 6.5v3.5M8 11.8h.01",
  calendar: "M3 4h10v9.5H3zM3 7h10M5.5 2.5v3M10.5 2.5v3",
  lock: "M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
  speech: "M2.5 3.5h11v7H7L4 13.5v-3H2.5z",
  note: "M3 3h10v6.5L9.5 13H3zM9.5 13V9.5H13",
  lines: "M2.5 4h11M2.5 8h7.5M2.5 12h4",
  tags: "M5 4 2 8l3 4M11 4l3 4-3 4M7 11l2-6",
  arrow: "M2.5 8h11M9.5 4l4 4-4 4",
  swap: "M2.5 5.5h10M10 3l2.5 2.5L10 8M13.5 10.5h-10M6 8l-2.5 2.5L6 13",
  picture: "M2.5 3.5h11v9h-11zM2.5 11l3.5-3.5 3 3 2-2 2.5 2.5M10.5 6h.01",
  scan: "M2.5 5.5v-3h3M10.5 2.5h3v3M13.5 10.5v3h-3M5.5 13.5h-3v-3M5 8h6",
  sum: "M12 3.5H4.5L8.5 8l-4 4.5H12",
  label: "M2.5 2.5h5l6 6-5 5-6-6zM5.5 5.5h.01",
  table: "M2.5 3h11v10h-11zM2.5 6.5h11M2.5 9.8h11M6.5 3v10",
  mail: "M2.5 4h11v8.5h-11zM2.5 4.5 8 9l5.5-4.5",
  waves:
    "M8 9.2a1.2 1.2 0 1 0 0-2.4 1.2 1.2 0 0 0 0 2.4M5.3 10.7a3.8 3.8 0 0 1 0-5.4M10.7 5.3a3.8 3.8 0 0 1 0 5.4M3.4 12.6a6.5 6.5 0 0 1 0-9.2M12.6 3.4a6.5 6.5 0 0 1 0 9.2",
  cut: "M4 5.5a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4M4 14a1.7 1.7 0 1 0 0-3.4A1.7 1.7 0 0 0 4 14M5.3 5l8 7M5.3 11l8-7",
  keys: "M4 2.5h8v11H4zM6 5h4M6 8h.01M8 8h.01M10 8h.01M6 11h.01M8 11h.01M10 11h.01",
  squares: "M4 4h3v3H4zM9 4h3v3H9zM4 9h3v3H4zM9 9h3v3H9z",
} as const;

/** By the catalogue's word for a picture: the mark that is drawn. A word that is new here has the squares. */
const BY_WORD: Readonly<Record<string, keyof typeof MARKS>> = {
  "arrow-down-a-z": "lines",
  "arrow-left-right": "swap",
  "arrow-right": "arrow",
  "calendar-clock": "calendar",
  "clipboard-list": "form",
  "clipboard-pen": "form",
  "code-xml": "tags",
  "copy-minus": "funnel",
  database: "disks",
  "database-zap": "disks",
  "file-archive": "file",
  "file-code": "tags",
  "file-input": "file",
  "file-key": "lock",
  "file-output": "file",
  "file-question": "file",
  "file-text": "file",
  folder: "file",
  "git-compare": "join",
  "image-plus": "picture",
  "key-round": "lock",
  "list-end": "lines",
  "log-in": "arrow",
  "message-circle": "speech",
  "message-square-text": "speech",
  "mouse-pointer-click": "pointer",
  "octagon-x": "sign",
  "scan-search": "scan",
  "scan-text": "scan",
  "shield-check": "lock",
  "sticky-note": "note",
  "table-properties": "table",
  "text-cursor-input": "pencil",
  "text-quote": "speech",
  bookmark: "label",
  broadcast: "waves",
  bot: "star",
  braces: "code",
  brain: "cube",
  bug: "sign",
  calculator: "keys",
  clock: "clock",
  code: "code",
  filter: "funnel",
  globe: "globe",
  group: "squares",
  "hard-drive": "disks",
  history: "disks",
  hourglass: "clock",
  image: "picture",
  link: "arrow",
  list: "lines",
  mail: "mail",
  merge: "join",
  orbit: "cube",
  pencil: "pencil",
  repeat: "loop",
  reply: "arrow",
  rss: "globe",
  scan: "scan",
  scissors: "cut",
  sheet: "table",
  server: "disks",
  shuffle: "swap",
  sigma: "sum",
  siren: "sign",
  smile: "speech",
  split: "fork",
  tags: "label",
  terminal: "code",
  timer: "clock",
  ungroup: "squares",
  waypoints: "hook",
  webhook: "hook",
  workflow: "loop",
};

const TONES: Readonly<Record<NodeGroup, string>> = {
  TRIGGERS: "bg-accent-soft text-accent",
  FLOW: "bg-warn-soft text-warn",
  DATA: "bg-info-soft text-info",
  HTTP_AND_FILES: "bg-good-soft text-good",
  DATABASES: "bg-good-soft text-good",
  AI: "bg-accent-soft text-accent",
  AI_PARTS: "bg-accent-soft text-accent",
  OLDER: "bg-sunken text-muted",
};

export interface NodeIconProps {
  /** Absent of a type that this build does not have. */
  type: Pick<NodeType, "icon" | "group"> | undefined;
  className?: string;
}

/** What a node does, at a glance. */
export function NodeIcon({ type, className }: NodeIconProps) {
  const mark = BY_WORD[type?.icon ?? ""] ?? "squares";
  return (
    <span
      aria-hidden
      className={classes(
        "inline-flex size-7 shrink-0 items-center justify-center rounded-md",
        type ? TONES[type.group] : "bg-sunken text-muted",
        className,
      )}
    >
      <svg
        viewBox="0 0 16 16"
        className="size-4"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.3"
        strokeLinecap="round"
        strokeLinejoin="round"
      >
        <path d={MARKS[mark]} />
      </svg>
    </span>
  );
}
