/** Keys as `timeloom audit keys` writes them: one a line, `NAME+ID+KEY`, and when it may be used. */

import { type Key, keyId } from "./checkpoint";
import { bytesOfBase64 } from "./tree";

/** Largest text of keys, in characters, and most keys of one. */
export const KEYS_CHARACTERS_MAX = 256 * 1024;
export const KEYS_MAX = 1_000;
const OF_LOG = 1;
const OF_WITNESS = 4;
const KEY_BYTES = 33;

/** Why a text is no list of keys, as the end of a sentence. */
export class KeysProblem extends Error {
  override name = "KeysProblem";
}

/** The keys of logs in a text; those of witnesses are passed over. */
export function readKeys(text: string): Key[] {
  if (text.length > KEYS_CHARACTERS_MAX) throw new KeysProblem("the text is longer than any list of keys");
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (lines.length === 0) throw new KeysProblem("there is no key in it");
  if (lines.length > KEYS_MAX) throw new KeysProblem(`there are more than ${KEYS_MAX} keys in it`);
  return lines.flatMap((line, place) => readKey(line, place + 1));
}

function readKey(line: string, number: number): Key[] {
  // The text is not told: it may be a private key.
  const form = new KeysProblem(`key number ${number} is not NAME+ID+KEY`);
  const [words = "", ...validity] = line.split(/\s+/);
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(words) ?? [];
  if (name === undefined || id === undefined || encoded === undefined) throw form;
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = bytesOfBase64(encoded);
  } catch {
    throw form;
  }
  if (bytes.length !== KEY_BYTES || (bytes[0] !== OF_LOG && bytes[0] !== OF_WITNESS)) throw form;
  if (bytes[0] === OF_WITNESS) return [];
  const key = bytes.slice(1);
  const digits = Array.from(keyId(name, key), (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (digits !== id) throw new KeysProblem(`key number ${number} has an id that is not its own: it was changed`);
  return [
    {
      name,
      id,
      publicKey: btoa(String.fromCharCode(...key)),
      validFrom: timeOf(validity, "from", form),
      validUntil: timeOf(validity, "until", form),
    },
  ];
}

function timeOf(words: readonly string[], name: "from" | "until", form: KeysProblem): string | null {
  if (words.some((word) => !/^(from|until)=/.test(word))) throw form;
  const time = words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  if (time === undefined) return null;
  if (Number.isNaN(Date.parse(time))) throw form;
  return time;
}
