import { type RawSearch, count, flag, oneOf, text } from "@/app/search";

export interface ModelsSearch {
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
  return { add: flag(raw.add), upload: id(raw.upload) };
}

export const MODEL_TABS = ["versions", "metrics", "inferences", "settings", "past"] as const;
export const INFERENCE_STATUSES = ["COMPLETED", "FAILED", "REJECTED", "CANCELLED", "COMPUTING", "REQUESTED"] as const;
export const RANGES = ["hour", "day", "week"] as const;

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
}

/** What the address of /models/$modelName says. */
export function modelSearch(raw: RawSearch): ModelSearch {
  const at = text(raw.at);
  return {
    tab: oneOf(MODEL_TABS, raw.tab),
    status: oneOf(INFERENCE_STATUSES, raw.status),
    version: count(raw.version),
    range: oneOf(RANGES, raw.range),
    alias: text(raw.alias),
    at: at !== undefined && !Number.isNaN(Date.parse(at)) ? at : undefined,
    add: flag(raw.add),
    upload: id(raw.upload),
  };
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
