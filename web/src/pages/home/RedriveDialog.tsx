import { useState } from "react";
import { graphql, useChange } from "@/api";
import type { RetryFrom, RetryVersion } from "@/gql/schema";
import { Button, Dialog, Field, Select } from "@/ui";

const HomeRedrive = graphql(`
  mutation HomeRedrive($input: RedriveExecutionsInput!) {
    redriveExecutions(input: $input) {
      position
      retriedCount
      refusedCount
      hasMore
      redriven {
        executionId
        error {
          message
        }
      }
      errors {
        ...Errors
      }
    }
  }
`);

/** What one call retries at most. */
const LIMIT = 1_000;

export function RedriveDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return isOpen ? <OpenRedriveDialog onClose={onClose} /> : null;
}

/** Tries every failure again that nobody has looked after, as the server finds them. */
function OpenRedriveDialog({ onClose }: { onClose: () => void }) {
  const [from, setFrom] = useState<RetryFrom>("FAILED_NODE");
  const [version, setVersion] = useState<RetryVersion>("NEWEST");
  const [refused, setRefused] = useState<readonly { executionId: string; error: { message: string } | null }[]>([]);
  const [hasMore, setHasMore] = useState(false);
  const [redrive, isRunning] = useChange(HomeRedrive, {
    payload: (data) => data.redriveExecutions,
    failed: "The failures were not retried",
    done: (payload) =>
      `${payload.retriedCount === 1 ? "1 failure is" : `${payload.retriedCount} failures are`} retried`,
  });
  const go = async () => {
    const outcome = await redrive({ input: { filter: {}, from, version, limit: LIMIT } });
    if (outcome.kind !== "done") return;
    const without = outcome.payload.redriven.filter((one) => one.error !== null);
    setRefused(without);
    setHasMore(outcome.payload.hasMore);
    if (without.length === 0 && !outcome.payload.hasMore) onClose();
  };
  return (
    <Dialog
      title="Retry all failures"
      isOpen
      onClose={onClose}
      size="small"
      footer={
        <>
          <Button onClick={onClose}>{refused.length > 0 ? "Close" : "Not now"}</Button>
          <Button kind="primary" isBusy={isRunning} onClick={() => void go()}>
            {hasMore ? "Retry the next" : "Retry all"}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        <p className="text-muted">
          Every failure that was neither retried nor dismissed is tried again, each as a new execution. The newest
          begin; at most {LIMIT.toLocaleString()} at once.
        </p>
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="From">
            <Select
              value={from}
              choices={[
                { value: "FAILED_NODE", label: "the node that failed" },
                { value: "START", label: "the start" },
              ]}
              onChange={setFrom}
            />
          </Field>
          <Field label="On">
            <Select
              value={version}
              choices={[
                { value: "NEWEST", label: "the newest version" },
                { value: "SAME", label: "the same version" },
              ]}
              onChange={setVersion}
            />
          </Field>
        </div>
        {hasMore && <p>There are more. Go on when you like.</p>}
        {refused.length > 0 && (
          <div role="alert">
            <p className="text-bad">{refused.length} could not be retried:</p>
            <ul
              className="mt-1 max-h-40 divide-y overflow-auto rounded-md border"
              tabIndex={0}
              aria-label="Not retried"
            >
              {refused.map((one) => (
                <li key={one.executionId} className="px-2.5 py-1.5 text-[13px]">
                  <span className="font-mono text-xs text-muted">…{one.executionId.slice(-8)}</span>{" "}
                  {one.error?.message}
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
    </Dialog>
  );
}
