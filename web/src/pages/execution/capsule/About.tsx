import { type ReactNode, useState } from "react";
import { client, faultOf, faultText, graphql } from "@/api";
import { KeysProblem, readKeys } from "@/parts/proof/keys";
import { Button, CopyButton, Facts, Field, Textarea, Time, bytes } from "@/ui";
import { counted } from "@/ui/counted";
import type { OpenedExecution } from "./open";
import { timeOf } from "./past";
import type { Capsule } from "./read";
import type { Keys, KeysFrom, Signed } from "./signer";

const CapsuleKeys = graphql(`
  query CapsuleKeys {
    auditKeys {
      name
      id
      publicKey
      validFrom
      validUntil
    }
  }
`);

export interface AboutProps {
  capsule: Capsule;
  opened: OpenedExecution;
  signed: Signed;
  onKeys: (keys: Keys) => void;
  onGo: (revision: number) => void;
}

/** Of so many things of a kind all are listed. */
const SHOWN_MAX = 100;

/** What a capsule proves, what was in force, and what is not in it. */
export function About({ capsule, opened, signed, onKeys, onGo }: AboutProps) {
  const { manifest, checkpoint, lines, blobs } = capsule;
  const size = [...blobs.values()].reduce((sum, blob) => sum + blob.length, 0);
  return (
    <div className="flex flex-col gap-5 overflow-auto p-4">
      <Part title="Proof">
        <Proof signed={signed} events={lines.length} treeSize={manifest.treeSize} />
        <Facts
          facts={[
            ["Log", <span className="font-mono text-xs break-all">{checkpoint.origin}</span>],
            ["Checkpoint", `${manifest.treeSize} events`],
            ["Its last event", <Time value={timeOf(String(checkpoint.recordedAtUs))} exact />],
            ["Root", <Digits text={manifest.root} />],
          ]}
        />
        {signed.is !== "proved" && <GiveKeys onKeys={onKeys} />}
      </Part>
      <Part title="What was run">
        <Facts
          facts={[
            ["Execution", <Digits text={opened.id} />],
            ["Made by", manifest.program],
            ["Workflows", <Names of={manifest.workflows.map(workflowText)} />],
            ["Node types", <Names of={manifest.nodeTypes.map(({ name, version }) => `${name} ${version}`)} />],
            [
              "Credentials",
              manifest.credentials.length > 0 && (
                <Names of={manifest.credentials.map(({ type, name }) => `${name} (${type})`)} />
              ),
            ],
            ["Beside events", blobs.size > 0 && `${counted(blobs.size, "file")}, ${bytes(size)}`],
          ]}
        />
      </Part>
      <Part title="What is sealed">
        {manifest.sealedEvents === 0 ? (
          <p className="text-[13px] text-muted">Nothing: every event can be read.</p>
        ) : (
          <>
            <p className="text-[13px]">
              Fields of {counted(manifest.sealedEvents, "event")} are about somebody, or are kept for a limited time.
              The keys are in no capsule: what is sealed is shown as what is erased is, and cannot be told from that
              here.
            </p>
            <ul aria-label="Sealed events" className="text-[13px]">
              {opened.sealed.slice(0, SHOWN_MAX).map(({ revision, type, fields }) => (
                <li key={revision}>
                  <button type="button" className="text-accent hover:underline" onClick={() => onGo(revision)}>
                    event {revision.toLocaleString()}
                  </button>{" "}
                  {type} <span className="text-muted">{fields.join(", ")}</span>
                </li>
              ))}
            </ul>
            <More count={opened.sealed.length} />
          </>
        )}
      </Part>
      <Part title="What was left out">
        {manifest.leftOut.length === 0 ? (
          <p className="text-[13px] text-muted">Nothing that belongs to it.</p>
        ) : (
          <ul aria-label="Left out" className="text-[13px]">
            {manifest.leftOut.slice(0, SHOWN_MAX).map(({ what, name, reason }) => (
              <li key={`${what} ${name}`} className="break-words">
                {what} <span className="font-mono text-xs">{name.slice(0, 12)}…</span>{" "}
                <span className="text-muted">{reason}</span>
              </li>
            ))}
          </ul>
        )}
        <More count={manifest.leftOut.length} />
      </Part>
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="flex flex-col gap-2">
      <h2 className="text-[13px] font-semibold">{title}</h2>
      {children}
    </section>
  );
}

function More({ count }: { count: number }) {
  return count > SHOWN_MAX ? (
    <p className="text-xs text-muted">and {(count - SHOWN_MAX).toLocaleString()} more</p>
  ) : null;
}

function Names({ of }: { of: readonly string[] }) {
  return (
    <ul>
      {of.slice(0, SHOWN_MAX).map((name) => (
        <li key={name} className="break-words">
          {name}
        </li>
      ))}
    </ul>
  );
}

function Digits({ text }: { text: string }) {
  return (
    <span className="flex items-center font-mono text-xs">
      <span className="min-w-0 break-all">{text}</span> <CopyButton text={text} label="Copy it" />
    </span>
  );
}

function workflowText({ name, revision, version }: Capsule["manifest"]["workflows"][number]): string {
  return version === undefined ? `${name}, draft, revision ${revision}` : `${name}, version ${version}`;
}

const FROM: Record<KeysFrom, string> = {
  browser: "a key that this browser knew from before",
  given: "a key that you gave",
  server: "a key that this server gave",
};

function Proof({ signed, events, treeSize }: { signed: Signed; events: number; treeSize: string }) {
  const whole = `All ${counted(events, "event")} are in the tree of ${treeSize} events, and none was changed`;
  switch (signed.is) {
    case "checking":
      return <p className="text-[13px] text-muted">{whole}. Who signed that is being looked up.</p>;
    case "proved":
      return (
        <p role="status" className="text-[13px]">
          <strong className="font-semibold text-good">Proved</strong> by this browser: {whole.toLowerCase()}. The tree
          is signed by {FROM[signed.from]}:{" "}
          <span className="font-mono text-xs break-words">
            {signed.key.name}+{signed.key.id}
          </span>
          .
        </p>
      );
    case "other":
      return (
        <p role="alert" className="text-[13px]">
          <strong className="font-semibold text-bad">Not proved</strong>: it is not signed by {FROM[signed.from]}.
          Somebody may have made it up.
        </p>
      );
    case "unknown":
    case "failed":
      return (
        <p role="status" className="text-[13px]">
          <strong className="font-semibold text-warn">Whole, but not proved</strong>: {whole.toLowerCase()}. Whether the
          tree is that of a log that you trust is told by the log&apos;s keys
          {signed.is === "failed" ? `, and ${signed.why}` : ""}.
        </p>
      );
  }
}

/** Takes keys: those that somebody trusted has given, or what the server says. */
function GiveKeys({ onKeys }: { onKeys: (keys: Keys) => void }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  const take = () => {
    try {
      onKeys({ keys: readKeys(text), from: "given" });
      setProblem(undefined);
    } catch (error) {
      if (!(error instanceof KeysProblem)) throw error;
      setProblem(`These are no keys: ${error.message}.`);
    }
  };
  const ask = async () => {
    setAsking(true);
    const { data, error } = await client.query(CapsuleKeys, {}, { requestPolicy: "network-only" }).toPromise();
    setAsking(false);
    setProblem(data ? undefined : error && faultText(faultOf(error)));
    if (data) onKeys({ keys: data.auditKeys, from: "server" });
  };
  return (
    <form
      aria-label="Keys of the log"
      className="flex flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        take();
      }}
    >
      <Field
        label="Public keys of the log"
        hint={
          <>
            One a line, as <code>timeloom audit keys</code> prints them, from somebody whom you trust with them.
          </>
        }
        error={problem}
      >
        <Textarea
          rows={2}
          spellCheck={false}
          className="font-mono text-xs"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </Field>
      <div className="flex flex-wrap gap-2">
        <Button type="submit" size="small" disabled={text.trim() === ""}>
          Check with these
        </Button>
        <Button size="small" kind="quiet" isBusy={isAsking} onClick={() => void ask()}>
          Ask this server for its keys
        </Button>
      </div>
    </form>
  );
}
