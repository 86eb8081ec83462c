export type ModelsSearch = Record<never, never>;

/** What the address of /models says: nothing yet. */
export function search(): ModelsSearch {
  return {};
}

export type ModelSearch = Record<never, never>;

/** What the address of /models/$modelName says: nothing yet. */
export function modelSearch(): ModelSearch {
  return {};
}

export type InferenceSearch = Record<never, never>;

/** What the address of /inferences/$inferenceId says: nothing yet. */
export function inferenceSearch(): InferenceSearch {
  return {};
}
