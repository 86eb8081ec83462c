import { useEffect, useState } from "react";
import { type Checkpoint, type Key, signerOf } from "@/parts/proof/checkpoint";
import { keptOf } from "@/parts/proof/kept";

/** Where keys come from: what they prove is worth as much as that. */
export type KeysFrom = "browser" | "given" | "server";

export type Signed =
  | { is: "checking" }
  | { is: "proved"; key: Key; from: KeysFrom }
  /** The file is whole, but nobody knows yet who signed it. */
  | { is: "unknown" }
  | { is: "other"; from: KeysFrom }
  | { is: "failed"; why: string };

export interface Keys {
  keys: readonly Key[];
  from: KeysFrom;
}

/** Who signed a checkpoint: by keys that were given, or those that this browser knows. */
export function useSigned(checkpoint: Checkpoint, given: Keys | undefined): Signed {
  const [found, setFound] = useState<{ of: Keys | undefined; signed: Signed }>();
  useEffect(() => {
    let isGone = false;
    const known = given ?? keysOf(checkpoint.origin);
    void signedBy(checkpoint, known).then((signed) => {
      if (!isGone) setFound({ of: given, signed });
    });
    return () => {
      isGone = true;
    };
  }, [checkpoint, given]);
  return found?.of === given ? (found?.signed ?? { is: "checking" }) : { is: "checking" };
}

/** The keys by which this browser proved an event of the same log before. */
function keysOf(origin: string): Keys | undefined {
  const kept = keptOf(origin);
  return kept && { keys: kept.keys, from: "browser" };
}

async function signedBy(checkpoint: Checkpoint, known: Keys | undefined): Promise<Signed> {
  if (!known) return { is: "unknown" };
  try {
    const key = await signerOf(checkpoint, known.keys);
    return key ? { is: "proved", key, from: known.from } : { is: "other", from: known.from };
  } catch {
    // Only over HTTPS, or on this machine, do browsers check signatures; and not all know this kind.
    return { is: "failed", why: "this browser cannot check signatures of Ed25519 here" };
  }
}
