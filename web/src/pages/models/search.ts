export type ModelsSearch = Record<string, never>;

/** What the address of /models says: nothing yet. */
export function search(): ModelsSearch {
  return {};
}

export type ModelSearch = Record<string, never>;

/** What the address of /models/$modelName says: nothing yet. */
export function modelSearch(): ModelSearch {
  return {};
}

export type InferenceSearch = Record<string, never>;

/** What the address of /inferences/$inferenceId says: nothing yet. */
export function inferenceSearch(): InferenceSearch {
  return {};
}
