import { useState } from "react";
import { type UserError, useChange } from "@/api";
import { Refusal } from "@/parts/Refusal";
import { Button, Dialog, Field, Input, Select } from "@/ui";
import type { ModelShown } from "../ModelPage";
import { StartWatch } from "./documents";
import { BoundsFields, TargetFields, TimesFields } from "./Fields";
import type { WatchShown } from "./Watch";
import { SAMPLES_MAX, type WatchDraft, type WatchProblems, watchDraft, watchOf } from "./watching";

export interface WatchDialogProps {
  model: ModelShown;
  /** The watch that is under way, or the last. */
  watch: WatchShown | null | undefined;
  isOpen: boolean;
  onClose: () => void;
}

/** Begins a watch, or one in the place of that which is under way. */
export function WatchDialog(props: WatchDialogProps) {
  return props.isOpen ? <OpenWatchDialog {...props} /> : null;
}

function OpenWatchDialog({ model, watch, onClose }: WatchDialogProps) {
  const isRunning = watch?.running === true;
  const [draft, setDraft] = useState<WatchDraft>(() => watchDraft(watch));
  const [problems, setProblems] = useState<WatchProblems>({});
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const failed = isRunning ? "The watch was not changed" : "The watch did not begin";
  const [start, isStarting] = useChange(StartWatch, {
    payload: (data) => data.startDriftWatch,
    done: isRunning ? "It is watched like this from now on" : "It is watched from now on",
    failed,
    quiet: true,
  });
  const change = (part: Partial<WatchDraft>) => {
    setDraft({ ...draft, ...part });
    setProblems({});
    setErrors([]);
  };
  const go = async () => {
    const read = watchOf(model.name, draft, isRunning);
    if ("problems" in read) {
      setProblems(read.problems);
      return;
    }
    setErrors([]);
    const outcome = await start({ input: read.input });
    if (outcome.kind === "done") onClose();
    else if (outcome.kind !== "fault") setErrors(outcome.errors);
  };
  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      <Button kind="primary" isBusy={isStarting} onClick={() => void go()}>
        {isRunning ? "Change it" : "Begin"}
      </Button>
    </>
  );
  return (
    <Dialog
      title={isRunning ? "Change the watch" : `Watch the drift of ${model.name}`}
      isOpen
      onClose={onClose}
      footer={footer}
    >
      <form
        className="flex flex-col gap-4 text-sm"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        {isRunning && (
          <p className="text-muted">
            The watch that is under way ends, and this one begins: its windows are counted from 1. What was found stays
            among the events.
          </p>
        )}
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="Inferences of a window" hint="So many are judged together." error={problems.window}>
            <Input
              data-autofocus
              inputMode="numeric"
              value={draft.window}
              onChange={(event) => change({ window: event.target.value })}
            />
          </Field>
          <Field label="What they are compared with">
            <Select
              value={draft.by}
              choices={[
                { value: "newest", label: "the newest up to now" },
                { value: "time", label: "what was answered in a time" },
              ]}
              onChange={(by) => change({ by })}
            />
          </Field>
          {draft.by === "newest" && (
            <Field
              label="How many of the newest"
              hint={`At most ${SAMPLES_MAX.toLocaleString("en")}.`}
              error={problems.newest}
            >
              <Input
                inputMode="numeric"
                value={draft.newest}
                onChange={(event) => change({ newest: event.target.value })}
              />
            </Field>
          )}
        </div>
        {draft.by === "time" && (
          <TimesFields
            legend="The baseline, in your time zone"
            value={draft.time}
            problem={problems.time}
            onChange={(time) => change({ time })}
          />
        )}
        <TargetFields model={model} value={draft} onChange={change} />
        <BoundsFields value={draft.bounds} problems={problems} onChange={(bounds) => change({ bounds })} />
        {errors.length > 0 && <Refusal title={failed} errors={errors} />}
        {/* Enter sends a form of several fields only where it has a button for that. */}
        <button type="submit" hidden />
      </form>
    </Dialog>
  );
}
