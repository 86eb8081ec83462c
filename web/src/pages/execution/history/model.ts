import { isRecord } from "@/parts/records";
import { useEffect, useState, useSyncExternalStore } from "react";
import { type Fault, client, faultOf, lastWrite, useLive } from "@/api";
import type { ExecutionFactsFragment, ExecutionLiveSubscription } from "@/gql/graphql";
import { ExecutionAgain, ExecutionDefinition, ExecutionEarlierRuns, ExecutionHead, ExecutionLive } from "../documents";
import { type Payload, ancestorOf, earlierRunsOf, eventOf, runOf } from "./facts";
import { History } from "./history";
import { Loader, takeRuns } from "./loader";

export type ExecutionFacts = ExecutionFactsFragment;
/** Changes of the page are said at most this often while history is read. */
const SAY_EVERY_MS = 80;
const READ_AGAIN_AFTER_MS = 150;
const RESTS_WITHIN_MS = 250;

/** The execution that is looked at, and what of its history is here. */
export class Model {
  readonly history = new History();
  facts: ExecutionFacts | undefined;
  fault: Fault | undefined;
  /** There is no such execution. */
  isMissing = false;
  /** Payload of its first event: how it began. */
  beginning: { type: string; payload: Payload } | undefined;
  /** Position of its newest event when it was opened. */
  openedAt: string | undefined;
  private version = 0;
  /** Counts openings, so that an answer to an earlier one is known. */
  private opening = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private again: ReturnType<typeof setTimeout> | undefined;
  private loader: Loader | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(readonly id: string) {}

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  readonly snapshot = () => this.version;

  async open(position: number | undefined): Promise<void> {
    performance.mark("execution-open");
    this.opening += 1;
    const { opening } = this;
    const { data, error } = await client
      .query(ExecutionHead, { id: this.id, waitFor: lastWrite() }, { requestPolicy: "network-only" })
      .toPromise();
    if (opening !== this.opening) return;
    this.fault = data ? undefined : error && faultOf(error);
    this.isMissing = data?.execution === null;
    const execution = data?.execution;
    if (!execution) {
      this.say();
      return;
    }
    const { events, beginning, nodeRuns, ...facts } = execution;
    this.facts = facts;
    const [first] = beginning.nodes;
    if (first && isRecord(first.payload)) this.beginning = { type: first.type, payload: first.payload };
    this.history.earlierRuns = earlierRunsOf(first?.payload);
    this.openedAt = events.nodes.at(-1)?.position;
    for (const event of [...beginning.nodes, ...events.nodes]) this.history.add(eventOf(event));
    takeRuns(this.history, nodeRuns.nodes);
    // What it ran is asked for before anything is drawn, and shown before the rest of a long history is asked for, which takes
    // all that the machine has.
    const definition = client.query(ExecutionDefinition, definitionOf(facts)).toPromise();
    this.say();
    await definition;
    await rest();
    if (opening !== this.opening) return;
    this.loader = new Loader(this.id, this.history, this.saySoon, (fault) => {
      this.fault = fault;
      this.say();
    });
    await Promise.all([this.loader.run(position), this.readEarlier()]);
    performance.mark("execution-complete");
    this.say();
  }

  readonly close = () => {
    this.opening += 1;
    this.loader?.stop();
    clearTimeout(this.timer);
    clearTimeout(this.again);
  };

  /** Takes in an event that just happened. */
  readonly take = (data: ExecutionLiveSubscription) => {
    const event = data.execution;
    this.history.add(eventOf(event, event.payload));
    const run = runOf(event, event.payload);
    if (run) this.history.addRun(run);
    this.saySoon();
    if (event.type.startsWith("Execution")) this.readAgain(event.position);
  };

  /** Reads again what is told of the execution, its history apart. */
  readonly readAgain = (position?: string) => {
    clearTimeout(this.again);
    this.again = setTimeout(() => {
      void client
        .query(ExecutionAgain, { id: this.id, waitFor: position ?? lastWrite() }, { requestPolicy: "network-only" })
        .toPromise()
        .then(({ data }) => {
          if (!data?.execution) return;
          this.facts = data.execution;
          this.history.grow(data.execution.revision);
          if (!this.history.isComplete && this.facts.endedAt) void this.loader?.run(undefined);
          this.say();
        });
    }, READ_AGAIN_AFTER_MS);
  };

  /** Which nodes had run before this execution went on from another one. */
  private async readEarlier(): Promise<void> {
    let ancestor = this.beginning && ancestorOf(this.beginning.type, this.beginning.payload);
    const counts = new Map<string, number>();
    for (let depth = 0; ancestor && depth < 8; depth += 1) {
      const { id, revision }: { id: string; revision: number | undefined } = ancestor;
      const { data } = await client
        .query(ExecutionEarlierRuns, { id, asOf: revision === undefined ? undefined : { revision }, last: 100 })
        .toPromise();
      for (const run of data?.execution?.nodeRuns.nodes ?? [])
        counts.set(run.node, Math.max(counts.get(run.node) ?? 0, run.runIndex + 1));
      const [first] = data?.execution?.beginning.nodes ?? [];
      ancestor = first && ancestorOf(first.type, first.payload);
    }
    if (counts.size > 0) this.history.setEarlier(counts);
  }

  private readonly saySoon = () => {
    this.timer ??= setTimeout(() => this.say(), SAY_EVERY_MS);
  };

  private say(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.version += 1;
    for (const listener of this.listeners) listener();
  }
}

/** Until the page has drawn what there is to draw, for a while at most. */
function rest(): Promise<void> {
  // Not every browser tells when it has nothing to do.
  const ask = "requestIdleCallback" in globalThis ? requestIdleCallback : undefined;
  return new Promise((resolve) => {
    if (ask) ask(() => resolve(), { timeout: RESTS_WITHIN_MS });
    else setTimeout(resolve, RESTS_WITHIN_MS);
  });
}

/** The workflow as an execution ran it, as `ExecutionDefinition` asks for it. */
export function definitionOf({ workflowId: id, workflowRevision: revision, workflowVersion: version }: ExecutionFacts) {
  return { id, entity: id, revision, version, isDraft: version === null };
}

export function useModel(id: string, position: number | undefined) {
  const [model] = useState(() => new Model(id));
  const [opensAt] = useState(position);
  const version = useSyncExternalStore(model.subscribe, model.snapshot);
  useEffect(() => {
    void model.open(opensAt);
    return model.close;
  }, [model, opensAt]);
  const isOpen = model.facts?.endedAt === null;
  const live = useLive(ExecutionLive, { id, resumeFrom: model.openedAt }, model.take, {
    position: (data) => data.execution.position,
    enabled: isOpen && model.openedAt !== undefined,
  });
  return { model, version, isLive: live.isLive && isOpen };
}
