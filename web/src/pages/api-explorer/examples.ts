/** A request that can be tried as it is. */
export interface Example {
  id: string;
  label: string;
  about: string;
  query: string;
  variables?: Record<string, unknown>;
}

const trimmed = (text: string) => text.replace(/^\n/, "").trimEnd();

/** Reads, and what can be followed. None of them changes anything. */
export const EXAMPLES: readonly Example[] = [
  {
    id: "viewer",
    label: "Who am I",
    about: "As whom the server sees you, and what you may do.",
    query: trimmed(`
query WhoAmI {
  viewer {
    actor { kind name }
    account { name email }
    roles
    permissions
    tenant { number name }
    via
  }
}`),
  },
  {
    id: "workflows",
    label: "Workflows",
    about: "A Relay connection: `first` and `after` walk forwards, at most 100 entries at a time.",
    query: trimmed(`
query Workflows($first: Int, $after: String) {
  workflows(first: $first, after: $after) {
    nodes { id name active nodeCount }
    pageInfo { hasNextPage endCursor }
  }
}`),
    variables: { first: 10 },
  },
  {
    id: "executions",
    label: "The newest executions",
    about: "With how they ended. Give `status: FAILED` for failures alone.",
    query: trimmed(`
query NewestExecutions($status: ExecutionStatus) {
  executions(first: 10, status: $status) {
    nodes {
      id
      status
      startedAt
      errorMessage
      workflow { name }
    }
  }
}`),
    variables: { status: null },
  },
  {
    id: "past",
    label: "As of another moment",
    about: "Every read takes `asOf`: a position of the log, or a time. The answer about a moment never changes.",
    query: trimmed(`
query AsOf($time: DateTime!) {
  head(asOf: { time: $time }) { position recordedAt }
  executions(first: 5, asOf: { time: $time }) {
    nodes { id status }
  }
}`),
    variables: { time: new Date(0).toISOString().replace("1970", "2030") },
  },
  {
    id: "state",
    label: "The exact state of a thing",
    about: "Folded from its events up to a moment, with the code that decides on commands too. Put in an id of yours.",
    query: trimmed(`
query State($id: ID!) {
  stateAt(entity: { kind: EXECUTION, id: $id }) {
    position
    status
    lastEventType
    state
  }
}`),
    variables: { id: "00000000-0000-0000-0000-000000000000" },
  },
  {
    id: "events",
    label: "The log",
    about:
      "Events in the order in which they happened. Reading those of accounts and the audit leaves an event as well.",
    query: trimmed(`
query NewestEvents($filter: EventFilter!) {
  events(first: 10, direction: BACKWARD, filter: $filter) {
    nodes { position type category streamId recordedAt }
  }
}`),
    variables: { filter: { categories: ["execution"] } },
  },
  {
    id: "search",
    label: "A text in payloads",
    about:
      "The newest first. `extent` tells how much was looked at; go on with `after: goOnAt` when it is not complete.",
    query: trimmed(`
query Mentions($text: String!) {
  searchPayloads(query: $text, filter: { categories: ["execution"] }, first: 10) {
    nodes { position excerpt event { type } }
    extent { searchedEvents complete goOnAt }
  }
}`),
    variables: { text: "hello" },
  },
  {
    id: "causes",
    label: "Failures by their cause",
    about: "Groups of failures with the same error.",
    query: trimmed(`
query Causes {
  executionGroups(first: 10) {
    nodes { fingerprint executionCount errorMessage newest { id startedAt } }
  }
}`),
  },
  {
    id: "follow",
    label: "Follow executions",
    about:
      "A subscription: each answer has a position. Give the last one as `resumeFrom`, and nothing is missed and nothing comes twice.",
    query: trimmed(`
subscription Follow($had: Position) {
  executionsChanged(resumeFrom: $had) {
    position
    execution { id status workflow { name } }
  }
}`),
    variables: { had: null },
  },
  {
    id: "tail",
    label: "Follow the log",
    about: "Every event that passes a filter, as it happens. It never ends by itself.",
    query: trimmed(`
subscription Tail($filter: EventFilter!, $had: Position) {
  events(filter: $filter, resumeFrom: $had) {
    position
    type
    category
    streamId
  }
}`),
    variables: { filter: { categories: ["execution"] }, had: null },
  },
];

/** The kind of the first operation of a document. */
export function kindOf(query: string): "query" | "mutation" | "subscription" {
  const words = query.replaceAll(/#[^\n]*/g, " ").trimStart();
  const found = /^(mutation|subscription)\b/.exec(words)?.[1];
  return found === "mutation" || found === "subscription" ? found : "query";
}

/** How the same is asked from a terminal. */
export function curlOf(server: string, query: string, variables: unknown): string {
  const body = JSON.stringify({ query, variables });
  const isFollowing = kindOf(query) === "subscription";
  return [
    `curl ${isFollowing ? "--no-buffer " : ""}${server}/graphql`,
    `  -H "Authorization: Bearer $TIMELOOM_TOKEN"`,
    `  -H 'Content-Type: application/json'`,
    ...(isFollowing ? [`  -H 'Accept: text/event-stream'`] : []),
    `  -d '${body.replaceAll("'", `'\\''`)}'`,
  ].join(" \\\n");
}
