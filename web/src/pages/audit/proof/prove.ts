/** The proof of one event, from what a server gives and what this browser kept. */

import { type Checkpoint, type Key, isSigned, readCheckpoint } from "@/parts/proof/checkpoint";
import { keep, keptOf } from "@/parts/proof/kept";
import {
  type AuditedRecord,
  type Hash,
  bytesOfHex,
  isBeginning,
  isSame,
  leafOf,
  rootOfInclusion,
} from "@/parts/proof/tree";

/** What a server is asked. */
export interface Asked {
  material: (position: string) => Promise<{ record: AuditedRecord | null; note: string | null; keys: Key[] }>;
  inclusion: (position: string, size: string) => Promise<string[]>;
  consistency: (from: string, to: string) => Promise<string[]>;
}

export type Proof =
  | { is: "proved"; size: string; recordedAt: Date; keptSize: string | undefined }
  | { is: "waiting"; size: string | undefined }
  | { is: "missing" }
  | { is: "false"; because: string };

const no = (because: string): Proof => ({ is: "false", because });

/** Proves that the event at a position is in the log, unchanged. */
export async function prove(position: string, asked: Asked): Promise<Proof> {
  const { record, note, keys } = await asked.material(position);
  if (record === null) return { is: "missing" };
  if (note === null) return { is: "waiting", size: undefined };
  const checkpoint = readCheckpoint(note);
  if (checkpoint === undefined) return no("the server's checkpoint is no checkpoint");
  if (checkpoint.size < BigInt(position)) return { is: "waiting", size: String(checkpoint.size) };
  const size = String(checkpoint.size);
  if (record.position !== position) return no("the server gave another event");
  const kept = keptOf(checkpoint.origin);
  const believed = believedKeys(kept?.keys, keys);
  if (believed === undefined) return no("the keys of the log are not those that this browser knew");
  if (!(await isSigned(checkpoint, believed))) return no("the checkpoint is not signed by a key of the log");
  const path = await asked.inclusion(position, size);
  const root = rootOfInclusion(BigInt(position), checkpoint.size, leafOf(record), path.map(bytesOfHex));
  if (root === undefined || !isSame(root, checkpoint.root))
    return no("the event is not the one that was recorded: its hash leads to another root than the signed one");
  const before = kept && readCheckpoint(kept.note);
  if (before && !(await isSameHistory(before, checkpoint, asked)))
    return no(
      `history was changed: it is not the one that this browser saw when the log had ${String(before.size)} events`,
    );
  const newest = before && before.size > checkpoint.size ? kept.note : note;
  keep(checkpoint.origin, { note: newest, keys: believed });
  return {
    is: "proved",
    size,
    recordedAt: new Date(Number(checkpoint.recordedAtUs / 1000n)),
    keptSize: before && String(before.size),
  };
}

async function isSameHistory(before: Checkpoint, now: Checkpoint, asked: Asked): Promise<boolean> {
  const [smaller, larger] = before.size <= now.size ? [before, now] : [now, before];
  const ends = ({ size, root }: Checkpoint): [bigint, Hash] => [size, root];
  const path = smaller.size === larger.size ? [] : await asked.consistency(String(smaller.size), String(larger.size));
  return isBeginning(ends(smaller), ends(larger), path.map(bytesOfHex));
}

/** Keys that were believed stay; one that is new counts where an older one is still among them. The first ones are believed. */
function believedKeys(known: Key[] | undefined, given: Key[]): Key[] | undefined {
  if (known === undefined) return given;
  return known.every((key) => given.some((other) => other.publicKey === key.publicKey)) ? given : undefined;
}
