import { useEffect, useState } from "react";
import { CombinedError } from "urql";
import { client, faultOf, faultText, graphql } from "@/api";
import { Button, Time } from "@/ui";
import { counted } from "@/ui/counted";
import { type Asked, type Proof, prove } from "./prove";

const AuditProofMaterial = graphql(`
  query AuditProofMaterial($position: Position!) {
    auditRecord(position: $position) {
      position
      tenant
      category
      stream
      revision
      id
      type
      version
      recordedAtUs
      payload
      metadata
    }
    auditCheckpoint {
      note
    }
    auditKeys {
      name
      id
      publicKey
      validFrom
      validUntil
    }
  }
`);

const AuditInclusion = graphql(`
  query AuditInclusion($position: Position!, $size: Position!) {
    inclusionProof(position: $position, size: $size) {
      path
    }
  }
`);

const AuditConsistency = graphql(`
  query AuditConsistency($from: Position!, $to: Position!) {
    consistencyProof(from: $from, to: $to) {
      path
    }
  }
`);

/** The server, which is asked anew each time: what it said before proves nothing now. */
const SERVER: Asked = {
  material: async (position) => {
    const { data, error } = await client
      .query(AuditProofMaterial, { position }, { requestPolicy: "network-only" })
      .toPromise();
    if (!data) throw error ?? new Error("nothing was answered");
    return { record: data.auditRecord ?? null, note: data.auditCheckpoint?.note ?? null, keys: data.auditKeys };
  },
  inclusion: async (position, size) => {
    const { data, error } = await client
      .query(AuditInclusion, { position, size }, { requestPolicy: "network-only" })
      .toPromise();
    if (!data) throw error ?? new Error("nothing was answered");
    return data.inclusionProof.path;
  },
  consistency: async (from, to) => {
    const { data, error } = await client
      .query(AuditConsistency, { from, to }, { requestPolicy: "network-only" })
      .toPromise();
    if (!data) throw error ?? new Error("nothing was answered");
    return data.consistencyProof.path;
  },
};

/** Whether an event is proved, by this browser. */
export function Proved({ position }: { position: string }) {
  const [proof, setProof] = useState<Proof | { is: "failed"; because: string }>();
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let isShown = true;
    prove(position, SERVER)
      .catch((error: unknown) => ({ is: "failed" as const, because: whyOf(error) }))
      .then((proof) => {
        if (isShown) setProof(proof);
      })
      .catch(() => undefined);
    return () => {
      isShown = false;
    };
  }, [position, attempt]);
  const again = (
    <Button onClick={() => setAttempt(attempt + 1)} className="ml-2">
      Try again
    </Button>
  );
  if (proof === undefined) return <span className="text-muted">being proved …</span>;
  switch (proof.is) {
    case "proved":
      return (
        <span>
          <strong className="font-medium text-good">Proved</strong>{" "}
          <span className="text-muted">
            by this browser: the event is among the {proof.size} that the log had when the one of{" "}
            <Time value={proof.recordedAt.toISOString()} exact /> was recorded, as signed.{" "}
            {proof.keptSize === undefined
              ? "This browser saw no checkpoint of this log before, and keeps this one."
              : `It is the same history as when this browser saw ${counted(Number(proof.keptSize), "event")}.`}
          </span>
        </span>
      );
    case "waiting":
      return <span className="text-muted">Not yet: a checkpoint that covers it is signed within a minute.{again}</span>;
    case "missing":
      return <span className="text-muted">There is no such event of yours.</span>;
    case "false":
      return (
        <span role="alert">
          <strong className="font-medium text-bad">Not proved</strong>: {proof.because}. Keep what you see, and tell
          whoever audits this log.
        </span>
      );
    case "failed":
      return (
        <span className="text-muted">
          It could not be checked: {proof.because}
          {again}
        </span>
      );
  }
}

function whyOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "NotSupportedError")
    return "this browser cannot check signatures of Ed25519.";
  if (!(error instanceof CombinedError)) return error instanceof Error ? error.message : "this browser cannot do it.";
  return faultText(faultOf(error));
}
