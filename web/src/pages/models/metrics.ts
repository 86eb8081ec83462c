/** An inference, as far as its time counts. */
export interface Timed {
  askedAt?: string | null;
  status: string;
  queueUs?: number | null;
  computeUs?: number | null;
}

/** Sums over inferences that were not written down one by one. */
export interface Summed {
  from?: string | null;
  until?: string | null;
  completed: number;
  latencyCounts: readonly number[];
}

export interface Bucket {
  /** When it began, in seconds since 1970. */
  at: number;
  /** Answers. */
  count: number;
  failed: number;
  p50Us: number | null;
  p95Us: number | null;
}

/** The value below which this share of them is; `null` of none. */
export function quantile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? null;
}

/** How long an answer took from its coming in, in microseconds. */
export function latencyOf(inference: Timed): number | null {
  if (inference.status !== "COMPLETED" || inference.queueUs == null || inference.computeUs == null) return null;
  return inference.queueUs + inference.computeUs;
}

/**
 * Inferences and sums in buckets of one length. Of sums only how many took up to 2^n microseconds is known: each counts as
 * that bound, which is never too little.
 */
export function bucketsOf(
  inferences: readonly Timed[],
  sums: readonly Summed[],
  from: number,
  until: number,
  stepMs: number,
): Bucket[] {
  const count = Math.max(1, Math.ceil((until - from) / stepMs));
  const buckets = Array.from({ length: count }, () => ({ count: 0, failed: 0, latencies: [] as number[] }));
  const at = (time: string) => buckets[Math.floor((Date.parse(time) - from) / stepMs)];
  for (const inference of inferences) {
    const bucket = inference.askedAt == null ? undefined : at(inference.askedAt);
    if (!bucket) continue;
    bucket.count += 1;
    if (inference.status === "FAILED" || inference.status === "REJECTED") bucket.failed += 1;
    const latency = latencyOf(inference);
    if (latency !== null) bucket.latencies.push(latency);
  }
  for (const sum of sums) {
    const bucket = sum.until == null ? undefined : at(sum.until);
    if (!bucket) continue;
    bucket.count += sum.completed;
    for (const [power, many] of sum.latencyCounts.entries()) {
      // A thousandth is enough to tell a quantile by, and keeps a window of millions small.
      const shown = Math.ceil(many / Math.max(1, Math.ceil(sum.completed / 1000)));
      for (let each = 0; each < shown; each += 1) bucket.latencies.push(2 ** power);
    }
  }
  return buckets.map((bucket, place) => ({
    at: (from + place * stepMs) / 1000,
    count: bucket.count,
    failed: bucket.failed,
    p50Us: quantile(bucket.latencies, 0.5),
    p95Us: quantile(bucket.latencies, 0.95),
  }));
}
