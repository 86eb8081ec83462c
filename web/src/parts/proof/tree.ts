/**
 * The Merkle tree of RFC 6962 over the log, as far as it takes to check what a server says. Nothing here asks anybody: what
 * comes out follows from bytes that came in.
 */

import { sha256 as hashOf } from "@noble/hashes/sha2.js";

export type Hash = Uint8Array<ArrayBuffer>;

/** An event as it is hashed. */
export interface AuditedRecord {
  position: string;
  tenant: number;
  category: string;
  stream: string;
  revision: string;
  id: string;
  type: string;
  version: number;
  recordedAtUs: string;
  payload: string;
  metadata: string;
}

/** Computed here and not by the browser, whose way takes longer for each of many short texts than the hash does. */
export function sha256(...parts: Uint8Array[]): Hash {
  const hash = hashOf.create();
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** The canonical record: numbers big-endian, texts led by their length. */
export function recordBytes(record: AuditedRecord): Uint8Array {
  const parts: Uint8Array[] = [];
  const number = (value: bigint, bytes: 2 | 4 | 8) => {
    const part = new Uint8Array(8);
    new DataView(part.buffer).setBigUint64(0, BigInt.asUintN(64, value));
    parts.push(part.subarray(8 - bytes));
  };
  const text = (value: string) => {
    const part = new TextEncoder().encode(value);
    number(BigInt(part.length), 4);
    parts.push(part);
  };
  number(BigInt(record.position), 8);
  number(BigInt(record.tenant), 4);
  text(record.category);
  text(record.stream);
  number(BigInt(record.revision), 8);
  parts.push(bytesOfHex(record.id.replaceAll("-", "")));
  text(record.type);
  number(BigInt(record.version), 2);
  number(BigInt(record.recordedAtUs), 8);
  text(record.payload);
  text(record.metadata);
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The leaf of an event. */
export const leafOf = (record: AuditedRecord) => sha256(Uint8Array.of(0), recordBytes(record));

const join = (left: Hash, right: Hash) => sha256(Uint8Array.of(1), left, right);

/** What pairs of hashes came to that were joined last, by their height: proofs of neighbours share most of their way. */
export class Joined {
  private readonly last: ([left: Hash, right: Hash, joined: Hash] | undefined)[] = [];

  join(height: number, left: Hash, right: Hash): Hash {
    const last = this.last[height];
    if (last && isSame(last[0], left) && isSame(last[1], right)) return last[2];
    const joined = join(left, right);
    this.last[height] = [left, right, joined];
    return joined;
  }
}

/** The root that a proof leads to from the leaf of the event at a position, in a tree of a size; undefined when it is none. */
export function rootOfInclusion(
  position: bigint,
  size: bigint,
  leaf: Hash,
  path: readonly Hash[],
  joined = new Joined(),
): Hash | undefined {
  if (position < 1n || position > size) return undefined;
  let [node, last, hash, used] = [position - 1n, size - 1n, leaf, 0];
  for (let height = 0; last > 0n; height += 1) {
    if ((node & 1n) === 1n || node < last) {
      const sibling = path[used++];
      if (sibling === undefined) return undefined;
      hash = (node & 1n) === 1n ? joined.join(height, sibling, hash) : joined.join(height, hash, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  return used === path.length ? hash : undefined;
}

/** Whether a tree of a size with a root is the beginning of a larger one. */
export function isBeginning(
  [from, oldRoot]: readonly [bigint, Hash],
  [to, newRoot]: readonly [bigint, Hash],
  path: readonly Hash[],
): boolean {
  if (from < 1n || from > to) return false;
  if (from === to) return path.length === 0 && isSame(oldRoot, newRoot);
  const hashes = [...path];
  // Where the smaller tree is a full part, it is itself the first hash.
  const first = (from & (from - 1n)) === 0n ? oldRoot : hashes.shift();
  if (first === undefined) return false;
  let [node, last, before, now] = [from - 1n, to - 1n, first, first];
  while ((node & 1n) === 1n) {
    node >>= 1n;
    last >>= 1n;
  }
  for (const hash of hashes) {
    if (last === 0n) return false;
    if ((node & 1n) === 1n || node === last) {
      before = join(hash, before);
      now = join(hash, now);
      while ((node & 1n) === 0n && node !== 0n) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      now = join(now, hash);
    }
    node >>= 1n;
    last >>= 1n;
  }
  return last === 0n && isSame(before, oldRoot) && isSame(now, newRoot);
}

export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let place = 0; place < one.length; place += 1) if (one[place] !== other[place]) return false;
  return true;
}

export function bytesOfHex(text: string): Hash {
  const bytes = new Uint8Array(text.length >> 1);
  for (let place = 0; place < bytes.length; place += 1)
    bytes[place] = (digitAt(text, place * 2) << 4) | digitAt(text, place * 2 + 1);
  return bytes;
}

function digitAt(text: string, place: number): number {
  const code = text.charCodeAt(place);
  return code < 58 ? code - 48 : (code | 32) - 87;
}

export function bytesOfBase64(text: string): Hash {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
