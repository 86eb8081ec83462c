import { useState } from "react";
import { type UserError, useChange } from "@/api";
import type { ConfigureModelInput, Gpu, RecordingLevel } from "@/gql/schema";
import { Button, Field, Input, Select, Switch } from "@/ui";
import { CodeBlock } from "@/ui/CodeBlock";
import { Panel } from "@/ui/Panel";
import { Configure } from "./documents";
import type { ModelShown } from "./ModelPage";

type Numbers = Record<
  "recordedOneIn" | "threads" | "instancesMin" | "instancesMax" | "rowsMax" | "queueMax" | "queueDelayUs" | "timeoutMs",
  string
>;

const FIELDS: readonly { field: keyof Numbers; label: string; empty: string; hint?: string }[] = [
  { field: "threads", label: "Threads of an instance", empty: "measured" },
  { field: "instancesMin", label: "Instances at least", empty: "1" },
  { field: "instancesMax", label: "Instances at most", empty: "measured" },
  { field: "rowsMax", label: "Rows computed together", empty: "32", hint: "At most 4,096." },
  { field: "queueMax", label: "Requests that wait at most", empty: "as usual" },
  {
    field: "queueDelayUs",
    label: "Waits for more (µs)",
    empty: "0",
    hint: "How long the first request of a batch waits.",
  },
  { field: "timeoutMs", label: "Longest answer (ms)", empty: "as usual" },
];

const texts = (value: number | null | undefined) => (value == null ? "" : String(value));

/** How versions are run from their next load on. */
export function Settings({ model, mayWrite }: { model: ModelShown; mayWrite: boolean }) {
  const had = model.settings;
  const [recording, setRecording] = useState<RecordingLevel>(had.recording);
  const [gpu, setGpu] = useState<Gpu>(had.gpu);
  const [flags, setFlags] = useState({ finiteOnly: had.finiteOnly, tf32: had.tf32 });
  const [numbers, setNumbers] = useState<Numbers>({
    recordedOneIn: texts(had.recordedOneIn ?? 100),
    threads: texts(had.threads),
    instancesMin: texts(had.instancesMin),
    instancesMax: texts(had.instancesMax),
    rowsMax: texts(had.rowsMax),
    queueMax: texts(had.queueMax),
    queueDelayUs: texts(had.queueDelayUs),
    timeoutMs: texts(had.timeoutMs),
  });
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [save, isSaving] = useChange(Configure, {
    payload: (data) => data.configureModel,
    done: "Versions are run so from their next load on",
    failed: "The settings were not changed",
    quiet: true,
  });
  const number = (text: string) => (text.trim() === "" ? undefined : Number(text));
  const isWhole = (text: string) => text.trim() === "" || /^\d+$/.test(text.trim());
  const go = async () => {
    setErrors([]);
    const { recordedOneIn, ...others } = numbers;
    const input: ConfigureModelInput = {
      name: model.name,
      expectedRevision: model.history.revision,
      recording: { level: recording, oneIn: recording === "SAMPLED" ? number(recordedOneIn) : undefined },
      gpu,
      ...flags,
      ...Object.fromEntries(Object.entries(others).map(([field, text]) => [field, number(text)])),
    };
    const outcome = await save({ input });
    if (outcome.kind === "refused" || outcome.kind === "conflict" || outcome.kind === "busy") setErrors(outcome.errors);
  };
  const isReady = Object.values(numbers).every(isWhole);
  const words = (text: string) => (isWhole(text) ? undefined : "It has to be a whole number.");
  return (
    <div className="grid items-start gap-4 p-4 md:p-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
      <Panel title="Settings" hint="They hold from a version's next load on.">
        <fieldset disabled={!mayWrite} className="flex flex-col gap-4">
          <div className="grid gap-3 sm:grid-cols-2">
            <Field label="What is written down">
              <Select<RecordingLevel>
                value={recording}
                choices={[
                  { value: "FULL", label: "full: each step by itself" },
                  { value: "STANDARD", label: "standard: one event for each" },
                  { value: "SAMPLED", label: "sampled: one in so many, and sums" },
                ]}
                onChange={setRecording}
              />
            </Field>
            {recording === "SAMPLED" ? (
              <Field label="One in" error={words(numbers.recordedOneIn)}>
                <Input
                  inputMode="numeric"
                  value={numbers.recordedOneIn}
                  onChange={(event) => setNumbers({ ...numbers, recordedOneIn: event.target.value })}
                />
              </Field>
            ) : (
              <div className="hidden sm:block" />
            )}
            <Field label="GPU" hint="Nothing falls back in silence: each load tells who computes.">
              <Select<Gpu>
                value={gpu}
                choices={[
                  { value: "NONE", label: "none: the CPU computes" },
                  { value: "OPTIONAL", label: "optional: the CPU where there is none" },
                  { value: "REQUIRED", label: "required: or not at all" },
                ]}
                onChange={setGpu}
              />
            </Field>
          </div>
          <div className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">
            {FIELDS.map(({ field, label, empty, hint }) => (
              <Field key={field} label={label} hint={hint} error={words(numbers[field])}>
                <Input
                  inputMode="numeric"
                  value={numbers[field]}
                  placeholder={empty}
                  onChange={(event) => setNumbers({ ...numbers, [field]: event.target.value })}
                />
              </Field>
            ))}
          </div>
          <div className="flex flex-col gap-2">
            <Switch
              label="Refuse inputs with “not a number” or infinity"
              checked={flags.finiteOnly}
              disabled={!mayWrite}
              onChange={(finiteOnly) => setFlags({ ...flags, finiteOnly })}
            />
            <Switch
              label="A GPU may multiply with fewer bits: faster, other last digits"
              checked={flags.tf32}
              disabled={!mayWrite}
              onChange={(tf32) => setFlags({ ...flags, tf32 })}
            />
          </div>
          {errors.map((error) => (
            <p key={error.message} role="alert" className="text-sm text-bad">
              {error.message}
            </p>
          ))}
          {mayWrite && (
            <div>
              <Button kind="primary" isBusy={isSaving} disabled={!isReady} onClick={() => void go()}>
                Save
              </Button>
            </div>
          )}
        </fieldset>
      </Panel>
      <Panel title="Compute again" hint="Recorded answers, compared bit by bit.">
        <div className="flex flex-col gap-2 text-[13px]">
          <p className="text-muted">
            On a copy of the data folder that no server has, such as a restored backup, or on a database. It exits with
            3 when an answer is another one than was written down.
          </p>
          <CodeBlock label="command" code={`timeloom inference verify \\\n  --model ${model.name} --last 10000`} />
        </div>
      </Panel>
    </div>
  );
}
