import { toast } from "@/api";
import { capsuleOf } from "@/parts/capsule-file";
import { download } from "@/ui/download";

/** Lets the server make a capsule of an execution, and gives the file to whoever uses the browser. */
export async function makeCapsule(id: string): Promise<void> {
  const made = await capsuleOf(id);
  if ("refused" in made) {
    toast({ tone: "bad", title: "The capsule was not made", text: made.refused, advice: made.advice });
    return;
  }
  download(`${id}.capsule`, made.file);
  toast({ tone: "good", title: "The capsule is made", text: "It is among your downloads." });
}
