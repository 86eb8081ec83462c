import { Link, useNavigate } from "@tanstack/react-router";
import { useState, useSyncExternalStore } from "react";
import { useLastWrite, useLive, usePager } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { type Act, ActDialog } from "@/parts/ActDialog";
import { type ExecutionAction, type ExecutionRow, canAct, executionAnew } from "@/parts/execution-changes";
import {
  Badge,
  Button,
  type Column,
  Elapsed,
  EmptyState,
  Icon,
  IconButton,
  StatusBadge,
  Time,
  VirtualTable,
  wordsOf,
} from "@/ui";
import { Details } from "./Details";
import { ExecutionsChanged, ExecutionsList } from "./documents";
import { conditions, matches } from "./matches";
import type { ExecutionsSearch } from "./search";

/** Above this many, rows are read anew in one go with the list. */
const ANEW_MAX = 50;

export interface ExecutionsTableProps {
  search: ExecutionsSearch;
  onChange: (change: Partial<ExecutionsSearch>) => void;
}

/**
 * Executions one by one: first the failures that nobody has looked after, then all others, the newest first among each. What
 * changes, changes where it stands; what is new waits above.
 */
export function ExecutionsTable({ search, onChange }: ExecutionsTableProps) {
  const navigate = useNavigate();
  const { status, workflow, trigger, unresolved, fingerprint, fact, value, from, to, at, details } = search;
  const asOf = at === undefined ? undefined : { time: at };
  const written = useLastWrite();
  const isByNeed = search.order === undefined;
  const rows = usePager(
    ExecutionsList,
    {
      status,
      workflow,
      trigger,
      unresolved: unresolved ?? false,
      fingerprint,
      from,
      to,
      saved: fact !== undefined && value !== undefined ? { name: fact, value } : undefined,
      order: isByNeed ? "UNRESOLVED_FIRST" : "NEWEST",
      asOf,
      // A list of what is left to look after begins anew after each change; others stay where they were read.
      waitFor: unresolved === true && at === undefined ? written : undefined,
    },
    { connection: (data) => data.executions, keyOf: (row) => row.id },
  );
  const isNarrow = useIsNarrow();
  const [chosen, setChosen] = useState<ReadonlyMap<string, ExecutionRow>>(new Map());
  const [act, setAct] = useState<Act | undefined>();
  const [stamp, setStamp] = useState(0);
  const [active, setActive] = useState<{ row: ExecutionRow; index: number } | undefined>();
  const [anchor, setAnchor] = useState(0);

  useLive(
    ExecutionsChanged,
    {},
    ({ executionsChanged: { execution } }) => {
      if (!execution) return;
      if (matches(search, execution)) rows.upsert(execution);
      else rows.update(execution);
      if (execution.id === details) setStamp((count) => count + 1);
    },
    { position: (data) => data.executionsChanged.position, fromNow: true, enabled: at === undefined },
  );

  const choose = (index: number, toRange: boolean) => {
    const [from, to] = toRange ? [Math.min(anchor, index), Math.max(anchor, index)] : [index, index];
    const next = new Map(chosen);
    const isOff = !toRange && next.has(rows.rowAt(index)?.id ?? "");
    for (let place = from; place <= to; place += 1) {
      const row = rows.rowAt(place);
      if (row === undefined) continue;
      if (isOff) next.delete(row.id);
      else next.set(row.id, row);
    }
    setAnchor(index);
    setChosen(next);
  };
  const chooseRow = (row: ExecutionRow, toRange: boolean) => {
    if (active?.row.id === row.id) {
      choose(active.index, toRange);
      return;
    }
    // Not every browser gives the focus to a box that is pressed.
    const next = new Map(chosen);
    if (!next.delete(row.id)) next.set(row.id, row);
    setChosen(next);
  };
  const showDetails = (id: string | undefined) => onChange({ details: id });
  const begin = (action: ExecutionAction, of?: readonly ExecutionRow[]) => {
    const own = of ?? (chosen.size > 0 ? [...chosen.values()] : active ? [active.row] : []);
    if (at === undefined && own.some((row) => canAct(action, row))) setAct({ action, of: own });
  };
  const pair = chosen.size === 2 ? [...chosen.keys()] : undefined;
  const compare = () => {
    if (pair) void navigate({ to: "/compare", search: { left: pair[1], right: pair[0] } });
  };
  const afterAct = async (done: readonly ExecutionRow[]) => {
    setChosen(new Map());
    setStamp((count) => count + 1);
    if (unresolved === true) return;
    if (done.length > ANEW_MAX) rows.reload();
    else for (const row of await Promise.all(done.map((one) => executionAnew(one.id)))) if (row) rows.update(row);
  };

  useKeys(
    [
      { keys: "x", does: "choose the row, or not", run: () => choose(active?.index ?? 0, false) },
      { keys: "X", does: "choose all from the last chosen row", run: () => choose(active?.index ?? 0, true) },
      {
        keys: "i",
        does: "show the row's details, or hide them",
        run: () => showDetails(details === active?.row.id ? undefined : active?.row.id),
      },
      { keys: "r", does: "retry the chosen", run: () => begin("retry") },
      { keys: "e", does: "dismiss the chosen failures", run: () => begin("dismiss") },
      { keys: "s", does: "cancel the chosen", run: () => begin("cancel") },
      { keys: "c", does: "compare the two chosen", run: compare },
      {
        keys: "Escape",
        does: "hide details, then choose none",
        run: () => (details === undefined ? setChosen(new Map()) : showDetails(undefined)),
      },
    ],
    "List of executions",
  );
  useActions([
    ...(chosen.size > 0
      ? [
          { id: "chosen-retry", label: `Retry the ${chosen.size} chosen executions`, run: () => begin("retry") },
          { id: "chosen-dismiss", label: `Dismiss the ${chosen.size} chosen failures`, run: () => begin("dismiss") },
          { id: "chosen-cancel", label: `Cancel the ${chosen.size} chosen executions`, run: () => begin("cancel") },
        ]
      : []),
    ...(pair ? [{ id: "chosen-compare", label: "Compare the two chosen executions", run: compare }] : []),
  ]);

  return (
    <div className="flex min-h-0 flex-1">
      <div className="relative flex min-h-0 min-w-0 flex-1 flex-col">
        {chosen.size > 0 && (
          <Chosen
            rows={[...chosen.values()]}
            isPast={at !== undefined}
            onAct={begin}
            onCompare={pair && compare}
            onNone={() => setChosen(new Map())}
          />
        )}
        <VirtualTable
          label="Executions"
          // Where what is new belongs is told by the server, unless the newest are first.
          rows={isByNeed ? { ...rows, showFresh: rows.reload } : rows}
          key={isNarrow ? "narrow" : "wide"}
          rowHeight={isNarrow ? 52 : 36}
          columns={columnsOf({
            hasDetails: details !== undefined,
            isChosen: (row) => chosen.has(row.id),
            onChoose: chooseRow,
            onDetails: (row) => showDetails(row.id === details ? undefined : row.id),
          })}
          keyOf={(row) => row.id}
          selectedKey={details}
          onActive={(row, index) => {
            setActive({ row, index });
            // Details follow the keyboard, as in a reader of mail.
            if (details !== undefined && details !== row.id) showDetails(row.id);
          }}
          onOpen={(row) => void navigate({ to: "/executions/$executionId", params: { executionId: row.id } })}
          empty={<Nothing search={search} onChange={onChange} />}
        />
      </div>
      {details !== undefined && (
        <Details
          id={details}
          at={at}
          stamp={stamp}
          onClose={() => showDetails(undefined)}
          onAct={(action, row) => begin(action, [row])}
        />
      )}
      <ActDialog act={act} onClose={() => setAct(undefined)} onDone={(done) => void afterAct(done)} />
    </div>
  );
}

interface OfColumns {
  /** What details tell beside the list needs no room in it. */
  hasDetails: boolean;
  isChosen: (row: ExecutionRow) => boolean;
  onChoose: (row: ExecutionRow, toRange: boolean) => void;
  onDetails: (row: ExecutionRow) => void;
}

function columnsOf({ hasDetails, isChosen, onChoose, onDetails }: OfColumns): Column<ExecutionRow>[] {
  const columns: Column<ExecutionRow>[] = [
    {
      key: "choose",
      header: <span className="sr-only">Chosen</span>,
      width: "1.25rem",
      cell: (row) => (
        <input
          type="checkbox"
          aria-label={`Choose the execution of ${nameOf(row)}`}
          checked={isChosen(row)}
          tabIndex={-1}
          onChange={() => undefined}
          onClick={(event) => onChoose(row, event.shiftKey)}
          className="block size-4 accent-accent"
        />
      ),
    },
    {
      key: "workflow",
      header: "Workflow",
      width: "minmax(0, 2fr)",
      cell: (row) => (
        <Link
          to="/executions/$executionId"
          params={{ executionId: row.id }}
          className="block truncate font-medium hover:underline"
          tabIndex={-1}
        >
          {nameOf(row)}
          <span className="block truncate text-xs font-normal text-muted md:hidden">
            <Time value={row.startedAt} />
            {row.errorMessage !== null && <> · {row.errorMessage}</>}
          </span>
        </Link>
      ),
    },
    {
      key: "status",
      header: "Status",
      width: "7rem",
      cell: (row) => <StatusBadge status={row.status} />,
    },
    {
      key: "error",
      header: "What",
      width: "minmax(0, 3fr)",
      wideOnly: true,
      cell: (row) => <What row={row} />,
    },
    {
      key: "trigger",
      header: "Trigger",
      width: "7rem",
      wideOnly: true,
      cell: (row) => <span className="text-muted">{row.trigger ? wordsOf(row.trigger) : wordsOf(row.mode)}</span>,
    },
    { key: "started", header: "Started", width: "6rem", wideOnly: true, cell: (row) => <Time value={row.startedAt} /> },
    {
      key: "took",
      header: "Took",
      width: "5rem",
      align: "end",
      wideOnly: true,
      cell: (row) => <Elapsed from={row.startedAt} to={row.endedAt} />,
    },
    {
      key: "details",
      header: <span className="sr-only">Details</span>,
      width: "1.75rem",
      wideOnly: true,
      cell: (row) => (
        <IconButton
          size="small"
          label={`Details of the execution of ${nameOf(row)}`}
          icon={<Icon name="info" />}
          tabIndex={-1}
          onClick={() => onDetails(row)}
        />
      ),
    },
  ];
  return hasDetails ? columns.filter(({ key }) => !["trigger", "took", "details"].includes(key)) : columns;
}

const NARROW = matchMedia("(max-width: 767px)");

/** Whether the window is as narrow as a phone: rows are of two lines there. */
function useIsNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      NARROW.addEventListener("change", listener);
      return () => NARROW.removeEventListener("change", listener);
    },
    () => NARROW.matches,
  );
}

function What({ row }: { row: ExecutionRow }) {
  if (row.retriedAs !== null)
    return (
      <span className="flex items-center gap-1.5 text-muted">
        <Badge>retried</Badge> <span className="truncate">{row.errorMessage}</span>
      </span>
    );
  if (row.dismissed !== null)
    return (
      <span className="flex items-center gap-1.5 text-muted">
        <Badge>dismissed</Badge> <span className="truncate">{row.dismissed || row.errorMessage}</span>
      </span>
    );
  if (row.errorMessage !== null) return <span className="text-bad">{row.errorMessage}</span>;
  if (row.paused) return <span className="text-muted">before {row.paused.node ?? "its next node"}</span>;
  if (row.waiting) return <span className="text-muted">at {row.waiting.node}</span>;
  return null;
}

interface ChosenProps {
  rows: readonly ExecutionRow[];
  isPast: boolean;
  onAct: (action: ExecutionAction) => void;
  onCompare: (() => void) | undefined;
  onNone: () => void;
}

const BULK: readonly [ExecutionAction, string][] = [
  ["retry", "Retry"],
  ["dismiss", "Dismiss"],
  ["resume", "End the waits"],
  ["unpause", "Let go on"],
  ["cancel", "Cancel"],
];

function Chosen({ rows, isPast, onAct, onCompare, onNone }: ChosenProps) {
  return (
    <div
      role="toolbar"
      aria-label="What can be done to the chosen executions"
      className="flex flex-wrap items-center gap-2 border-b bg-accent-soft px-4 py-1.5 md:px-6"
    >
      <span role="status" className="mr-1 text-[13px] font-medium text-accent">
        {rows.length} chosen
      </span>
      {BULK.map(([action, label]) => {
        const fitting = rows.filter((row) => canAct(action, row)).length;
        return isPast || fitting === 0 ? null : (
          <Button key={action} size="small" onClick={() => onAct(action)}>
            {label}
            {fitting < rows.length && <span className="text-xs text-muted">{fitting}</span>}
          </Button>
        );
      })}
      {onCompare && (
        <Button size="small" onClick={onCompare}>
          <Icon name="compare" /> Compare
        </Button>
      )}
      <Button size="small" kind="quiet" onClick={onNone}>
        Choose none
      </Button>
    </div>
  );
}

function Nothing({ search, onChange }: ExecutionsTableProps) {
  if (conditions(search) === 0)
    return (
      <EmptyState
        icon="execution"
        title="Nothing has run yet"
        action={
          <Link to="/workflows" className="text-sm font-medium text-accent underline">
            Go to the workflows
          </Link>
        }
      >
        An execution is one run of a workflow, with everything that happened in it. Start a workflow by hand on its
        page, or publish and activate it so that its trigger starts it.
      </EmptyState>
    );
  if (search.unresolved === true && conditions(search) === 1)
    return (
      <EmptyState icon="check" title="No failure needs attention">
        Failures of production runs are here until they are retried or dismissed.
      </EmptyState>
    );
  return (
    <EmptyState
      icon="search"
      title={search.status !== undefined && conditions(search) === 1 ? "None has this status" : "None is so"}
      action={
        <Button
          onClick={() =>
            onChange({
              status: undefined,
              workflow: undefined,
              trigger: undefined,
              unresolved: undefined,
              fingerprint: undefined,
              fact: undefined,
              value: undefined,
              from: undefined,
              to: undefined,
              at: undefined,
            })
          }
        >
          Show all
        </Button>
      }
    >
      No execution meets all conditions above.
    </EmptyState>
  );
}

function nameOf(row: ExecutionRow): string {
  return row.workflow?.name ?? row.workflowId;
}
