// `"text".hash(algorithm)`.

import { md5, ripemd160, sha1 } from '@noble/hashes/legacy.js';
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { sha3_512 } from '@noble/hashes/sha3.js';
import { base64Encode, utf8Encode } from '../platform/bytes.js';
import { fail } from './errors.js';

const ALGORITHMS = { md5, sha1, sha224, sha256, sha384, sha512, sha3: sha3_512, ripemd160 };

/** The digest of a text, in hexadecimal. */
export function hash(text, algorithm) {
  const name = String(algorithm).toLowerCase();
  const bytes = utf8Encode(text);
  if (name === 'base64') return base64Encode(bytes);
  if (!Object.hasOwn(ALGORITHMS, name)) {
    fail(`Unknown algorithm ${algorithm}. Available algorithms are: ${Object.keys(ALGORITHMS).join(', ')}, and Base64.`);
  }
  return Array.from(ALGORITHMS[name](bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
