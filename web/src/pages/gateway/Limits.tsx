import { useState } from "react";
import { type UserError, useChange, usePolling } from "@/api";
import type { GatewayHolder, GatewayLimitOf, SetGatewayLimitInput } from "@/gql/schema";
import { Button, type Column, Dialog, EmptyState, Field, Icon, Input, Money, Select, Table, wordsOf } from "@/ui";
import { Panel } from "@/ui/Panel";
import { LimitsTaken, RemoveLimit, SetLimit } from "./documents";
import { NumberField, OtherProblems, areNumbers, numberOf, problemAt } from "./forms";
import type { SetupShown } from "./GatewayPage";
import { windowWords } from "./limit-window";
import { Remove } from "./Remove";
import { Taken } from "./Taken";

export type Limit = SetupShown["gatewayLimits"][number];

const HOLDERS: Record<GatewayHolder, string> = {
  TENANT: "all together",
  KEY: "each key",
  WORKFLOW: "each workflow",
  AGENT: "each agent",
};
const OF: Record<GatewayLimitOf, string> = {
  MONEY: "money",
  REQUESTS_PER_MINUTE: "requests a minute",
  TOKENS_PER_MINUTE: "tokens a minute",
  CALLS_AT_ONCE: "calls at once",
};

/** How often it is asked what is taken. */
const TAKEN_EVERY_MS = 5_000;

export function Limits({ setup, mayWrite }: { setup: SetupShown; mayWrite: boolean }) {
  const [edited, setEdited] = useState<Limit | "new" | undefined>();
  const [remove] = useChange(RemoveLimit, {
    payload: (data) => data.removeGatewayLimit,
    done: "The limit was removed",
    failed: "The limit was not removed",
  });
  const [{ data }] = usePolling(LimitsTaken, {}, TAKEN_EVERY_MS);
  const takenOf = (name: string) => data?.gatewayLimits.find((limit) => limit.name === name);
  const { currency } = setup.gatewayPrices;
  const columns: Column<Limit>[] = [
    { key: "name", header: "Name", cell: (row) => <span className="font-medium">{row.name}</span> },
    {
      key: "holder",
      header: "For",
      cell: (row) =>
        row.id == null ? (
          HOLDERS[row.holder]
        ) : (
          <span className="break-all">{`the ${wordsOf(row.holder)} ${row.id}`}</span>
        ),
    },
    {
      key: "most",
      header: "At most",
      cell: (row) =>
        row.of === "MONEY" ? (
          <span className="whitespace-nowrap">
            <Money amount={row.money} currency={currency} /> a {windowWords(row.windowMs ?? 0)}
          </span>
        ) : (
          <span className="whitespace-nowrap">{`${(row.most ?? 0).toLocaleString()} ${OF[row.of]}`}</span>
        ),
    },
    {
      key: "taken",
      header: "Taken, and left",
      cell: (row) => <Taken limit={row} taken={takenOf(row.name)} currency={currency} />,
    },
    {
      key: "actions",
      header: <span className="sr-only">Changes</span>,
      align: "end",
      cell: (row) =>
        mayWrite && (
          <span className="inline-flex">
            <Button size="small" kind="quiet" aria-label={`Change ${row.name}`} onClick={() => setEdited(row)}>
              Change
            </Button>
            <Remove
              what={row.name}
              onRemove={async () => (await remove({ input: { name: row.name } })).kind === "done"}
            >
              What it held back is let through from then on.
            </Remove>
          </span>
        ),
    },
  ];
  return (
    <Panel
      title="Limits and budgets"
      hint="Looked at before anybody is asked: a call that does not fit is refused, and told when there is room."
      isFlush
      actions={
        mayWrite && (
          <Button size="small" onClick={() => setEdited("new")}>
            <Icon name="plus" /> Set a limit
          </Button>
        )
      }
    >
      <Table
        label="Limits"
        rows={setup.gatewayLimits}
        columns={columns}
        keyOf={(row) => row.name}
        empty={
          <EmptyState
            icon="gateway"
            title="No limits yet"
            action={
              mayWrite && (
                <Button kind="primary" onClick={() => setEdited("new")}>
                  Set a limit
                </Button>
              )
            }
          >
            A limit holds requests, tokens, calls at once or money: for all together, or for each key, workflow or
            agent. Budgets need prices, so that it is known what a call costs.
          </EmptyState>
        }
      />
      {edited !== undefined && (
        <LimitForm
          currency={currency}
          limit={edited === "new" ? undefined : edited}
          onClose={() => setEdited(undefined)}
        />
      )}
    </Panel>
  );
}

const WINDOWS = [
  { value: "3600000", label: "hour" },
  { value: "86400000", label: "day" },
  { value: "604800000", label: "7 days" },
  { value: "2592000000", label: "30 days" },
];
const FIELDS = ["name", "id", "money", "most", "windowMs"];

function LimitForm({ limit, currency, onClose }: { limit: Limit | undefined; currency: string; onClose: () => void }) {
  const [name, setName] = useState(limit?.name ?? "");
  const [holder, setHolder] = useState<GatewayHolder>(limit?.holder ?? "TENANT");
  const [id, setId] = useState(limit?.id ?? "");
  const [of, setOf] = useState<GatewayLimitOf>(limit?.of ?? "MONEY");
  const [most, setMost] = useState(limit?.most == null ? "" : String(limit.most));
  const [money, setMoney] = useState(limit?.money ?? "");
  const [windowMs, setWindowMs] = useState(String(limit?.windowMs ?? 86_400_000));
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [save, isSaving] = useChange(SetLimit, {
    payload: (data) => data.setGatewayLimit,
    done: "The limit holds from now on",
    failed: "The limit was not set",
    quiet: true,
  });
  const go = async () => {
    setErrors([]);
    const amount: Partial<SetGatewayLimitInput> =
      of === "MONEY" ? { money: money.trim(), windowMs: Number(windowMs) } : { most: numberOf(most) };
    const given = holder === "TENANT" || id.trim() === "" ? undefined : id.trim();
    const outcome = await save({ input: { name: name.trim(), holder, of, id: given, ...amount } });
    if (outcome.kind === "done") onClose();
    else if (outcome.kind !== "fault") setErrors(outcome.errors);
  };
  const windows = WINDOWS.some((one) => one.value === windowMs)
    ? WINDOWS
    : [...WINDOWS, { value: windowMs, label: windowWords(Number(windowMs)) }];
  const isReady =
    name.trim() !== "" &&
    (of === "MONEY" ? /^\d+(\.\d{1,9})?$/.test(money.trim()) : most.trim() !== "" && areNumbers(most));
  return (
    <Dialog
      title={limit ? `Change ${limit.name}` : "Set a limit"}
      isOpen
      size="small"
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
        <Field label="Name" error={problemAt(errors, "name")} hint="Small letters, digits and hyphens.">
          <Input value={name} disabled={limit !== undefined} onChange={(event) => setName(event.target.value)} />
        </Field>
        <Field label="For">
          <Select
            value={holder}
            choices={(Object.keys(HOLDERS) as GatewayHolder[]).map((value) => ({ value, label: HOLDERS[value] }))}
            onChange={setHolder}
          />
        </Field>
        {holder !== "TENANT" && (
          <Field
            label={`One ${wordsOf(holder)} alone (may be left out)`}
            error={problemAt(errors, "id")}
            hint={
              holder === "AGENT"
                ? "The agent's name."
                : holder === "KEY"
                  ? "The part of the key that may be seen."
                  : "The workflow's id."
            }
          >
            <Input value={id} onChange={(event) => setId(event.target.value)} />
          </Field>
        )}
        <Field label="Of">
          <Select
            value={of}
            choices={(Object.keys(OF) as GatewayLimitOf[]).map((value) => ({ value, label: OF[value] }))}
            onChange={setOf}
          />
        </Field>
        {of === "MONEY" ? (
          <div className="grid grid-cols-2 gap-3">
            <Field
              label={`At most${currency === "" ? "" : ` (${currency})`}`}
              error={problemAt(errors, "money")}
              hint={
                currency === "" ? "There are no prices yet: calls are refused until there are." : "Such as 20 or 0.50."
              }
            >
              <Input inputMode="decimal" value={money} onChange={(event) => setMoney(event.target.value)} />
            </Field>
            <Field label="In each" error={problemAt(errors, "windowMs")} hint="Counted from 1970, UTC.">
              <Select value={windowMs} choices={windows} onChange={setWindowMs} />
            </Field>
          </div>
        ) : (
          <NumberField label="At most" value={most} error={problemAt(errors, "most")} onChange={setMost} />
        )}
        <OtherProblems errors={errors} fields={FIELDS} />
      </div>
    </Dialog>
  );
}
