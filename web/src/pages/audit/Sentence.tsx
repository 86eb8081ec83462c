import { Fragment } from "react";
import { browserOf } from "@/parts/browser";
import { type Part, sentenceOf } from "@/parts/sentence";
import type { Row } from "./documents";
import { nameIn, useThing } from "./names";

/** What was done, with the names of what it was done to. */
export function Sentence({ event }: { event: Row }) {
  return (
    <>
      {sentenceOf(event).map((part, place) => (
        // The pieces of a sentence never change their places.
        <Fragment key={String(place)}>{typeof part === "string" ? part : <Named part={part} />}</Fragment>
      ))}
    </>
  );
}

function Named({ part }: { part: Exclude<Part, string> }) {
  return "said" in part ? <span className="font-medium">{part.said}</span> : <Thing {...part} />;
}

function Thing({ thing, asOf, fallback }: { thing: string; asOf?: string; fallback: string }) {
  const name = nameIn(useThing(thing, asOf));
  return (
    <span className="font-medium" title={thing}>
      {name ?? fallback}
    </span>
  );
}

/** From where somebody did it: the session and its address, or the key. */
export function From({ event }: { event: Row }) {
  const { via } = event;
  const [kind, id] = via?.split(":") ?? [];
  const key = kind === "key" && id !== undefined ? `apiKey/${event.actor.name}/${id}` : undefined;
  const found = useThing(kind === "session" ? id : key);
  if (found?.__typename === "Session") {
    return (
      <span title={found.userAgent ?? undefined}>
        {found.address ?? "a session"} <span className="text-muted">· {browserOf(found.userAgent)}</span>
      </span>
    );
  }
  if (kind === "key") return <span>key {nameIn(found) ?? id}</span>;
  if (kind === "session") return <span>a session</span>;
  const address = (event.payload as { address?: unknown } | null)?.address;
  // Who signs in has no session yet: the event itself says from where.
  if (typeof address === "string") return <span>{address}</span>;
  return <span className="text-muted">{event.actor.kind === "system" ? "Timeloom itself" : "–"}</span>;
}
