import { useState } from "react";
import { type UserError, useChange } from "@/api";
import type {
  GatewayBalance,
  GatewayCacheUse,
  GatewayContent,
  ModelCallProblem,
  SetGatewayRouteInput,
} from "@/gql/schema";
import { Button, Dialog, Field, Icon, IconButton, Input, Select, Switch, wordsOf } from "@/ui";
import { SetRoute } from "./documents";
import { NumberField, OtherProblems, areNumbers, numberOf, problemAt } from "./forms";
import type { SetupShown } from "./GatewayPage";
import type { Route } from "./Routes";

interface Target {
  provider: string;
  model: string;
  weight: string;
}

interface Tier {
  balance: GatewayBalance;
  targets: Target[];
}

const PROBLEMS: readonly ModelCallProblem[] = [
  "RATE_LIMITED",
  "OVERLOADED",
  "UNREACHABLE",
  "SERVER",
  "TIMEOUT",
  "GARBAGE",
  "UNAUTHORIZED",
  "OUT_OF_CREDIT",
  "NOT_FOUND",
  "TOO_LONG",
  "UNSUPPORTED",
];
const HOUR_MS = 3_600_000;
const FIELDS = [
  "name",
  "cacheAgeMsMax",
  "attemptsMax",
  "retriesMax",
  "retryBudgetPercent",
  "failuresInARowMax",
  "leftAloneMs",
];
const texts = (value: number | null | undefined) => (value == null ? "" : String(value));

export function RouteForm({
  setup,
  route,
  onClose,
}: {
  setup: SetupShown;
  route: Route | undefined;
  onClose: () => void;
}) {
  const providers = setup.gatewayProviders.map((provider) => provider.name);
  const empty = (): Target => ({ provider: providers[0] ?? "", model: "", weight: "1" });
  const [name, setName] = useState(route?.name ?? "");
  const [tiers, setTiers] = useState<Tier[]>(
    route?.tiers.map((tier) => ({
      balance: tier.balance,
      targets: tier.targets.map((target) => ({ ...target, weight: String(target.weight) })),
    })) ?? [{ balance: "LOAD", targets: [empty()] }],
  );
  const [cache, setCache] = useState<GatewayCacheUse>(route?.cache ?? "NEVER");
  const [cacheHours, setCacheHours] = useState(
    route?.cacheAgeMsMax == null ? "" : String(route.cacheAgeMsMax / HOUR_MS),
  );
  const [content, setContent] = useState<GatewayContent>(route?.content ?? "RECORDED");
  const [repair, setRepair] = useState(route?.repair ?? true);
  const [fallBackOn, setFallBackOn] = useState<readonly ModelCallProblem[] | undefined>(route?.fallBackOn);
  const [numbers, setNumbers] = useState({
    attemptsMax: texts(route?.attemptsMax),
    retriesMax: texts(route?.retriesMax),
    retryBudgetPercent: texts(route?.retryBudgetPercent),
    failuresInARowMax: texts(route?.failuresInARowMax),
    leftAloneMs: texts(route?.leftAloneMs),
  });
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [save, isSaving] = useChange(SetRoute, {
    payload: (data) => data.setGatewayRoute,
    done: "The route is used from now on",
    failed: "The route was not set up",
    quiet: true,
  });
  const go = async () => {
    setErrors([]);
    const input: SetGatewayRouteInput = {
      name: name.trim(),
      tiers: tiers.map((tier) => ({
        balance: tier.balance,
        targets: tier.targets.map((target) => ({
          provider: target.provider,
          model: target.model.trim(),
          weight: numberOf(target.weight) ?? 1,
        })),
      })),
      cache,
      cacheAgeMsMax: cacheHours.trim() === "" ? undefined : Math.round(Number(cacheHours) * HOUR_MS),
      content,
      repair,
      fallBackOn: fallBackOn === undefined ? undefined : [...fallBackOn],
      attemptsMax: numberOf(numbers.attemptsMax),
      retriesMax: numberOf(numbers.retriesMax),
      retryBudgetPercent: numberOf(numbers.retryBudgetPercent),
      failuresInARowMax: numberOf(numbers.failuresInARowMax),
      leftAloneMs: numberOf(numbers.leftAloneMs),
    };
    const outcome = await save({ input });
    if (outcome.kind === "done") onClose();
    else if (outcome.kind !== "fault") setErrors(outcome.errors);
  };
  const changeTier = (place: number, change: Partial<Tier>) =>
    setTiers(tiers.map((tier, index) => (index === place ? { ...tier, ...change } : tier)));
  const isReady =
    name.trim() !== "" &&
    tiers.every((tier) => tier.targets.length > 0 && tier.targets.every((target) => target.model.trim() !== "")) &&
    areNumbers(...Object.values(numbers), ...tiers.flatMap((tier) => tier.targets.map((target) => target.weight))) &&
    (cacheHours.trim() === "" || Number(cacheHours) > 0);
  return (
    <Dialog
      title={route ? `Change ${route.name}` : "Set up a route"}
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button kind="primary" isBusy={isSaving} disabled={!isReady} onClick={() => void go()}>
            Save
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <Field label="Name" error={problemAt(errors, "name")} hint="What callers give as the model.">
          <Input value={name} disabled={route !== undefined} onChange={(event) => setName(event.target.value)} />
        </Field>
        {tiers.map((tier, place) => (
          <TierForm
            key={place}
            place={place}
            tier={tier}
            providers={providers}
            onChange={(change) => changeTier(place, change)}
            onAdd={() => changeTier(place, { targets: [...tier.targets, empty()] })}
            onRemove={tiers.length > 1 ? () => setTiers(tiers.filter((_, index) => index !== place)) : undefined}
          />
        ))}
        <div>
          <Button size="small" onClick={() => setTiers([...tiers, { balance: "LOAD", targets: [empty()] }])}>
            <Icon name="plus" /> Add a fall-back
          </Button>
        </div>
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="Cache">
            <Select
              value={cache}
              choices={[
                { value: "NEVER", label: "keep no answers" },
                { value: "DETERMINISTIC", label: "keep those that the request decides" },
                { value: "ALWAYS", label: "keep all answers" },
              ]}
              onChange={setCache}
            />
          </Field>
          <Field
            label="For how long (hours)"
            error={
              problemAt(errors, "cacheAgeMsMax") ??
              (cacheHours.trim() === "" || Number(cacheHours) > 0 ? undefined : "It has to be a number above zero.")
            }
          >
            <Input
              inputMode="decimal"
              value={cacheHours}
              placeholder="24"
              disabled={cache === "NEVER"}
              onChange={(event) => setCacheHours(event.target.value)}
            />
          </Field>
          <Field label="What is said">
            <Select
              value={content}
              choices={[
                { value: "RECORDED", label: "is written down" },
                { value: "DIGESTS", label: "only digests are written down" },
              ]}
              onChange={setContent}
            />
          </Field>
          <div className="flex items-end pb-1.5">
            <Switch label="Asks once more when a schema does not fit" checked={repair} onChange={setRepair} />
          </div>
        </div>
        <details>
          <summary className="text-[13px] font-medium text-muted">When targets fail</summary>
          <div className="mt-2 flex flex-col gap-3">
            <fieldset>
              <legend className="mb-1 text-[13px] font-medium">Another target is asked after</legend>
              <div className="grid grid-cols-2 gap-1 sm:grid-cols-3">
                {PROBLEMS.map((problem) => (
                  <label key={problem} className="flex items-center gap-1.5 text-[13px]">
                    <input
                      type="checkbox"
                      className="size-4 accent-accent"
                      checked={(fallBackOn ?? PROBLEMS).includes(problem)}
                      onChange={(event) => {
                        const had = fallBackOn ?? PROBLEMS;
                        setFallBackOn(event.target.checked ? [...had, problem] : had.filter((one) => one !== problem));
                      }}
                    />
                    {wordsOf(problem)}
                  </label>
                ))}
              </div>
            </fieldset>
            <div className="grid gap-3 sm:grid-cols-2">
              {(
                [
                  ["attemptsMax", "Attempts at most", "4"],
                  ["retriesMax", "Times a target is asked again", "1"],
                  ["retryBudgetPercent", "Asked again, for a hundred calls", "20"],
                  ["failuresInARowMax", "Failures until it is left alone", "5"],
                  ["leftAloneMs", "Left alone at first (ms)", "5000"],
                ] as const
              ).map(([field, label, usual]) => (
                <NumberField
                  key={field}
                  label={label}
                  placeholder={usual}
                  value={numbers[field]}
                  error={problemAt(errors, field)}
                  onChange={(value) => setNumbers({ ...numbers, [field]: value })}
                />
              ))}
            </div>
          </div>
        </details>
        <OtherProblems errors={errors} fields={FIELDS} />
      </div>
    </Dialog>
  );
}

interface TierFormProps {
  place: number;
  tier: Tier;
  providers: readonly string[];
  onChange: (change: Partial<Tier>) => void;
  onAdd: () => void;
  onRemove?: () => void;
}

function TierForm({ place, tier, providers, onChange, onAdd, onRemove }: TierFormProps) {
  const change = (index: number, changed: Partial<Target>) =>
    onChange({ targets: tier.targets.map((target, at) => (at === index ? { ...target, ...changed } : target)) });
  return (
    <fieldset className="rounded-md border p-3">
      <legend className="px-1 text-[13px] font-medium">{place === 0 ? "Asked first" : `Fall-back ${place}`}</legend>
      <div className="flex flex-col gap-2">
        {tier.targets.map((target, index) => (
          <div key={index} className="grid grid-cols-[minmax(0,1fr)_minmax(0,1.4fr)_4.5rem_2rem] items-end gap-2">
            <Field label="Provider">
              <Select
                value={target.provider}
                choices={[...new Set([target.provider, ...providers, "local"])].map((value) => ({
                  value,
                  label: value,
                }))}
                onChange={(provider) => change(index, { provider })}
              />
            </Field>
            <Field label="Its model">
              <Input
                value={target.model}
                placeholder="gpt-5-mini"
                onChange={(event) => change(index, { model: event.target.value })}
              />
            </Field>
            <Field label="Weight">
              <Input
                inputMode="numeric"
                value={target.weight}
                onChange={(event) => change(index, { weight: event.target.value })}
              />
            </Field>
            <IconButton
              label={`Remove target ${index + 1}`}
              icon={<Icon name="trash" />}
              disabled={tier.targets.length === 1}
              onClick={() => onChange({ targets: tier.targets.filter((_, at) => at !== index) })}
            />
          </div>
        ))}
        <div className="flex flex-wrap items-center gap-2">
          <Button size="small" onClick={onAdd}>
            <Icon name="plus" /> Add a target
          </Button>
          {tier.targets.length > 1 && (
            <Field label="Which one is asked" hideLabel className="w-56">
              <Select
                value={tier.balance}
                choices={[
                  { value: "LOAD", label: "the less busy and quicker one" },
                  { value: "SPLIT", label: "split by the call's key" },
                ]}
                onChange={(balance) => onChange({ balance })}
              />
            </Field>
          )}
          {onRemove && (
            <Button size="small" kind="danger" className="ml-auto" onClick={onRemove}>
              Remove the fall-back
            </Button>
          )}
        </div>
      </div>
    </fieldset>
  );
}
