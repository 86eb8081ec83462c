import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useChange } from "@/api";
import { Badge, Button, ConfirmDialog } from "@/ui";
import { Panel } from "@/ui/Panel";
import { BeginRollout, HINT, Slider } from "./BeginRollout";
import { EndRollout, StepRollout } from "./documents";
import { METRICS } from "./guard";
import type { ModelShown } from "./ModelPage";

/** The trial of a version: begun, stepped and ended. */
export function Rollout({ model, mayWrite }: { model: ModelShown; mayWrite: boolean }) {
  if (model.rollout) return <UnderWay model={model} rollout={model.rollout} mayWrite={mayWrite} />;
  return <BeginRollout model={model} mayWrite={mayWrite} />;
}

/** Leads to the inferences of a version. */
function Answered({ version, status, children }: { version: number; status?: "FAILED"; children: ReactNode }) {
  return (
    <Link from="/models/$modelName" search={{ tab: "inferences", version, status }} className="text-accent underline">
      {children}
    </Link>
  );
}

/** What is counted of each side, and when the trial ends by itself. */
function Figures({ rollout }: { rollout: NonNullable<ModelShown["rollout"]> }) {
  const { guard, figures } = rollout;
  const bound =
    guard && (guard.metric === "LATENCY_P95" ? `${guard.bound} ms` : `${+(guard.bound * 100).toFixed(4)} %`);
  const sides = figures ? [["tried", figures.candidate] as const, ["others", figures.stable] as const] : [];
  return (
    <>
      {guard && (
        <p className="text-[13px] text-muted">
          It ends by itself when its {METRICS[guard.metric].label} is above {bound}, after {guard.fewest} or more.
        </p>
      )}
      {sides.map(([side, counted]) => (
        <p key={side} className="text-[13px] tabular-nums text-muted">
          {side}: {counted.answered} answered, {counted.failed} failed
          {counted.latencyP95Us != null && `, 95 of 100 within ${(counted.latencyP95Us / 1000).toFixed(1)} ms`}
        </p>
      ))}
      {figures != null && figures.compared > 0 && (
        <p className="text-[13px] tabular-nums text-muted">
          {figures.compared} copies compared, {figures.disagreed} of them other answers
        </p>
      )}
    </>
  );
}

interface UnderWayProps {
  model: ModelShown;
  rollout: NonNullable<ModelShown["rollout"]>;
  mayWrite: boolean;
}

function UnderWay({ model, rollout, mayWrite }: UnderWayProps) {
  // Against which it is tried: whichever the requests mean of which it gets a part.
  const stable =
    rollout.alias == null ? model.promotedVersion : model.aliases.find((one) => one.alias === rollout.alias)?.version;
  const [percent, setPercent] = useState(rollout.percent);
  const [ending, setEnding] = useState<"promote" | "stop" | undefined>();
  const [step, isStepping] = useChange(StepRollout, {
    payload: (data) => data.stepModelRollout,
    done: "The share is changed",
    failed: "The share was not changed",
  });
  const [end] = useChange(EndRollout, {
    payload: (data) => data.endModelRollout,
    done: "The trial has ended",
    failed: "The trial did not end",
  });
  const finish = async (promote: boolean, reason: string | undefined) =>
    (await end({ input: { name: model.name, promote, reason: reason ?? "" } })).kind === "done";
  const close = () => setEnding(undefined);
  return (
    <Panel title="Roll-out" hint={HINT}>
      <div className="flex flex-col gap-3">
        <p className="flex flex-wrap items-center gap-2 text-[13px]">
          Version {rollout.version} {rollout.shadow ? "computes copies of" : "answers"} {rollout.percent} % of the
          requests{rollout.alias != null && ` that name @${rollout.alias}`}
          <Badge tone="warn">{rollout.shadow ? "shadow" : "canary"}</Badge>
        </p>
        <Figures rollout={rollout} />
        <p className="text-[13px] text-muted">
          Look at <Answered version={rollout.version}>what it answered</Answered>
          {stable != null && (
            <>
              {" "}
              beside <Answered version={stable}>what version {stable} did</Answered>
            </>
          )}
          , or at{" "}
          <Answered version={rollout.version} status="FAILED">
            what it failed at
          </Answered>
          .
        </p>
        {mayWrite && (
          <>
            <Slider percent={percent} most={rollout.shadow ? 100 : 99} onChange={setPercent} />
            <div className="flex flex-wrap gap-2">
              <Button
                kind="primary"
                isBusy={isStepping}
                disabled={percent === rollout.percent}
                onClick={() => void step({ input: { name: model.name, percent } })}
              >
                Step to {percent} %
              </Button>
              <Button onClick={() => setEnding("promote")}>End, and promote it</Button>
              <Button kind="danger" onClick={() => setEnding("stop")}>
                End
              </Button>
            </div>
          </>
        )}
      </div>
      <ConfirmDialog
        title={`Promote version ${rollout.version}`}
        isOpen={ending === "promote"}
        onClose={close}
        confirm="End and promote"
        reason="required"
        onConfirm={(reason) => finish(true, reason)}
      >
        The trial ends, and all requests that {rollout.alias == null ? "name no version" : `name @${rollout.alias}`} are
        answered by it.
      </ConfirmDialog>
      <ConfirmDialog
        title="End the trial"
        isOpen={ending === "stop"}
        onClose={close}
        confirm="End the trial"
        isDangerous
        reason="required"
        onConfirm={(reason) => finish(false, reason)}
      >
        Version {stable ?? "that is meant"} answers all {rollout.alias == null ? "" : "of these "}requests again.
      </ConfirmDialog>
    </Panel>
  );
}
