/** Signed checkpoints: what they say, and whether a key signed it. */

import { type Hash, bytesOfBase64, isSame, sha256 } from "./tree";

export interface Checkpoint {
  origin: string;
  size: bigint;
  root: Hash;
  /** When its last event was recorded, in microseconds since 1970. */
  recordedAtUs: bigint;
  /** What is signed. */
  text: string;
  signatures: { name: string; bytes: Hash }[];
}

/** Reads a signed note; undefined when it is no checkpoint. */
export function readCheckpoint(note: string): Checkpoint | undefined {
  const end = note.lastIndexOf("\n\n");
  if (end < 0) return undefined;
  const text = note.slice(0, end + 1);
  const [origin, size, root, recorded, ...rest] = text.split("\n");
  const recordedAt = /^recorded (-?\d+)$/.exec(recorded ?? "")?.[1];
  if (!origin || !/^\d+$/.test(size ?? "") || !root || recordedAt === undefined || rest.join() !== "") return undefined;
  const lines = note
    .slice(end + 2)
    .split("\n")
    .filter(Boolean);
  const signatures = lines.map((line) => {
    const [, name = "", bytes = ""] = line.split(" ");
    return { name, bytes: bytesOfBase64(bytes) };
  });
  return {
    origin,
    size: BigInt(size ?? 0),
    root: bytesOfBase64(root),
    recordedAtUs: BigInt(recordedAt),
    text,
    signatures,
  };
}

/** A key as the server gives it. */
export interface Key {
  name: string;
  id: string;
  publicKey: string;
  validFrom?: string | null;
  validUntil?: string | null;
}

/** Whether one of the keys signed the checkpoint, and may have. */
export async function isSigned(checkpoint: Checkpoint, keys: readonly Key[]): Promise<boolean> {
  return (await signerOf(checkpoint, keys)) !== undefined;
}

/** The first of the keys that signed the checkpoint, and may have. */
export async function signerOf<K extends Key>(checkpoint: Checkpoint, keys: readonly K[]): Promise<K | undefined> {
  for (const key of keys.filter((key) => key.name === checkpoint.origin && holds(key, checkpoint.recordedAtUs))) {
    const bytes = bytesOfBase64(key.publicKey);
    const id = keyId(key.name, bytes);
    for (const { name, bytes: signature } of checkpoint.signatures) {
      if (name !== key.name || !isSame(signature.subarray(0, 4), id)) continue;
      const imported = await crypto.subtle.importKey("raw", bytes, "Ed25519", false, ["verify"]);
      const text = new TextEncoder().encode(checkpoint.text);
      if (await crypto.subtle.verify("Ed25519", imported, signature.slice(4), text)) return key;
    }
  }
  return undefined;
}

function holds(key: Key, timeUs: bigint): boolean {
  const timeMs = Number(timeUs / 1000n);
  return (
    (!key.validFrom || Date.parse(key.validFrom) <= timeMs) && (!key.validUntil || timeMs < Date.parse(key.validUntil))
  );
}

/** The first four bytes of a key's hash, by which signatures name it. */
export function keyId(name: string, key: Hash): Hash {
  return sha256(new TextEncoder().encode(`${name}\n\u0001`), key).subarray(0, 4);
}
