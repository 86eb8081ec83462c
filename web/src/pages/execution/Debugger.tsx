import { useNavigate } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import { toast, useLastWrite, useViewer } from "@/api";
import { type Action, useActions } from "@/app/actions";
import { type KeyBinding, useKeys } from "@/app/keys";
import { AddTestCase } from "@/parts/test-cases/AddTestCase";
import { Explorer, type Panel } from "./Explorer";
import { useExecutionChanges } from "./changes";
import { useExplored } from "./explore";
import { ForkDialog } from "./fork/ForkDialog";
import type { ExecutionFacts, Model } from "./history/model";
import { FamilyPanel } from "./panels/FamilyPanel";
import { Origin } from "./panels/Origin";
import { WatchPanel } from "./panels/WatchPanel";
import { BreakpointDialog } from "./parts/BreakpointDialog";
import { Header } from "./parts/Header";
import { Notices } from "./parts/Notices";
import type { ExecutionSearch } from "./search";
import { useDefinition } from "./useDefinition";
import type { ChangeView } from "./view";

export interface DebuggerProps {
  model: Model;
  facts: ExecutionFacts;
  version: number;
  isLive: boolean;
  view: ExecutionSearch;
  change: ChangeView;
}

/** How many keys only go from one event to another: the palette does not offer those. */
const KEYS_OF_STEPS = 8;

/** An execution of the server at a moment, and what can be done with it. */
export function Debugger({ model, facts, version, isLive, view, change }: DebuggerProps) {
  const { history, id } = model;
  const explored = useExplored(history, version, view, change);
  const { revision, go } = explored;
  const isOpen = facts.endedAt === null && facts.status !== "CONTINUED";
  const { drawn, changed } = useDefinition(model.beginning);
  const breakpoints = useMemo(() => new Set(facts.breakpoints.map(({ node }) => node)), [facts.breakpoints]);
  const changes = useExecutionChanges();
  const [dialog, setDialog] = useState<"fork" | "breakpoint" | "keep" | undefined>();
  const navigate = useNavigate();
  const waitFor = useLastWrite();
  const { can } = useViewer();
  const openFork = useCallback(() => setDialog("fork"), []);
  const openKeep = useCallback(() => setDialog("keep"), []);
  // Of one that was cancelled nothing can be held against another run.
  const mayKeep = !isOpen && facts.status !== "CANCELLED" && can("WORKFLOW_READ") && can("WORKFLOW_WRITE");
  const { forkedFrom, retryOf } = facts;
  const origin = forkedFrom?.executionId ?? retryOf;
  const compare = useCallback(() => {
    void navigate({ to: "/compare", search: { left: origin ?? id, right: origin === null ? undefined : id } });
  }, [navigate, origin, id]);
  const breakpointHere = () => {
    if (view.node === undefined)
      toast({ tone: "info", title: "Choose a node first", advice: "Press a node of the workflow, then b." });
    else setDialog("breakpoint");
  };

  const keys: KeyBinding[] = [
    ...explored.keys,
    { keys: "w", does: "watch an expression over past runs", run: () => explored.openTab("watch") },
    { keys: "b", does: "breakpoint before the chosen node", run: breakpointHere },
    { keys: "f", does: "fork from here", run: openFork },
    { keys: "c", does: "compare", run: compare },
    ...(mayKeep ? [{ keys: "t", does: "keep as a test case of the workflow", run: openKeep }] : []),
  ];
  useKeys(keys, "Execution");
  useActions(
    keys.slice(KEYS_OF_STEPS).map(({ keys: press, does, run }): Action => ({
      id: `execution-${press}`,
      label: capital(does),
      run,
    })),
  );

  const panels: Panel[] = [
    {
      value: "watch",
      label: "Watch",
      content: () => (
        <WatchPanel
          id={id}
          workflowId={facts.workflowId}
          drawn={drawn}
          node={view.node}
          expression={view.watch ?? ""}
          onExpression={(watch) => change({ watch: watch === "" ? undefined : watch })}
          onPosition={(position, node, run) =>
            change({ position: String(position), node, run: run > 0 ? run : undefined })
          }
        />
      ),
    },
    {
      value: "family",
      label: "Forks and retries",
      content: () => <FamilyPanel facts={facts} waitFor={waitFor} />,
    },
  ];
  return (
    <>
      <Explorer
        id={id}
        explored={explored}
        drawn={drawn}
        changed={changed}
        breakpoints={breakpoints}
        isOpen={isOpen}
        head={
          <>
            <Header
              facts={facts}
              isLive={isLive}
              changes={changes}
              onFork={openFork}
              onCompare={compare}
              onKeep={mayKeep ? openKeep : undefined}
              onChanged={model.readAgain}
            />
            <Notices facts={facts} onNode={explored.goToNode} onFork={openFork} />
          </>
        }
        panels={panels}
        onValue={(path) => change({ value: path })}
      />
      <Origin
        id={id}
        revision={revision}
        path={view.value}
        onClose={() => change({ value: undefined })}
        onGo={(to) => {
          go(to);
          change({ value: undefined });
        }}
        onNode={(node, run) => change({ node, run: run > 0 ? run : undefined, tab: "items", value: undefined })}
      />
      {dialog === "fork" && (
        <ForkDialog
          facts={facts}
          history={history}
          revision={revision}
          drawn={drawn}
          node={view.node}
          run={view.run}
          onClose={() => setDialog(undefined)}
        />
      )}
      <AddTestCase
        isOpen={dialog === "keep"}
        onClose={() => setDialog(undefined)}
        workflowId={facts.workflowId}
        execution={facts}
      />
      {dialog === "breakpoint" && view.node !== undefined && (
        <BreakpointDialog
          facts={facts}
          node={view.node}
          isBusy={changes.isSetting || changes.isStarting}
          onClose={() => setDialog(undefined)}
          onSet={async (list) => {
            const outcome = await changes.setBreakpoints({ input: { executionId: id, breakpoints: list } });
            if (outcome.kind === "done") model.readAgain(outcome.payload.position ?? undefined);
            return outcome.kind === "done";
          }}
          onStart={async (breakpoint) => {
            const { workflowId, workflowVersion } = facts;
            const input = { workflowId, version: workflowVersion, breakpoints: [breakpoint] };
            const outcome = await changes.startAgain({ input });
            if (outcome.kind !== "done") return false;
            const next = outcome.payload.executionId;
            if (next) void navigate({ to: "/executions/$executionId", params: { executionId: next } });
            return true;
          }}
        />
      )}
    </>
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
