import { describe, expect, it } from "vitest";
import { eventOf, runOf } from "./facts";
import { CHECKPOINT_EVERY, History } from "./history";

function completed(revision: number, node: string, runIndex: number, executionIndex: number) {
  const raw = {
    revision,
    position: String(revision * 10),
    type: "NodeCompleted",
    recordedAt: "2026-01-01T00:00:00Z",
  };
  const payload = {
    run: { node, run_index: runIndex, execution_index: executionIndex, sources: [] },
    started_at_ms: revision,
    duration_us: 1500,
    outputs: [[{ json: {} }], []],
  };
  return { event: eventOf(raw, payload), run: runOf(raw, payload), brief: eventOf(raw) };
}

/** A run of two nodes in turn, `count` times. */
function filled(count: number): History {
  const history = new History();
  history.add({ revision: 1, position: 10, type: "ExecutionStarted", at: 0, run: -1 });
  for (let at = 0; at < count; at += 1) {
    const { event, run } = completed(at + 2, at % 2 === 0 ? "A" : "B", Math.floor(at / 2), at);
    history.add(event);
    if (run) history.addRun(run);
  }
  return history;
}

describe("History", () => {
  it("says how nodes were after each event", () => {
    const history = filled(3);
    expect(history.frame(1).node("A").status).toBe("NONE");
    expect(history.frame(2).node("A")).toEqual({ status: "COMPLETED", run: 0, runs: 1, changed: 2 });
    expect(history.frame(2).node("B").status).toBe("NONE");
    expect(history.frame(4).node("A")).toEqual({ status: "COMPLETED", run: 2, runs: 2, changed: 4 });
    expect(history.frame(4).status).toBe("RUNNING");
  });

  it("comes to the same from checkpoints as from the beginning", () => {
    const history = filled(CHECKPOINT_EVERY * 3);
    const late = history.frame(CHECKPOINT_EVERY * 3).node("A");
    const early = history.frame(CHECKPOINT_EVERY + 7).node("A");
    const fresh = filled(CHECKPOINT_EVERY * 3);
    expect(fresh.frame(CHECKPOINT_EVERY + 7).node("A")).toEqual(early);
    expect(fresh.frame(CHECKPOINT_EVERY * 3).node("A")).toEqual(late);
  });

  it("takes events in any order, and folds anew what they change", () => {
    const whole = filled(CHECKPOINT_EVERY * 2);
    const history = new History();
    const last = CHECKPOINT_EVERY * 2 + 1;
    for (let revision = last; revision >= 1; revision -= 1) {
      const event = whole.event(revision);
      if (event) history.add(event);
      const run = whole.run(event?.run ?? -1);
      if (run) history.addRun(run);
      // Looking in between keeps checkpoints that what comes later has to undo.
      if (revision % 100 === 0) history.frame(last);
    }
    expect(history.isComplete).toBe(true);
    for (const revision of [1, 2, CHECKPOINT_EVERY, CHECKPOINT_EVERY + 1, last])
      for (const node of ["A", "B"])
        expect(history.frame(revision).node(node)).toEqual(whole.frame(revision).node(node));
  });

  it("names events by the run whose newest event they are", () => {
    const history = new History();
    const { brief, run } = completed(2, "A", 0, 0);
    history.add(brief);
    expect(history.nameless()).toEqual([2]);
    if (run) history.addRun(run);
    expect(history.event(2)).toMatchObject({ node: "A", run: 0 });
    expect(history.nameless()).toEqual([]);
    expect(run).toMatchObject({ durationMs: 1.5, itemCounts: [1, 0] });
  });

  it("tells what is missing, between which positions", () => {
    const history = new History();
    history.grow(10);
    history.add({ revision: 1, position: 5, type: "ExecutionStarted", at: 0, run: -1 });
    history.add({ revision: 10, position: 50, type: "ExecutionCompleted", at: 0, run: -1 });
    expect(history.gaps()).toEqual([{ from: 2, to: 9, after: 5, before: 50 }]);
    expect(history.isComplete).toBe(false);
    expect(history.revisionAt(49)).toBe(1);
    expect(history.revisionAt(50)).toBe(10);
    expect(history.revisionAt(4)).toBe(0);
  });

  it("pauses and waits, and ends", () => {
    const history = new History();
    const types = [
      ["ExecutionStarted", "RUNNING"],
      ["ExecutionPaused", "PAUSED"],
      ["ExecutionUnpaused", "RUNNING"],
      ["ExecutionWaiting", "WAITING"],
      ["ExecutionResumed", "RUNNING"],
      ["ExecutionCancelled", "CANCELLED"],
      ["ExecutionDismissed", "CANCELLED"],
    ] as const;
    for (const [place, [type]] of types.entries())
      history.add({ revision: place + 1, position: place + 1, type, at: 0, run: -1, node: "Wait" });
    for (const [place, [, status]] of types.entries()) expect(history.frame(place + 1).status).toBe(status);
  });
});
