/**
 * Reads a ZIP archive that comes from anywhere, within bounds: no more is unpacked than is allowed, whatever the archive says of
 * itself. As much of the format as capsules use: one volume, stored or deflated files, no encryption, no sizes over 4 GiB.
 */

import { Refusal } from "./refusal";

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
/** Longest comment at the end of an archive. */
const COMMENT_BYTES_MAX = 0xffff;
const STORED = 0;
const DEFLATED = 8;
const IS_ENCRYPTED = 1;

interface Entry {
  method: number;
  flags: number;
  crc: number;
  packedBytes: number;
  at: number;
}

const NOT_WHOLE = "this is no whole capsule: it was cut off or changed on its way, or is another kind of file";

export class Archive {
  private constructor(
    private readonly bytes: Uint8Array<ArrayBuffer>,
    private readonly entries: ReadonlyMap<string, Entry>,
    /** Bytes that may still be unpacked. */
    private left: number,
  ) {}

  /** Reads what is in an archive: at most so many files, of so many bytes together. */
  static open(bytes: Uint8Array<ArrayBuffer>, filesMax: number, bytesMax: number): Archive {
    const view = viewOf(bytes);
    const end = endOf(view);
    const count = view.getUint16(end + 10, true);
    if (count > filesMax)
      throw new Refusal(`it has more than ${filesMax.toLocaleString("en")} files, which no capsule has`);
    const entries = new Map<string, Entry>();
    let at = view.getUint32(end + 16, true);
    for (let number = 0; number < count; number += 1) {
      if (at + 46 > bytes.length || view.getUint32(at, true) !== ENTRY) throw new Refusal(NOT_WHOLE);
      const lengths = [28, 30, 32].map((place) => view.getUint16(at + place, true));
      const [name = 0, extra = 0, comment = 0] = lengths;
      const text = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name));
      if (entries.has(text)) throw new Refusal(`it has the file ${text} twice: the capsule was changed`);
      entries.set(text, {
        flags: view.getUint16(at + 8, true),
        method: view.getUint16(at + 10, true),
        crc: view.getUint32(at + 16, true),
        packedBytes: view.getUint32(at + 20, true),
        at: view.getUint32(at + 42, true),
      });
      at += 46 + name + extra + comment;
    }
    return new Archive(bytes, entries, bytesMax);
  }

  get count(): number {
    return this.entries.size;
  }

  /** The content of a file of at most so many bytes. */
  async take(name: string, bytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.entries.get(name);
    if (!entry) throw new Refusal(`${name}: it is missing: this is no capsule`);
    const max = Math.min(bytesMax, this.left);
    const content = await unpacked(name, this.packed(entry), entry.method, max);
    if (crcOf(content) !== entry.crc) throw new Refusal(`${name}: it does not unpack: the capsule was changed`);
    this.left -= content.length;
    return content;
  }

  private packed({ at, flags, packedBytes }: Entry): Uint8Array<ArrayBuffer> {
    const view = viewOf(this.bytes);
    if (at + 30 > this.bytes.length || view.getUint32(at, true) !== LOCAL) throw new Refusal(NOT_WHOLE);
    const start = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
    if ((flags & IS_ENCRYPTED) !== 0 || start + packedBytes > this.bytes.length) throw new Refusal(NOT_WHOLE);
    return this.bytes.subarray(start, start + packedBytes);
  }
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Where the record is with which an archive ends. */
function endOf(view: DataView): number {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - COMMENT_BYTES_MAX); at -= 1)
    if (view.getUint32(at, true) === END) return at;
  throw new Refusal(NOT_WHOLE);
}

async function unpacked(
  name: string,
  packed: Uint8Array<ArrayBuffer>,
  method: number,
  max: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new Refusal(`${name} has more than ${max.toLocaleString("en")} bytes, which is not read any further`);
  if (method === STORED) {
    if (packed.length > max) throw tooLarge();
    return packed;
  }
  if (method !== DEFLATED) throw new Refusal(NOT_WHOLE);
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new Refusal(`${name}: it does not unpack: the capsule was changed`);
    });
    if (done) break;
    length += value.length;
    if (length > max) {
      await reader.cancel();
      throw tooLarge();
    }
    parts.push(value);
  }
  const content = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    content.set(part, at);
    at += part.length;
  }
  return content;
}

const CRCS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** The check sum of ZIP archives. */
export function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRCS[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}
