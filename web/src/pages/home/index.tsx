import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useQuery } from "urql";
import { useLastWrite, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import { Button, PageHeader, Skeleton } from "@/ui";
import { Approvals } from "./Approvals";
import { filterOf } from "./changes";
import { Changes } from "./Changes";
import { Decisions } from "./Decisions";
import { HomeAny, HomeEvents, HomeExecutionsChanged } from "./documents";
import { Failures } from "./Failures";
import { Newcomer } from "./Newcomer";
import { Platform } from "./Platform";
import { Standing } from "./Standing";

/** What changes often is read again no more often than this. */
const PAUSE_MS = 1_000;
/** Only these make a failure, or let something wait for somebody, or end that. */
const TELLING = new Set(["FAILED", "WAITING", "PAUSED", "RUNNING", "CANCELLED"]);

export function HomePage() {
  usePageTitle("Home");
  const navigate = useNavigate();
  const { viewer, can } = useViewer();
  const mayWrite = can("WORKFLOW_WRITE");
  const make = (open: "new" | "import") => void navigate({ to: "/workflows", search: { open } });
  const written = useLastWrite();
  const executions = usePosition();
  const changes = usePosition();
  const agents = usePosition();
  const categories = [...(filterOf(can)?.categories ?? []), ...(can("EXECUTION_READ") ? ["agent-run"] : [])];
  useLive(
    HomeExecutionsChanged,
    {},
    ({ executionsChanged: { position, status } }) => {
      if (TELLING.has(status)) executions.came(position);
    },
    { position: (data) => data.executionsChanged.position, fromNow: true },
  );
  useLive(
    HomeEvents,
    { categories },
    ({ events: { position, category } }) => (category === "agent-run" ? agents : changes).came(position),
    { position: (data) => data.events.position, fromNow: true, enabled: categories.length > 0 },
  );
  const [{ data }] = useQuery({ query: HomeAny, variables: { waitFor: newest(written, changes.position) } });
  useKeys(
    [
      {
        keys: "f",
        does: "failures by cause",
        run: () => void navigate({ to: "/executions", search: { group: "cause", unresolved: true } }),
      },
      ...(mayWrite
        ? [
            { keys: "n", does: "new workflow", run: () => make("new") },
            { keys: "i", does: "import workflows", run: () => make("import") },
          ]
        : []),
    ],
    "Home",
  );
  useActions(
    mayWrite
      ? [
          { id: "home-new", label: "New workflow", run: () => make("new") },
          { id: "home-import", label: "Import workflows", run: () => make("import") },
        ]
      : [],
  );
  const isNew = data?.workflows.nodes.length === 0;
  const canRun = can("EXECUTION_RUN");
  const ofExecutions = newest(written, executions.position);
  return (
    <>
      <PageHeader
        title="Home"
        actions={
          data && !isNew && mayWrite ? (
            <>
              <Button onClick={() => make("import")}>Import</Button>
              <Button kind="primary" onClick={() => make("new")}>
                New workflow
              </Button>
            </>
          ) : undefined
        }
      >
        {viewer?.account ? `What needs you, ${viewer.account.name}` : "What needs you"}
      </PageHeader>
      {!data && (
        <div className="grid gap-4 p-4 md:p-6 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
          <Skeleton className="h-40" />
          <Skeleton className="h-40" />
        </div>
      )}
      {isNew && <Newcomer mayWrite={mayWrite} />}
      {data && !isNew && (
        <div className="grid items-start gap-4 p-4 md:p-6 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
          <div className="flex min-w-0 flex-col gap-4">
            <Failures waitFor={ofExecutions} canRun={canRun} />
            <Standing waitFor={ofExecutions} canRun={canRun} />
            <Approvals waitFor={newest(written, agents.position)} canRun={canRun} />
            {can("ERASURE_REQUEST") && <Decisions />}
          </div>
          <div className="flex min-w-0 flex-col gap-4">
            <Platform canWrite={can("SYSTEM_WRITE")} />
            <Changes waitFor={newest(written, changes.position)} />
          </div>
        </div>
      )}
    </>
  );
}

/** The newest position that was told of, taken up after a while, so that a thousand changes are one question. */
function usePosition(): { position: string | undefined; came: (position: string) => void } {
  const [position, setPosition] = useState<string | undefined>();
  const next = useRef<string | undefined>(undefined);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const came = (told: string) => {
    next.current = told;
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      setPosition(next.current);
    }, PAUSE_MS);
  };
  return { position, came };
}

function newest(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return BigInt(left) > BigInt(right) ? left : right;
}
