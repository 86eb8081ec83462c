import { Link } from "@tanstack/react-router";
import { type ReactNode, useId } from "react";
import type { Fault } from "@/api";
import { Icon, Skeleton } from "@/ui";

export interface SectionProps {
  title: string;
  /** How much there is; told beside the title. */
  count?: number | string;
  more?: ReactNode;
  /** While nothing is known yet. */
  isLoading?: boolean;
  fault?: Fault;
  onRetry?: () => void;
  /** In place of what is in it, where there is nothing. */
  calm?: string;
  children?: ReactNode;
}

/** A part of the page; one that has nothing to say is one calm line. */
export function Section({ title, count, more, isLoading, fault, onRetry, calm, children }: SectionProps) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="overflow-hidden rounded-lg border bg-surface">
      <header className="flex min-h-10 items-center gap-2 px-4 py-2">
        <h2 id={id} className="shrink-0 text-[13px] font-semibold">
          {title}
        </h2>
        {count !== undefined && <span className="text-[13px] text-muted tabular-nums">{count}</span>}
        <span className="flex-1" />
        {fault === undefined && !isLoading && calm !== undefined ? (
          <span className="flex min-w-0 items-center gap-1.5 text-[13px] text-muted">
            <Icon name="check" className="size-3.5 shrink-0 text-good" /> {calm}
          </span>
        ) : (
          more
        )}
      </header>
      {fault !== undefined ? (
        <p role="alert" className="border-t px-4 py-2.5 text-[13px]">
          <span className="text-bad">{fault.message}</span> <span className="text-muted">{fault.advice}</span>{" "}
          {onRetry && (
            <button type="button" className="text-accent underline" onClick={onRetry}>
              Try again
            </button>
          )}
          {fault.requestId !== undefined && (
            <span className="block font-mono text-xs text-muted">Request {fault.requestId}</span>
          )}
        </p>
      ) : isLoading === true ? (
        <div className="flex flex-col gap-2 border-t px-4 py-3">
          <Skeleton className="h-4 w-2/3" />
          <Skeleton className="h-4 w-1/2" />
        </div>
      ) : (
        calm === undefined && <div className="border-t">{children}</div>
      )}
    </section>
  );
}

export const MORE = "text-[13px] whitespace-nowrap text-accent hover:underline";

/** Leads to the list of executions, narrowed to something. */
export function MoreExecutions({ search, children }: { search: Record<string, unknown>; children: ReactNode }) {
  return (
    <Link to="/executions" search={search} className={MORE}>
      {children}
    </Link>
  );
}
