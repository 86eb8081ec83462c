/** The first values of a tensor, from its bytes as they were written down: numbers with the lowest byte first. */
export type Value = number | bigint | boolean | string;

type Reader = (view: DataView, at: number) => Value;

const READERS: Record<string, { size: number; read: Reader }> = {
  BOOL: { size: 1, read: (view, at) => view.getUint8(at) !== 0 },
  UINT8: { size: 1, read: (view, at) => view.getUint8(at) },
  INT8: { size: 1, read: (view, at) => view.getInt8(at) },
  UINT16: { size: 2, read: (view, at) => view.getUint16(at, true) },
  INT16: { size: 2, read: (view, at) => view.getInt16(at, true) },
  UINT32: { size: 4, read: (view, at) => view.getUint32(at, true) },
  INT32: { size: 4, read: (view, at) => view.getInt32(at, true) },
  UINT64: { size: 8, read: (view, at) => view.getBigUint64(at, true) },
  INT64: { size: 8, read: (view, at) => view.getBigInt64(at, true) },
  FP16: { size: 2, read: (view, at) => half(view.getUint16(at, true)) },
  BF16: { size: 2, read: (view, at) => brain(view.getUint16(at, true)) },
  FP32: { size: 4, read: (view, at) => view.getFloat32(at, true) },
  FP64: { size: 8, read: (view, at) => view.getFloat64(at, true) },
};

/** A number of 16 bits: one for the sign, five for the exponent. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The upper half of a number of 32 bits. */
function brain(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits << 16);
  return view.getFloat32(0);
}

/** The first values, at most so many; `undefined` where what it is made of is not known. */
export function firstValues(content: string, element: string, most: number): Value[] | undefined {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  if (element === "BYTES") return texts(bytes, view, most);
  const reader = READERS[element];
  if (!reader) return undefined;
  const count = Math.min(most, Math.floor(bytes.length / reader.size));
  return Array.from({ length: count }, (_, place) => reader.read(view, place * reader.size));
}

/** Texts, each behind its length in four bytes. What is no text of UTF-8 is told by its length. */
function texts(bytes: Uint8Array, view: DataView, most: number): string[] {
  const found: string[] = [];
  let at = 0;
  while (found.length < most && at + 4 <= bytes.length) {
    const length = view.getUint32(at, true);
    const part = bytes.subarray(at + 4, at + 4 + length);
    try {
      found.push(new TextDecoder("utf-8", { fatal: true }).decode(part));
    } catch {
      found.push(`(${length} bytes)`);
    }
    at += 4 + length;
  }
  return found;
}

/** A number as short as it can be read. */
export function valueWords(value: Value): string {
  if (typeof value !== "number") return String(value);
  return Number.isInteger(value) || !Number.isFinite(value) ? String(value) : String(Number(value.toPrecision(6)));
}

/** Dimensions as they are written: `1 × 4`, and `any` for those that are free. */
export function shapeWords(shape: readonly (number | null)[]): string {
  return shape.length === 0 ? "one value" : shape.map((size) => size ?? "any").join(" × ");
}
