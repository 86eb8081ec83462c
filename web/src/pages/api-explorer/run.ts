import { freshId } from "@/api";
import { liveClient } from "@/api/live";

/** What came back of a request, as it was. */
export interface Answer {
  body: unknown;
  status: number;
  milliseconds: number;
  requestId: string;
  cost?: { requested: number; actual: number; max: number };
  hasErrors: boolean;
}

/** Sends a request as any program would, and takes the answer as it is. */
export async function send(query: string, variables: unknown, signal: AbortSignal): Promise<Answer> {
  const requestId = freshId();
  const begin = performance.now();
  const response = await fetch("/graphql", {
    method: "POST",
    credentials: "same-origin",
    signal,
    headers: { "content-type": "application/json", accept: "application/json", "x-request-id": requestId },
    body: JSON.stringify({ query, variables }),
  });
  const text = await response.text();
  const milliseconds = performance.now() - begin;
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // What is no JSON is shown as it came.
  }
  const { errors, extensions } = (typeof body === "object" && body !== null ? body : {}) as {
    errors?: unknown[];
    extensions?: { cost?: Answer["cost"] };
  };
  return {
    body,
    status: response.status,
    milliseconds,
    requestId: response.headers.get("x-request-id") ?? requestId,
    cost: extensions?.cost,
    hasErrors: !response.ok || (errors?.length ?? 0) > 0,
  };
}

/** Follows a subscription over the WebSocket of this tab. Answers how to stop. */
export function followRaw(
  query: string,
  variables: Record<string, unknown>,
  onAnswer: (answer: unknown) => void,
  onEnd: (problem: unknown) => void,
): () => void {
  return liveClient().subscribe(
    { query, variables },
    { next: onAnswer, error: onEnd, complete: () => onEnd(undefined) },
  );
}
