import { useState } from "react";
import { useChange } from "@/api";
import type { ModelRolloutMetric } from "@/gql/schema";
import { Button, Field, Input, Select, Switch } from "@/ui";
import { Panel } from "@/ui/Panel";
import { StartRollout } from "./documents";
import { FIRST_DRAFT, type GuardDraft, type GuardProblems, METRICS, guardOf } from "./guard";
import type { ModelShown } from "./ModelPage";

export const HINT = "Tries a version on a part of the requests that name none, or that name an alias.";

interface SliderProps {
  percent: number;
  most: number;
  onChange: (percent: number) => void;
  disabled?: boolean;
}

/** How many of a hundred requests. */
export function Slider({ percent, most, onChange, disabled }: SliderProps) {
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

/** Why no trial can begin yet; nothing where one can. */
function hindrance(model: ModelShown): string | undefined {
  const others = model.versions.filter(
    (version) => version.withdrawnReason == null && version.version !== model.promotedVersion,
  );
  if (model.promotedVersion == null && model.aliases.length === 0)
    return "Promote a version first: a trial is measured against it.";
  if (others.length === 0 && model.aliases.length === 0)
    return "Add another version first: one that answers already needs no trial.";
  return undefined;
}

/** Begins the trial of a version. */
export function BeginRollout({ model, mayWrite }: { model: ModelShown; mayWrite: boolean }) {
  const why = hindrance(model);
  return (
    <Panel title="Roll-out" hint={HINT}>
      {why !== undefined || !mayWrite ? (
        <p className="text-[13px] text-muted">{why ?? "None is under way."}</p>
      ) : (
        <BeginForm model={model} />
      )}
    </Panel>
  );
}

/** What an alias is called where none is meant. */
const NO_ALIAS = "";

function BeginForm({ model }: { model: ModelShown }) {
  const names = [
    ...(model.promotedVersion == null ? [] : [{ value: NO_ALIAS, label: "that name no version" }]),
    ...model.aliases.map(({ alias }) => ({ value: alias, label: `that name @${alias}` })),
  ];
  const [chosenAlias, setAlias] = useState(names[0]?.value ?? NO_ALIAS);
  const alias = names.some((one) => one.value === chosenAlias) ? chosenAlias : (names[0]?.value ?? NO_ALIAS);
  const answering =
    alias === NO_ALIAS ? model.promotedVersion : model.aliases.find((one) => one.alias === alias)?.version;
  const usable = model.versions.filter((one) => one.withdrawnReason == null && one.version !== answering);
  const [chosen, setVersion] = useState<number>();
  const version = usable.find((one) => one.version === chosen) ?? usable.at(-1);
  const [isShadow, setShadow] = useState(false);
  const [percent, setPercent] = useState(5);
  const [guard, setGuard] = useState<GuardDraft>();
  const [problems, setProblems] = useState<GuardProblems>({});
  const [start, isStarting] = useChange(StartRollout, {
    payload: (data) => data.startModelRollout,
    done: "The trial began",
    failed: "The trial did not begin",
  });
  const submit = () => {
    if (version === undefined) return;
    const asked = guard && guardOf(guard);
    if (asked && "problems" in asked) {
      setProblems(asked.problems);
      return;
    }
    setProblems({});
    const input = { name: model.name, version: version.version, percent, shadow: isShadow };
    void start({ input: { ...input, alias: alias === NO_ALIAS ? undefined : alias, guard: asked?.guard } });
  };
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {model.aliases.length > 0 && (
        <Field label="Requests of which it gets a part">
          <Select value={alias} choices={names} onChange={setAlias} />
        </Field>
      )}
      <Field
        label="Version that is tried"
        error={version ? undefined : "There is no version but the one that answers these: add another one first."}
      >
        <Select
          value={String(version?.version ?? "")}
          choices={usable.map((one) => ({ value: String(one.version), label: `version ${one.version}` }))}
          onChange={(next) => setVersion(Number(next))}
        />
      </Field>
      <Slider percent={percent} most={isShadow ? 100 : 99} onChange={setPercent} />
      <Switch
        label="Shadow: it computes copies, and nobody gets its answers"
        checked={isShadow}
        onChange={(next) => {
          setShadow(next);
          setPercent(Math.min(percent, next ? 100 : 99));
          // Nothing is compared where nobody computes copies.
          if (!next && guard?.metric === "DISAGREEMENT") setGuard({ ...guard, metric: "ERROR_RATE" });
        }}
      />
      <Switch
        label="Guard: it ends by itself when the version does badly"
        checked={guard !== undefined}
        onChange={(next) => {
          setGuard(next ? FIRST_DRAFT : undefined);
          setProblems({});
        }}
      />
      {guard && (
        <GuardFields
          guard={guard}
          problems={problems}
          isShadow={isShadow}
          isSampled={model.settings.recording === "SAMPLED"}
          onChange={(part) => {
            setGuard({ ...guard, ...part });
            setProblems({});
          }}
        />
      )}
      <div>
        <Button type="submit" kind="primary" isBusy={isStarting} disabled={version === undefined}>
          Start
        </Button>
      </div>
    </form>
  );
}

interface GuardFieldsProps {
  guard: GuardDraft;
  problems: GuardProblems;
  isShadow: boolean;
  /** Whether only some inferences are recorded, which a guard cannot count. */
  isSampled: boolean;
  onChange: (part: Partial<GuardDraft>) => void;
}

function GuardFields({ guard, problems, isShadow, isSampled, onChange }: GuardFieldsProps) {
  const { counts, unit } = METRICS[guard.metric];
  const metrics = (Object.keys(METRICS) as ModelRolloutMetric[]).filter((one) => isShadow || one !== "DISAGREEMENT");
  return (
    <fieldset className="flex flex-col gap-3 border-l-2 pl-3">
      <legend className="sr-only">Guard</legend>
      {isSampled && (
        <p role="alert" className="text-[13px] text-warn">
          A guard counts recorded inferences: let the model record all of them first, in its settings.
        </p>
      )}
      <Field label="What is measured" hint={`Counted: ${counts}.`}>
        <Select
          value={guard.metric}
          choices={metrics.map((metric) => ({ value: metric, label: METRICS[metric].label }))}
          onChange={(metric) => onChange({ metric })}
        />
      </Field>
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label={`Most that is allowed, in ${unit}`} error={problems.bound}>
          <Input
            inputMode="decimal"
            placeholder={unit === "%" ? "2" : "250"}
            value={guard.bound}
            onChange={(event) => onChange({ bound: event.target.value })}
          />
        </Field>
        <Field label="Fewest before it judges" hint="Inferences of the version." error={problems.fewest}>
          <Input
            inputMode="numeric"
            value={guard.fewest}
            onChange={(event) => onChange({ fewest: event.target.value })}
          />
        </Field>
      </div>
      {guard.metric === "DISAGREEMENT" && (
        <Field
          label="Tolerance"
          hint="How far numbers may be apart, relative to the larger one or 1. Nothing: another class is another answer."
          error={problems.tolerance}
        >
          <Input
            inputMode="decimal"
            placeholder="0.01"
            value={guard.tolerance}
            onChange={(event) => onChange({ tolerance: event.target.value })}
          />
        </Field>
      )}
    </fieldset>
  );
}
