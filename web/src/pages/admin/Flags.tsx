import { useState } from "react";
import { faultOf, graphql, useChange, usePolling } from "@/api";
import type { AdminFlagsQuery } from "@/gql/graphql";
import { ActorName } from "@/parts/ActorName";
import { type RolloutWords, numbersOf, rolloutWords } from "@/parts/flag-words";
import {
  Button,
  type Column,
  ConfirmDialog,
  EmptyState,
  ErrorState,
  Icon,
  IconButton,
  Menu,
  Skeleton,
  Table,
  Time,
} from "@/ui";
import { FormDialog, ReasonField, SectionHead, TextField, problemOf } from "./parts";

const AdminFlags = graphql(`
  query AdminFlags {
    featureFlags {
      feature
      rollout {
        percent
        onFor
        offFor
      }
      earlier {
        percent
        onFor
        offFor
      }
      changedAt
      changedBy {
        kind
        name
        displayName
      }
      reason
    }
  }
`);

const AdminSetFlag = graphql(`
  mutation AdminSetFlag($input: SetFeatureFlagInput!) {
    setFeatureFlag(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

const AdminRollBackFlag = graphql(`
  mutation AdminRollBackFlag($input: FeatureFlagInput!) {
    rollBackFeatureFlag(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

const AdminRemoveFlag = graphql(`
  mutation AdminRemoveFlag($input: FeatureFlagInput!) {
    removeFeatureFlag(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

type Row = AdminFlagsQuery["featureFlags"][number];
type Doing = { kind: "set"; flag?: Row } | { kind: "rollBack" | "remove"; flag: Row };

/** Flags of others are seen this soon. */
const EVERY_MS = 5_000;

/** For which tenants a feature is on. */
export function Flags() {
  const [doing, setDoing] = useState<Doing>();
  const [{ data, error }, again] = usePolling(AdminFlags, {}, EVERY_MS);
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={() => again()} />;
  const columns: Column<Row>[] = [
    { key: "feature", header: "Feature", cell: (row) => <code className="text-xs break-all">{row.feature}</code> },
    {
      key: "on",
      header: "On",
      cell: (row) => (row.rollout ? rolloutWords(row.rollout) : "for nobody: this server does not know the flag"),
    },
    { key: "why", header: "Why", wideOnly: true, cell: (row) => row.reason ?? "–" },
    { key: "by", header: "Changed by", wideOnly: true, cell: (row) => <ActorName actor={row.changedBy} /> },
    { key: "at", header: "Changed", align: "end", wideOnly: true, cell: (row) => <Time value={row.changedAt} /> },
    {
      key: "do",
      header: <span className="sr-only">What can be done</span>,
      width: "2rem",
      cell: (row) => (
        <Menu
          trigger={<IconButton size="small" label={`Change ${row.feature}`} icon={<Icon name="more" />} />}
          items={[
            { label: "Set", run: () => setDoing({ kind: "set", flag: row }) },
            {
              label: "Roll back",
              disabled: row.earlier.length === 0,
              run: () => setDoing({ kind: "rollBack", flag: row }),
            },
            { label: "Remove", isDangerous: true, run: () => setDoing({ kind: "remove", flag: row }) },
          ]}
        />
      ),
    },
  ];
  const close = () => {
    setDoing(undefined);
    again();
  };
  return (
    <>
      <SectionHead
        title="Flags"
        actions={
          <Button kind="primary" onClick={() => setDoing({ kind: "set" })}>
            New flag
          </Button>
        }
      >
        For which tenants a feature is on. A feature without a flag is on for all.
      </SectionHead>
      {data ? (
        <div className="md:px-3">
          <Table
            label="Flags"
            rows={data.featureFlags}
            columns={columns}
            keyOf={(row) => row.feature}
            empty={
              <EmptyState icon="admin" title="Every feature is on for every tenant">
                A flag brings a node type, agents or the gateway to a few tenants first and to all later, or switches it
                off in a moment.
              </EmptyState>
            }
          />
        </div>
      ) : (
        <Skeleton className="m-4 h-24" />
      )}
      {doing?.kind === "set" && <FlagForm flag={doing.flag} onClose={close} />}
      {(doing?.kind === "rollBack" || doing?.kind === "remove") && (
        <Undoing flag={doing.flag} isRollBack={doing.kind === "rollBack"} onClose={close} />
      )}
    </>
  );
}

function FlagForm({ flag, onClose }: { flag?: Row; onClose: () => void }) {
  const now: RolloutWords = flag?.rollout ?? { percent: 0, onFor: [], offFor: [] };
  const [feature, setFeature] = useState(flag?.feature ?? "");
  const [percent, setPercent] = useState(String(now.percent));
  const [on, setOn] = useState(now.onFor.join(", "));
  const [off, setOff] = useState(now.offFor.join(", "));
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [set, isBusy] = useChange(AdminSetFlag, {
    payload: (data) => data.setFeatureFlag,
    done: "The flag is set",
    failed: "The flag was not set",
    quiet: true,
  });
  const submit = async () => {
    const [onFor, offFor] = [numbersOf(on), numbersOf(off)];
    const share = Number(percent);
    if (onFor === undefined || offFor === undefined) {
      setProblem("Tenants are given by their numbers, with commas between them.");
      return;
    }
    if (!Number.isInteger(share) || share < 0 || share > 100) {
      setProblem("The percentage is a whole number from 0 to 100.");
      return;
    }
    const outcome = await set({
      input: { feature: feature.trim(), percent: share, onFor, offFor, reason: reason.trim() },
    });
    if (outcome.kind === "done") onClose();
    else setProblem(problemOf(outcome));
  };
  return (
    <FormDialog
      title={flag ? `Set ${flag.feature}` : "New flag"}
      submit="Set it"
      isBusy={isBusy}
      isIncomplete={feature.trim() === "" || percent.trim() === "" || reason.trim() === ""}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <TextField
        label="Feature"
        value={feature}
        onChange={setFeature}
        disabled={flag !== undefined}
        autoFocus={flag === undefined}
        maxLength={205}
        hint="agents, gateway, or node: and the name of a node type, such as node:n8n-nodes-base.code"
      />
      <TextField
        label="Percentage of tenants"
        value={percent}
        onChange={setPercent}
        inputMode="numeric"
        hint="Who has it keeps it when the number grows."
      />
      <TextField label="On for the tenants" value={on} onChange={setOn} hint="Numbers, such as 3, 7" />
      <TextField label="Off for the tenants" value={off} onChange={setOff} />
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  );
}

function Undoing({ flag, isRollBack, onClose }: { flag: Row; isRollBack: boolean; onClose: () => void }) {
  const [rollBack] = useChange(AdminRollBackFlag, {
    payload: (data) => data.rollBackFeatureFlag,
    done: `${flag.feature} is as it was before`,
    failed: "The flag was not rolled back",
  });
  const [remove] = useChange(AdminRemoveFlag, {
    payload: (data) => data.removeFeatureFlag,
    done: `${flag.feature} is on for all tenants`,
    failed: "The flag was not removed",
  });
  const before = flag.earlier[0];
  return (
    <ConfirmDialog
      title={`${isRollBack ? "Roll back" : "Remove"} ${flag.feature}`}
      isOpen
      onClose={onClose}
      confirm={isRollBack ? "Roll back" : "Remove the flag"}
      isDangerous={!isRollBack}
      reason="required"
      onConfirm={async (reason = "") => {
        const input = { feature: flag.feature, reason };
        const outcome = isRollBack ? await rollBack({ input }) : await remove({ input });
        return outcome.kind === "done";
      }}
    >
      {isRollBack && before ? `It will be on ${rolloutWords(before)}.` : "It will be on for all tenants."}
    </ConfirmDialog>
  );
}
