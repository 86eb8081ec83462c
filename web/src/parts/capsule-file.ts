import { leadToSignIn } from "@/api/sign-in";
import { isRecord } from "./records";

/** A capsule as the server made it, or why it made none and what can be done. */
export type MadeCapsule = { file: Blob } | { refused: string; advice?: string };

/** Lets the server make a capsule of an execution. `attachmentBytesMax`: bytes of attachments at most; absent = as usual. */
export async function capsuleOf(execution: string, attachmentBytesMax?: number): Promise<MadeCapsule> {
  const which = attachmentBytesMax === undefined ? "" : `?attachments=${attachmentBytesMax}`;
  let response: Response;
  try {
    response = await fetch(`/capsules/${execution}${which}`, { credentials: "same-origin" });
    if (response.ok) return { file: await response.blob() };
  } catch {
    return {
      refused: "No answer came.",
      advice: "Check that the server runs and that you are connected, then try again.",
    };
  }
  if (response.status === 401) leadToSignIn();
  return { refused: await refusalOf(response) };
}

/** What the server says, which tells what to do next. */
async function refusalOf(response: Response): Promise<string> {
  try {
    const answer: unknown = await response.json();
    const [first] = isRecord(answer) && Array.isArray(answer.errors) ? (answer.errors as unknown[]) : [];
    if (isRecord(first) && typeof first.message === "string") return first.message;
  } catch {
    // What is no JSON comes from something between.
  }
  return `The server answered ${response.status}.`;
}
