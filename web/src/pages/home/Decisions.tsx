import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, useLive, useViewer } from "@/api";
import { type Decision, decisionsOf } from "./decisions";
import { HomeDecisionEvents, HomeDecisions } from "./documents";
import { Section } from "./Section";

const SHOWN_MAX = 10;
const LINK = "block truncate text-[13px] font-medium hover:underline";

/** What takes two users, and waits for the second one. */
export function Decisions() {
  const { viewer, can } = useViewer();
  const [{ data, error }, again] = useQuery({ query: HomeDecisions, requestPolicy: "cache-and-network" });
  useLive(HomeDecisionEvents, {}, () => again({ requestPolicy: "network-only" }), {
    position: ({ events }) => events.position,
    fromNow: true,
    enabled: can("AUDIT_READ"),
  });
  const fault = error && !data ? faultOf(error) : undefined;
  if (fault?.kind === "forbidden") return null;
  const decisions = data ? decisionsOf(data, viewer?.actor) : [];
  const more = decisions.length - SHOWN_MAX;
  return (
    <Section
      title="For a second user"
      count={decisions.length > 0 ? decisions.length : undefined}
      isLoading={!data && !error}
      fault={fault}
      onRetry={() => again({ requestPolicy: "network-only" })}
      calm={data && decisions.length === 0 ? "Nothing was asked for" : undefined}
    >
      <ul className="divide-y">
        {decisions.slice(0, SHOWN_MAX).map((decision) => (
          <li key={decision.key} className="px-4 py-2">
            <Place at={decision.at}>{decision.what}</Place>
            <div className="text-xs break-words text-muted">
              {decision.isOwn
                ? "You asked for it, and another user has to decide"
                : `${decision.by} asked for it${can("ERASURE_APPROVE") ? ", and you may decide" : ""}`}
              {decision.reason !== "" && `: ${decision.reason}`}
            </div>
          </li>
        ))}
      </ul>
      {more > 0 && <p className="border-t px-4 py-2 text-xs text-muted">and {more.toLocaleString()} more</p>}
    </Section>
  );
}

function Place({ at, children }: { at: Decision["at"]; children: string }) {
  if (at.section === "erasures")
    return (
      <Link to="/admin/$section" params={{ section: at.section }} search={{ subject: at.subject }} className={LINK}>
        {children}
      </Link>
    );
  return (
    <Link to="/admin/$section" params={{ section: at.section }} search={{ category: at.category }} className={LINK}>
      {children}
    </Link>
  );
}
