import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useChange } from "@/api";
import { Badge, Button, EmptyState, Icon, duration, wordsOf } from "@/ui";
import { counted } from "@/ui/counted";
import { Facts } from "@/ui/Facts";
import { Panel } from "@/ui/Panel";
import { Share } from "@/ui/Share";
import { RemoveRoute } from "./documents";
import type { SetupShown } from "./GatewayPage";
import { Remove } from "./Remove";
import { RouteForm } from "./RouteForm";

export type Route = SetupShown["gatewayRoutes"][number];

const CACHE = { NEVER: "no answers", DETERMINISTIC: "answers that the request decides", ALWAYS: "all answers" };

export function Routes({ setup, mayWrite }: { setup: SetupShown; mayWrite: boolean }) {
  const [edited, setEdited] = useState<Route | "new" | undefined>();
  const [remove] = useChange(RemoveRoute, {
    payload: (data) => data.removeGatewayRoute,
    done: "The route was removed",
    failed: "The route was not removed",
  });
  const add = mayWrite && (
    <Button kind="primary" onClick={() => setEdited("new")} disabled={setup.gatewayProviders.length === 0}>
      <Icon name="plus" /> Set up a route
    </Button>
  );
  return (
    <>
      {setup.gatewayRoutes.length === 0 ? (
        <EmptyState icon="gateway" title="No routes yet" action={add}>
          A route is what callers name as the model. It says which providers are asked, in which order, and what happens
          when one fails.{" "}
          {setup.gatewayProviders.length === 0 && (
            <>
              It needs a{" "}
              <Link to="/gateway" search={{ tab: "providers" }} className="text-accent underline">
                provider
              </Link>{" "}
              first.
            </>
          )}
        </EmptyState>
      ) : (
        <>
          <div className="mb-3 flex items-center justify-between gap-3">
            <p className="text-[13px] text-muted">
              Callers name the route as the model. Tiers are asked from top to bottom.
            </p>
            {add}
          </div>
          <div className="grid gap-4 lg:grid-cols-2">
            {setup.gatewayRoutes.map((route) => (
              <Panel
                key={route.name}
                title={route.name}
                actions={
                  <>
                    <Link to="/gateway" search={{ route: route.name }} className="text-xs text-accent hover:underline">
                      calls
                    </Link>
                    {mayWrite && (
                      <>
                        <Button size="small" aria-label={`Change ${route.name}`} onClick={() => setEdited(route)}>
                          Change
                        </Button>
                        <Remove
                          what={route.name}
                          onRemove={async () => (await remove({ input: { name: route.name } })).kind === "done"}
                        >
                          Whoever asks it is told that there is no such model.
                        </Remove>
                      </>
                    )}
                  </>
                }
              >
                <Tiers route={route} />
                <Facts
                  facts={[
                    [
                      "Cache",
                      `keeps ${CACHE[route.cache]}${route.cacheAgeMsMax == null ? "" : ` for ${duration(route.cacheAgeMsMax)}`}`,
                    ],
                    ["Writes down", route.content === "RECORDED" ? "what is asked and answered" : "digests alone"],
                    [
                      "Schemas",
                      route.repair
                        ? "asks once more when an answer does not fit"
                        : "an answer that does not fit is an error",
                    ],
                    [
                      "Attempts",
                      `${route.attemptsMax} at most, a target is asked again ${counted(route.retriesMax, "time")}`,
                    ],
                    [
                      "Left alone",
                      `after ${counted(route.failuresInARowMax, "failure")} in a row, for ${duration(route.leftAloneMs)} at first`,
                    ],
                  ]}
                />
              </Panel>
            ))}
          </div>
        </>
      )}
      {edited !== undefined && (
        <RouteForm setup={setup} route={edited === "new" ? undefined : edited} onClose={() => setEdited(undefined)} />
      )}
    </>
  );
}

function Tiers({ route }: { route: Route }) {
  return (
    <ol className="mb-3 flex flex-col gap-2">
      {route.tiers.map((tier, place) => {
        const all = tier.targets.reduce((sum, target) => sum + target.weight, 0);
        return (
          <li key={place} className="rounded-md border p-2.5">
            <div className="mb-1.5 flex items-center gap-2 text-xs text-muted">
              {place === 0 ? "Asked first" : "When that fails"}
              {tier.targets.length > 1 && <Badge>{tier.balance === "SPLIT" ? "split by key" : "by load"}</Badge>}
            </div>
            <ul className="flex flex-col gap-1.5">
              {tier.targets.map((target) => (
                <li
                  key={`${target.provider} ${target.model}`}
                  className="grid grid-cols-[minmax(0,1fr)_5rem_3rem] items-center gap-2 text-[13px]"
                >
                  <span className="truncate">
                    <span className="text-muted">{target.provider} / </span>
                    {target.model}
                  </span>
                  <Share value={target.weight / all} />
                  <span className="text-right text-xs text-muted tabular-nums" title={`weight ${target.weight}`}>
                    {Math.round((100 * target.weight) / all)} %
                  </span>
                </li>
              ))}
            </ul>
          </li>
        );
      })}
      {route.fallBackOn.length > 0 && (
        <li className="text-xs text-muted">
          Another target is asked after: {route.fallBackOn.map(wordsOf).join(", ")}
        </li>
      )}
    </ol>
  );
}
