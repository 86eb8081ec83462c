import { toast } from "@/api";
import { leadToSignIn } from "@/api/sign-in";
import { isRecord } from "@/parts/records";
import { download } from "@/ui/download";

/** Lets the server make a capsule of an execution, and gives the file to whoever uses the browser. */
export async function makeCapsule(id: string): Promise<void> {
  const failed = (text: string, advice?: string) =>
    toast({ tone: "bad", title: "The capsule was not made", text, advice });
  let response: Response;
  try {
    response = await fetch(`/capsules/${id}`, { credentials: "same-origin" });
    if (response.ok) {
      download(`${id}.capsule`, await response.blob());
      toast({ tone: "good", title: "The capsule is made", text: "It is among your downloads." });
      return;
    }
  } catch {
    failed("No answer came.", "Check that the server runs and that you are connected, then try again.");
    return;
  }
  if (response.status === 401) leadToSignIn();
  else failed(await refusalOf(response));
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
