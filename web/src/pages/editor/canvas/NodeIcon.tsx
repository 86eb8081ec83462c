import { classes } from "@/ui";
import type { Group } from "../catalogue";

/** Marks of 16 × 16 for what nodes do, drawn in lines. */
const MARKS: readonly [RegExp, string][] = [
  [/manualTrigger|\.start$/, "M4.5 2.5v7.2l1.9-1.6 1.5 3.6 1.7-.7-1.5-3.5h2.6z"],
  [/scheduleTrigger|cron|interval|\.wait$/, "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M8 4.5V8l2.5 1.5"],
  [/webhook/i, "M6.5 6.5a2 2 0 1 1 2.9-1.8L11 9M9.8 11a2 2 0 1 0 2.2-2M4 9a2 2 0 1 0 2.5 2H10M5.2 9.2l2-3.4"],
  [/httpRequest|rssFeed|graphql/, "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M2.2 8h11.6M8 2c-4 4-4 8 0 12M8 2c4 4 4 8 0 12"],
  [/\.code|function|toolCode/, "M5.5 4.5 2 8l3.5 3.5M10.5 4.5 14 8l-3.5 3.5M9 3 7 13"],
  [/\.if$|switch|textClassifier/, "M2 8h4l3.5-4H14M6 8l3.5 4H14M12 2l2 2-2 2M12 10l2 2-2 2"],
  [/filter|limit|removeDuplicates/, "M2.5 3h11L9.5 8v4.5l-3 1V8z"],
  [/merge|compareDatasets/, "M2 4h3.5L9 8h5M2 12h3.5L9 8M12 6l2 2-2 2"],
  [/splitInBatches|executeWorkflow|toolWorkflow/, "M13 8a5 5 0 1 1-1.5-3.5L13 6M13 3v3h-3"],
  [/\.set$|renameKeys|editImage/, "M3 13l.5-2.5 7-7 2 2-7 7zM9 5l2 2"],
  [/lmChat|\.model$|Classification|objectDetection|tabular/, "M8 2l5.5 3v6L8 14l-5.5-3V5zM2.5 5 8 8l5.5-3M8 8v6"],
  [
    /memory|vectorStore|[eE]mbeddings/,
    "M2.5 4c0-1 2.5-2 5.5-2s5.5 1 5.5 2-2.5 2-5.5 2-5.5-1-5.5-2M2.5 4v8c0 1 2.5 2 5.5 2s5.5-1 5.5-2V4M2.5 8c0 1 2.5 2 5.5 2s5.5-1 5.5-2",
  ],
  [
    /tool[A-Z]|Tool$/,
    "M10 2.5a3.5 3.5 0 0 0-3.3 4.7L2.5 11.4l2.1 2.1 4.2-4.2A3.5 3.5 0 0 0 13.3 5L11 7.2 8.8 5 11 2.7z",
  ],
  [/agent|chain|Extractor|sentiment|entities/, "M8 2l1.4 4.6L14 8l-4.6 1.4L8 14l-1.4-4.6L2 8l4.6-1.4z"],
  [/form/i, "M3.5 2.5h9v11h-9zM5.5 5.5h5M5.5 8h5M5.5 10.5h2.5"],
  [/File|compression|binary|spreadsheet|document|ocr/i, "M4 2.5h5l3 3v8H4zM9 2.5v3h3"],
  [/error|stop/i, "M8 2.5 14.5 13.5h-13zM8 6.5v3.5M8 11.8h.01"],
  [/date|time/i, "M3 4h10v9.5H3zM3 7h10M5.5 2.5v3M10.5 2.5v3"],
  [/crypto|jwt|totp/, "M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5"],
  [/chat/i, "M2.5 3.5h11v7H7L4 13.5v-3H2.5z"],
  [/stickyNote/, "M3 3h10v6.5L9.5 13H3zM9.5 13V9.5H13"],
  [/aggregate|summarize|splitOut|sort|itemLists/, "M2.5 4h11M2.5 8h7.5M2.5 12h4"],
  [/html|xml|markdown/i, "M5 4 2 8l3 4M11 4l3 4-3 4M7 11l2-6"],
];
const ANY = "M4 4h3v3H4zM9 4h3v3H9zM4 9h3v3H4zM9 9h3v3H9z";

const TONES: Record<Group, string> = {
  Triggers: "bg-accent-soft text-accent",
  Flow: "bg-warn-soft text-warn",
  Data: "bg-info-soft text-info",
  HTTP: "bg-good-soft text-good",
  Files: "bg-sunken text-text",
  AI: "bg-accent-soft text-accent",
  "Parts of agents": "bg-accent-soft text-accent",
  Notes: "bg-warn-soft text-warn",
};

export interface NodeIconProps {
  type: string;
  group: Group | undefined;
  className?: string;
}

/** What a node does, at a glance. */
export function NodeIcon({ type, group, className }: NodeIconProps) {
  const short = type.slice(type.lastIndexOf(".") + 1);
  const mark = MARKS.find(([name]) => name.test(`.${short}`))?.[1] ?? ANY;
  return (
    <span
      aria-hidden
      className={classes(
        "inline-flex size-7 shrink-0 items-center justify-center rounded-md",
        group ? TONES[group] : "bg-sunken text-muted",
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
        <path d={mark} />
      </svg>
    </span>
  );
}
