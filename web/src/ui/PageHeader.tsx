import type { ReactNode } from "react";

export interface PageHeaderProps {
  title: ReactNode;
  /** What is above it: a way back, and of what it is a part. */
  above?: ReactNode;
  /** A line beneath. */
  children?: ReactNode;
  actions?: ReactNode;
}

export function PageHeader({ title, above, children, actions }: PageHeaderProps) {
  return (
    <header className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b bg-surface px-4 py-3 md:px-6">
      <div className="min-w-0 flex-1 basis-44">
        {above !== undefined && <div className="text-xs text-muted">{above}</div>}
        <h1 className="truncate text-lg font-semibold tracking-tight">{title}</h1>
        {children !== undefined && <div className="mt-0.5 text-[13px] text-muted">{children}</div>}
      </div>
      {actions !== undefined && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </header>
  );
}
