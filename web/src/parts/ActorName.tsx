import { wordsOf } from "@/ui";

export interface Doer {
  kind: string;
  name: string;
  account?: { name: string } | null;
}

/** Who or what did something, and for whom. */
export function ActorName({ actor, onBehalfOf }: { actor: Doer; onBehalfOf?: Doer | null }) {
  return (
    <span title={`${actor.kind} ${actor.name}`}>
      {nameOf(actor)}
      {onBehalfOf && <> for {nameOf(onBehalfOf)}</>}
    </span>
  );
}

function nameOf({ kind, name, account }: Doer): string {
  if (account) return account.name;
  if (kind === "local") return "this machine";
  return kind === "system" ? name : `${wordsOf(kind)} ${name.slice(0, 8)}`;
}
