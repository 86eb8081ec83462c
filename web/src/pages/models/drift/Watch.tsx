import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { faultOf, useChange, useLastWrite, useLive } from "@/api";
import { useActions } from "@/app/actions";
import type { ModelDriftWatchQuery } from "@/gql/graphql";
import { Badge, Button, ConfirmDialog, FaultNote, PositionLink, Skeleton, Time, instant } from "@/ui";
import { Facts } from "@/ui/Facts";
import { Panel } from "@/ui/Panel";
import type { ModelShown } from "../ModelPage";
import { DriftReadings, DriftWatchChanged, DriftWatchOfModel, StopWatch } from "./documents";
import { Findings } from "./Findings";
import { Readings } from "./Readings";
import { few, tallyWords } from "./report";
import { readingsOf } from "./readings";
import { WatchDialog } from "./WatchDialog";

export type WatchShown = NonNullable<NonNullable<ModelDriftWatchQuery["model"]>["driftWatch"]>;

const HINT = "Every so many inferences are compared with a baseline as they come in; what drifted is an event.";

const route = getRouteApi("/models/$modelName");

/** The watch over a model: how it is set, what it judged and found; begun, changed and ended here. */
export function Watch({ model, mayWrite }: { model: ModelShown; mayWrite: boolean }) {
  const { watch: isOpen } = route.useSearch();
  const navigate = useNavigate({ from: "/models/$modelName" });
  const waitFor = useLastWrite();
  const name = model.name;
  const [{ data, error }, again] = useQuery({ query: DriftWatchOfModel, variables: { name, waitFor } });
  const [readings, readAgain] = useQuery({ query: DriftReadings, variables: { name, waitFor } });
  const reload = () => {
    again({ requestPolicy: "network-only" });
    readAgain({ requestPolicy: "network-only" });
  };
  useLive(DriftWatchChanged, { name }, reload, { position: (event) => event.events.position, fromNow: true });
  const [isEnding, setEnding] = useState(false);
  const [stop] = useChange(StopWatch, {
    payload: (changed) => changed.stopDriftWatch,
    done: "It is watched no more",
    failed: "The watch was not ended",
  });
  const setOpen = (next: boolean) =>
    void navigate({ search: (before) => ({ ...before, watch: next ? (true as const) : undefined }) });
  const watch = data?.model?.driftWatch;
  const isRunning = watch?.running === true;
  useActions(
    mayWrite
      ? [{ id: "model.watch", label: `Watch the drift of ${name}`, keywords: "baseline", run: () => setOpen(true) }]
      : [],
  );
  const actions = mayWrite && data && (
    <>
      <Button kind={isRunning ? "plain" : "primary"} size="small" onClick={() => setOpen(true)}>
        {isRunning ? "Change…" : watch ? "Watch again…" : "Watch it…"}
      </Button>
      {isRunning && (
        <Button kind="danger" size="small" onClick={() => setEnding(true)}>
          End…
        </Button>
      )}
    </>
  );
  return (
    <Panel title="Watch" hint={HINT} actions={actions}>
      {error && !data ? (
        <FaultNote fault={faultOf(error)} onRetry={reload} />
      ) : !data ? (
        <div aria-busy="true">
          <Skeleton className="h-16" />
        </div>
      ) : !watch ? (
        <p className="text-[13px] text-muted">
          Its drift is not watched.{" "}
          {mayWrite
            ? "A baseline needs at least 20 inferences that were kept whole."
            : "Whoever may change models can."}
        </p>
      ) : (
        <div className="flex flex-col gap-4">
          <Told watch={watch} />
          {readings.data ? (
            <Readings
              readings={readingsOf(readings.data.events.nodes, watch.startedAt)}
              drifted={watch.bounds?.drifted}
            />
          ) : readings.error ? (
            <FaultNote fault={faultOf(readings.error)} onRetry={reload} />
          ) : (
            <div aria-busy="true">
              <Skeleton className="h-16" />
            </div>
          )}
          <Findings findings={watch.findings} />
        </div>
      )}
      {mayWrite && data && (
        <WatchDialog model={model} watch={watch} isOpen={isOpen === true} onClose={() => setOpen(false)} />
      )}
      <ConfirmDialog
        title="End the watch"
        isOpen={isEnding}
        onClose={() => setEnding(false)}
        confirm="End the watch"
        isDangerous
        onConfirm={async () => (await stop({ input: { name } })).kind === "done"}
      >
        No more windows are judged. What was found stays.
      </ConfirmDialog>
    </Panel>
  );
}

/** How it is set, and how far it came. */
function Told({ watch }: { watch: WatchShown }) {
  const { running, baseline, bounds, last } = watch;
  const which = [
    ...(watch.version == null ? [] : [`that version ${watch.version} answers`]),
    ...(watch.alias == null ? [] : [`that ask for @${watch.alias}`]),
  ];
  return (
    <Facts
      label="The watch"
      facts={[
        [
          "State",
          <span key="state" className="inline-flex flex-wrap items-center gap-x-2">
            <Badge tone={running ? "good" : "neutral"}>{running ? "under way" : "ended"}</Badge>
            <Time value={running ? watch.startedAt : watch.stoppedAt} />
          </span>,
        ],
        [
          "Judges",
          `every ${watch.window?.toLocaleString() ?? "–"} inferences${which.length > 0 ? ` ${which.join(" and ")}` : ""}`,
        ],
        ["Baseline", baseline && baselineWords(baseline)],
        [
          "What counts",
          bounds &&
            `moderate from ${few(bounds.moderate)}, drifted from ${few(bounds.drifted)}, unless chance brings it as often as ${few(bounds.p)}`,
        ],
        ["Windows judged", watch.judged.toLocaleString()],
        [
          "The last one",
          last && (
            <span key="last" className="inline-flex flex-wrap items-center gap-x-2">
              {tallyWords(last)}
              {last.worstFeature != null && (
                <span className="text-muted">
                  <span className="font-mono text-xs">{last.worstFeature}</span> moved most, by {few(last.worstPsi)}
                </span>
              )}
              <Time value={last.judgedAt} />
              <PositionLink position={last.window.upTo} />
            </span>
          ),
        ],
      ]}
    />
  );
}

function baselineWords({ newest, from, until }: NonNullable<WatchShown["baseline"]>): string {
  if (from != null && until != null) return `what was answered from ${instant(from)} until ${instant(until)}`;
  return `the newest ${newest?.toLocaleString() ?? ""} before it began`;
}
