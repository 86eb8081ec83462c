import { type ReactNode, useCallback, useEffect, useState } from "react";
import { type Fault, client, faultOf, useViewer } from "@/api";
import { seenCategories } from "@/app/event-kinds";
import type { EventsStoryEventFragment, EventsWholeFragment } from "@/gql/graphql";
import { actorName } from "@/parts/ActorName";
import { Button, ErrorState, Skeleton, Time, classes } from "@/ui";
import { counted } from "@/ui/counted";
import { EventsAfter, EventsById } from "./documents";
import type { EventsSearch } from "./search";

type StoryEvent = EventsStoryEventFragment;

/** How far back the chain is followed. */
const CAUSES_MAX = 20;
/** How many events behind it are looked at each time somebody asks. */
const LOOK_AT = 300;

interface Causes {
  /** The first cause first. */
  chain: readonly StoryEvent[];
  /** Why it begins there, if not because that is the beginning. */
  cut?: string;
}

/** What led to an event, and what came of it. */
export function StoryTab({
  event,
  onSearch,
}: {
  event: EventsWholeFragment;
  onSearch: (change: Partial<EventsSearch>) => void;
}) {
  const [causes, setCauses] = useState<Causes>();
  const [fault, setFault] = useState<Fault>();
  const effects = useEffects(event);
  useEffect(() => {
    let isGone = false;
    void causesOf(event).then((found) => {
      if (isGone) return;
      if ("fault" in found) setFault(found.fault);
      else setCauses(found);
    });
    return () => {
      isGone = true;
    };
  }, [event]);
  if (fault) return <ErrorState fault={fault} />;
  const go = (position: string) => onSearch({ position });
  return (
    <div className="flex flex-col gap-5 p-4 text-[13px]">
      <Section title="What led to it">
        {causes === undefined && <Skeleton className="h-8" />}
        {causes?.cut !== undefined && <p className="mb-1 text-muted">{causes.cut}</p>}
        {causes?.chain.length === 0 && causes.cut === undefined && (
          <p className="text-muted">Nothing in the log: {actorName(event.actor)} brought it about.</p>
        )}
        <ol>
          {causes?.chain.map((one) => (
            <Step key={one.id} event={one} onGo={go} />
          ))}
          <Step event={event} isThis />
        </ol>
      </Section>
      <Section title="What came of it">
        <ol>
          {effects.found.map(({ event: one, how }) => (
            <Step key={one.id} event={one} how={how} onGo={go} />
          ))}
        </ol>
        {effects.problem && <ErrorState fault={effects.problem} />}
        {effects.isLooking && <Skeleton className="mt-1 h-8" />}
        {!effects.isLooking && !effects.problem && (
          <p className="mt-1 flex flex-wrap items-center gap-2 text-muted">
            {effects.found.length === 0 && "Nothing so far. "}
            {effects.lookedAt === 0
              ? "It is the newest event."
              : `Looked at: ${effects.hasMore ? "the next" : "all"} ${counted(effects.lookedAt, "event")} after it.`}
            {effects.hasMore && (
              <Button size="small" onClick={effects.lookFurther}>
                Look further
              </Button>
            )}
          </p>
        )}
      </Section>
    </div>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h3 className="mb-2 text-xs font-medium text-muted">{title}</h3>
      {children}
    </section>
  );
}

function Step({
  event,
  isThis,
  how,
  onGo,
}: {
  event: Pick<StoryEvent, "position" | "type" | "category" | "recordedAt" | "actor">;
  isThis?: boolean;
  how?: string;
  onGo?: (position: string) => void;
}) {
  const inside = (
    <>
      <span
        aria-hidden
        className={classes("size-2 shrink-0 rounded-full", isThis === true ? "bg-accent" : "bg-line-strong")}
      />
      <span className="min-w-0 flex-1 truncate">
        <span className={isThis === true ? "font-semibold" : "font-medium"}>{event.type}</span>{" "}
        <span className="text-muted">
          {how ?? event.category} · {actorName(event.actor)}
        </span>
      </span>
      <span className="font-mono text-xs text-muted">#{event.position}</span>
      <span className="hidden text-xs text-muted sm:block">
        <Time value={event.recordedAt} />
      </span>
    </>
  );
  const style = "flex w-full items-center gap-2 rounded-md px-2 py-1.5 text-left";
  return (
    <li>
      {isThis === true ? (
        <div aria-current="true" className={classes(style, "bg-accent-soft")}>
          {inside}
        </div>
      ) : (
        <button type="button" onClick={() => onGo?.(event.position)} className={classes(style, "hover:bg-hover")}>
          {inside}
        </button>
      )}
    </li>
  );
}

function isEvent(node: object): node is StoryEvent {
  return "position" in node;
}

async function causesOf(event: EventsWholeFragment): Promise<Causes | { fault: Fault }> {
  const chain: StoryEvent[] = [];
  const seen = new Set([event.id]);
  let cause = event.causationId ?? event.correlationId;
  while (cause && !seen.has(cause)) {
    if (chain.length === CAUSES_MAX)
      return { chain, cut: `The chain goes on further back; these are the nearest ${CAUSES_MAX}.` };
    seen.add(cause);
    const { data, error } = await client.query(EventsById, { id: cause }).toPromise();
    if (error) return { fault: faultOf(error) };
    const node = data?.node;
    if (!node || !isEvent(node))
      return { chain, cut: "What was before it is an event that you may not see, or that is not in this log." };
    chain.unshift(node);
    cause = node.causationId ?? node.correlationId;
  }
  return { chain };
}

interface Effect {
  event: StoryEvent;
  how: string;
}

/** Why an event came of another one, if it did. */
function howOf(one: StoryEvent, event: EventsWholeFragment, known: ReadonlySet<string>): string | undefined {
  if (one.causationId === event.id) return "caused by it";
  if (one.causationId && known.has(one.causationId)) return "caused by what it caused";
  if (one.commandId === event.commandId) return "of the same command";
  return undefined;
}

function useEffects(event: EventsWholeFragment) {
  const { can } = useViewer();
  const [found, setFound] = useState<readonly Effect[]>([]);
  const [state, setState] = useState({ lookedAt: 0, hasMore: true, isLooking: true });
  const [problem, setProblem] = useState<Fault>();
  const [upTo, setUpTo] = useState(LOOK_AT);
  const key = JSON.stringify(seenCategories(can) ?? null);
  useEffect(() => {
    const abort = new AbortController();
    const gone = abort.signal;
    const categories = (JSON.parse(key) as string[] | null) ?? undefined;
    void (async () => {
      const effects: Effect[] = [];
      const known = new Set<string>();
      let from = event.position;
      let lookedAt = 0;
      let hasMore = true;
      while (hasMore && lookedAt < upTo) {
        const { data, error } = await client
          .query(EventsAfter, { from, first: 100, filter: { categories } })
          .toPromise();
        if (gone.aborted) return;
        if (error) setProblem(faultOf(error));
        if (!data) return;
        for (const one of data.events.nodes) {
          const how = howOf(one, event, known);
          if (how === undefined) continue;
          known.add(one.id);
          effects.push({ event: one, how });
        }
        lookedAt += data.events.nodes.length;
        hasMore = data.events.pageInfo.hasNextPage;
        from = data.events.nodes.at(-1)?.position ?? from;
      }
      setFound(effects);
      setState({ lookedAt, hasMore, isLooking: false });
    })();
    return () => abort.abort();
  }, [event, upTo, key]);
  const lookFurther = useCallback(() => {
    setState((now) => ({ ...now, isLooking: true }));
    setUpTo((now) => now + LOOK_AT);
  }, []);
  return { found, problem, lookFurther, ...state };
}
