import { Link, useNavigate } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, graphql, useLastWrite } from "@/api";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import type { AgentRunComparedQuery } from "@/gql/graphql";
import { Badge, Button, Elapsed, EmptyState, ErrorState, Icon, Money, PageHeader, Skeleton, StatusBadge } from "@/ui";
import { counted } from "@/ui/counted";
import { Messages } from "@/ui/Messages";
import { messagesOf } from "@/ui/messages";
import { Panel } from "@/ui/Panel";
import { useCurrency } from "./documents";
import { firstDifference } from "./timeline";

const Compared = graphql(`
  query AgentRunCompared($left: UUID!, $right: UUID!, $waitFor: Position) {
    left: agentRun(id: $left, waitFor: $waitFor) {
      ...AgentRunSide
    }
    right: agentRun(id: $right, waitFor: $waitFor) {
      ...AgentRunSide
    }
  }

  fragment AgentRunSide on AgentRun {
    id
    agentName
    status
    messages
    model
    prompt
    version
    turn
    toolCalls
    inputTokens
    outputTokens
    cost
    startedAt
    endedAt
    lineage {
      runId
      turn
    }
  }
`);

type Side = NonNullable<AgentRunComparedQuery["left"]>;

/** What was said in two runs, side by side. */
export function RunComparison({ left, right }: { left: string; right: string }) {
  usePageTitle("Two runs", "Agents");
  const navigate = useNavigate({ from: "/agent-runs/$runId" });
  const waitFor = useLastWrite();
  const [{ data, error }, again] = useQuery({ query: Compared, variables: { left, right, waitFor } });
  const back = () => void navigate({ search: (before) => ({ ...before, compare: undefined }) });
  const swap = () => void navigate({ to: "/agent-runs/$runId", params: { runId: right }, search: { compare: left } });
  useKeys(
    [
      { keys: "c", does: "back to the run", run: back },
      { keys: "s", does: "swap sides", run: swap },
    ],
    "Two runs",
  );
  const sides = data?.left && data.right ? ([data.left, data.right] as const) : undefined;
  const messages = sides?.map((side) => messagesOf(side.messages)) ?? [];
  const first = firstDifference(messages[0] ?? [], messages[1] ?? []);
  return (
    <>
      <PageHeader
        title="Two runs side by side"
        above={sides ? sides[0].agentName : "Agent run"}
        actions={
          <>
            <Button onClick={swap}>Swap sides</Button>
            <Button onClick={back}>
              <Icon name="close" /> Back to the run
            </Button>
          </>
        }
      >
        {sides && (
          <span role="status">
            {first === undefined
              ? "The same was said in both."
              : `${first} ${first === 1 ? "message is" : "messages are"} the same; the first difference is number ${first + 1}.`}
          </span>
        )}
      </PageHeader>
      {error ? (
        <ErrorState fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />
      ) : data === undefined ? (
        <div className="grid gap-4 p-6 md:grid-cols-2" aria-busy="true">
          <Skeleton className="h-64" />
          <Skeleton className="h-64" />
        </div>
      ) : !sides ? (
        <EmptyState icon="agent" title="One of the runs is not there">
          <Link to="/agents" search={{ tab: "runs" }} className="text-accent underline">
            See all runs
          </Link>
        </EmptyState>
      ) : (
        <div className="grid items-start gap-4 p-4 md:grid-cols-2 md:p-6">
          {sides.map((side, place) => (
            <SideView
              key={side.id}
              side={side}
              other={sides[1 - place] ?? side}
              first={first}
              messages={messages[place] ?? []}
            />
          ))}
        </div>
      )}
    </>
  );
}

interface SideProps {
  side: Side;
  other: Side;
  first: number | undefined;
  messages: ReturnType<typeof messagesOf>;
}

function SideView({ side, other, first, messages }: SideProps) {
  const currency = useCurrency();
  const name = side.lineage ? `Fork from turn ${side.lineage.turn}` : "Run";
  return (
    <Panel
      isFlush
      title={
        <Link to="/agent-runs/$runId" params={{ runId: side.id }} className="hover:underline">
          {name}
        </Link>
      }
      actions={<StatusBadge status={side.status} />}
    >
      <div className="flex flex-wrap gap-x-3 gap-y-1 border-b px-4 py-2 text-xs text-muted">
        <Money amount={side.cost} currency={currency} />
        <Elapsed from={side.startedAt} to={side.endedAt} />
        <span>{counted(side.inputTokens + side.outputTokens, "token")}</span>
        <span>{counted(side.turn, "turn")}</span>
        <span>{counted(side.toolCalls, "call of a tool", "calls of tools")}</span>
        {side.model !== other.model && <Badge tone="warn">route {side.model}</Badge>}
        {side.prompt !== other.prompt && <Badge tone="warn">other prompt</Badge>}
        {side.version !== other.version && <Badge tone="warn">version {side.version}</Badge>}
      </div>
      <Messages label={`What was said: ${name}`} messages={messages} differsFrom={first} />
    </Panel>
  );
}
