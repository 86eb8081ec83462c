import { useState } from "react";
import { type UserError, useChange } from "@/api";
import { Button, type Column, Dialog, EmptyState, Field, Icon, IconButton, Input, Money, Select, Table } from "@/ui";
import { Panel } from "@/ui/Panel";
import { SetPrices } from "./documents";
import { OtherProblems } from "./forms";
import type { SetupShown } from "./GatewayPage";

type Price = SetupShown["gatewayPrices"]["models"][number];

export function Prices({ setup, mayWrite }: { setup: SetupShown; mayWrite: boolean }) {
  const [isOpen, setOpen] = useState(false);
  const { currency, models } = setup.gatewayPrices;
  const amount = (value: string | null | undefined) =>
    value == null ? <span className="text-muted">as read</span> : <Money amount={value} currency={currency} />;
  const columns: Column<Price>[] = [
    {
      key: "model",
      header: "Model",
      cell: (row) => (
        <span>
          <span className="text-muted">{row.provider} / </span>
          <span className="font-medium">{row.model}</span>
        </span>
      ),
    },
    { key: "input", header: "Read", align: "end", cell: (row) => amount(row.input) },
    {
      key: "cached",
      header: "Read from its cache",
      align: "end",
      wideOnly: true,
      cell: (row) => amount(row.cachedInput),
    },
    { key: "write", header: "Put into its cache", align: "end", wideOnly: true, cell: (row) => amount(row.cacheWrite) },
    { key: "output", header: "Written", align: "end", cell: (row) => amount(row.output) },
  ];
  const priced = new Set(models.map((row) => `${row.provider}\t${row.model}`));
  const missing = [
    ...new Set(
      setup.gatewayRoutes.flatMap((route) =>
        route.tiers.flatMap((tier) => tier.targets.map((target) => `${target.provider}\t${target.model}`)),
      ),
    ),
  ].filter((target) => !priced.has(target));
  return (
    <Panel
      title="Prices"
      hint="For a million tokens. What a call cost stays what it cost then: a later price changes later calls."
      isFlush
      actions={
        mayWrite && (
          <Button size="small" onClick={() => setOpen(true)}>
            Change prices
          </Button>
        )
      }
    >
      {missing.length > 0 && models.length > 0 && (
        <p className="border-b bg-warn-soft px-4 py-2 text-[13px] text-warn">
          Without a price: {missing.map((target) => target.replace("\t", " / ")).join(", ")}. What they cost is not
          known, and a budget refuses calls to their routes.
        </p>
      )}
      <Table
        label="Prices"
        rows={models}
        columns={columns}
        keyOf={(row) => `${row.provider} ${row.model}`}
        empty={
          <EmptyState
            icon="gateway"
            title="No prices yet"
            action={
              mayWrite && (
                <Button kind="primary" onClick={() => setOpen(true)}>
                  Give prices
                </Button>
              )
            }
          >
            None are built in. Give them for each model, and calls, runs of agents and budgets know what they cost.
          </EmptyState>
        }
      />
      {isOpen && <PricesForm setup={setup} missing={missing} onClose={() => setOpen(false)} />}
    </Panel>
  );
}

interface Written {
  provider: string;
  model: string;
  input: string;
  cachedInput: string;
  cacheWrite: string;
  output: string;
}

const isAmount = (text: string) => /^\d+(\.\d{1,9})?$/.test(text.trim());

function PricesForm({
  setup,
  missing,
  onClose,
}: {
  setup: SetupShown;
  missing: readonly string[];
  onClose: () => void;
}) {
  const providers = setup.gatewayProviders.map((provider) => provider.name);
  const { models } = setup.gatewayPrices;
  const [currency, setCurrency] = useState(setup.gatewayPrices.currency || "USD");
  const [rows, setRows] = useState<Written[]>([
    ...models.map((row) => ({ ...row, cachedInput: row.cachedInput ?? "", cacheWrite: row.cacheWrite ?? "" })),
    ...missing.map((target) => {
      const [provider = "", model = ""] = target.split("\t");
      return { provider, model, input: "", cachedInput: "", cacheWrite: "", output: "" };
    }),
  ]);
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [save, isSaving] = useChange(SetPrices, {
    payload: (data) => data.setGatewayPrices,
    done: "Calls cost this from now on",
    failed: "The prices were not changed",
    quiet: true,
  });
  // A row without any price is one that nobody filled in yet.
  const filled = rows.filter((row) => [row.input, row.output].some((text) => text.trim() !== ""));
  const isReady =
    /^[A-Z]{3}$/.test(currency) &&
    filled.every(
      (row) =>
        row.model.trim() !== "" &&
        isAmount(row.input) &&
        isAmount(row.output) &&
        [row.cachedInput, row.cacheWrite].every((text) => text.trim() === "" || isAmount(text)),
    );
  const go = async () => {
    setErrors([]);
    const optional = (text: string) => (text.trim() === "" ? undefined : text.trim());
    const outcome = await save({
      input: {
        currency,
        models: filled.map((row) => ({
          provider: row.provider,
          model: row.model.trim(),
          input: row.input.trim(),
          output: row.output.trim(),
          cachedInput: optional(row.cachedInput),
          cacheWrite: optional(row.cacheWrite),
        })),
      },
    });
    if (outcome.kind === "done") onClose();
    else if (outcome.kind !== "fault") setErrors(outcome.errors);
  };
  const change = (place: number, changed: Partial<Written>) =>
    setRows(rows.map((row, index) => (index === place ? { ...row, ...changed } : row)));
  return (
    <Dialog
      title="Prices for a million tokens"
      isOpen
      size="large"
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
        <Field
          label="Currency"
          className="w-32"
          error={/^[A-Z]{3}$/.test(currency) ? undefined : "Three letters, such as USD."}
        >
          <Input value={currency} maxLength={3} onChange={(event) => setCurrency(event.target.value.toUpperCase())} />
        </Field>
        {rows.map((row, place) => (
          <fieldset
            key={place}
            className="grid grid-cols-2 items-end gap-2 border-b pb-3 sm:grid-cols-[1fr_1.4fr_repeat(4,5.5rem)_2rem]"
          >
            <legend className="sr-only">{`Price ${place + 1}`}</legend>
            <Field label="Provider">
              <Select
                value={row.provider}
                choices={[...new Set([row.provider, ...providers, "local"])]
                  .filter((value) => value !== "")
                  .map((value) => ({ value, label: value }))}
                onChange={(provider) => change(place, { provider })}
              />
            </Field>
            <Field label="Model">
              <Input value={row.model} onChange={(event) => change(place, { model: event.target.value })} />
            </Field>
            {(
              [
                ["input", "Read", ""],
                ["cachedInput", "From cache", "as read"],
                ["cacheWrite", "Into cache", "as read"],
                ["output", "Written", ""],
              ] as const
            ).map(([field, label, usual]) => (
              <Field key={field} label={label}>
                <Input
                  inputMode="decimal"
                  placeholder={usual}
                  aria-invalid={row[field].trim() !== "" && !isAmount(row[field]) ? true : undefined}
                  value={row[field]}
                  onChange={(event) => change(place, { [field]: event.target.value })}
                />
              </Field>
            ))}
            <IconButton
              label={`Remove price ${place + 1}`}
              icon={<Icon name="trash" />}
              onClick={() => setRows(rows.filter((_, index) => index !== place))}
            />
          </fieldset>
        ))}
        <div>
          <Button
            size="small"
            onClick={() =>
              setRows([
                ...rows,
                {
                  provider: providers[0] ?? "local",
                  model: "",
                  input: "",
                  cachedInput: "",
                  cacheWrite: "",
                  output: "",
                },
              ])
            }
          >
            <Icon name="plus" /> Add a model
          </Button>
        </div>
        <OtherProblems errors={errors} fields={[]} />
      </div>
    </Dialog>
  );
}
