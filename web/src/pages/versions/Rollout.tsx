import { useState } from "react";
import { useChange, usePolling } from "@/api";
import type { VersionsRolloutQuery } from "@/gql/graphql";
import { Button, ConfirmDialog, Dialog, Field, Input, Switch, Time } from "@/ui";
import { Panel } from "@/ui/Panel";
import { Table } from "@/ui/Table";
import {
  VersionsChangeRollout,
  VersionsPromoteRollout,
  VersionsRollBackRollout,
  VersionsRollout,
  VersionsStartRollout,
} from "./documents";
import { guardWords, rateWords, wholeNumber } from "./rollout";

const EVERY_MS = 5_000;
const PERCENT = 10;

type Rollout = NonNullable<NonNullable<VersionsRolloutQuery["workflow"]>["rollout"]>;
type Arm = Rollout["candidate"];

const COLUMNS = [
  { key: "version", header: "Version", cell: (arm: Arm) => `Version ${arm.version}` },
  { key: "completed", header: "Completed", align: "end" as const, cell: (arm: Arm) => arm.completed },
  { key: "failed", header: "Failed", align: "end" as const, cell: (arm: Arm) => arm.failed },
  { key: "rate", header: "Errors", align: "end" as const, cell: (arm: Arm) => rateWords(arm.errorRate) },
];

export interface RolloutPanelProps {
  workflowId: string;
  mayChange: boolean;
  /** Up to where the rows must be. */
  waitFor: string | undefined;
}

/** The version that is tried out beside the active one: how both do, and what can be done. */
export function RolloutPanel({ workflowId, mayChange, waitFor }: RolloutPanelProps) {
  const [{ data }] = usePolling(VersionsRollout, { id: workflowId, waitFor }, EVERY_MS);
  const rollout = data?.workflow?.rollout;
  if (!rollout) return null;
  return <UnderWay key={rollout.number} workflowId={workflowId} rollout={rollout} mayChange={mayChange} />;
}

interface UnderWayProps {
  workflowId: string;
  rollout: Rollout;
  mayChange: boolean;
}

function UnderWay({ workflowId, rollout, mayChange }: UnderWayProps) {
  const [percent, setPercent] = useState(String(rollout.percent));
  const [ending, setEnding] = useState<"promote" | "back">();
  const [step, isStepping] = useChange(VersionsChangeRollout, {
    payload: (data) => data.changeWorkflowRollout,
    done: "The share is changed",
    failed: "The share was not changed",
  });
  const [promote] = useChange(VersionsPromoteRollout, {
    payload: (data) => data.promoteWorkflowRollout,
    done: `Version ${rollout.version} is active`,
    failed: "It was not promoted",
  });
  const [back] = useChange(VersionsRollBackRollout, {
    payload: (data) => data.rollBackWorkflowRollout,
    done: `Version ${rollout.version} is rolled back`,
    failed: "It was not rolled back",
  });
  const wanted = wholeNumber(percent, 1, 99);
  const close = () => setEnding(undefined);
  return (
    <div className="border-b bg-surface p-4 md:px-6">
      <Panel
        title="Roll-out"
        hint={
          <>
            Version {rollout.version} runs {rollout.percent} % of the calls and schedules
            {rollout.startedAt !== null && (
              <>
                {" "}
                since <Time value={rollout.startedAt} />
              </>
            )}
            . {guardWords(rollout.guard)}
          </>
        }
        actions={
          mayChange && (
            <>
              <Button size="small" kind="primary" onClick={() => setEnding("promote")}>
                Promote…
              </Button>
              <Button size="small" kind="danger" onClick={() => setEnding("back")}>
                Roll back…
              </Button>
            </>
          )
        }
        isFlush
      >
        <Table
          label="How both versions do"
          rows={[rollout.candidate, rollout.active]}
          columns={COLUMNS}
          keyOf={(arm) => String(arm.version)}
        />
        {mayChange && (
          <form
            className="flex items-end gap-2 border-t px-4 py-3"
            onSubmit={(event) => {
              event.preventDefault();
              if (wanted !== undefined) void step({ input: { workflowId, percent: wanted } });
            }}
          >
            <Field label="Percent of the executions" error={wanted === undefined ? "1 to 99." : undefined}>
              <Input inputMode="numeric" value={percent} onChange={(event) => setPercent(event.target.value)} />
            </Field>
            <Button type="submit" isBusy={isStepping} disabled={wanted === undefined || wanted === rollout.percent}>
              Change
            </Button>
          </form>
        )}
      </Panel>
      <ConfirmDialog
        title={`Promote version ${rollout.version}`}
        isOpen={ending === "promote"}
        onClose={close}
        confirm="Promote"
        reason="optional"
        onConfirm={async (reason) => (await promote({ input: { workflowId, reason } })).kind === "done"}
      >
        It takes all calls and schedules from now on, in place of version {rollout.active.version}.
      </ConfirmDialog>
      <ConfirmDialog
        title={`Roll version ${rollout.version} back`}
        isOpen={ending === "back"}
        onClose={close}
        confirm="Roll back"
        isDangerous
        reason="optional"
        onConfirm={async (reason) => (await back({ input: { workflowId, reason } })).kind === "done"}
      >
        Version {rollout.active.version} takes all calls and schedules again. What runs goes on.
      </ConfirmDialog>
    </div>
  );
}

export interface RolloutDialogProps {
  isOpen: boolean;
  onClose: () => void;
  workflowId: string;
  version: number;
  activeVersion: number;
}

/** Begins a roll-out. */
export function RolloutDialog(props: RolloutDialogProps) {
  return props.isOpen ? <OpenRolloutDialog {...props} /> : null;
}

function OpenRolloutDialog({ onClose, workflowId, version, activeVersion }: RolloutDialogProps) {
  const [percent, setPercent] = useState(String(PERCENT));
  const [isGuarded, setGuarded] = useState(true);
  const [errors, setErrors] = useState("5");
  const [least, setLeast] = useState("20");
  const [onlyIfWorse, setOnlyIfWorse] = useState(true);
  const [start, isStarting] = useChange(VersionsStartRollout, {
    payload: (data) => data.startWorkflowRollout,
    done: `Version ${version} is being rolled out`,
    failed: "The roll-out did not begin",
  });
  const wanted = wholeNumber(percent, 1, 99);
  const errorPercentMax = wholeNumber(errors, 0, 99);
  const executionsMin = wholeNumber(least, 1, 5_000);
  const isSound =
    wanted !== undefined && (!isGuarded || (errorPercentMax !== undefined && executionsMin !== undefined));
  const go = async () => {
    if (wanted === undefined) return;
    const guard =
      isGuarded && errorPercentMax !== undefined && executionsMin !== undefined
        ? { errorPercentMax, executionsMin, onlyIfWorse }
        : undefined;
    const outcome = await start({ input: { workflowId, version, percent: wanted, guard } });
    if (outcome.kind === "done") onClose();
  };
  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      <Button kind="primary" isBusy={isStarting} disabled={!isSound} onClick={() => void go()}>
        Start
      </Button>
    </>
  );
  return (
    <Dialog title={`Roll version ${version} out`} isOpen onClose={onClose} footer={footer} size="small">
      <div className="flex flex-col gap-4 text-sm">
        <p className="text-muted">
          A part of the calls and schedules runs version {version}, the rest version {activeVersion}. The same call runs
          the same version each time.
        </p>
        <Field label="Percent of the executions" error={wanted === undefined ? "1 to 99." : undefined}>
          <Input inputMode="numeric" value={percent} onChange={(event) => setPercent(event.target.value)} />
        </Field>
        <Switch label="Roll back by itself when it fails too often" checked={isGuarded} onChange={setGuarded} />
        {isGuarded && (
          <>
            <div className="grid gap-3 sm:grid-cols-2">
              <Field label="Failures above, in percent" error={errorPercentMax === undefined ? "0 to 99." : undefined}>
                <Input inputMode="numeric" value={errors} onChange={(event) => setErrors(event.target.value)} />
              </Field>
              <Field
                label="Executions before it is judged"
                error={executionsMin === undefined ? "1 to 5,000." : undefined}
              >
                <Input inputMode="numeric" value={least} onChange={(event) => setLeast(event.target.value)} />
              </Field>
            </div>
            <Switch
              label="Only if the active version fails less often"
              checked={onlyIfWorse}
              onChange={setOnlyIfWorse}
            />
          </>
        )}
      </div>
    </Dialog>
  );
}
