import { fromBillionths } from "./timeline";

/** What this app reads of an agent's record; docs/agents.md describes all of it. */
export interface AgentRecord {
  input_schema?: unknown;
  output_schema?: unknown;
  config_schema?: unknown;
  prompt?: string;
  model?: string;
  sampling?: Record<string, unknown>;
  tools?: AgentTool[];
  memory?: { exchanges_max?: number } | null;
  limits?: Record<string, unknown>;
  requirements?: Record<string, unknown>;
}

export interface AgentTool {
  name: string;
  description?: string;
  does?: Record<string, unknown>;
  parameters?: unknown;
  fixed?: Record<string, unknown>;
  approval?: string;
  repeatable?: boolean;
  calls_max?: number;
  time_ms_max?: number;
  result_bytes_max?: number;
}

/** A record, of which every word may be missing. */
export function recordOf(value: unknown): AgentRecord {
  return typeof value === "object" && value !== null ? value : {};
}

/** Where a tool reaches, in one line. */
export function reachOf(tool: AgentTool): string {
  const does = tool.does ?? {};
  const word = (name: string) => (typeof does[name] === "string" ? does[name] : "");
  switch (does.kind) {
    case "http":
      return `${word("method") || "GET"} ${word("url")}`;
    case "workflow":
      return `workflow ${word("workflow")}`;
    case "node":
      return `node ${word("node_type")}`;
    default:
      return JSON.stringify(does);
  }
}

/** A record as it is written: costs, which the API answers in billionths, are decimals in it. */
export function writtenRecord(record: unknown): unknown {
  const { limits } = recordOf(record);
  if (typeof limits?.cost !== "number") return record;
  return { ...recordOf(record), limits: { ...limits, cost: fromBillionths(limits.cost) } };
}

/** What limits are when a record does not name them. */
const LIMITS: readonly [name: string, words: string, usual: string][] = [
  ["turns", "Questions to the model", "16"],
  ["tool_calls", "Calls of tools", "64"],
  ["tokens", "Tokens", "200,000"],
  ["cost", "Cost", "no limit"],
  ["time_ms", "Time", "10 min"],
  ["approval_time_ms", "Time for an approval", "7 d"],
];

/** Limits by their words; `isUsual` where the record does not name them. */
export function limitsOf(
  record: AgentRecord,
  duration: (milliseconds: number) => string,
  money: (amount: string) => string,
): { words: string; value: string; isUsual: boolean }[] {
  return LIMITS.map(([name, words, usual]) => {
    const value = record.limits?.[name];
    if (value === undefined || value === null) return { words, value: usual, isUsual: true };
    return { words, value: limitWords(name, value, duration, money), isUsual: false };
  });
}

function limitWords(
  name: string,
  value: unknown,
  duration: (milliseconds: number) => string,
  money: (amount: string) => string,
): string {
  if (name === "cost")
    return money(
      typeof value === "number" ? fromBillionths(value) : typeof value === "string" ? value : JSON.stringify(value),
    );
  if (typeof value !== "number") return JSON.stringify(value);
  return name.endsWith("_ms") ? duration(value) : value.toLocaleString();
}
