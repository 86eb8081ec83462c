import { wordsOf } from "@/ui";

export interface Doer {
  kind: string;
  name: string;
  /** What their account is called now, where they have one. */
  displayName?: string | null;
}

/** Who or what did something, and for whom: in a sentence. */
export function ActorName({ actor, onBehalfOf }: { actor: Doer; onBehalfOf?: Doer | null }) {
  return (
    <span title={`${actor.kind} ${actor.name}`}>
      {actorInSentence(actor)}
      {onBehalfOf && <> for {actorInSentence(onBehalfOf)}</>}
    </span>
  );
}

/** Who or what did something, whole: in tables and files. */
export function actorName({ kind, name, displayName }: Doer): string {
  if (displayName) return displayName;
  if (kind === "local") return "This machine";
  return kind === "system" ? name : `${wordsOf(kind)} ${name}`.trim();
}

/** The same as text. Ids are cut: a sentence is read, not copied. */
export function actorInSentence(doer: Doer): string {
  if (!doer.displayName && doer.kind === "local") return "this machine";
  return actorName({ ...doer, name: doer.kind === "system" ? doer.name : doer.name.slice(0, 8) });
}
