import { useState } from "react";
import { type UserError, useChange } from "@/api";
import { Badge, Button, type Column, CopyButton, Dialog, EmptyState, Field, Icon, JsonView, Table } from "@/ui";
import { jsonText } from "@/ui/json-lines";
import { Panel } from "@/ui/Panel";
import { JsonPart } from "@/ui/SchemaForm";
import type { AgentShown } from "./AgentPage";
import { PublishVersion } from "./changes";
import { writtenRecord } from "./record";

type Version = AgentShown["versions"][number];

/** The versions of an agent: each is a record that never changes. */
export function AgentVersions({ agent, mayWrite }: { agent: AgentShown; mayWrite: boolean }) {
  const [chosen, setChosen] = useState<number | undefined>(agent.newestVersion?.version);
  const [isOpen, setOpen] = useState(false);
  const newest = agent.newestVersion?.version;
  const columns: Column<Version>[] = [
    {
      key: "version",
      header: "Version",
      cell: (row) => (
        <button
          type="button"
          className="font-medium whitespace-nowrap text-accent hover:underline"
          onClick={() => setChosen(row.version)}
        >
          {row.version} {row.version === newest && <Badge tone="good">runs take it</Badge>}
        </button>
      ),
    },
    { key: "model", header: "Route", cell: (row) => row.model },
    { key: "tools", header: "Tools", wideOnly: true, cell: (row) => row.tools.join(", ") || "none" },
    {
      key: "digest",
      header: "SHA-256 of its record",
      wideOnly: true,
      cell: (row) => (
        <span className="inline-flex items-center gap-1 font-mono text-xs">
          {row.digest.slice(0, 16)}…{" "}
          <CopyButton text={row.digest} label={`Copy the digest of version ${row.version}`} />
        </span>
      ),
    },
  ];
  const shown = agent.versions.find((row) => row.version === chosen) ?? agent.versions.at(-1);
  return (
    <div className="grid gap-4 p-4 md:p-6 lg:grid-cols-2">
      <Panel
        title="Versions"
        isFlush
        actions={
          mayWrite && (
            <Button size="small" onClick={() => setOpen(true)}>
              <Icon name="plus" /> Publish a version
            </Button>
          )
        }
      >
        <Table
          label="Versions"
          rows={agent.versions.toReversed()}
          columns={columns}
          keyOf={(row) => String(row.version)}
          empty={
            <EmptyState icon="agent" title="No version yet">
              A version is the agent&apos;s record: prompt, route, tools and limits. Runs take the newest.
            </EmptyState>
          }
        />
      </Panel>
      {shown && (
        <Panel title={`Record of version ${shown.version}`} isFlush>
          <JsonView
            key={shown.version}
            label={`record of version ${shown.version}`}
            value={writtenRecord(shown.record)}
            className="h-[28rem]"
          />
        </Panel>
      )}
      {isOpen && <Publish agent={agent} onClose={() => setOpen(false)} />}
    </div>
  );
}

function Publish({ agent, onClose }: { agent: AgentShown; onClose: () => void }) {
  const before = agent.newestVersion && writtenRecord(agent.newestVersion.record);
  const first = { kind: "llm", model: "", prompt: "", tools: [], limits: { turns: 8 } };
  const [record, setRecord] = useState<unknown>(before ?? first);
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [publish, isPublishing] = useChange(PublishVersion, {
    payload: (data) => data.publishAgentVersion,
    done: "Runs take it from now on",
    failed: "It was not published",
    quiet: true,
  });
  const isSame = jsonText(record) === jsonText(before);
  const go = async () => {
    setErrors([]);
    const outcome = await publish({ input: { name: agent.name, record, expectedRevision: agent.history.revision } });
    if (outcome.kind === "done") onClose();
    else if (outcome.kind !== "fault") setErrors(outcome.errors);
  };
  return (
    <Dialog
      title={`Publish version ${agent.versions.length + 1}`}
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button kind="primary" isBusy={isPublishing} disabled={isSame} onClick={() => void go()}>
            Publish
          </Button>
        </>
      }
    >
      <Field label="Record" hint="It begins with that of the newest version. A word that is not known is refused.">
        <JsonPart value={record} onChange={setRecord} rows={20} />
      </Field>
      {errors.map((error) => (
        <p key={error.message} role="alert" className="mt-2 text-sm text-bad">
          {error.message}
        </p>
      ))}
    </Dialog>
  );
}
