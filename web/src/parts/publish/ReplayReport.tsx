import { Link } from "@tanstack/react-router";
import type { ReplayReportFragment } from "@/gql/graphql";
import { Badge, DiffView } from "@/ui";

type TestCase = ReplayReportFragment["testCases"][number];

const VERDICTS: Record<TestCase["verdict"], { word: string; tone: "good" | "warn" | "bad" | "neutral" }> = {
  SAME: { word: "same", tone: "good" },
  CHANGED: { word: "changed", tone: "warn" },
  FAILED: { word: "failed", tone: "bad" },
  CANNOT_BE_JUDGED: { word: "cannot be judged", tone: "neutral" },
};

/** How much of a report speaks against the draft: executions that differ, and test cases that do not hold. */
export function heldAgainst({ differCount, testCases }: ReplayReportFragment): number {
  const isAgainst = ({ verdict }: TestCase) => verdict === "CHANGED" || verdict === "FAILED";
  return (differCount ?? 0) + testCases.filter(isAgainst).length;
}

/** What past executions do under the draft: how many do the same, and what is other in those that do not; and what came of each test case. */
export function ReplayReport({ report, onLeave }: { report: ReplayReportFragment; onLeave: () => void }) {
  const { failure, differences, testCases } = report;
  const same = report.sameCount ?? 0;
  const differ = report.differCount ?? 0;
  const skipped = report.skippedCount ?? 0;
  return (
    <section aria-label="Report" className="rounded-lg border text-[13px]">
      <h3 className="flex flex-wrap items-center gap-2 px-3 py-2">
        {report.status === "REQUESTED" && <Badge>no report yet</Badge>}
        {failure !== null && <Badge tone="bad">failed</Badge>}
        {report.status !== "REQUESTED" && failure === null && (
          <>
            <Badge tone="good">{same} do the same</Badge>
            <Badge tone={differ > 0 ? "warn" : "neutral"}>{differ} differ</Badge>
          </>
        )}
        {skipped > 0 && <Badge>{skipped} cannot be run again</Badge>}
        {failure !== null && <span className="font-normal break-words text-bad">{failure}</span>}
      </h3>
      {report.executionCount === 0 && testCases.length === 0 && (
        <p className="border-t px-3 py-2 text-muted">
          No execution of this workflow has ended yet, so there is nothing to compare with.
        </p>
      )}
      {differences.length > 0 && (
        <ul aria-label="Executions that differ" className="max-h-64 divide-y overflow-auto border-t" tabIndex={0}>
          {differences.map((one) => (
            <li key={one.executionId} className="flex items-start gap-2 px-3 py-2">
              <details className="min-w-0 flex-1">
                <summary className="break-words">
                  {one.node !== null && <strong>{one.node}: </strong>}
                  {one.summary}
                </summary>
                <DiffView
                  label={`Changes of ${one.executionId}`}
                  changes={one.changes.map((change) => ({ ...change, op: opOf(change) }))}
                />
              </details>
              <Link
                to="/executions/$executionId"
                params={{ executionId: one.executionId }}
                search={one.node === null ? {} : { node: one.node }}
                onClick={onLeave}
                className="font-mono text-xs text-accent hover:underline"
              >
                …{one.executionId.slice(-12)}
              </Link>
            </li>
          ))}
        </ul>
      )}
      {testCases.length > 0 && (
        <ul aria-label="Test cases" className="max-h-64 divide-y overflow-auto border-t" tabIndex={0}>
          {testCases.map((one) => (
            <TestCaseRow key={one.id} testCase={one} />
          ))}
        </ul>
      )}
    </section>
  );
}

function TestCaseRow({ testCase }: { testCase: TestCase }) {
  const { name, verdict, summary, changes } = testCase;
  const { word, tone } = VERDICTS[verdict];
  const heading = (
    <>
      <Badge tone={tone}>{word}</Badge> <strong>{name}</strong>
      {summary !== null && `: ${summary}`}
    </>
  );
  return (
    <li className="px-3 py-2 break-words">
      {changes.length === 0 ? (
        heading
      ) : (
        <details>
          <summary>{heading}</summary>
          <DiffView label={`Changes of ${name}`} changes={changes.map((change) => ({ ...change, op: opOf(change) }))} />
        </details>
      )}
    </li>
  );
}

function opOf({ before, after }: { before?: unknown; after?: unknown }): string {
  if (before === null || before === undefined) return "add";
  return after === null || after === undefined ? "remove" : "replace";
}
