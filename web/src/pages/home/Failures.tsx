import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { faultOf } from "@/api";
import { type Act, ActDialog } from "@/parts/ActDialog";
import { Button, Time } from "@/ui";
import { HomeCauses } from "./documents";
import { RedriveDialog } from "./RedriveDialog";
import { MoreExecutions, Section } from "./Section";

/** Failures that nobody has looked after, by what they have in common. */
export function Failures({ waitFor, canRun }: { waitFor: string | undefined; canRun: boolean }) {
  const [{ data, error }, again] = useQuery({ query: HomeCauses, variables: { waitFor } });
  const [act, setAct] = useState<Act | undefined>();
  const [isRedriving, setRedriving] = useState(false);
  const groups = data?.executionGroups.nodes ?? [];
  const count = groups.reduce((sum, group) => sum + group.executionCount, 0);
  const hasMore = data?.executionGroups.pageInfo.hasNextPage === true;
  return (
    <Section
      title="Unresolved failures"
      count={count > 0 ? `${count}${hasMore ? "+" : ""}` : undefined}
      isLoading={!data && !error}
      fault={error && !data ? faultOf(error) : undefined}
      onRetry={() => again({ requestPolicy: "network-only" })}
      calm={data && groups.length === 0 ? "Nothing has failed unseen" : undefined}
      more={
        <>
          {canRun && (
            <Button size="small" onClick={() => setRedriving(true)}>
              Retry all…
            </Button>
          )}
          <MoreExecutions search={{ group: "cause", unresolved: true }}>All causes</MoreExecutions>
        </>
      }
    >
      <ul className="divide-y">
        {groups.map((group) => {
          const begin = (action: Act["action"]) =>
            setAct({
              action,
              of: {
                fingerprint: group.fingerprint,
                count: group.executionCount,
                message: group.errorMessage ?? "",
              },
            });
          return (
            <li key={group.fingerprint} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2">
              <span className="w-8 shrink-0 text-right text-sm font-semibold tabular-nums">{group.executionCount}</span>
              <div className="min-w-0 flex-1 basis-40">
                <Link
                  to="/executions"
                  search={{ fingerprint: group.fingerprint, unresolved: true }}
                  className="block truncate text-[13px] text-bad hover:underline"
                >
                  {group.errorMessage ?? group.fingerprint}
                </Link>
                <div className="truncate text-xs text-muted">
                  {group.workflowCount === 1
                    ? (group.newest?.workflow?.name ?? "1 workflow")
                    : `${group.workflowCount} workflows`}
                  {group.errorNode !== null && <> · at {group.errorNode}</>}
                  {group.newest && (
                    <>
                      {" "}
                      · last <Time value={group.newest.endedAt} />
                    </>
                  )}
                </div>
              </div>
              {canRun && (
                <span className="ml-auto flex gap-1.5">
                  <Button
                    size="small"
                    aria-label={`Retry: ${group.errorMessage ?? group.fingerprint}`}
                    onClick={() => begin("retry")}
                  >
                    Retry
                  </Button>
                  <Button
                    size="small"
                    kind="quiet"
                    aria-label={`Dismiss: ${group.errorMessage ?? group.fingerprint}`}
                    onClick={() => begin("dismiss")}
                  >
                    Dismiss
                  </Button>
                </span>
              )}
            </li>
          );
        })}
      </ul>
      <ActDialog act={act} onClose={() => setAct(undefined)} />
      <RedriveDialog isOpen={isRedriving} onClose={() => setRedriving(false)} />
    </Section>
  );
}
