import type { CombinedError } from "@urql/core";
import { graphql } from "./graphql";

/** What is asked of the errors of every change. */
export const Errors = graphql(`
  fragment Errors on UserError {
    __typename
    code
    message
    path
    ... on Refused {
      problems {
        node
        field
        message
      }
    }
    ... on Conflict {
      expectedRevision
      actualRevision
    }
    ... on Busy {
      retryAfterMs
    }
  }
`);

/** Something that whoever asked can do something about; every payload of a mutation has a list of these. */
export interface UserError {
  __typename?: string;
  code: string;
  message: string;
  path?: readonly string[] | null;
  /** Of a refusal: what is wrong where. */
  problems?: readonly { node?: string | null; field: string; message: string }[] | null;
  /** Of a conflict. */
  actualRevision?: number | null;
  expectedRevision?: number | null;
  /** Of an answer that will be another one soon. */
  retryAfterMs?: number | null;
}

/** What went wrong with a request, and what can be done. */
export interface Fault {
  kind: "offline" | "forbidden" | "refused" | "unavailable" | "limited" | "fault";
  code: string;
  message: string;
  /** What whoever reads it can do. */
  advice: string;
  requestId: string | undefined;
  /** The permission that is missing. */
  permission?: string;
}

const ADVICE: Record<Fault["kind"], string> = {
  offline: "The server could not be reached. Check that it runs and that you are connected, then try again.",
  forbidden: "Your account may not see this. Ask an administrator for a role that may.",
  refused: "The request was not understood. Change it, or reload the page if the server was updated.",
  unavailable: "The server is not ready to answer this yet. Try again in a moment.",
  limited: "Too much was asked for at once. Wait a moment, then try again.",
  fault: "The server could not do it. Try again; if it stays, look for the request's id in the server's log.",
};

/** Tells what a failed request was about. */
export function faultOf(error: CombinedError): Fault {
  const response = error.response as Response | undefined;
  const requestId = response?.headers.get("x-request-id") ?? undefined;
  if (error.networkError && response === undefined) {
    return { kind: "offline", code: "OFFLINE", message: "No answer came.", advice: ADVICE.offline, requestId };
  }
  const first = error.graphQLErrors[0];
  const extensions = (first?.extensions ?? {}) as Record<string, unknown>;
  const code = typeof extensions.code === "string" ? extensions.code : `HTTP_${response?.status ?? 0}`;
  const permission = typeof extensions.permission === "string" ? extensions.permission : undefined;
  const kind = kindOf(code, extensions.classification, response?.status);
  const message = first?.message ?? error.networkError?.message ?? error.message;
  return { kind, code, message, advice: ADVICE[kind], requestId, permission };
}

/** A fault as one text, where there is no room for its parts. */
export function faultText({ message, advice, requestId }: Fault): string {
  const end = /[.!?]$/.test(message) ? "" : ".";
  return `${message}${end} ${advice}${requestId === undefined ? "" : ` Request ${requestId}.`}`;
}

function kindOf(code: string, classification: unknown, status: number | undefined): Fault["kind"] {
  if (code === "FORBIDDEN" || status === 403) return "forbidden";
  if (code === "RATE_LIMITED" || status === 429) return "limited";
  if (classification === "UNAVAILABLE" || status === 503) return "unavailable";
  if (classification === "BAD_USER_INPUT" || status === 400) return "refused";
  return "fault";
}
