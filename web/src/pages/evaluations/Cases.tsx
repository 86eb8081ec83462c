import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { faultOf, useChange, useLastWrite } from "@/api";
import { useKeys } from "@/app/keys";
import { asOf } from "@/app/search";
import type { EvaluationSetCasesQuery } from "@/gql/graphql";
import {
  Button,
  type Column,
  ConfirmDialog,
  Dialog,
  EmptyState,
  Facts,
  JsonView,
  type Rows,
  Time,
  VirtualTable,
  rowsOf,
} from "@/ui";
import { bytes } from "@/ui/formats";
import { counted } from "@/ui/counted";
import { jsonText } from "@/ui/json-lines";
import { AddVersion, CasesOfSet } from "./documents";
import type { SetShown } from "./EvaluationSetPage";
import type { EvaluationSetSearch } from "./search";
import { VersionField, versionOf } from "./VersionField";

type Case = NonNullable<NonNullable<EvaluationSetCasesQuery["evaluationSet"]>["version"]>["cases"][number];

/** Of a value a row shows the beginning; the rest is in its dialog. */
const SHOWN_CHARACTERS_MAX = 200;
const NONE: ReadonlySet<string> = new Set();
/** Before the first answer: one row that is on its way. */
const WAITING: Rows<Case> = { ...rowsOf<Case>([]), hasMore: true, isLoading: true, isEmpty: false };

const route = getRouteApi("/evaluation-sets/$setName");

/** The cases of a version: each with what is given, and what is to come out. */
export function Cases({ set, mayRun }: { set: SetShown; mayRun: boolean }) {
  const { version: said, find = "", case: caseId, at } = route.useSearch();
  const navigate = useNavigate({ from: "/evaluation-sets/$setName" });
  const put = (part: Partial<EvaluationSetSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  const version = versionOf(set, said);
  const lastWrite = useLastWrite();
  const [{ data, error }, again] = useQuery({
    query: CasesOfSet,
    variables: { name: set.name, version, asOf: asOf(at), waitFor: at === undefined ? lastWrite : undefined },
  });
  const [chosen, setChosen] = useState(NONE);
  const [isRemoving, setRemoving] = useState(false);
  const shown = data?.evaluationSet?.name === set.name ? data.evaluationSet.version : undefined;
  const cases = shown?.version === version ? shown.cases : undefined;
  const mayRemove = mayRun && version === set.newestVersion;
  const found = cases?.filter((one) => isFound(one, find));
  // What is chosen in a version is nothing in another one that lacks it.
  const there = cases?.filter((one) => chosen.has(one.id)) ?? [];
  const rows: Rows<Case> =
    error && !cases
      ? { ...rowsOf<Case>([]), fault: faultOf(error), reload: () => again({ requestPolicy: "network-only" }) }
      : found
        ? rowsOf(found)
        : WAITING;
  const choose = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  useKeys([{ keys: "Escape", does: "choose none", run: () => setChosen(NONE) }], "Cases");
  const facts = set.versions.find((one) => one.version === version);
  const opened = cases?.find((one) => one.id === caseId);
  return (
    <div className="flex h-full min-h-72 flex-col bg-surface">
      <div className="flex flex-wrap items-center gap-2 border-b px-4 py-2 md:px-6">
        <VersionField
          set={set}
          version={version}
          hideLabel
          onChange={(next) => put({ version: next === set.newestVersion ? undefined : next, case: undefined })}
        />
        <input
          type="search"
          aria-label="Find in cases"
          placeholder="Find in cases"
          maxLength={200}
          value={find}
          onChange={(event) => put({ find: event.target.value === "" ? undefined : event.target.value })}
          className="h-8 w-40 rounded-md border border-line-strong/60 bg-surface px-2.5 text-sm placeholder:text-muted"
        />
        <span role="status" className="text-xs text-muted">
          {found && cases && found.length < cases.length
            ? `${found.length.toLocaleString()} of ${counted(cases.length, "case")}`
            : facts && `${counted(facts.caseCount, "case")}, ${bytes(facts.bytes)}`}
        </span>
        {facts && (
          <span className="text-xs text-muted">
            added <Time value={facts.addedAt} />
          </span>
        )}
        {mayRemove && there.length > 0 && (
          <span className="ml-auto flex items-center gap-2 text-[13px]">
            {there.length} chosen
            <Button size="small" kind="danger" onClick={() => setRemoving(true)}>
              Remove…
            </Button>
          </span>
        )}
      </div>
      <VirtualTable
        label="Cases"
        rows={rows}
        columns={columnsOf(mayRemove ? { chosen, choose } : undefined)}
        keyOf={(row) => row.id}
        selectedKey={caseId}
        onOpen={(row) => put({ case: row.id })}
        empty={
          <EmptyState
            icon="search"
            title="No case is so"
            action={<Button onClick={() => put({ find: undefined })}>Show all</Button>}
          >
            None has “{find}” in its id, input or expected value.
          </EmptyState>
        }
      />
      {opened && <OpenCase one={opened} onClose={() => put({ case: undefined })} />}
      {isRemoving && (
        <RemoveCases
          set={set}
          cases={there}
          onClose={() => setRemoving(false)}
          onDone={() => {
            setChosen(NONE);
            put({ version: undefined });
          }}
        />
      )}
    </div>
  );
}

function isFound(one: Case, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return true;
  return [one.id, jsonText(one.input), one.expected == null ? "" : jsonText(one.expected)].some((part) =>
    part.toLowerCase().includes(wanted),
  );
}

function columnsOf(choice: { chosen: ReadonlySet<string>; choose: (id: string) => void } | undefined): Column<Case>[] {
  const code = (value: unknown) => <code className="text-xs">{jsonText(value).slice(0, SHOWN_CHARACTERS_MAX)}</code>;
  return [
    ...(choice
      ? [
          {
            key: "choose",
            header: <span className="sr-only">Chosen</span>,
            width: "1.25rem",
            cell: (row: Case) => (
              <input
                type="checkbox"
                aria-label={`Choose case ${row.id}`}
                checked={choice.chosen.has(row.id)}
                onChange={() => choice.choose(row.id)}
                className="size-4 align-middle accent-accent"
              />
            ),
          },
        ]
      : []),
    {
      key: "id",
      header: "Case",
      width: "minmax(4rem, 1fr)",
      cell: (row) => <span className="font-medium">{row.id}</span>,
    },
    { key: "input", header: "Input", width: "minmax(0, 3fr)", cell: (row) => code(row.input) },
    {
      key: "expected",
      header: "Expected",
      width: "minmax(0, 2fr)",
      cell: (row) => (row.expected == null ? <span className="text-muted">nobody said</span> : code(row.expected)),
    },
    { key: "origin", header: "From", width: "7rem", wideOnly: true, cell: (row) => <Origin one={row} /> },
  ];
}

function Origin({ one }: { one: Case }) {
  const className = "text-accent hover:underline";
  if (one.executionId != null)
    return (
      <Link to="/executions/$executionId" params={{ executionId: one.executionId }} className={className}>
        an execution
      </Link>
    );
  if (one.inferenceId != null)
    return (
      <Link to="/inferences/$inferenceId" params={{ inferenceId: one.inferenceId }} className={className}>
        an inference
      </Link>
    );
  return <span className="text-muted">by hand</span>;
}

function OpenCase({ one, onClose }: { one: Case; onClose: () => void }) {
  return (
    <Dialog title={`Case ${one.id}`} isOpen onClose={onClose} size="large">
      <div className="flex flex-col gap-4">
        <div className="grid gap-4 md:grid-cols-2">
          <section aria-label="Input" className="min-w-0">
            <h3 className="mb-1 text-[13px] font-semibold">Input</h3>
            <JsonView label="input" value={one.input} depth={4} className="h-64 rounded-md border" />
          </section>
          <section aria-label="Expected" className="min-w-0">
            <h3 className="mb-1 text-[13px] font-semibold">Expected</h3>
            {one.expected == null ? (
              <p className="text-[13px] text-muted">
                Nobody said what is to come out: scorers that need it leave it out.
              </p>
            ) : (
              <JsonView label="expected value" value={one.expected} depth={4} className="h-64 rounded-md border" />
            )}
          </section>
        </div>
        <Facts facts={[["From", <Origin key="origin" one={one} />]]} />
      </div>
    </Dialog>
  );
}

interface RemoveCasesProps {
  set: SetShown;
  cases: readonly Case[];
  onClose: () => void;
  onDone: () => void;
}

/** Asks, then adds a version without some of the cases. */
function RemoveCases({ set, cases, onClose, onDone }: RemoveCasesProps) {
  const [remove] = useChange(AddVersion, {
    payload: (data) => data.addEvaluationSetVersion,
    done: `Version ${set.newestVersion + 1} is without ${cases.length === 1 ? "it" : "them"}`,
    failed: "The cases were not removed",
  });
  return (
    <ConfirmDialog
      title={`Remove ${counted(cases.length, "case")}`}
      isOpen
      onClose={onClose}
      confirm={`Make version ${set.newestVersion + 1}`}
      onConfirm={async () => {
        const without = cases.map((one) => one.id);
        const input = { name: set.name, keep: true, without, afterVersion: set.newestVersion };
        const isDone = (await remove({ input })).kind === "done";
        if (isDone) onDone();
        return isDone;
      }}
    >
      Another version is made that lacks {cases.length === 1 ? "the case" : "the cases"}{" "}
      {cases
        .slice(0, 5)
        .map((one) => one.id)
        .join(", ")}
      {cases.length > 5 && ` and ${cases.length - 5} more`}. Version {set.newestVersion} stays as it is, with what was
      tried on it.
    </ConfirmDialog>
  );
}
