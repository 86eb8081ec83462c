import { type AnyVariables, type TypedDocumentNode, stringifyDocument } from "@urql/core";
import { type Client, createClient } from "graphql-ws";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { client } from "./client";
import { graphql } from "./graphql";
import { leadToSignIn } from "./sign-in";

const LiveHead = graphql(`
  query LiveHead {
    head {
      readModels
    }
  }
`);

/** Whether changes come by themselves. */
export type Connection = "connecting" | "open" | "lost";

/** Close codes with which the server says that nobody is let in, or not any more. */
const NOT_LET_IN = new Set([4401, 4403]);
/** Codes after which the same may be asked for again from where it ended. */
const TRY_AGAIN = new Set(["FELL_BEHIND", "UNAVAILABLE", "RATE_LIMITED"]);
const WAIT_MAX_MS = 15_000;

let connection: Connection = "connecting";
const listeners = new Set<() => void>();
let socket: Client | undefined;

function become(next: Connection): void {
  if (connection === next) return;
  connection = next;
  for (const listener of listeners) listener();
}

/** Whether this tab is told of changes at present. */
export function useConnection(): Connection {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => connection,
  );
}

/** The one WebSocket of this tab. It is held open, so that a lost connection is seen on every page. */
export function liveClient(): Client {
  socket ??= createClient({
    url: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/graphql/ws`,
    lazy: false,
    keepAlive: 10_000,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: wait,
    onNonLazyError: () => become("lost"),
    on: {
      connected: () => become("open"),
      closed: (event) => {
        become("lost");
        if (event instanceof CloseEvent && NOT_LET_IN.has(event.code)) leadToSignIn();
      },
      error: () => become("lost"),
    },
  });
  return socket;
}

/** Waits longer after each try, but goes on at once when the machine says that it is connected again. */
async function wait(retries: number): Promise<void> {
  const spread = 0.75 + Math.random() / 2;
  const milliseconds = Math.min(500 * 2 ** retries, WAIT_MAX_MS) * spread;
  await new Promise<void>((resolve) => {
    const go = () => {
      clearTimeout(timer);
      removeEventListener("online", go);
      resolve();
    };
    const timer = setTimeout(go, milliseconds);
    addEventListener("online", go);
  });
}

export type LiveVariables = AnyVariables & { resumeFrom?: string | null };

export interface Following {
  stop: () => void;
}

export interface Follower<D> {
  onEvent: (data: D) => void;
  /** It ended for good: `undefined` when it came to its end, else why not. */
  onEnd?: (problem: { code: string; message: string } | undefined) => void;
}

/**
 * Follows a subscription. After a lost connection it goes on behind the last position that it brought, without a gap or a
 * double; `position` says where an answer is.
 */
export function follow<D, V extends LiveVariables>(
  document: TypedDocumentNode<D, V>,
  variables: V,
  position: (data: D) => string | undefined,
  follower: Follower<D>,
): Following {
  // The client sends this object again after it reconnects: what is written into it is what the server is asked for then.
  const resumable: Record<string, unknown> = { ...variables };
  const query = stringifyDocument(document);
  let dispose: (() => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;
  let tries = 0;

  const again = () => {
    if (isStopped) return;
    timer = setTimeout(begin, Math.min(250 * 2 ** tries, WAIT_MAX_MS));
    tries += 1;
  };
  const fail = (problems: readonly { message: string; extensions?: Record<string, unknown> }[]) => {
    const [first] = problems;
    const extensions = first?.extensions ?? {};
    const code = typeof extensions.code === "string" ? extensions.code : "FAULT";
    if (typeof extensions.lastPosition === "string") resumable.resumeFrom = extensions.lastPosition;
    if (code === "UNAUTHENTICATED") leadToSignIn();
    else if (TRY_AGAIN.has(code) || extensions.classification === "UNAVAILABLE") again();
    else follower.onEnd?.({ code, message: first?.message ?? "the stream ended" });
  };
  const begin = () => {
    let hasFailed = false;
    dispose = liveClient().subscribe<D>(
      { query, variables: resumable },
      {
        next: ({ data, errors }) => {
          if (errors) {
            hasFailed = true;
            dispose?.();
            fail(errors);
          } else if (data && !isStopped) {
            tries = 0;
            const at = position(data);
            if (at !== undefined) resumable.resumeFrom = at;
            follower.onEvent(data);
          }
        },
        error: (error) => {
          if (isStopped || hasFailed) return;
          if (Array.isArray(error)) fail(error as never);
          else again();
        },
        complete: () => {
          if (!isStopped && !hasFailed) follower.onEnd?.(undefined);
        },
      },
    );
  };
  begin();
  return {
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
      dispose?.();
    },
  };
}

export interface LiveOptions<D> {
  /** Where an answer is in the log. */
  position: (data: D) => string | undefined;
  /**
   * Of a stream that begins with what happens next: begins behind what rows show now, so that nothing is missed: neither an
   * event that a page's rows did not show yet when they were read, nor one of a connection lost before the first answer.
   */
  fromNow?: boolean;
  /** False while nothing is to be followed. */
  enabled?: boolean;
}

export interface Live {
  /** Whether changes come at present. */
  isLive: boolean;
  /** It came to its end, such as that of an execution. */
  hasEnded: boolean;
  problem: { code: string; message: string } | undefined;
}

/** A subscription for as long as a component is there. It begins anew when the variables change. */
export function useLive<D, V extends LiveVariables>(
  document: TypedDocumentNode<D, V>,
  variables: V,
  onEvent: (data: D) => void,
  options: LiveOptions<D>,
): Live {
  const state = useConnection();
  const [end, setEnd] = useState<{ key: string; problem: Live["problem"] } | undefined>();
  const key = JSON.stringify(variables);
  const enabled = options.enabled ?? true;
  const fromNow = options.fromNow ?? false;
  const latest = useRef({ onEvent, position: options.position, variables });
  useEffect(() => {
    latest.current = { onEvent, position: options.position, variables };
  });
  useEffect(() => {
    if (!enabled) return undefined;
    let following: Following | undefined;
    let isGone = false;
    const begin = (shown: string | undefined) => {
      if (isGone) return;
      const variables = { ...latest.current.variables };
      if (shown !== undefined) variables.resumeFrom ??= shown;
      following = follow(document, variables, (data) => latest.current.position(data), {
        onEvent: (data) => latest.current.onEvent(data),
        onEnd: (problem) => setEnd({ key, problem }),
      });
    };
    if (fromNow)
      void client
        .query(LiveHead, {}, { requestPolicy: "network-only" })
        .toPromise()
        .then(({ data }) => begin(data?.head.readModels));
    else begin(undefined);
    return () => {
      isGone = true;
      following?.stop();
    };
  }, [document, key, enabled, fromNow]);
  const ended = end?.key === key ? end : undefined;
  return {
    isLive: enabled && state === "open" && ended === undefined,
    hasEnded: ended !== undefined && ended.problem === undefined,
    problem: ended?.problem,
  };
}
