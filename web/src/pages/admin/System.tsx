import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { faultOf, graphql, usePolling, useViewer } from "@/api";
import { Badge, Bytes, Duration, Facts, FaultNote, LinkButton, PositionLink, Skeleton, Time } from "@/ui";
import { type ProcessFacts, factsOf } from "./metrics";
import { SectionHead } from "./parts";

const AdminHead = graphql(`
  query AdminHead {
    head {
      position
      readModels
      recordedAt
    }
    viewer {
      tenant {
        number
        name
      }
    }
  }
`);

const EVERY_MS = 5_000;

/** The server that answers: which it is, how it is, and how to keep its data. */
export function System() {
  const { can } = useViewer();
  const [{ data, error }, again] = usePolling(AdminHead, {}, EVERY_MS);
  const health = useHealth();
  const facts = useProcess(can("SYSTEM_READ"));
  return (
    <>
      <SectionHead title="System">The server that answers you, and how its data is kept.</SectionHead>
      <div className="grid min-h-0 flex-1 content-start gap-x-10 gap-y-6 overflow-auto p-4 md:p-6 xl:grid-cols-2">
        <section className="min-w-0">
          <h3 className="mb-3 text-[13px] font-semibold">Server</h3>
          {error && !data && (
            <div className="mb-3">
              <FaultNote fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />
            </div>
          )}
          <Facts
            facts={[
              ["Version", facts?.version],
              ["Health", <Health key="health" health={health} />],
              [
                "Log",
                data ? (
                  <PositionLink key="log" position={data.head.position} />
                ) : (
                  !error && <Skeleton key="log" className="h-4 w-20" />
                ),
              ],
              ["Newest event", data && <Time key="newest" value={data.head.recordedAt} exact />],
              ["Rows show", data && <PositionLink key="rows" position={data.head.readModels} />],
              ["Tenant", data && `${data.viewer.tenant.name} (${data.viewer.tenant.number})`],
              ["Up since", facts?.startedAt && <Time key="up" value={facts.startedAt} exact />],
              ["Memory", facts?.residentBytes !== undefined && <Bytes key="memory" value={facts.residentBytes} />],
              [
                "Processor time",
                facts?.cpuSeconds !== undefined && <Duration key="cpu" milliseconds={facts.cpuSeconds * 1_000} />,
              ],
              ["Open files", facts?.openFiles],
              ["Threads", facts?.threads],
            ]}
          />
          {!can("SYSTEM_READ") && (
            <p className="mt-3 text-xs text-muted">Its version and what it takes of its machine need system:read.</p>
          )}
          <div className="mt-4 flex flex-wrap gap-2">
            <LinkButton href="/healthz">Liveness</LinkButton>
            <LinkButton href="/readyz">Readiness</LinkButton>
            {can("SYSTEM_READ") && <LinkButton href="/metrics">Metrics</LinkButton>}
          </div>
        </section>
        <section className="flex min-w-0 flex-col gap-3 text-sm">
          <h3 className="text-[13px] font-semibold">Back up and restore</h3>
          <p className="text-muted">
            Which backups were made, and how to make one and put it back, is told by{" "}
            <Link to="/admin/$section" params={{ section: "backups" }} className="text-accent underline">
              Backups
            </Link>
            .
          </p>
          <h3 className="mt-3 text-[13px] font-semibold">What is kept, and for how long</h3>
          <p className="text-muted">
            Every event is kept, whatever its age, and with it the data and files that it names: that is what lets any
            moment be looked at. Data goes where somebody said for how long it is kept (
            <Link to="/admin/$section" params={{ section: "retention" }} className="text-accent underline">
              Retention
            </Link>
            ), and with the person whom it is about (
            <Link to="/admin/$section" params={{ section: "erasures" }} className="text-accent underline">
              Erasures
            </Link>
            ). Read models are made of the log and can be built again at any time.
          </p>
        </section>
      </div>
    </>
  );
}

type HealthState = { kind: "ready" } | { kind: "behind"; text: string } | { kind: "gone" };

function Health({ health }: { health: HealthState | undefined }) {
  if (health === undefined) return <Skeleton className="h-4 w-16" />;
  if (health.kind === "ready") return <Badge tone="good">ready</Badge>;
  if (health.kind === "gone") return <Badge tone="bad">no answer</Badge>;
  return (
    <span className="flex items-center gap-2">
      <Badge tone="warn">not ready</Badge> {health.text}
    </span>
  );
}

function useHealth(): HealthState | undefined {
  const [health, setHealth] = useState<HealthState>();
  useEffect(() => {
    const abort = new AbortController();
    const look = async () => {
      try {
        const response = await fetch("/readyz", { signal: abort.signal });
        const { readModels } = (await response.json()) as { readModels?: { lag?: string | number } };
        setHealth(
          response.ok
            ? { kind: "ready" }
            : { kind: "behind", text: `rows are ${readModels?.lag ?? "?"} events behind` },
        );
      } catch {
        if (!abort.signal.aborted) setHealth({ kind: "gone" });
      }
    };
    void look();
    const timer = setInterval(() => void look(), EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, []);
  return health;
}

function useProcess(mayAsk: boolean): ProcessFacts | undefined {
  const [facts, setFacts] = useState<ProcessFacts>();
  useEffect(() => {
    if (!mayAsk) return undefined;
    const abort = new AbortController();
    const look = async () => {
      try {
        const response = await fetch("/metrics", { signal: abort.signal });
        if (response.ok) setFacts(factsOf(await response.text()));
      } catch {
        // Whether it answers is told by its health.
      }
    };
    void look();
    const timer = setInterval(() => void look(), EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [mayAsk]);
  return facts;
}
