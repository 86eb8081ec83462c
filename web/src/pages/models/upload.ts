/** Where an upload stands, as the server tells. */
export interface Standing {
  id: string;
  bytes: number;
  offset: number;
  piece_bytes_max: number;
}

export interface Became {
  model: string;
  version: number;
  sha256: string;
  position: string;
}

export interface VersionWords {
  model: string;
  description?: string;
  source?: string;
  licence?: string;
  promote: boolean;
}

/** Why the server refused, or did not answer: `isPassing` where the same can be tried again. */
export class UploadProblem extends Error {
  constructor(
    message: string,
    readonly isPassing: boolean,
    readonly requestId?: string,
  ) {
    super(message);
  }
}

const PIECE_BYTES = 4 << 20;
const TRIES = 4;
/** Larger files are not looked at as a whole here: the server tells the digest that it came to. */
const DIGEST_BYTES_MAX = 256 << 20;
const PLACE = "/models/uploads";

async function answer<T>(path: string, method: string, body?: BodyInit, type = "application/json"): Promise<T> {
  let response: Response;
  try {
    const headers = body === undefined ? undefined : { "content-type": type };
    response = await fetch(PLACE + path, { method, body, headers, credentials: "same-origin" });
  } catch {
    throw new UploadProblem("The server could not be reached.", true);
  }
  const told = (await response.json().catch(() => ({}))) as { error?: unknown; errors?: { message?: string }[] };
  if (response.ok) return told as T;
  const message = typeof told.error === "string" ? told.error : told.errors?.[0]?.message;
  const requestId = response.headers.get("x-request-id") ?? undefined;
  throw new UploadProblem(message ?? `The server answered ${response.status}.`, response.status >= 500, requestId);
}

async function digestOf(file: Blob): Promise<string | undefined> {
  // Browsers digest nothing for pages that came without TLS, but for those of this machine.
  if (!("subtle" in crypto) || file.size > DIGEST_BYTES_MAX) return undefined;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Begins an upload, or finds where one stands that was begun before with a file of this length. */
export async function begin(file: Blob, id: string | undefined): Promise<Standing> {
  if (id !== undefined) {
    const found = await answer<Standing>(`/${id}`, "GET").catch((problem: unknown) => {
      if (problem instanceof UploadProblem && problem.isPassing) throw problem;
      return undefined;
    });
    if (found?.bytes === file.size) return found;
  }
  return answer<Standing>("", "POST", JSON.stringify({ bytes: file.size, sha256: await digestOf(file) }));
}

/** Sends what is missing, piece by piece. A piece that did not arrive is sent again from where the upload stands. */
export async function send(
  file: Blob,
  from: Standing,
  told: (offset: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let { offset } = from;
  let tries = 0;
  told(offset);
  while (offset < file.size) {
    signal.throwIfAborted();
    const piece = file.slice(offset, offset + Math.min(PIECE_BYTES, from.piece_bytes_max));
    try {
      const { offset: next } = await answer<Standing>(
        `/${from.id}?offset=${offset}`,
        "PUT",
        piece,
        "application/octet-stream",
      );
      offset = next;
      tries = 0;
    } catch (problem) {
      if (!(problem instanceof UploadProblem) || !problem.isPassing || tries >= TRIES) throw problem;
      tries += 1;
      await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** tries));
      offset = (await answer<Standing>(`/${from.id}`, "GET").catch(() => undefined))?.offset ?? offset;
    }
    told(offset);
  }
}

/** Has the file checked, and makes it a version. */
export function become(id: string, words: VersionWords): Promise<Became> {
  return answer<Became>(`/${id}/version`, "POST", JSON.stringify(words));
}

/** Forgets an upload. */
export function abandon(id: string): Promise<unknown> {
  return answer(`/${id}`, "DELETE");
}
