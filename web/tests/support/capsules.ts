import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "@playwright/test";
import type { Server } from "./server";

/** Lets the program make a capsule of an execution, once a checkpoint covers it, and answers where the file is. */
export async function capsuleOf(server: Server, execution: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "timeloom-capsule-")), "run.capsule");
  const make = () =>
    server.verb("capsule", "make", execution, "-o", file).then(
      () => "made",
      (error: unknown) => String(error),
    );
  await expect.poll(make, { timeout: 60_000 }).toBe("made");
  return file;
}

/** The content of a file, for what takes one of a browser. */
export async function blobOf(file: string): Promise<Blob> {
  return new Blob([await readFile(file)]);
}

/** The state and what changed, as the server tells both. */
export async function toldBy(server: Server, id: string, revision: number) {
  const asked = await server.ask<{
    stateAt: { state: unknown };
    stateDiff: { changes: { op: string; path: string; writtenBy: { revision: number } | null }[] };
  }>(
    `query($id: ID!, $to: Int!, $from: Int!) {
      stateAt(entity: { kind: EXECUTION, id: $id }, asOf: { revision: $to }) { state }
      stateDiff(entity: { kind: EXECUTION, id: $id }, from: { revision: $from }, to: { revision: $to }) {
        changes { op path writtenBy { revision } }
      }
    }`,
    { id, to: revision, from: Math.max(1, revision - 3) },
  );
  return asked;
}
