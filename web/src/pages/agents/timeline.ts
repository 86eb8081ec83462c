import { type Part, partsOf } from "@/ui/messages";

/** An event of a run, as the API tells it. */
export interface RunEvent {
  position: string;
  revision: number;
  type: string;
  recordedAt: string;
  payload: unknown;
  reason?: string | null;
  actor: { kind: string; displayName?: string | null };
}

interface Step {
  /** The revision of the event with which it began. */
  key: number;
  position: string;
  at: string;
}

export interface ModelStep extends Step {
  kind: "model";
  turn: number;
  attempt: number;
  tookMs?: number;
  call?: string;
  provider?: string;
  model?: string;
  parts: readonly Part[];
  inputTokens?: number;
  outputTokens?: number;
  /** Billionths of the currency. */
  cost?: number;
  failure?: { code: string; message: string };
}

export interface ToolStep extends Step {
  kind: "tool";
  call: string;
  tool: string;
  arguments?: unknown;
  tookMs?: number;
  result?: string;
  cutOffFrom?: number;
  failure?: { code: string; message: string };
  isRefused?: boolean;
  approval?: { state: "asked" | "given" | "denied"; words: string; by?: string };
}

export interface MemoryStep extends Step {
  kind: "memory";
  exchanges: readonly { run: string; asked: string; answered: string }[];
}

/** Something that is told in one line. */
export interface NoteStep extends Step {
  kind: "note";
  tone: "neutral" | "good" | "warn" | "bad";
  title: string;
  text?: string;
  value?: unknown;
}

export type TimelineStep = ModelStep | ToolStep | MemoryStep | NoteStep;

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const object = (value: unknown): Json => (isObject(value) ? value : {});
const words = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** The events of a run as steps: a question with its answer is one, and so is a call of a tool with what it gave. */
export function timelineOf(events: readonly RunEvent[]): TimelineStep[] {
  const steps: TimelineStep[] = [];
  const tools = new Map<string, ToolStep>();
  let asked: ModelStep | undefined;
  for (const event of events) {
    const payload = object(event.payload);
    const step = { key: event.revision, position: event.position, at: event.recordedAt };
    const tool = tools.get(words(payload.call));
    const by = event.actor.displayName ?? undefined;
    switch (event.type) {
      case "AgentModelAsked":
        asked = {
          ...step,
          kind: "model",
          turn: number(payload.turn) ?? 0,
          attempt: number(payload.attempt) ?? 1,
          parts: [],
        };
        steps.push(asked);
        break;
      case "AgentModelAnswered":
      case "AgentModelFailed":
        if (asked === undefined || asked.turn !== number(payload.turn)) {
          asked = { ...step, kind: "model", turn: number(payload.turn) ?? 0, attempt: 1, parts: [] };
          steps.push(asked);
        } else asked.tookMs = Date.parse(event.recordedAt) - Date.parse(asked.at);
        if (event.type === "AgentModelAnswered") answered(asked, object(payload.answer));
        else asked.failure = { code: words(payload.code), message: words(payload.message) };
        break;
      case "AgentApprovalRequested":
      case "AgentToolCalled":
      case "AgentToolRefused": {
        const own = tool ?? newTool(step, payload);
        if (!tool) {
          steps.push(own);
          tools.set(own.call, own);
        }
        if (event.type === "AgentApprovalRequested") {
          const why = whyAsked(words(payload.reason));
          own.approval = { state: "asked", words: why };
        } else if (event.type === "AgentToolRefused") {
          own.isRefused = true;
          own.failure = { code: words(payload.code), message: words(payload.message) };
        } else {
          own.arguments = payload.arguments;
          own.at = event.recordedAt;
        }
        break;
      }
      case "AgentApprovalGiven":
        if (tool) tool.approval = { state: "given", words: words(payload.note), by };
        break;
      case "AgentApprovalDenied":
        if (tool) tool.approval = { state: "denied", words: words(payload.reason), by };
        break;
      case "AgentToolAnswered":
      case "AgentToolFailed":
        if (!tool) break;
        tool.tookMs = Date.parse(event.recordedAt) - Date.parse(tool.at);
        if (event.type === "AgentToolFailed")
          tool.failure = { code: words(payload.code), message: words(payload.message) };
        else {
          tool.result = words(payload.content);
          tool.cutOffFrom = number(payload.cut_off_from_bytes);
        }
        break;
      case "AgentMemoryRead":
        steps.push({ ...step, kind: "memory", exchanges: exchangesOf(payload.exchanges) });
        break;
      default:
        steps.push({ ...step, kind: "note", ...noteOf(event, payload) });
    }
  }
  return steps;
}

function whyAsked(reason: string): string {
  if (reason === "interrupted") return "It was begun and cut off: it may have happened.";
  if (reason === "tools_changed") return "Its server lists other tools than those it was granted for.";
  return "The agent's record wants it.";
}

function newTool(step: Step, payload: Json): ToolStep {
  return { ...step, kind: "tool", call: words(payload.call), tool: words(payload.tool), arguments: payload.arguments };
}

function answered(step: ModelStep, answer: Json): void {
  const usage = object(answer.usage);
  step.call = words(answer.call);
  step.provider = words(answer.provider);
  step.model = words(answer.model);
  step.parts = partsOf(answer.parts);
  step.inputTokens = number(usage.input_tokens);
  step.outputTokens = number(usage.output_tokens);
  step.cost = number(answer.cost);
}

function exchangesOf(value: unknown): MemoryStep["exchanges"] {
  if (!Array.isArray(value)) return [];
  return value
    .map(object)
    .map((one) => ({ run: words(one.run), asked: words(one.asked), answered: words(one.answered) }));
}

function noteOf(event: RunEvent, payload: Json): Omit<NoteStep, keyof Step | "kind"> {
  switch (event.type) {
    case "AgentRunStarted":
      return { tone: "neutral", title: "Started", value: payload.input };
    case "AgentRunForked":
      return {
        tone: "neutral",
        title: `Goes on from turn ${number(payload.turn) ?? "?"} of another run`,
        value: payload.changes,
      };
    case "AgentRunCompleted":
      return { tone: "good", title: "Came to its answer", value: payload.output };
    case "AgentRunFailed":
      return { tone: "bad", title: `Failed: ${words(payload.code)}`, text: words(payload.message) };
    case "AgentRunCancelled":
      return { tone: "warn", title: "Was ended", text: words(payload.reason) };
    case "AgentRunPaused":
      return { tone: "warn", title: "Was paused", text: words(payload.reason) };
    case "AgentRunResumed":
      return { tone: "neutral", title: "Went on" };
    case "AgentToolsListed":
      return {
        tone: "neutral",
        title: `Found the tools of ${words(payload.tool)}`,
        text: `${words(payload.server)}, protocol ${words(payload.protocol)}`,
        value: payload.tools,
      };
    case "AgentMemoryWritten":
      return { tone: "neutral", title: "What was said is remembered in its session" };
    case "AgentOutputRejected":
      return { tone: "warn", title: "The answer did not fit, and was sent back", text: words(payload.message) };
    default:
      return { tone: "neutral", title: event.type, value: payload };
  }
}

/** A sum in billionths as the decimal number that it is. */
export function fromBillionths(value: number): string {
  const sign = value < 0 ? "-" : "";
  const digits = String(Math.abs(value)).padStart(10, "0");
  const rest = digits.slice(-9).replace(/0+$/, "");
  return `${sign}${digits.slice(0, -9)}${rest === "" ? "" : `.${rest}`}`;
}

/** The first place at which two lists differ; `undefined` where they are the same. */
export function firstDifference(left: readonly unknown[], right: readonly unknown[]): number | undefined {
  const length = Math.max(left.length, right.length);
  for (let place = 0; place < length; place += 1) {
    if (JSON.stringify(left[place]) !== JSON.stringify(right[place])) return place;
  }
  return undefined;
}
