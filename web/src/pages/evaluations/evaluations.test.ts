import { describe, expect, it } from "vitest";
import { addressOfName, comparisonSearch, nameInAddress, search, setSearch } from "./search";
import { type Scorer, draftOf, freshScorer, keyOfScorer, scorerOf, settingsOf } from "./scorers";
import { type EvaluationRow, chance, changedCases, scoresByVersion, signed, worstFirst } from "./scores";
import { casesInLines, freshSource, sourceOf } from "./source";
import { subjectLike, subjectOf } from "./subject";

const ONE = "01920000-0000-7000-8000-000000000001";

function scorer(name: string, more: Partial<Scorer> = {}): Scorer {
  const none = { pattern: null, tolerance: null, schema: null, workflowId: null, version: null };
  return { name, kind: "EQUAL", at: "", expectedAt: "", ...none, ...more };
}

let count = 0;

/** An evaluation of a version of a model with these means; each is newer than the next one that is made. */
function evaluation(version: number, means: Record<string, number>, more: Partial<EvaluationRow> = {}): EvaluationRow {
  count += 1;
  const names = Object.keys(means);
  return {
    id: `evaluation-${count}`,
    modelName: "mood",
    workflowId: null,
    agentName: null,
    version,
    setName: "questions",
    setVersion: 1,
    status: "COMPLETED",
    requestedAt: null,
    endedAt: null,
    failure: null,
    summary: null,
    scorers: names.map((name) => scorer(name)),
    scored: {
      cases: 4,
      failed: 0,
      scorers: names.map((name) => ({ name, mean: means[name] ?? null, count: 4, failed: 0 })),
    },
    ...more,
  };
}

describe("addresses", () => {
  it("write the name of a set as one part, and mean it again", () => {
    for (const setName of ["questions", "support/questions", "a/b/c-1.2_d", "a//b/"]) {
      const address = addressOfName({ setName }).setName;
      expect(address).not.toContain("/");
      expect(nameInAddress({ setName: address })).toEqual({ setName });
    }
  });

  it("drop what says nothing", () => {
    expect(search({ open: "old", at: "soon", workflow: "x", model: "mood" })).toEqual({ model: "mood" });
    expect(setSearch({ tab: "scores", version: "2", case: "refund-1" })).toEqual({
      tab: "scores",
      version: 2,
      case: "refund-1",
    });
    expect(comparisonSearch({ before: ONE.toUpperCase(), after: "later" })).toEqual({ before: ONE });
  });
});

describe("scorers", () => {
  it("are sent with what their kind has, and with nothing of other kinds", () => {
    const near = { ...freshScorer(0), kind: "NEAR" as const, pattern: "left from before", tolerance: "0.05", at: "/p" };
    expect(scorerOf(near)).toEqual({ scorer: { kind: "NEAR", at: "/p", expectedAt: "", tolerance: 0.05 } });
    const named = { ...freshScorer(0), name: " label " };
    expect(scorerOf(named)).toEqual({ scorer: { kind: "EQUAL", at: "", expectedAt: "", name: "label" } });
  });

  it("say what is wrong at the field", () => {
    const problemsOf = (part: Partial<ReturnType<typeof freshScorer>>) => {
      const made = scorerOf({ ...freshScorer(0), ...part });
      return "problems" in made ? Object.keys(made.problems).toSorted() : [];
    };
    expect(problemsOf({ at: "label" })).toEqual(["at"]);
    expect(problemsOf({ kind: "NEAR", tolerance: "2" })).toEqual(["tolerance"]);
    expect(problemsOf({ kind: "NEAR", tolerance: "" })).toEqual(["tolerance"]);
    expect(problemsOf({ kind: "MATCHES" })).toEqual(["pattern"]);
    expect(problemsOf({ kind: "SCHEMA", schema: "{" })).toEqual(["schema"]);
    expect(problemsOf({ kind: "WORKFLOW" })).toEqual(["version", "workflowId"]);
    expect(problemsOf({ kind: "WORKFLOW", workflowId: ONE, version: "1" })).toEqual([]);
  });

  it("of an evaluation are used again with the same settings", () => {
    const used = scorer("close", { kind: "NEAR", at: "/score", tolerance: 0.05 });
    expect(scorerOf(draftOf(used, 3))).toEqual({
      scorer: { name: "close", kind: "NEAR", at: "/score", expectedAt: "", tolerance: 0.05 },
    });
    expect(settingsOf(used)).toBe("near, at /score, tolerance 0.05");
    expect(keyOfScorer(used)).not.toBe(keyOfScorer({ ...used, tolerance: 0.1 }));
  });
});

describe("what is tried", () => {
  it("begins with another version of what was tried last", () => {
    expect(subjectLike(undefined).kind).toBe("model");
    expect(subjectLike({ workflowId: ONE, version: 3 })).toMatchObject({
      kind: "workflow",
      workflowId: ONE,
      version: "",
    });
  });

  it("is one thing with a version", () => {
    const draft = { ...subjectLike({ agentName: "reader" }), model: "left from before", version: "2" };
    expect(subjectOf(draft)).toEqual({ input: { agent: "reader", version: 2 } });
    expect(subjectOf({ ...draft, kind: "workflow", version: "" })).toEqual({
      problems: {
        workflowId: "Choose the workflow that is tried.",
        version: "Choose the version that is tried.",
      },
    });
  });
});

describe("sources of cases", () => {
  it("tell how many cases lines have, or which line is none", () => {
    expect(casesInLines('{"input": 1}\n\n{"id": "b", "input": null}\r\n')).toEqual({ count: 2 });
    expect(casesInLines('{"input": 1}\n\n[1]')).toMatchObject({
      problem: expect.stringContaining("Line 3 ") as string,
    });
    expect(casesInLines('{"expected": 1}')).toMatchObject({
      problem: expect.stringContaining("has no input") as string,
    });
    expect(casesInLines(" \n")).toHaveProperty("problem");
    expect(casesInLines('{"input": 1}\n'.repeat(1_001))).toHaveProperty("problem");
  });

  it("are sent as they are written", () => {
    const one = { ...freshSource("case"), input: '{"text": "late"}', expected: "", id: " " };
    expect(sourceOf(one)).toEqual({ input: { cases: [{ input: { text: "late" } }] } });
    expect(sourceOf({ ...one, input: "null", expected: "0", id: "a" })).toEqual({
      input: { cases: [{ id: "a", input: null, expected: 0 }] },
    });
    expect(sourceOf({ ...one, input: "late", expected: "{" })).toMatchObject({
      problems: { input: expect.any(String) as string, expected: expect.any(String) as string },
    });
    expect(sourceOf({ ...freshSource("executions", ONE), last: "20" })).toEqual({
      input: { executions: { workflowId: ONE, last: 20 } },
    });
    expect(sourceOf({ ...freshSource("inferences", "", "mood"), ofVersion: "3" })).toEqual({
      input: { inferences: { model: "mood", ofVersion: 3, last: 100 } },
    });
    for (const last of ["0", "1001", "many", ""])
      expect(sourceOf({ ...freshSource("executions", ONE), last }), last).toHaveProperty("problems.last");
  });
});

describe("scores by version", () => {
  it("take the newest evaluation of each version, and differ from the version before", () => {
    const newest = evaluation(3, { equal: 0.5 });
    const { scorers, rows } = scoresByVersion(
      [newest, evaluation(1, { equal: 0.75, close: 1 }), evaluation(3, { equal: 0.1 })],
      1,
    );
    expect(scorers.map((one) => one.name)).toEqual(["equal", "close"]);
    expect(rows.map((row) => [row.evaluation.version, row.means, row.differences])).toEqual([
      [3, [0.5, undefined], [-0.25, undefined]],
      [1, [0.75, 1], [undefined, undefined]],
    ]);
    expect(rows[0]?.evaluation.id).toBe(newest.id);
    expect(rows[0]?.before?.version).toBe(1);
  });

  it("are of one version of the set, and hold nothing against something else", () => {
    const { rows } = scoresByVersion(
      [
        evaluation(2, { equal: 1 }),
        evaluation(1, { equal: 0.5 }, { modelName: null, agentName: "reader" }),
        evaluation(1, { equal: 0 }, { setVersion: 2 }),
        evaluation(1, {}, { status: "FAILED", scored: null }),
      ],
      1,
    );
    expect(rows.map((row) => [row.evaluation.modelName ?? row.evaluation.agentName, row.before])).toEqual([
      ["mood", undefined],
      ["reader", undefined],
    ]);
  });

  it("keep scorers of one name apart where they judge otherwise", () => {
    const close = (tolerance: number) => ({ scorers: [scorer("close", { kind: "NEAR", tolerance })] });
    const { rows } = scoresByVersion(
      [evaluation(2, { close: 1 }, close(0.1)), evaluation(1, { close: 0.5 }, close(0.2))],
      1,
    );
    expect(rows.map((row) => row.means)).toEqual([
      [1, undefined],
      [undefined, 0.5],
    ]);
    expect(rows[0]?.differences).toEqual([undefined, undefined]);
  });
});

describe("cases", () => {
  it("of a report come the worst first, with why, and those without a score last", () => {
    const scores = (caseId: string, ...given: (number | null)[]) => ({
      caseId,
      scores: given,
      executionId: caseId === "b" ? ONE : null,
      agentRunId: null,
    });
    const rows = worstFirst({
      scores: [scores("a", 1, 1), scores("b", 0.5, null), scores("c", null, null), scores("d", 0, 0)],
      told: [
        { caseId: "d", failure: "it failed", verdicts: [] },
        {
          caseId: "b",
          failure: null,
          verdicts: [
            { scorer: "equal", score: 0.5, reason: "half of it" },
            { scorer: "close", score: null, reason: null },
          ],
        },
      ],
    });
    expect(rows.map((row) => row.caseId)).toEqual(["d", "b", "a", "c"]);
    expect(rows.map((row) => row.why)).toEqual([["it failed"], ["equal: half of it"], [], []]);
    expect(rows[1]?.executionId).toBe(ONE);
  });

  it("that differ come those that lost most first, by the place that the scorer has in each", () => {
    const side = (names: string[], cases: Record<string, (number | null)[]>) => ({
      scorers: names.map((name) => scorer(name)),
      scored: {
        scores: Object.entries(cases).map(([caseId, scores]) => ({
          caseId,
          scores,
          executionId: null,
          agentRunId: null,
        })),
      },
    });
    const before = side(["equal", "close"], { a: [1, 0], b: [0.5, 0], c: [1, 0], d: [1, 0], e: [null, 0] });
    const after = side(["close", "equal"], { a: [0, 0.75], b: [0, 1], c: [0, 1], d: [0, 0], e: [0, 1] });
    const changed = changedCases(before, after, "equal");
    expect(changed.map(({ caseId, difference }) => [caseId, difference])).toEqual([
      ["d", -1],
      ["a", -0.25],
      ["b", 0.5],
    ]);
    expect(changedCases(before, { scorers: [], scored: null }, "equal")).toEqual([]);
  });
});

describe("numbers", () => {
  it("are told with their signs, and a small one not as none", () => {
    expect([signed(0.25), signed(-0.25), signed(-0.00001)]).toEqual(["+0.250", "−0.250", "0.000"]);
    expect([chance(1), chance(0.0625), chance(0.00001)]).toEqual(["1.000", "0.063", "below 0.001"]);
  });
});
