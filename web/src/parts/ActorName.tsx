import { wordsOf } from "@/ui";

export interface Doer {
  kind: string;
  name: string;
  account?: { name: string } | null;
}

/** Who or what did something, and for whom: in a sentence. */
export function ActorName({ actor, onBehalfOf }: { actor: Doer; onBehalfOf?: Doer | null }) {
  return (
    <span title={`${actor.kind} ${actor.name}`}>
      {inSentence(actor)}
      {onBehalfOf && <> for {inSentence(onBehalfOf)}</>}
    </span>
  );
}

/** Who or what did something, whole: in tables and files. */
export function actorName({ kind, name, account }: Doer): string {
  if (account) return account.name;
  if (kind === "local") return "This machine";
  return kind === "system" ? name : `${wordsOf(kind)} ${name}`.trim();
}

/** Ids are cut: a sentence is read, not copied. */
function inSentence(doer: Doer): string {
  if (!doer.account && doer.kind === "local") return "this machine";
  return actorName({ ...doer, name: doer.kind === "system" ? doer.name : doer.name.slice(0, 8) });
}
