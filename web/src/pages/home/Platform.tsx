import { useEffect } from "react";
import { useQuery } from "urql";
import { faultOf, useChange } from "@/api";
import { Badge, Button, Time, wordsOf } from "@/ui";
import { counted } from "@/ui/counted";
import { HomePlatform, HomeRetryParked } from "./documents";
import { complaintsOf } from "./platform";
import { Section } from "./Section";

/** How often the platform is asked how it is: that is no event, so nothing tells of it. */
const AGAIN_MS = 10_000;

/** Whether read models keep up and processes live; one line while all is well. */
export function Platform({ canWrite }: { canWrite: boolean }) {
  const [{ data, error }, again] = useQuery({ query: HomePlatform });
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) again({ requestPolicy: "network-only" });
    }, AGAIN_MS);
    return () => clearInterval(timer);
  }, [again]);
  const [retry, isRetrying] = useChange(HomeRetryParked, {
    payload: (answer) => answer.retryParkedEvents,
    failed: "The events were not taken in",
    done: ({ parkedCount }) =>
      parkedCount === 0
        ? "The events are taken in"
        : `${parkedCount == null ? "Some events" : counted(parkedCount, "event")} could still not be taken in`,
  });
  const fault = error && !data ? faultOf(error) : undefined;
  if (fault?.kind === "forbidden") return null;
  const complaints = complaintsOf(data?.projections ?? []);
  const dead = (data?.workers ?? []).filter((worker) => !worker.live);
  const live = (data?.workers.length ?? 0) - dead.length;
  const isWell = complaints.length === 0 && dead.length === 0;
  const calm = `${data?.projections.length ?? 0} projections keep up, ${live === 1 ? "1 process lives" : `${live} processes live`}`;
  return (
    <Section
      title="The platform"
      isLoading={!data && !error}
      fault={fault}
      onRetry={() => again({ requestPolicy: "network-only" })}
      calm={data && isWell ? calm : undefined}
    >
      <ul className="divide-y">
        {complaints.map((one) => (
          <li key={one.projection} className="flex flex-wrap items-center gap-3 px-4 py-2 text-[13px]">
            <Badge tone={one.tone}>projection</Badge>
            <span className="min-w-0 flex-1 basis-40 break-words">
              <span className="font-medium">{wordsOf(one.projection)}</span> {one.what}
            </span>
            {one.canRetry && canWrite && (
              <Button
                size="small"
                isBusy={isRetrying}
                onClick={() =>
                  void retry({ input: { names: [one.projection], timeoutMs: 10_000 } }).then(() =>
                    again({ requestPolicy: "network-only" }),
                  )
                }
              >
                Try again
              </Button>
            )}
          </li>
        ))}
        {dead.map((worker) => (
          <li key={worker.id} className="flex flex-wrap items-center gap-3 px-4 py-2 text-[13px]">
            <Badge tone="bad">process</Badge>
            <span className="min-w-0 flex-1 basis-40 break-words">
              <span className="font-medium">{worker.address}</span> was last heard of{" "}
              <Time value={worker.heartbeatAt} />. Others drive its executions ({worker.roles.map(wordsOf).join(", ")}).
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
