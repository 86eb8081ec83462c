import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { type Fault, client, faultOf, graphql, useLive } from "@/api";
import { EmptyState, ErrorState, Field, Select, Skeleton, duration } from "@/ui";
import { LineChart } from "@/ui/LineChart";
import { Panel } from "@/ui/Panel";
import { type Summed, type Timed, bucketsOf, latencyOf, quantile } from "./metrics";
import { RANGES } from "./search";

const NewestInferences = graphql(`
  query ModelMetrics($model: String!, $after: String) {
    inferences(first: 100, after: $after, filter: { model: $model }) {
      nodes {
        askedAt
        status
        queueUs
        computeUs
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const NewestWindows = graphql(`
  query ModelWindows($model: String!) {
    inferenceWindows(first: 100, model: $model) {
      nodes {
        from
        until
        completed
        latencyCounts
      }
    }
  }
`);

const MetricsChanged = graphql(`
  subscription ModelMetricsChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["inference"] }) {
      position
    }
  }
`);

const LENGTHS: Record<(typeof RANGES)[number], { words: string; ms: number; stepMs: number; step: string }> = {
  hour: { words: "the last hour", ms: 3_600_000, stepMs: 60_000, step: "minute" },
  day: { words: "the last day", ms: 86_400_000, stepMs: 1_800_000, step: "half an hour" },
  week: { words: "the last 7 days", ms: 7 * 86_400_000, stepMs: 3 * 3_600_000, step: "3 hours" },
};
/** Pages of a hundred that are looked at: the newest 1,000 inferences. */
const PAGES_MAX = 10;

interface Looked {
  inferences: readonly Timed[];
  sums: readonly Summed[];
  /** Whether there were more than were looked at. */
  isCut: boolean;
  from: number;
  until: number;
}

/** Reads what there is of a model since then: page by page, until an older one comes. */
async function lookAt(model: string, from: number, until: number): Promise<Looked | Fault> {
  const inferences: Timed[] = [];
  let after: string | undefined;
  let isCut = false;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await client
      .query(NewestInferences, { model, after }, { requestPolicy: "network-only" })
      .toPromise();
    if (answer.error) return faultOf(answer.error);
    const found = answer.data?.inferences;
    inferences.push(...(found?.nodes ?? []));
    const oldest = inferences.at(-1);
    if (found?.pageInfo.hasNextPage !== true || (oldest?.askedAt != null && Date.parse(oldest.askedAt) < from)) break;
    after = found.pageInfo.endCursor ?? undefined;
    isCut = page === PAGES_MAX - 1;
  }
  const windows = await client.query(NewestWindows, { model }, { requestPolicy: "network-only" }).toPromise();
  if (windows.error) return faultOf(windows.error);
  return { inferences, sums: windows.data?.inferenceWindows.nodes ?? [], isCut, from, until };
}

const route = getRouteApi("/models/$modelName");

/** How often a model answered, and how quickly. */
export function Metrics({ model }: { model: string }) {
  const { range = "hour" } = route.useSearch();
  const navigate = useNavigate({ from: "/models/$modelName" });
  const [looked, setLooked] = useState<Looked | Fault | undefined>();
  const [round, setRound] = useState(0);
  const { ms, stepMs, words, step } = LENGTHS[range];
  useEffect(() => {
    let isGone = false;
    const until = Date.now();
    void lookAt(model, until - ms, until).then((found) => {
      if (!isGone) setLooked(found);
    });
    return () => {
      isGone = true;
    };
  }, [model, ms, round]);
  // Answers may come by the thousand: charts follow them every few seconds.
  const [isDue, setDue] = useState(false);
  useEffect(() => {
    if (!isDue) return undefined;
    const timer = setTimeout(() => {
      setDue(false);
      setRound((count) => count + 1);
    }, 3_000);
    return () => clearTimeout(timer);
  }, [isDue]);
  useLive(MetricsChanged, {}, () => setDue(true), { position: (event) => event.events.position, fromNow: true });
  const chooser = (
    <Field label="Time" hideLabel className="w-40">
      <Select
        value={range}
        choices={RANGES.map((value) => ({ value, label: LENGTHS[value].words }))}
        onChange={(next) =>
          void navigate({
            search: (before) => ({ ...before, range: next === "hour" ? undefined : next }),
            replace: true,
          })
        }
      />
    </Field>
  );
  if (looked === undefined) {
    return (
      <div className="flex flex-col gap-4 p-4 md:p-6" aria-busy="true">
        <Skeleton className="h-52" />
        <Skeleton className="h-52" />
      </div>
    );
  }
  if ("kind" in looked) return <ErrorState fault={looked} onRetry={() => setRound(round + 1)} />;
  const buckets = bucketsOf(looked.inferences, looked.sums, looked.from, looked.until, stepMs);
  const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  const failed = buckets.reduce((sum, bucket) => sum + bucket.failed, 0);
  const latencies = looked.inferences
    .filter((one) => one.askedAt != null && Date.parse(one.askedAt) >= looked.from)
    .flatMap((one) => latencyOf(one) ?? []);
  const numbers: [string, string][] = [
    ["Asked", `${total.toLocaleString()}${looked.isCut ? " or more" : ""}`],
    ["Not answered", failed.toLocaleString()],
    ["Half within (p50)", microWords(quantile(latencies, 0.5))],
    ["95 of 100 within (p95)", microWords(quantile(latencies, 0.95))],
  ];
  const times = buckets.map((bucket) => bucket.at);
  return (
    <div className="flex flex-col gap-4 p-4 md:p-6">
      <div className="flex flex-wrap items-center justify-between gap-2">
        {chooser}
        {looked.isCut && <p className="text-xs text-warn">Only the newest 1,000 inferences are looked at.</p>}
      </div>
      <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border bg-line lg:grid-cols-4">
        {numbers.map(([name, value]) => (
          <div key={name} className="bg-surface px-4 py-3">
            <dt className="text-xs text-muted">{name}</dt>
            <dd className="text-lg font-semibold tabular-nums">{value}</dd>
          </div>
        ))}
      </dl>
      {total === 0 ? (
        <EmptyState icon="model" title={`It was not asked in ${words}`}>
          Numbers come of inferences that are written down, and of the sums of those that are not.
        </EmptyState>
      ) : (
        <>
          <Panel title="Requests" hint={`By ${step}`}>
            <LineChart
              label={`Requests by ${step} in ${words}: ${total}, of which ${failed} were not answered`}
              times={times}
              format={(value) => value.toLocaleString(undefined, { maximumFractionDigits: 1 })}
              series={[
                { label: "asked", colour: "accent", isBars: true, values: buckets.map((bucket) => bucket.count) },
                { label: "not answered", colour: "warn", values: buckets.map((bucket) => bucket.failed) },
              ]}
            />
          </Panel>
          <Panel title="Latency" hint="From its coming in to its answer: waiting and computing">
            <LineChart
              label={`Latency in ${words}: half within ${microWords(quantile(latencies, 0.5))}, 95 of 100 within ${microWords(quantile(latencies, 0.95))}`}
              times={times}
              format={(value) => duration(value / 1000)}
              series={[
                { label: "p50", colour: "info", values: buckets.map((bucket) => bucket.p50Us) },
                { label: "p95", colour: "warn", values: buckets.map((bucket) => bucket.p95Us) },
              ]}
            />
          </Panel>
        </>
      )}
    </div>
  );
}

const microWords = (value: number | null) => (value === null ? "–" : duration(value / 1000));
