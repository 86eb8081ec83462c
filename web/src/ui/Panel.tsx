import { type ReactNode, useId } from "react";
import { classes } from "./class-names";

export interface PanelProps {
  title: ReactNode;
  /** A line beneath the title. */
  hint?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  /** What is inside goes up to the edge, as tables do. */
  isFlush?: boolean;
  className?: string;
}

/** Tables begin where the heading does, and end with the panel. */
const FLUSH =
  "[&_td:first-child]:pl-4 [&_th:first-child]:pl-4 [&_td:last-child]:pr-4 [&_th:last-child]:pr-4 [&_tbody_tr:last-child]:border-b-0";

/** A part of a page with a heading of its own. */
export function Panel({ title, hint, actions, children, isFlush, className }: PanelProps) {
  const id = useId();
  return (
    // A group and no landmark: a table inside is a region by the same name.
    <div
      role="group"
      aria-labelledby={id}
      className={classes("relative min-w-0 overflow-hidden rounded-lg border bg-surface", className)}
    >
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b px-4 py-2">
        <div className="min-w-0 flex-1">
          <h2 id={id} className="text-[13px] font-semibold">
            {title}
          </h2>
          {hint !== undefined && <p className="text-xs text-muted">{hint}</p>}
        </div>
        {actions !== undefined && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      <div className={isFlush === true ? FLUSH : "p-4"}>{children}</div>
    </div>
  );
}
