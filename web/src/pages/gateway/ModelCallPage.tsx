import { Link, getRouteApi } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, graphql } from "@/api";
import { usePageTitle } from "@/app/title";
import type { ModelCallPageQuery } from "@/gql/graphql";
import {
  Badge,
  Bytes,
  type Column,
  Duration,
  EmptyState,
  ErrorState,
  JsonView,
  Money,
  PageHeader,
  PositionLink,
  Skeleton,
  StatusBadge,
  Table,
  Time,
  wordsOf,
} from "@/ui";
import { type Fact, Facts } from "@/ui/Facts";
import { Messages } from "@/ui/Messages";
import { choicesOf, messagesOf, readJson } from "@/ui/messages";
import { Copyable } from "@/ui/Copyable";
import { Panel } from "@/ui/Panel";
import { Share } from "@/ui/Share";
import { counted } from "@/ui/counted";

const OneCall = graphql(`
  query ModelCallPage($id: UUID!) {
    modelCall(id: $id) {
      id
      route
      kind
      stream
      status
      problem
      reason
      retryAfterMs
      askedAt
      tookUs
      firstTokenUs
      finish
      provider
      model
      cost
      currency
      digest
      cachedFrom
      agent
      agentRunId
      executionId
      workflowId
      node
      keyId
      position
      usage {
        inputTokens
        outputTokens
        cachedInputTokens
        cacheWriteTokens
        thinkingTokens
      }
      attempts {
        provider
        model
        answeredBy
        reason
        problem
        message
        status
        cancelled
        tookUs
        firstTokenUs
        cost
        leftOut
        violations
        requestId
        usage {
          inputTokens
          outputTokens
        }
      }
      prompt {
        text
        recorded
        digest
        bytes
      }
      answer {
        text
        recorded
        digest
        bytes
      }
    }
  }
`);

type Call = NonNullable<ModelCallPageQuery["modelCall"]>;
type Attempt = Call["attempts"][number];

const route = getRouteApi("/gateway/calls/$callId");

export function ModelCallPage() {
  const { callId } = route.useParams();
  usePageTitle("Model call", "Gateway");
  const [{ data, error, fetching }, again] = useQuery({ query: OneCall, variables: { id: callId } });
  const call = data?.modelCall;
  const above = (
    <Link to="/gateway" className="hover:underline">
      Gateway
    </Link>
  );
  if (call) return <Shown call={call} />;
  return (
    <>
      <PageHeader title="Model call" above={above} />
      {error ? (
        <ErrorState fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />
      ) : fetching || data === undefined ? (
        <div className="flex flex-col gap-3 p-6" aria-busy="true">
          <Skeleton className="h-24" />
          <Skeleton className="h-48" />
        </div>
      ) : (
        <EmptyState icon="gateway" title="There is no such call">
          <Link to="/gateway" className="text-accent underline">
            See all calls
          </Link>
        </EmptyState>
      )}
    </>
  );
}

function Shown({ call }: { call: Call }) {
  return (
    <>
      <PageHeader
        above={
          <>
            <Link to="/gateway" className="hover:underline">
              Gateway
            </Link>{" "}
            · {call.kind === "EMBED" ? "vectors" : "chat"}
            {call.stream ? ", piece by piece" : ""}
          </>
        }
        title={
          <span className="inline-flex max-w-full flex-wrap items-center gap-x-2">
            <span className="truncate">{call.route}</span>
            <StatusBadge status={call.status} />
            {call.cachedFrom != null && <Badge tone="info">from the cache</Badge>}
          </span>
        }
      />
      <div className="grid content-start gap-4 p-4 md:p-6 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="flex min-w-0 flex-col gap-4">
          {call.reason != null && (
            <p role="note" className="rounded-lg border border-bad/40 bg-bad-soft px-4 py-3 text-[13px] text-bad">
              {call.reason}
              {call.retryAfterMs != null && (
                <>
                  {" "}
                  Ask again after <Duration milliseconds={call.retryAfterMs} />.
                </>
              )}
            </p>
          )}
          <Attempts call={call} />
          <Said call={call} />
        </div>
        <aside aria-label="About this call" className="min-w-0">
          <Panel title="About this call">
            <Facts facts={factsOf(call)} />
          </Panel>
        </aside>
      </div>
    </>
  );
}

function factsOf(call: Call): (Fact | undefined)[] {
  const { usage } = call;
  return [
    ["Asked", <Time key="asked" value={call.askedAt} exact />],
    ["Took", <Duration key="took" milliseconds={call.tookUs / 1000} />],
    call.firstTokenUs == null
      ? undefined
      : ["First piece after", <Duration key="first" milliseconds={call.firstTokenUs / 1000} />],
    ["Cost", <Money key="cost" amount={call.cost} currency={call.currency} />],
    usage
      ? [
          "Read",
          `${counted(usage.inputTokens, "token")}${usage.cachedInputTokens == null ? "" : `, ${usage.cachedInputTokens.toLocaleString()} from the provider's cache`}`,
        ]
      : undefined,
    usage
      ? [
          "Wrote",
          `${counted(usage.outputTokens, "token")}${usage.thinkingTokens == null ? "" : `, ${usage.thinkingTokens.toLocaleString()} of them thoughts`}`,
        ]
      : undefined,
    call.finish == null ? undefined : ["Ended by", wordsOf(call.finish)],
    call.agentRunId == null
      ? undefined
      : [
          "Agent",
          <Link
            key="run"
            to="/agent-runs/$runId"
            params={{ runId: call.agentRunId }}
            className="text-accent hover:underline"
          >
            {call.agent ?? "a run"}
          </Link>,
        ],
    call.executionId == null
      ? undefined
      : [
          "Execution",
          <Link
            key="execution"
            to="/executions/$executionId"
            params={{ executionId: call.executionId }}
            className="text-accent hover:underline"
          >
            {call.node ?? call.executionId.slice(0, 13)}
          </Link>,
        ],
    call.workflowId == null
      ? undefined
      : [
          "Workflow",
          <Link
            key="workflow"
            to="/workflows/$workflowId"
            params={{ workflowId: call.workflowId }}
            className="text-accent hover:underline"
          >
            {call.workflowId.slice(0, 13)}…
          </Link>,
        ],
    call.keyId == null
      ? undefined
      : [
          "Key",
          <Link
            key="key"
            to="/gateway"
            search={{ key: call.keyId }}
            className="font-mono text-xs text-accent hover:underline"
            title="See all calls by it"
          >
            {call.keyId}
          </Link>,
        ],
    call.cachedFrom == null
      ? undefined
      : [
          "First answered by",
          <Link
            key="cached"
            to="/gateway/calls/$callId"
            params={{ callId: call.cachedFrom }}
            className="text-accent hover:underline"
          >
            another call
          </Link>,
        ],
    ["Event", <PositionLink key="event" position={call.position} />],
    call.digest == null ? undefined : ["Digest", <Copyable key="digest" text={call.digest} label="Copy the digest" />],
    ["Id", <Copyable key="id" text={call.id} label="Copy the call's id" />],
  ];
}

const REASONS: Record<string, string> = {
  only: "the only one",
  split: "by the split",
  least_loaded: "the less busy one",
  retry: "asked again",
  fell_back: "fell back to it",
  probe: "tried whether it is well again",
};

function Attempts({ call }: { call: Call }) {
  const longest = Math.max(...call.attempts.map((attempt) => attempt.tookUs), 1);
  const columns: Column<Attempt>[] = [
    {
      key: "target",
      header: "Asked",
      cell: (row) => (
        <div className="min-w-36">
          <span className="text-muted">{row.provider} / </span>
          <span className="font-medium">{row.model}</span>
          <div className="text-xs text-muted">{REASONS[row.reason] ?? row.reason}</div>
        </div>
      ),
    },
    {
      key: "outcome",
      header: "Outcome",
      cell: (row) => (
        <div className="min-w-40">
          {row.problem == null ? (
            <Badge tone={row.cancelled ? "neutral" : "good"}>{row.cancelled ? "given up" : "answered"}</Badge>
          ) : (
            <Badge tone="bad">
              {wordsOf(row.problem)}
              {row.status == null ? "" : ` · ${row.status}`}
            </Badge>
          )}
          {row.message != null && <div className="mt-0.5 text-xs break-words text-bad">{row.message}</div>}
          {row.leftOut.length > 0 && <div className="mt-0.5 text-xs text-warn">left out: {row.leftOut.join(", ")}</div>}
          {row.violations.map((violation) => (
            <div key={violation} className="mt-0.5 text-xs text-warn">
              {violation}
            </div>
          ))}
        </div>
      ),
    },
    {
      key: "tokens",
      header: "Tokens",
      align: "end",
      wideOnly: true,
      cell: (row) =>
        row.usage ? (
          <span className="tabular-nums">{`${row.usage.inputTokens} → ${row.usage.outputTokens}`}</span>
        ) : (
          "–"
        ),
    },
    {
      key: "cost",
      header: "Cost",
      align: "end",
      wideOnly: true,
      cell: (row) => <Money amount={row.cost} currency={call.currency} />,
    },
    {
      key: "took",
      header: "Took",
      align: "end",
      cell: (row) => (
        <div className="ml-auto w-20">
          <Duration milliseconds={row.tookUs / 1000} />
          <Share value={row.tookUs / longest} tone={row.problem == null ? "accent" : "bad"} />
        </div>
      ),
    },
  ];
  return (
    <Panel title="Attempts" isFlush>
      <Table
        label="Attempts"
        rows={call.attempts}
        columns={columns}
        keyOf={(row) => `${call.attempts.indexOf(row)}`}
        empty={
          <p className="p-4 text-[13px] text-muted">
            {call.cachedFrom == null
              ? "Nobody was asked: it was refused before."
              : "Nobody was asked: the answer was there already."}
          </p>
        }
      />
    </Panel>
  );
}

function Said({ call }: { call: Call }) {
  const { prompt, answer } = call;
  const asked = prompt?.text == null ? undefined : readJson(prompt.text);
  const answered = answer?.text == null ? undefined : readJson(answer.text);
  const messages = [...messagesOf(asked), ...choicesOf(answered)];
  return (
    <>
      <Panel title="What was said" isFlush>
        {messages.length > 0 ? (
          <Messages label="What was said" messages={messages} />
        ) : (
          <p className="p-4 text-[13px] text-muted">
            {asked === undefined
              ? "What was said was not written down."
              : "It is no chat: the request below is all there is."}
          </p>
        )}
        <OnlyDigest name="The request" content={prompt} />
        <OnlyDigest name="The answer" content={answer} />
      </Panel>
      {asked !== undefined && (
        <Panel title="As it was written down" isFlush>
          <JsonView
            label="request and answer"
            depth={1}
            className="max-h-96"
            value={{ request: asked, answer: answered }}
          />
        </Panel>
      )}
    </>
  );
}

/** What is told of something that was not written down. */
function OnlyDigest({ name, content }: { name: string; content: Call["prompt"] }) {
  if (content == null || content.recorded) return null;
  return (
    <p className="border-t px-4 py-2 text-xs text-muted">
      {name} is kept as its SHA-256 alone: <code className="break-all">{content.digest}</code>
      {content.bytes != null && (
        <>
          {" "}
          (<Bytes value={content.bytes} />)
        </>
      )}
    </p>
  );
}
