/** What is asked of one side, as far as its totals come of it. */
export interface OfTotals {
  execution: { startedAt: string | null; endedAt: string | null } | null;
  modelCalls: {
    nodes: readonly { cost: string | null; currency: string | null }[];
    pageInfo: { hasNextPage: boolean };
  };
}

/** What language models cost, by currency, as far as prices are known. */
export function costsOf({ modelCalls }: OfTotals): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { cost, currency } of modelCalls.nodes)
    if (cost !== null) sums.set(currency ?? "USD", (sums.get(currency ?? "USD") ?? 0) + Number(cost));
  return sums;
}

/** How much longer the right one took, in milliseconds; absent while one of them has not ended. */
export function longerMs(left: OfTotals, right: OfTotals): number | undefined {
  const [one, other] = [took(left), took(right)];
  return one === undefined || other === undefined ? undefined : other - one;
}

/** How much more the right one cost, by currency; nothing where one side has more calls than were read. */
export function dearer(left: OfTotals, right: OfTotals): [currency: string, amount: number][] {
  if (left.modelCalls.pageInfo.hasNextPage || right.modelCalls.pageInfo.hasNextPage) return [];
  const [one, other] = [costsOf(left), costsOf(right)];
  return [...new Set([...one.keys(), ...other.keys()])].map((currency) => [
    currency,
    (other.get(currency) ?? 0) - (one.get(currency) ?? 0),
  ]);
}

function took({ execution }: OfTotals): number | undefined {
  const { startedAt = null, endedAt = null } = execution ?? {};
  return startedAt === null || endedAt === null ? undefined : Date.parse(endedAt) - Date.parse(startedAt);
}
