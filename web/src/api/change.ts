import type { AnyVariables, TypedDocumentNode } from "@urql/core";
import { useCallback, useEffect, useRef, useState } from "react";
import { client } from "./client";
import { type Fault, type UserError, faultOf } from "./errors";
import { freshId } from "./ids";
import { toast } from "./toasts";
import { wrote } from "./writes";

/** What every payload of a mutation has. */
export interface Payload {
  position?: string | null;
  errors: readonly UserError[];
}

/** What became of a change. */
export type Outcome<P> =
  | { kind: "done"; payload: P; requestId: string }
  | { kind: "refused" | "conflict" | "busy"; errors: readonly UserError[]; payload: P; requestId: string }
  | { kind: "fault"; fault: Fault; requestId: string };

export interface ChangeOptions<D, P> {
  /** The payload in the answer. */
  payload: (data: D) => P;
  /** What is said when it is done; nothing where it is absent. */
  done?: string | ((payload: P) => string);
  /** What could not be done, such as "The execution was not cancelled". */
  failed: string;
  /** Keeps refusals to the caller, such as a form that shows them at its fields. Faults are still said. */
  quiet?: boolean;
  /** Why, in words of whoever does it; kept with the events where the input has no place for it. */
  reason?: string;
}

/** Sends a change once: sent again after a lost answer, it is the same change. */
export async function change<D, V extends AnyVariables, P extends Payload>(
  document: TypedDocumentNode<D, V>,
  variables: V,
  options: ChangeOptions<D, P>,
): Promise<Outcome<P>> {
  const key = freshId();
  const attempt = async () => {
    const requestId = freshId();
    const headers: Record<string, string> = { "idempotency-key": key, "x-request-id": requestId };
    if (options.reason !== undefined) headers["x-timeloom-reason"] = inHeader(options.reason);
    const result = await client.mutation(document, variables, { fetchOptions: { headers } }).toPromise();
    return { result, requestId };
  };
  let { result, requestId } = await attempt();
  if (result.error?.networkError && result.error.response === undefined) ({ result, requestId } = await attempt());
  if (result.error) {
    const outcome = { kind: "fault" as const, fault: { ...faultOf(result.error), requestId }, requestId };
    sayFault(options.failed, outcome.fault);
    return outcome;
  }
  const payload = options.payload(result.data as D);
  const [first] = payload.errors;
  if (first !== undefined) {
    if (options.quiet !== true) sayRefusal(options.failed, payload.errors, requestId);
    return { kind: kindOf(first), errors: payload.errors, payload, requestId };
  }
  if (payload.position) wrote(payload.position);
  if (options.done !== undefined) {
    toast({ tone: "good", title: typeof options.done === "string" ? options.done : options.done(payload) });
  }
  return { kind: "done", payload, requestId };
}

/** A change as a hook: how to make it, and whether it is under way. */
export function useChange<D, V extends AnyVariables, P extends Payload>(
  document: TypedDocumentNode<D, V>,
  options: ChangeOptions<D, P>,
): [run: (variables: V, reason?: string) => Promise<Outcome<P>>, isRunning: boolean] {
  const [running, setRunning] = useState(0);
  // How it is made stays the same function, so that what is given it need not be drawn again with each drawing of its parent.
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const run = useCallback(
    async (variables: V, reason?: string) => {
      setRunning((count) => count + 1);
      try {
        return await change(document, variables, { ...latest.current, reason });
      } finally {
        setRunning((count) => count - 1);
      }
    },
    [document],
  );
  return [run, running > 0];
}

/** Browsers send headers byte by byte; the server reads them as UTF-8. A header has no line ends. */
function inHeader(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text.replaceAll(/\s+/g, " ").trim()));
}

function kindOf(error: UserError): "refused" | "conflict" | "busy" {
  if (error.code === "REVISION_CHANGED" || error.__typename === "Conflict") return "conflict";
  return error.__typename === "Busy" ? "busy" : "refused";
}

function sayRefusal(failed: string, errors: readonly UserError[], requestId: string): void {
  const advice: Record<string, string> = {
    conflict: "Somebody changed it meanwhile: reload, look at it, then try again.",
    busy: "Try again in a moment.",
    refused: "",
  };
  const [first] = errors;
  const problems = errors.flatMap((error) => error.problems ?? []).map((problem) => problem.message);
  const said = [...errors.map((error) => error.message), ...problems.slice(0, 3)].join(" · ");
  toast({ tone: "bad", title: failed, text: said, advice: first && advice[kindOf(first)], requestId });
}

/** Says that a request failed. */
export function sayFault(failed: string, fault: Fault): void {
  toast({ tone: "bad", title: failed, text: fault.message, advice: fault.advice, requestId: fault.requestId });
}
