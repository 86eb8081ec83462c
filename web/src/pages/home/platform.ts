import { counted } from "@/ui/counted";
/** A projection as the API tells it. */
export interface ProjectionState {
  name: string;
  lag: number;
  parkedCount: number;
  role: string;
  stopped: { position: string; reason: string } | null;
  lastError: { message: string; over: boolean; secondsAgo: number } | null;
  building: { lag: number } | null;
}

export interface Complaint {
  projection: string;
  tone: "bad" | "warn";
  what: string;
  /** Events that were set aside and can be tried again. */
  canRetry: boolean;
}

/** Below this many events a projection is only busy. */
const LAG_MIN = 1_000;

/** What keeps projections from showing the present, the worst first. */
export function complaintsOf(projections: readonly ProjectionState[]): Complaint[] {
  const complaints = projections.flatMap((one): Complaint[] => {
    const { name: projection } = one;
    if (one.stopped)
      return [
        {
          projection,
          tone: "bad",
          what: `stands still before event ${one.stopped.position}: ${one.stopped.reason}`,
          canRetry: false,
        },
      ];
    if (one.parkedCount > 0)
      return [
        {
          projection,
          tone: "bad",
          what: `could not take in ${one.parkedCount === 1 ? "1 event" : `${one.parkedCount} events`}`,
          canRetry: true,
        },
      ];
    if (one.lastError && !one.lastError.over)
      return [{ projection, tone: "bad", what: one.lastError.message, canRetry: false }];
    if (one.lag >= LAG_MIN)
      return [{ projection, tone: "warn", what: `is ${one.lag.toLocaleString()} events behind`, canRetry: false }];
    if (one.building)
      return [
        {
          projection,
          tone: "warn",
          what: `is built again, with ${counted(one.building.lag, "event")} to go`,
          canRetry: false,
        },
      ];
    return [];
  });
  return complaints.sort((a, b) => Number(b.tone === "bad") - Number(a.tone === "bad"));
}
