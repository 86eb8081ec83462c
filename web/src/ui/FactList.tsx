import type { ReactNode } from "react";

export type Fact = readonly [name: string, value: ReactNode];

/** Names and values of one thing. What is `undefined` is left out. */
export function FactList({ facts, label }: { facts: readonly (Fact | undefined)[]; label?: string }) {
  return (
    <dl
      aria-label={label}
      className="grid grid-cols-[minmax(5.5rem,max-content)_minmax(0,1fr)] items-baseline gap-x-4 gap-y-1.5 text-[13px]"
    >
      {facts.map((fact) =>
        fact === undefined ? null : (
          <div key={fact[0]} className="contents">
            <dt className="text-muted">{fact[0]}</dt>
            <dd className="min-w-0 break-words [&_time]:whitespace-normal">{fact[1]}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
