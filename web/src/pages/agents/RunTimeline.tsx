import { Link } from "@tanstack/react-router";
import { type ReactNode, useRef, useState } from "react";
import { useKeys } from "@/app/keys";
import { Badge, Button, Duration, Icon, type IconName, Money, Time, classes } from "@/ui";
import { jsonText } from "@/ui/json-lines";
import { LongText, Parts } from "@/ui/Messages";
import { readJson } from "@/ui/messages";
import { useCurrency } from "./documents";
import type { ForkFrom } from "./ForkRun";
import {
  type MemoryStep,
  type ModelStep,
  type NoteStep,
  type TimelineStep,
  type ToolStep,
  fromBillionths,
} from "./timeline";

const CODE = "overflow-x-auto rounded bg-sunken px-2 py-1 font-mono text-[12.5px]";

export interface RunTimelineProps {
  steps: readonly TimelineStep[];
  onFork?: (from: ForkFrom) => void;
}

/** What happened in a run, step by step. `j` and `k` go from one to the next. */
export function RunTimeline({ steps, onFork }: RunTimelineProps) {
  const list = useRef<HTMLOListElement>(null);
  const [active, setActive] = useState(0);
  const go = (place: number) => {
    const next = Math.max(0, Math.min(steps.length - 1, place));
    setActive(next);
    list.current?.querySelector<HTMLElement>(`[data-step="${next}"]`)?.focus();
  };
  useKeys(
    [
      { keys: "j", does: "next step", run: () => go(active + 1) },
      { keys: "k", does: "step before", run: () => go(active - 1) },
    ],
    "Agent run",
  );
  return (
    <ol ref={list} aria-label="Timeline" className="flex flex-col">
      {steps.map((step, place) => (
        <li
          key={step.key}
          data-step={place}
          tabIndex={place === Math.min(active, steps.length - 1) ? 0 : -1}
          onFocus={() => setActive(place)}
          className="group relative flex gap-3 rounded-md pb-4 outline-offset-2"
        >
          {place < steps.length - 1 && (
            <span aria-hidden className="absolute top-7 bottom-0 left-[13px] w-px bg-line" />
          )}
          <Mark step={step} />
          <div className="min-w-0 flex-1 pt-0.5">
            <StepView step={step} onFork={onFork} />
          </div>
        </li>
      ))}
    </ol>
  );
}

const TONES = {
  neutral: "border-line text-muted",
  good: "border-good/50 bg-good-soft text-good",
  warn: "border-warn/50 bg-warn-soft text-warn",
  bad: "border-bad/50 bg-bad-soft text-bad",
};

function markOf(step: TimelineStep): { icon: IconName; tone: keyof typeof TONES } {
  switch (step.kind) {
    case "model":
      return { icon: "model", tone: step.failure ? "bad" : "neutral" };
    case "tool":
      if (step.isRefused === true || step.approval?.state === "denied") return { icon: "close", tone: "bad" };
      if (step.failure) return { icon: "warning", tone: "bad" };
      return { icon: "api", tone: step.approval?.state === "asked" ? "warn" : "neutral" };
    case "memory":
      return { icon: "clock", tone: "neutral" };
    default:
      return { icon: step.tone === "good" ? "check" : step.tone === "neutral" ? "event" : "warning", tone: step.tone };
  }
}

function Mark({ step }: { step: TimelineStep }) {
  const { icon, tone } = markOf(step);
  return (
    <span
      aria-hidden
      className={classes(
        "z-[1] flex size-7 shrink-0 items-center justify-center rounded-full border bg-surface",
        TONES[tone],
      )}
    >
      <Icon name={icon} className="size-3.5" />
    </span>
  );
}

function StepView({ step, onFork }: { step: TimelineStep; onFork?: (from: ForkFrom) => void }) {
  if (step.kind === "model") return <ModelView step={step} onFork={onFork} />;
  if (step.kind === "tool") return <ToolView step={step} onFork={onFork} />;
  if (step.kind === "memory") return <MemoryView step={step} />;
  return <NoteView step={step} />;
}

function Head({ title, step, children }: { title: ReactNode; step: TimelineStep; children?: ReactNode }) {
  return (
    <div className="mb-1 flex flex-wrap items-center gap-x-2.5 gap-y-0.5 text-xs text-muted">
      <h2 className="text-[13px] font-medium text-text">{title}</h2>
      {children}
      <Link
        from="/agent-runs/$runId"
        search={(before) => ({ ...before, position: step.position })}
        className="ml-auto hover:underline"
        title="See the run as it was at this event"
      >
        <Time value={step.at} />
      </Link>
    </div>
  );
}

function ForkButton({ label, onClick }: { label: string; onClick: () => void }) {
  return (
    <Button kind="quiet" size="small" className="h-6" onClick={onClick} aria-label={label} title={label}>
      <Icon name="fork" className="size-3.5" /> Fork
    </Button>
  );
}

function ModelView({ step, onFork }: { step: ModelStep; onFork?: (from: ForkFrom) => void }) {
  const currency = useCurrency();
  return (
    <>
      <Head title={`Turn ${step.turn}${step.attempt > 1 ? `, asked again (${step.attempt})` : ""}`} step={step}>
        {step.model !== undefined && (
          <span>
            {step.provider} / {step.model}
          </span>
        )}
        {step.inputTokens !== undefined && (
          <span className="tabular-nums" title="Tokens that it read and wrote">
            {step.inputTokens} → {step.outputTokens ?? 0} tokens
          </span>
        )}
        {step.cost !== undefined && <Money amount={fromBillionths(step.cost)} currency={currency} />}
        {step.tookMs !== undefined && <Duration milliseconds={step.tookMs} />}
        {step.call !== undefined && (
          <Link to="/gateway/calls/$callId" params={{ callId: step.call }} className="text-accent hover:underline">
            call
          </Link>
        )}
        {onFork && <ForkButton label={`Fork from turn ${step.turn}`} onClick={() => onFork({ turn: step.turn })} />}
      </Head>
      {step.failure ? (
        <p className="text-[13px] text-bad">
          {step.failure.code}: {step.failure.message}
        </p>
      ) : step.parts.length > 0 ? (
        <Parts parts={step.parts} />
      ) : step.tookMs === undefined ? (
        <p className="animate-pulse text-[13px] text-muted">The model is asked…</p>
      ) : (
        <p className="text-[13px] text-muted">It said nothing.</p>
      )}
    </>
  );
}

function ToolView({ step, onFork }: { step: ToolStep; onFork?: (from: ForkFrom) => void }) {
  const { approval } = step;
  return (
    <>
      <Head title={step.tool} step={step}>
        <span className="font-mono" title="Its turn and its place in it">
          {step.call}
        </span>
        {step.tookMs !== undefined && <Duration milliseconds={step.tookMs} />}
        {step.isRefused === true && <Badge tone="bad">refused</Badge>}
        {approval?.state === "asked" && <Badge tone="warn">waits for an approval</Badge>}
        {approval?.state === "given" && (
          <Badge tone="good">approved{approval.by === undefined ? "" : ` by ${approval.by}`}</Badge>
        )}
        {approval?.state === "denied" && (
          <Badge tone="bad">denied{approval.by === undefined ? "" : ` by ${approval.by}`}</Badge>
        )}
        {onFork && step.result !== undefined && (
          <ForkButton
            label={`Fork as if ${step.tool} had given something else`}
            onClick={() => onFork({ call: step.call, result: step.result ?? "" })}
          />
        )}
      </Head>
      {step.arguments !== undefined && (
        <div className={CODE}>
          <span className="text-muted">with </span>
          <span className="break-all">{jsonText(step.arguments)}</span>
        </div>
      )}
      {approval !== undefined && approval.state !== "asked" && approval.words !== "" && (
        <p className="mt-1 text-[13px] text-muted">“{approval.words}”</p>
      )}
      {step.failure && (
        <p className="mt-1 text-[13px] text-bad">
          {step.failure.code}: {step.failure.message}
        </p>
      )}
      {step.result !== undefined && (
        <div className={`${CODE} mt-1`}>
          <span className="text-muted">gave </span>
          <LongText className="inline font-mono text-[12.5px]" text={prettyOf(step.result)} />
          {step.cutOffFrom !== undefined && (
            <p className="font-sans text-xs text-warn">Cut off: it had {step.cutOffFrom.toLocaleString()} bytes.</p>
          )}
        </div>
      )}
    </>
  );
}

/** JSON with a little air, where it is short. */
function prettyOf(text: string): string {
  const value = readJson(text);
  return typeof value === "object" && value !== null ? jsonText(value, text.length > 60 ? 2 : undefined) : text;
}

function MemoryView({ step }: { step: MemoryStep }) {
  const count = step.exchanges.length;
  return (
    <>
      <Head
        title={count === 0 ? "Remembers nothing yet" : `Remembers ${count} ${count === 1 ? "answer" : "answers"}`}
        step={step}
      />
      <ul className="flex flex-col gap-1">
        {step.exchanges.map((exchange, place) => (
          <li key={`${exchange.run}-${String(place)}`} className="border-l-2 pl-2 text-[13px] text-muted">
            <Link to="/agent-runs/$runId" params={{ runId: exchange.run }} className="hover:underline">
              {exchange.asked}
            </Link>
            <div>{exchange.answered}</div>
          </li>
        ))}
      </ul>
    </>
  );
}

function NoteView({ step }: { step: NoteStep }) {
  return (
    <>
      <Head title={step.title} step={step} />
      {step.text !== undefined && (
        <p className={classes("text-[13px]", step.tone === "bad" && "text-bad")}>{step.text}</p>
      )}
      {step.value !== undefined && step.value !== null && (
        <LongText
          className={typeof step.value === "string" ? undefined : CODE}
          text={typeof step.value === "string" ? step.value : jsonText(step.value, 2)}
        />
      )}
    </>
  );
}
