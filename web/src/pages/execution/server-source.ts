import type { AnyVariables, TypedDocumentNode } from "@urql/core";
import { client, faultOf } from "@/api";
import type { ExecutionSearchPayloadsQuery } from "@/gql/graphql";
import {
  ExecutionDefinition,
  ExecutionDiff,
  ExecutionEvent,
  ExecutionOrigin,
  ExecutionOwnState,
  ExecutionPart,
  ExecutionSearchPayloads,
  ExecutionWholeState,
} from "./documents";
import type { Question } from "./exact";
import { type ExecutionFacts, definitionOf } from "./history/model";
import { locate } from "./panels/locate";
import type { Source } from "./source";

/** Of so many questions of a kind it is known that they were answered: the client has the answers still. */
const ANSWERED_MAX = 1_000;
const answered = new WeakMap<object, Set<string>>();

function remember(document: object, key: string): void {
  const keys = answered.get(document) ?? new Set();
  const [oldest] = keys;
  if (keys.size >= ANSWERED_MAX && oldest !== undefined) keys.delete(oldest);
  answered.set(document, keys.add(key));
}

/** A question to the server, and what of its answer is wanted. */
export function asked<D, V extends AnyVariables, T>(
  document: TypedDocumentNode<D, V>,
  variables: V,
  pick: (data: D) => T,
  requestPolicy: "cache-first" | "network-only" = "cache-first",
): Question<T> {
  const key = JSON.stringify(variables);
  return {
    key,
    isAtHand: () => requestPolicy === "cache-first" && answered.get(document)?.has(key) === true,
    ask: (take) => {
      const subscription = client.query(document, variables, { requestPolicy }).subscribe(({ data, error }) => {
        if (data === undefined && !error) return;
        if (data !== undefined) remember(document, key);
        take({ data: data === undefined ? undefined : pick(data), fault: error && faultOf(error) });
      });
      return () => subscription.unsubscribe();
    },
  };
}

/** What is not of a state, but comes with it. */
const BESIDE = new Set(["__typename", "position", "unknownEventCount"]);

/** An execution as a server tells it. */
export function serverSource(id: string, facts: ExecutionFacts): Source {
  const stream = { category: "execution", id };
  return {
    hasLog: true,
    definition: () =>
      asked(ExecutionDefinition, definitionOf(facts), (data) => data.stateAt?.part ?? data.workflow?.definition ?? {}),
    event: (position) => asked(ExecutionEvent, { stream, from: String(position - 1) }, ({ events }) => events.nodes[0]),
    state: (revision) =>
      asked(ExecutionWholeState, { id, asOf: { revision } }, ({ stateAt }) => ({
        value: stateAt?.state,
        unknownEventCount: stateAt?.unknownEventCount ?? 0,
      })),
    ownState: (revision) =>
      asked(ExecutionOwnState, { id, asOf: { revision } }, ({ stateAt }) => ({
        value:
          stateAt &&
          Object.fromEntries(Object.entries(stateAt).filter(([name, value]) => value !== null && !BESIDE.has(name))),
        unknownEventCount: stateAt?.unknownEventCount ?? 0,
      })),
    part: ({ executionId, revision, path }) =>
      asked(
        ExecutionPart,
        { id: executionId, asOf: revision === undefined ? undefined : { revision }, path },
        ({ stateAt }) => stateAt?.part,
      ),
    changes: (from, to) =>
      asked(
        ExecutionDiff,
        { id, from: { revision: from }, to: { revision: to } },
        ({ stateDiff }) => stateDiff.changes,
      ),
    origin: (revision, path) =>
      asked(ExecutionOrigin, { id, asOf: { revision }, path }, ({ stateAt }) => stateAt?.provenance),
    locate: (node, runIndex) => locate(id, node, runIndex),
    search: (text, after) => {
      const variables = { query: text, filter: { stream }, after };
      const found = ({ searchPayloads: { nodes, pageInfo, extent } }: ExecutionSearchPayloadsQuery) => {
        const next = extent.goOnAt ?? (pageInfo.hasNextPage ? pageInfo.endCursor : undefined);
        return { hits: nodes, next: next ?? undefined };
      };
      // More may have happened since the same was looked for.
      return asked(ExecutionSearchPayloads, variables, found, "network-only");
    },
  };
}
