import type { ReactNode } from "react";
import type { Fault } from "../api/errors";
import { Button } from "./Button";
import { classes } from "./class-names";
import { CopyButton } from "./CopyButton";
import { Icon, type IconName } from "./Icon";

export interface EmptyStateProps {
  icon?: IconName;
  title: string;
  /** What belongs here, and how to make the first. */
  children?: ReactNode;
  action?: ReactNode;
}

export function EmptyState({ icon = "info", title, children, action }: EmptyStateProps) {
  return (
    <div className="mx-auto flex max-w-md flex-col items-center gap-2 px-4 py-16 text-center">
      <span className="rounded-full bg-accent-soft p-3 text-accent">
        <Icon name={icon} className="size-5" />
      </span>
      <h2 className="text-[15px] font-semibold">{title}</h2>
      {children !== undefined && <div className="text-sm text-muted">{children}</div>}
      {action}
    </div>
  );
}

export function ErrorState({ title, fault, onRetry }: { title?: string; fault: Fault; onRetry?: () => void }) {
  return (
    <div role="alert" className="mx-auto flex max-w-lg flex-col items-center gap-2 px-4 py-12 text-center">
      <span className="rounded-full bg-bad-soft p-3 text-bad">
        <Icon name="warning" className="size-5" />
      </span>
      <h2 className="text-[15px] font-semibold">{title ?? "This could not be read"}</h2>
      <p className="text-sm break-words">{fault.message}</p>
      {fault.permission !== undefined && (
        <p className="text-sm text-muted">It needs the permission {fault.permission}.</p>
      )}
      <p className="text-sm text-muted">{fault.advice}</p>
      {fault.requestId !== undefined && <RequestId id={fault.requestId} className="text-muted" />}
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}

/** The same where it is a part of something that is there: in a form or a pane. */
export function FaultNote({ fault, onRetry }: { fault: Fault; onRetry?: () => void }) {
  return (
    <div
      role="alert"
      className="flex flex-col items-start gap-1 rounded-md bg-bad-soft px-3 py-2 text-[13px] break-words text-bad"
    >
      <p className="max-w-full">{fault.message}</p>
      {fault.requestId !== undefined && <RequestId id={fault.requestId} />}
      {onRetry && (
        <Button size="small" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Under what the server's log tells of a request. */
function RequestId({ id, className }: { id: string; className?: string }) {
  return (
    <p className={classes("flex items-center gap-1 font-mono text-xs", className)}>
      Request {id} <CopyButton text={id} label="Copy the request's id" />
    </p>
  );
}

export function Skeleton({ className }: { className?: string }) {
  return <span aria-hidden className={`block animate-pulse rounded bg-hover ${className ?? "h-4 w-full"}`} />;
}

/** How far something is; without a value it is just under way. */
export function Progress({ label, value, max = 100 }: { label: string; value?: number; max?: number }) {
  const share = value === undefined ? undefined : Math.max(0, Math.min(1, value / max));
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={max}
      aria-valuenow={value}
      className="h-1.5 w-full overflow-hidden rounded-full bg-hover"
    >
      <div
        className={`h-full rounded-full bg-accent transition-[width] ${share === undefined ? "w-1/3 animate-pulse" : ""}`}
        style={share === undefined ? undefined : { width: `${share * 100}%` }}
      />
    </div>
  );
}
