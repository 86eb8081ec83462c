import { useState } from "react";
import { useChange } from "@/api";
import { Badge, Button, ConfirmDialog, Field, Select, Switch } from "@/ui";
import { Panel } from "@/ui/Panel";
import { EndRollout, StartRollout, StepRollout } from "./documents";
import type { ModelShown } from "./ModelPage";

const HINT = "Tries a version on a part of the requests that name none.";

/** The trial of a version: begun, stepped and ended. */
export function Rollout({ model, mayWrite }: { model: ModelShown; mayWrite: boolean }) {
  if (model.rollout) return <UnderWay model={model} rollout={model.rollout} mayWrite={mayWrite} />;
  return <Begin model={model} mayWrite={mayWrite} />;
}

interface SliderProps {
  percent: number;
  most: number;
  onChange: (percent: number) => void;
  disabled?: boolean;
}

function Slider({ percent, most, onChange, disabled }: SliderProps) {
  return (
    <Field
      label={
        <span className="flex justify-between gap-2">
          Share of the requests <span className="tabular-nums">{percent} %</span>
        </span>
      }
    >
      <Range percent={percent} most={most} onChange={onChange} disabled={disabled} />
    </Field>
  );
}

function Range({ percent, most, onChange, disabled }: SliderProps) {
  return (
    <input
      type="range"
      aria-label="Share of the requests"
      aria-valuetext={`${percent} percent`}
      min={1}
      max={most}
      value={percent}
      disabled={disabled}
      onChange={(event) => onChange(Number(event.target.value))}
      className="w-full accent-accent"
    />
  );
}

function Begin({ model, mayWrite }: { model: ModelShown; mayWrite: boolean }) {
  const usable = model.versions.filter(
    (version) => version.withdrawnReason == null && version.version !== model.promotedVersion,
  );
  const [version, setVersion] = useState(String(usable.at(-1)?.version ?? ""));
  const [isShadow, setShadow] = useState(false);
  const [percent, setPercent] = useState(5);
  const [start, isStarting] = useChange(StartRollout, {
    payload: (data) => data.startModelRollout,
    done: "The trial began",
    failed: "The trial did not begin",
  });
  const why =
    model.promotedVersion == null
      ? "Promote a version first: a trial is measured against it."
      : usable.length === 0
        ? "Add another version first: one that answers already needs no trial."
        : undefined;
  return (
    <Panel title="Roll-out" hint={HINT}>
      {why !== undefined || !mayWrite ? (
        <p className="text-[13px] text-muted">{why ?? "None is under way."}</p>
      ) : (
        <form
          className="flex flex-col gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            void start({ input: { name: model.name, version: Number(version), percent, shadow: isShadow } });
          }}
        >
          <Field label="Version that is tried">
            <Select
              value={version}
              choices={usable.map((one) => ({ value: String(one.version), label: `version ${one.version}` }))}
              onChange={setVersion}
            />
          </Field>
          <Slider percent={percent} most={isShadow ? 100 : 99} onChange={setPercent} />
          <Switch
            label="Shadow: it computes copies, and nobody gets its answers"
            checked={isShadow}
            onChange={(next) => {
              setShadow(next);
              setPercent(Math.min(percent, next ? 100 : 99));
            }}
          />
          <div>
            <Button type="submit" kind="primary" isBusy={isStarting}>
              Start
            </Button>
          </div>
        </form>
      )}
    </Panel>
  );
}

interface UnderWayProps {
  model: ModelShown;
  rollout: NonNullable<ModelShown["rollout"]>;
  mayWrite: boolean;
}

function UnderWay({ model, rollout, mayWrite }: UnderWayProps) {
  const [percent, setPercent] = useState(rollout.percent);
  const [ending, setEnding] = useState<"promote" | "stop" | undefined>();
  const [step, isStepping] = useChange(StepRollout, {
    payload: (data) => data.stepModelRollout,
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
          requests
          <Badge tone="warn">{rollout.shadow ? "shadow" : "canary"}</Badge>
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
        The trial ends, and all requests that name no version are answered by it.
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
        Version {model.promotedVersion} answers all requests again.
      </ConfirmDialog>
    </Panel>
  );
}
