import { useEffect, useRef, useState } from "react";
import { useKeys } from "@/app/keys";
import { Badge, Button, CopyButton, Duration, Field, Icon, JsonView, Kbd, Textarea } from "@/ui";
import { type Example, curlOf, kindOf } from "./examples";
import { type Answer, followRaw, send } from "./run";

/** How many answers of a subscription are shown. */
const FOLLOWED_MAX = 200;

type State =
  | { kind: "idle" }
  | { kind: "running" }
  | { kind: "answered"; answer: Answer }
  | { kind: "following"; answers: readonly unknown[]; count: number; hasEnded: boolean; problem?: unknown }
  | { kind: "failed"; message: string };

/** A request that can be changed and run. */
export function Try({ example }: { example: Example }) {
  const [query, setQuery] = useState(example.query);
  const [text, setText] = useState(JSON.stringify(example.variables ?? {}, null, 2));
  const [problem, setProblem] = useState<string>();
  const [state, setState] = useState<State>({ kind: "idle" });
  const stop = useRef<() => void>(undefined);
  useEffect(() => () => stop.current?.(), []);
  const kind = kindOf(query);
  const isBusy = state.kind === "running" || (state.kind === "following" && !state.hasEnded);

  const run = () => {
    const variables = parsed(text);
    if (typeof variables === "string") {
      setProblem(variables);
      return;
    }
    setProblem(undefined);
    stop.current?.();
    if (kind === "subscription") follow(variables);
    else void ask(variables);
  };
  const ask = async (variables: Record<string, unknown>) => {
    const abort = new AbortController();
    stop.current = () => abort.abort();
    setState({ kind: "running" });
    try {
      setState({ kind: "answered", answer: await send(query, variables, abort.signal) });
    } catch (error) {
      setState(
        abort.signal.aborted
          ? { kind: "idle" }
          : { kind: "failed", message: `No answer came: ${error instanceof Error ? error.message : String(error)}` },
      );
    }
  };
  const follow = (variables: Record<string, unknown>) => {
    setState({ kind: "following", answers: [], count: 0, hasEnded: false });
    const change = (next: (now: Extract<State, { kind: "following" }>) => State) =>
      setState((now) => (now.kind === "following" ? next(now) : now));
    const dispose = followRaw(
      query,
      variables,
      (answer) =>
        change((now) => ({ ...now, count: now.count + 1, answers: [answer, ...now.answers].slice(0, FOLLOWED_MAX) })),
      (ended) => change((now) => ({ ...now, hasEnded: true, problem: ended })),
    );
    stop.current = () => {
      dispose();
      change((now) => ({ ...now, hasEnded: true }));
    };
  };
  useKeys([{ keys: "Ctrl+Enter", does: "run the request", run, inFields: true }], "API explorer");

  return (
    <div className="flex min-w-0 flex-col gap-3">
      <p className="text-sm text-muted">
        <WithCode text={example.about} />
      </p>
      <Field label="Request">
        <Textarea
          rows={Math.min(16, query.split("\n").length + 1)}
          spellCheck={false}
          className="font-mono text-[12.5px] leading-5"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
        />
      </Field>
      <Field label="Variables" error={problem}>
        <Textarea
          rows={Math.min(8, text.split("\n").length)}
          spellCheck={false}
          className="font-mono text-[12.5px] leading-5"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </Field>
      <div className="flex flex-wrap items-center gap-2">
        {isBusy ? (
          <Button onClick={() => stop.current?.()}>
            <Icon name="stop" />
            Stop
          </Button>
        ) : (
          <Button kind={kind === "mutation" ? "danger" : "primary"} onClick={run}>
            <Icon name="play" />
            {kind === "subscription" ? "Follow" : kind === "mutation" ? "Change it for real" : "Run"}
          </Button>
        )}
        <span className="hidden sm:inline">
          <Kbd keys="Ctrl+Enter" />
        </span>
        <span className="flex-1" />
        <span className="flex items-center gap-1 text-xs text-muted">
          as curl <CopyButton label="Copy as curl" text={() => curlOf(location.origin, query, parsed(text))} />
        </span>
      </div>
      <Result state={state} />
    </div>
  );
}

function Result({ state }: { state: State }) {
  if (state.kind === "idle")
    return <p className="rounded-md border border-dashed p-4 text-sm text-muted">The answer comes here.</p>;
  if (state.kind === "failed")
    return (
      <p role="alert" className="rounded-md bg-bad-soft p-3 text-sm text-bad">
        {state.message} Check that the server runs, then try again.
      </p>
    );
  return (
    <section aria-label="Answer" aria-busy={state.kind === "running"} className="min-w-0 rounded-md border">
      <div
        role="status"
        className="flex flex-wrap items-center gap-x-4 gap-y-1 border-b bg-sunken px-3 py-1.5 text-xs text-muted"
      >
        {state.kind === "running" && "On its way"}
        {state.kind === "answered" && <Said answer={state.answer} />}
        {state.kind === "following" && (
          <>
            <Badge tone={state.hasEnded ? "neutral" : "good"}>{state.hasEnded ? "ended" : "following"}</Badge>
            {state.count === 0
              ? "Nothing has happened yet: it comes here by itself."
              : `${state.count} came, the newest first`}
          </>
        )}
      </div>
      {state.kind === "answered" && (
        <JsonView className="h-[26rem]" label="the answer" value={state.answer.body} depth={6} />
      )}
      {state.kind === "following" && (
        <JsonView
          className="h-[26rem]"
          label="the answers"
          value={state.problem === undefined ? state.answers : [state.problem, ...state.answers]}
          depth={6}
        />
      )}
    </section>
  );
}

function Said({ answer }: { answer: Answer }) {
  return (
    <>
      <Badge tone={answer.hasErrors ? "bad" : "good"}>
        {answer.status}
        {answer.hasErrors && answer.status === 200 ? ", with errors" : ""}
      </Badge>
      <Duration milliseconds={Math.round(answer.milliseconds)} />
      {answer.cost && (
        <span>
          cost {answer.cost.actual.toLocaleString()} of {answer.cost.max.toLocaleString()}
        </span>
      )}
      <span className="flex min-w-0 items-center gap-1 font-mono">
        <span className="truncate">request {answer.requestId}</span>
        <CopyButton text={answer.requestId} label="Copy the request's id" />
      </span>
    </>
  );
}

function WithCode({ text }: { text: string }) {
  return text.split("`").map((part, place) => (place % 2 === 1 ? <code key={String(place)}>{part}</code> : part));
}

function parsed(text: string): Record<string, unknown> | string {
  if (text.trim() === "") return {};
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    return "The variables are to be a JSON object.";
  } catch (error) {
    return `The variables are no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}
