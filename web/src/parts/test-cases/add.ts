import { capsuleOf } from "@/parts/capsule-file";

/** Length of the capsule of a test case, in bytes, at most. */
export const CAPSULE_BYTES_MAX = 8 << 20;
/** Bytes of attachments that a capsule is asked for with: what else is in it needs room as well. */
const ATTACHMENT_BYTES_MAX = 6 << 20;
/** Characters of a name at most. */
export const NAME_CHARACTERS_MAX = 100;
/** How many bytes become text at a time: three become four characters, and a call takes so many arguments. */
const PIECE_BYTES = 3 << 13;

/** The content of a file in base64. */
export async function base64Of(file: Blob): Promise<string> {
  const content = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < content.length; at += PIECE_BYTES)
    text += btoa(String.fromCharCode(...content.subarray(at, at + PIECE_BYTES)));
  return text;
}

/** What a case is called after the file that it comes from. */
export function nameOfFile(file: string): string {
  return cut(file.replace(/\.capsule$/i, "").trim());
}

/** As much of a text as a name may have. */
export function cut(text: string): string {
  return Array.from(text).slice(0, NAME_CHARACTERS_MAX).join("").trim();
}

/** Why a case cannot be called that; nothing where it can. */
export function nameProblem(name: string): string | undefined {
  const said = name.trim();
  if (said === "") return "Give it a name.";
  if (Array.from(said).length > NAME_CHARACTERS_MAX) return `At most ${NAME_CHARACTERS_MAX} characters.`;
  return /\p{Cc}/u.test(said) ? "No control characters." : undefined;
}

/** From where the capsule of a case comes. */
export type CapsuleFrom = { execution: string } | { file: Blob };

/** The capsule in base64, or why there is none. */
export type ReadCapsule = { capsule: string } | { refused: string };

/** Lets the server make the capsule, or reads the file. */
export async function readCapsule(from: CapsuleFrom): Promise<ReadCapsule> {
  let file: Blob;
  if ("file" in from) file = from.file;
  else {
    const made = await capsuleOf(from.execution, ATTACHMENT_BYTES_MAX);
    if ("refused" in made) {
      const advice = made.advice === undefined ? "" : ` ${made.advice}`;
      return { refused: `${made.refused}${advice}` };
    }
    file = made.file;
  }
  if (file.size > CAPSULE_BYTES_MAX) {
    const most = CAPSULE_BYTES_MAX.toLocaleString("en");
    const what = `The capsule has ${file.size.toLocaleString("en")} bytes, and that of a test case has at most ${most}`;
    return { refused: `${what}: make it without attachments, or keep a smaller execution.` };
  }
  try {
    return { capsule: await base64Of(file) };
  } catch {
    return { refused: "The browser could not read the file: choose it again." };
  }
}
