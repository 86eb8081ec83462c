import { Money, Time } from "@/ui";
import { Share } from "@/ui/Share";
import type { Limit } from "./Limits";

/** What the server counts of a limit: it decides by the same counts whether the next call is let through. */
export interface LimitTaken {
  used: string | null;
  left: string | null;
  usedBy: string | null;
  resetsAt: string | null;
}

/** How much of a limit is taken at present and what is left. */
export function Taken({ limit, taken, currency }: { limit: Limit; taken: LimitTaken | undefined; currency: string }) {
  const { used, left, usedBy, resetsAt } = taken ?? {};
  if (used == null || left == null)
    return (
      <span className="text-muted" title="No gateway counts here.">
        –
      </span>
    );
  const isMoney = limit.of === "MONEY";
  const most = Number((isMoney ? limit.money : limit.most) ?? 0);
  const share = most > 0 ? Number(used) / most : 0;
  const shown = (amount: string) =>
    isMoney ? <Money amount={amount} currency={currency} /> : Number(amount).toLocaleString();
  const isOfMany = limit.holder !== "TENANT" && limit.id == null;
  return (
    <div className="min-w-32 md:min-w-40">
      <div className="mb-1 flex justify-between gap-3 text-xs tabular-nums">
        <span>
          {shown(used)}
          {isOfMany && usedBy != null && (
            <span className="text-muted" title={usedBy}>
              {` by the busiest ${limit.holder.toLowerCase()}`}
            </span>
          )}
        </span>
        <span className="text-muted">{shown(left)} left</span>
      </div>
      <Share value={share} tone={share >= 1 ? "bad" : share >= 0.8 ? "warn" : "accent"} />
      {share >= 1 && resetsAt != null && (
        <div className="mt-1 text-xs text-muted">
          all of it again <Time value={resetsAt} />
        </div>
      )}
    </div>
  );
}
