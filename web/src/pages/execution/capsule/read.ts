/**
 * Reads a capsule in the browser, within bounds: all of it or nothing. What comes out is whole: every byte has the hash that the
 * manifest says, every event the leaf that its content gives, and every leaf is in the tree of the checkpoint. Who signed that is
 * another question.
 */

import { blake3 } from "@noble/hashes/blake3.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { isRecord } from "@/parts/records";
import { type Checkpoint, readCheckpoint } from "@/parts/proof/checkpoint";
import { type Hash, Joined, bytesOfHex, isSame, leafOf, rootOfInclusion } from "@/parts/proof/tree";
import { type Line, readLine } from "./line";
import { MANIFEST, type Manifest, readManifest } from "./manifest";
import { Refusal } from "./refusal";
import { Archive } from "./zip";

/** What a tab of a browser takes. The program reads larger ones. */
export const FILE_BYTES_MAX = 64 * 2 ** 20;
export const UNPACKED_BYTES_MAX = 192 * 2 ** 20;
const MANIFEST_BYTES_MAX = 16 * 2 ** 20;
const NOTE_BYTES_MAX = 64 * 2 ** 10;
export const EVENTS_MAX = 50_000;
const BLOBS_MAX = 4_096;

const CHECKPOINT = "checkpoint.note";
const EVENTS = "events.jsonl";
const PROOFS = "proofs.jsonl";
const BLOBS = "blobs/";
const OWN_FILES = 4;
const HASH = /^[0-9a-f]{64}$/;
/** A payload that lies in a blob is exactly this. */
const REFERENCE = /^\{"\$blob":\{"hash":"([0-9a-f]{64})","bytes":(\d+)\}\}$/;
const REFERENCE_START = '{"$blob":';
/** The page is let draw after so long; so much is hashed before it is looked whether that is over. */
const AT_ONCE_MS = 24;
const HASHED_BYTES = 2 ** 20;

export interface Capsule {
  manifest: Manifest;
  checkpoint: Checkpoint;
  /** Its events, in the order of the log. */
  lines: Line[];
  /** Payloads and attachments, by the digits of their hash. */
  blobs: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/** How much is done, from 0 to 1. */
export type Progress = (share: number) => void;

/** Reads a file. What is no capsule is refused with a `Refusal`. */
export async function readCapsule(file: Blob, progress: Progress = () => undefined): Promise<Capsule> {
  if (file.size > FILE_BYTES_MAX)
    throw new Refusal(
      `it has more than ${FILE_BYTES_MAX / 2 ** 20} MiB, which is too much for a browser: open it with \`timeloom debug --capsule\``,
    );
  const archive = Archive.open(new Uint8Array(await file.arrayBuffer()), BLOBS_MAX + OWN_FILES, UNPACKED_BYTES_MAX);
  const manifest = readManifest(textOf(MANIFEST, await archive.take(MANIFEST, MANIFEST_BYTES_MAX)));
  if (archive.count !== manifest.files.length + 1)
    throw new Refusal(`${MANIFEST}: it does not name all files that are there: the capsule was changed`);
  const files = await filesOf(archive, manifest);
  const taken = (name: string) => {
    const content = files.get(name);
    if (!content) throw new Refusal(`${name}: it is missing: this is no capsule`);
    files.delete(name);
    return textOf(name, content);
  };
  const [note, events, proofs] = [taken(CHECKPOINT), linesOf(taken(EVENTS)), linesOf(taken(PROOFS))];
  const checkpoint = checkpointOf(note, manifest);
  const blobs = await blobsOf(files);
  return { manifest, checkpoint, lines: await checked(manifest, events, proofs, blobs, progress), blobs };
}

function textOf(name: string, content: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new Refusal(`${name}: it is not text`);
  }
}

function linesOf(content: string): string[] {
  const lines = content.split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (lines.length > EVENTS_MAX)
    throw new Refusal(`it has more than ${EVENTS_MAX.toLocaleString("en")} events, which no capsule has`);
  return lines;
}

/** Every file that the manifest names, with the content that it says. */
async function filesOf(archive: Archive, manifest: Manifest): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const { name, bytes, sha256: digits } of manifest.files) {
    const isBlob = name.startsWith(BLOBS) && HASH.test(name.slice(BLOBS.length));
    if (!isBlob && ![CHECKPOINT, EVENTS, PROOFS].includes(name))
      throw new Refusal(`${name}: no capsule has a file of this name`);
    const content = await archive.take(name, name === CHECKPOINT ? NOTE_BYTES_MAX : UNPACKED_BYTES_MAX);
    if (
      content.length !== bytes ||
      !HASH.test(digits) ||
      !isSame(await hashed(sha256.create(), content), bytesOfHex(digits))
    )
      throw new Refusal(`${name}: it is not what the manifest says: the capsule was changed`);
    files.set(name, content);
  }
  return files;
}

async function blobsOf(files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>) {
  const blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const [name, content] of files) {
    const digits = name.slice(BLOBS.length);
    if (!isSame(await hashed(blake3.create({}), content), bytesOfHex(digits)))
      throw new Refusal(`${name}: its content is not what its name says: the capsule was changed`);
    blobs.set(digits, content);
  }
  return blobs;
}

function checkpointOf(note: string, manifest: Manifest): Checkpoint {
  const no = (why: string) => new Refusal(`${CHECKPOINT}: ${why}`);
  let checkpoint: Checkpoint | undefined;
  try {
    checkpoint = readCheckpoint(note);
  } catch {
    // What is not base64 is told like everything else that is no checkpoint.
  }
  if (!checkpoint) throw no("it is no signed checkpoint");
  const isSameTree =
    String(checkpoint.size) === manifest.treeSize &&
    HASH.test(manifest.root) &&
    isSame(checkpoint.root, bytesOfHex(manifest.root)) &&
    checkpoint.origin === `timeloom/${manifest.logId}`;
  if (!isSameTree) throw no("it is not the checkpoint that the manifest names: the capsule was changed");
  return checkpoint;
}

/** Every event is what was recorded, follows the one before it in its stream, and is in the tree. */
async function checked(
  manifest: Manifest,
  events: readonly string[],
  proofs: readonly string[],
  blobs: Capsule["blobs"],
  progress: Progress,
): Promise<Line[]> {
  if (proofs.length > events.length)
    throw new Refusal(`${PROOFS}: it has proofs of events that are not there: the capsule was changed`);
  const streams = new Map(manifest.streams.map(({ category, id, events: count }) => [`${category}/${id}`, count]));
  if (streams.size < manifest.streams.length) throw new Refusal(`${MANIFEST}: it names a stream twice`);
  const [seen, lines] = [new Map<string, number>(), [] as Line[]];
  const size = BigInt(manifest.treeSize);
  const root = bytesOfHex(manifest.root);
  const joined = new Joined();
  let before = 0n;
  for (const [place, text] of events.entries()) {
    const line = lineOf(text, place + 1);
    const { record } = line;
    const no = (why: string) => new Refusal(`the event at position ${record.position} ${why}`);
    const position = BigInt(record.position);
    if (position <= before) throw no("is not in the order of the log: the capsule was changed");
    before = position;
    if (record.tenant !== manifest.tenant) throw no("is another tenant's: the capsule was changed");
    const leaf = leafOf(record);
    if (!HASH.test(line.leaf) || !isSame(leaf, bytesOfHex(line.leaf)))
      throw no("is not what was recorded: it was changed");
    if (record.payload.startsWith(REFERENCE_START) && !blobs.has(REFERENCE.exec(record.payload)?.[1] ?? ""))
      throw no("has its payload beside it, and that is not here: the capsule was changed");
    const path = pathOf(proofs[place], record.position);
    if (!path) throw no("has no proof that it was recorded");
    const found = rootOfInclusion(position, size, leaf, path, joined);
    if (!found || !isSame(found, root))
      throw no("is not in the log of which the checkpoint was signed: it was made up or changed");
    const stream = `${record.category}/${record.stream}`;
    const revision = (seen.get(stream) ?? 0) + 1;
    if (!streams.has(stream)) throw no("is of nothing that the manifest names: it was put in");
    if (record.revision !== String(revision))
      throw no("does not follow the one before it in its stream: events were taken out");
    seen.set(stream, revision);
    lines.push(line);
    if (await breath()) progress((place + 1) / events.length);
  }
  for (const [stream, count] of streams)
    if (seen.get(stream) !== count && count > 0)
      throw new Refusal(
        `${EVENTS}: ${stream} has ${seen.get(stream) ?? 0} events here, not ${count}: some were taken out`,
      );
  return lines;
}

function lineOf(text: string, number: number): Line {
  try {
    return readLine(text);
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${EVENTS}: line ${number}: ${error.message}`);
    throw error;
  }
}

/** The hashes beside the way from an event to the root; undefined where the line is about something else. */
function pathOf(text: string | undefined, position: string): Hash[] | undefined {
  let proof: unknown;
  try {
    proof = JSON.parse(text ?? "null");
  } catch {
    return undefined;
  }
  if (!isRecord(proof) || String(proof.position) !== position || !Array.isArray(proof.path)) return undefined;
  const path = proof.path as unknown[];
  const isWhole = path.every((hash): hash is string => typeof hash === "string" && HASH.test(hash));
  return isWhole ? path.map(bytesOfHex) : undefined;
}

/** The payload of an event as it was written. */
export function payloadText({ payload }: Line["record"], blobs: Capsule["blobs"]): string {
  const [, digits, bytes] = REFERENCE.exec(payload) ?? [];
  if (digits === undefined) return payload;
  const content = blobs.get(digits);
  if (!content || String(content.length) !== bytes) throw new Refusal("a payload is not the one that its event names");
  return textOf(BLOBS + digits, content);
}

interface Hashing {
  update: (bytes: Uint8Array) => unknown;
  digest: () => Uint8Array;
}

/** The hash of something that may be large. */
async function hashed(hash: Hashing, content: Uint8Array): Promise<Uint8Array> {
  for (let at = 0; at < content.length; at += HASHED_BYTES) {
    hash.update(content.subarray(at, at + HASHED_BYTES));
    await breath();
  }
  return hash.digest();
}

let restedAt = 0;

/** Lets the page draw now and then; true when it did. */
async function breath(): Promise<boolean> {
  const now = performance.now();
  if (restedAt === 0) restedAt = now;
  if (now - restedAt < AT_ONCE_MS) return false;
  await new Promise((resolve) => setTimeout(resolve));
  restedAt = performance.now();
  return true;
}
