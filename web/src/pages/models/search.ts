import { type RawSearch, count, flag, fraction, oneOf, text } from "@/app/search";

export interface ModelsSearch {
  /** `drift` shows what watches over them find. */
  tab?: "drift";
  /** Whether a file is to be added. */
  add?: true;
  /** The upload that goes on. */
  upload?: string;
}

const id = (value: unknown) => {
  const found = text(value);
  return found !== undefined && /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(found) ? found : undefined;
};

/** What the address of /models says. */
export function search(raw: RawSearch): ModelsSearch {
  return { tab: oneOf(["drift"], raw.tab), add: flag(raw.add), upload: id(raw.upload) };
}

export const MODEL_TABS = ["versions", "metrics", "inferences", "drift", "settings", "past"] as const;
export const INFERENCE_STATUSES = ["COMPLETED", "FAILED", "REJECTED", "CANCELLED", "COMPUTING", "REQUESTED"] as const;
export const RANGES = ["hour", "day", "week"] as const;
export const COMPARISONS = ["newest", "times"] as const;

export interface ModelSearch {
  tab?: (typeof MODEL_TABS)[number];
  /** Which inferences. */
  status?: (typeof INFERENCE_STATUSES)[number];
  version?: number;
  /** Of the metrics. */
  range?: (typeof RANGES)[number];
  /** What was asked for, and when: `2026-03-14T12:00`, as clocks here show it. */
  alias?: string;
  at?: string;
  add?: true;
  upload?: string;
  /** What is compared for drift: the newest with those before them, or what was answered in two times; absent = nothing. */
  compare?: (typeof COMPARISONS)[number];
  /** How many of the newest. */
  last?: number;
  /** Moments such as `2026-03-14T12:00:00.000Z`. */
  baselineFrom?: string;
  baselineUntil?: string;
  windowFrom?: string;
  windowUntil?: string;
  /** What counts as drift; absent = the usual bounds. */
  moderate?: number;
  drifted?: number;
  chance?: number;
  /** Whether a watch over its drift is being set up. */
  watch?: true;
}

/** What the address of /models/$modelName says. */
export function modelSearch(raw: RawSearch): ModelSearch {
  return {
    tab: oneOf(MODEL_TABS, raw.tab),
    status: oneOf(INFERENCE_STATUSES, raw.status),
    version: count(raw.version),
    range: oneOf(RANGES, raw.range),
    alias: text(raw.alias),
    at: moment(raw.at),
    add: flag(raw.add),
    upload: id(raw.upload),
    compare: oneOf(COMPARISONS, raw.compare),
    last: count(raw.last),
    baselineFrom: moment(raw.baselineFrom),
    baselineUntil: moment(raw.baselineUntil),
    windowFrom: moment(raw.windowFrom),
    windowUntil: moment(raw.windowUntil),
    moderate: fraction(raw.moderate),
    drifted: fraction(raw.drifted),
    chance: fraction(raw.chance),
    watch: flag(raw.watch),
  };
}

function moment(value: unknown): string | undefined {
  const found = text(value);
  return found !== undefined && !Number.isNaN(Date.parse(found)) ? found : undefined;
}

export type InferenceSearch = Record<string, never>;

/** What the address of /inferences/$inferenceId says: nothing yet. */
export function inferenceSearch(): InferenceSearch {
  return {};
}

/** What the server has at an address of its own among those of models; the names of models have no `~`. */
const TAKEN = "uploads";

/** How a model's name is written in an address. */
export function addressOfName({ modelName }: { modelName: string }): { modelName: string } {
  return { modelName: modelName === TAKEN ? `~${modelName}` : modelName };
}

/** The name that an address means. */
export function nameInAddress({ modelName }: { modelName: string }): { modelName: string } {
  return { modelName: modelName === `~${TAKEN}` ? TAKEN : modelName };
}
