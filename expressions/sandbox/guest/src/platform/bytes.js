// Text encodings, `Buffer` and `structuredClone`: what scripts expect of Node and QuickJS lacks.

/** UTF-8 bytes of a text. */
export function utf8Encode(text) {
  const bytes = [];
  for (const character of String(text)) {
    let code = character.codePointAt(0);
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return Uint8Array.from(bytes);
}

const LEAST = [0, 0x80, 0x800, 0x10000];

/** Text of UTF-8 bytes; broken sequences become U+FFFD. */
export function utf8Decode(bytes) {
  let text = '';
  for (let index = 0; index < bytes.length; ) {
    const first = bytes[index++];
    const extra = first < 0x80 ? 0 : first >= 0xf0 && first < 0xf8 ? 3 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xc2 && first < 0xe0 ? 1 : -1;
    if (extra < 0) {
      text += '\ufffd';
      continue;
    }
    let code = extra === 0 ? first : first & (0x3f >> extra);
    let read = 0;
    while (read < extra && (bytes[index] & 0xc0) === 0x80) {
      code = (code << 6) | (bytes[index++] & 63);
      read += 1;
    }
    const valid = read === extra && code >= LEAST[extra] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    text += valid ? String.fromCodePoint(code) : '\ufffd';
  }
  return text;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Base64 of bytes. */
export function base64Encode(bytes) {
  const parts = [];
  for (let index = 0; index < bytes.length; index += 3) {
    const [a, b, c] = [bytes[index], bytes[index + 1], bytes[index + 2]];
    parts.push(
      ALPHABET[a >> 2],
      ALPHABET[((a & 3) << 4) | ((b ?? 0) >> 4)],
      b === undefined ? '=' : ALPHABET[((b & 15) << 2) | ((c ?? 0) >> 6)],
      c === undefined ? '=' : ALPHABET[c & 63],
    );
  }
  return parts.join('');
}

/** Bytes of Base64 or URL-safe Base64; other characters are skipped, as in Node. */
export function base64Decode(text) {
  const bytes = [];
  let bits = 0;
  let count = 0;
  for (const character of text) {
    if (character === '=') break;
    const value = ALPHABET.indexOf(character === '-' ? '+' : character === '_' ? '/' : character);
    if (value < 0) continue;
    bits = ((bits << 6) | value) & 0xffffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push((bits >> count) & 255);
    }
  }
  return Uint8Array.from(bytes);
}

const latin1 = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0) & 255);
const characters = (bytes, mask) => Array.from(bytes, (byte) => String.fromCharCode(byte & mask)).join('');
const CODECS = {
  utf8: [utf8Encode, utf8Decode],
  base64: [base64Decode, base64Encode],
  base64url: [base64Decode, (bytes) => base64Encode(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')],
  hex: [
    (text) => Uint8Array.from(text.match(/[0-9a-f]{2}/gi) ?? [], (pair) => parseInt(pair, 16)),
    (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''),
  ],
  latin1: [latin1, (bytes) => characters(bytes, 255)],
  ascii: [latin1, (bytes) => characters(bytes, 127)],
};

function codec(encoding = 'utf8') {
  const name = String(encoding).toLowerCase().replace('-', '');
  const found = CODECS[name === 'binary' ? 'latin1' : name];
  if (!found) throw new TypeError(`Unknown encoding: ${encoding}`);
  return found;
}

export class Buffer extends Uint8Array {
  static from(source, encoding) {
    const bytes = typeof source === 'string' ? codec(encoding)[0](source) : new Uint8Array(source?.data ?? source);
    return new Buffer(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  static alloc(size, fill = 0) {
    return new Buffer(size).fill(fill);
  }

  static concat(list) {
    return Buffer.from(list.flatMap((bytes) => Array.from(bytes)));
  }

  static isBuffer(value) {
    return value instanceof Buffer;
  }

  static byteLength(text, encoding) {
    return codec(encoding)[0](text).length;
  }

  toString(encoding) {
    return codec(encoding)[1](this);
  }

  equals(other) {
    return this.length === other.length && this.every((byte, index) => byte === other[index]);
  }

  toJSON() {
    return { type: 'Buffer', data: Array.from(this) };
  }
}

class TextEncoder {
  get encoding() {
    return 'utf-8';
  }
  encode(text = '') {
    return utf8Encode(text);
  }
}

class TextDecoder {
  get encoding() {
    return 'utf-8';
  }
  decode(bytes = []) {
    return utf8Decode(bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes).replace(/^\ufeff/, '');
  }
}

function clone(value, seen) {
  if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError(`${String(value)} could not be cloned`);
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof RegExp) return new RegExp(value.source, value.flags);
  const remember = (copy) => (seen.set(value, copy), copy);
  if (ArrayBuffer.isView(value)) return remember(value.slice());
  if (value instanceof Map) return remember(new Map(Array.from(value, (pair) => pair.map((part) => clone(part, seen)))));
  if (value instanceof Set) return remember(new Set(Array.from(value, (part) => clone(part, seen))));
  const copy = remember(Array.isArray(value) ? [] : {});
  for (const key of Object.keys(value)) copy[key] = clone(value[key], seen);
  return copy;
}

const additions = {
  Buffer,
  TextEncoder,
  TextDecoder,
  structuredClone: (value) => clone(value, new Map()),
  atob: (text) => characters(base64Decode(String(text)), 255),
  btoa: (text) => {
    if (/[^\0-\xff]/.test(String(text))) throw new RangeError('btoa: the text has characters outside Latin-1');
    return base64Encode(latin1(String(text)));
  },
};
for (const [name, value] of Object.entries(additions)) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}
