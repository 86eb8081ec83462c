import { EVENT_KINDS } from "@/app/event-kinds";
import type { HomeDecisionsQuery } from "@/gql/graphql";
import { type Doer, actorInSentence } from "@/parts/ActorName";
import { counted } from "@/ui/counted";

/** Something that one user asked for and another one has to decide. */
export interface Decision {
  key: string;
  /** What was asked for. */
  what: string;
  reason: string;
  /** Who asked, as in a sentence. */
  by: string;
  /** Whether whoever looks asked for it: then another one decides. */
  isOwn: boolean;
  /** Where it is decided. */
  at: { section: "erasures"; subject: string } | { section: "retention"; category: string };
}

interface Asked {
  reason: string;
  actor: Doer;
}

/** Who it was, of a text such as `user:ID`. */
function doerOf(by: string): Doer {
  const [kind = "", ...name] = by.split(":");
  return { kind, name: name.join(":") };
}

/** What waits for a second user: erasures, shorter retentions, and the release of holds on either. */
export function decisionsOf(data: HomeDecisionsQuery, viewer: Doer | undefined): Decision[] {
  const told = ({ reason, actor }: Asked) => ({
    reason,
    by: actorInSentence(actor),
    isOwn: viewer?.kind === actor.kind && viewer.name === actor.name,
  });
  const ofSubjects = data.erasures.flatMap(({ id, name, status, request, holds }): Decision[] => {
    const at = { section: "erasures" as const, subject: id };
    const who = name ?? "a subject";
    const asked = status === "ERASURE_REQUESTED" ? request : null;
    return [
      ...(asked ? [{ key: `erasure ${id}`, what: `Erase what is about ${who}`, at, ...told(asked) }] : []),
      ...holds.flatMap(({ name: hold, release }) =>
        release
          ? [{ key: `hold ${id} ${hold}`, what: `Release the hold ${hold} on ${who}`, at, ...told(release) }]
          : [],
      ),
    ];
  });
  const ofRetentions = data.retentions.flatMap(({ category, request, holds }): Decision[] => {
    const at = { section: "retention" as const, category };
    const label = (EVENT_KINDS.find((kind) => kind.category === category)?.label ?? category).toLowerCase();
    const asked = request && { reason: request.reason, actor: doerOf(request.by) };
    return [
      ...(asked
        ? [
            {
              key: `retention ${category}`,
              what: `Keep ${label} for ${counted(request.days, "day")}`,
              at,
              ...told(asked),
            },
          ]
        : []),
      ...holds.flatMap(({ name: hold, release }) =>
        release
          ? [{ key: `hold ${category} ${hold}`, what: `Release the hold ${hold} on ${label}`, at, ...told(release) }]
          : [],
      ),
    ];
  });
  // What somebody can decide comes before what they wait for themselves.
  return [...ofSubjects, ...ofRetentions].sort((one, other) => Number(one.isOwn) - Number(other.isOwn));
}
