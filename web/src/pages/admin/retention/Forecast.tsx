import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, useViewer } from "@/api";
import { FaultNote, Icon, Skeleton, useNow } from "@/ui";
import { AdminRetentionExecutions, type Retention } from "./documents";
import { forecastOf, forecastWords, startOf } from "./words";

/** Most executions that are counted one by one. */
const COUNTED_MAX = 100;

/** The dry run of a retention: which days it takes, and of executions how many there are in them. */
export function Forecast({ retention, days }: { retention: Retention; days: number }) {
  const { can } = useViewer();
  const now = useNow();
  const forecast = forecastOf(retention, days, now);
  const isCounted = forecast.kind === "over" && retention.category === "execution" && can("EXECUTION_READ");
  return (
    <div role="group" aria-label="What goes" className="flex flex-col gap-2 text-[13px]">
      <p>{forecastWords(forecast, retention.holds.length > 0)}</p>
      {isCounted && <Executions from={startOf(forecast.from)} to={startOf(forecast.upTo + 1)} />}
      <p className="text-muted">
        Days are those of UTC. A day stays as long as something of it is under way, or a hold is on a subject with data
        in it. What began before there was a retention is kept.
      </p>
    </div>
  );
}

/** How many executions began in these days, and whether some of them keep their days. */
function Executions({ from, to }: { from: string; to: string }) {
  const [{ data, error }, again] = useQuery({
    query: AdminRetentionExecutions,
    variables: { from, to, first: COUNTED_MAX },
    requestPolicy: "cache-and-network",
  });
  if (error && !data)
    return <FaultNote fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />;
  if (!data) return <Skeleton className="h-4 w-56" />;
  const { nodes, pageInfo } = data.executions;
  const isUnderWay = [data.running, data.waiting, data.paused].some((found) => found.nodes.length > 0);
  if (nodes.length === 0) return <p>No execution began then.</p>;
  const count = pageInfo.hasNextPage ? `More than ${COUNTED_MAX}` : nodes.length;
  return (
    <>
      <p>
        <Link to="/executions" search={{ from, to, order: "newest" }} className="text-accent underline">
          {count} {nodes.length === 1 ? "execution" : "executions"}
        </Link>{" "}
        began then.
      </p>
      {isUnderWay && (
        <p className="flex items-start gap-1.5 rounded-md bg-warn-soft px-3 py-2 text-warn">
          <Icon name="warning" className="mt-0.5 size-3.5" />
          Some of them have not ended: the days on which these began stay until they have.
        </p>
      )}
    </>
  );
}
