import type { ReactNode } from "react";

export type Fact = readonly [name: string, value: ReactNode];

/** What there is to say of one thing: names and values. What has no value is left out. */
export function Facts({ facts, label }: { facts: readonly (Fact | undefined)[]; label?: string }) {
  const said = facts.filter((fact) => fact !== undefined && !isEmpty(fact[1])) as Fact[];
  return (
    <dl
      aria-label={label}
      className="grid grid-cols-[minmax(6.5rem,max-content)_minmax(0,1fr)] items-baseline gap-x-4 gap-y-1.5 text-[13px]"
    >
      {said.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 break-words [&_time]:whitespace-normal">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function isEmpty(value: ReactNode): boolean {
  return value === undefined || value === null || value === "" || value === false;
}
