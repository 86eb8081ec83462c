import { Link } from "@tanstack/react-router";
import { type ChangeEvent, useEffect, useRef, useState } from "react";
import { type Outcome, freshId, useChange } from "@/api";
import type { WorkflowMissingNodeFragment } from "@/gql/graphql";
import { type ImportPayload, importWorkflow, moveWorkflow } from "@/parts/workflow-changes";
import { Badge, Button, Dialog, Field, Icon, Skeleton, Switch, Textarea } from "@/ui";
import { WorkflowsReplaceServiceNodes } from "./documents";
import { type Part, partsOf } from "./files";

/** Files above this are no workflows. */
const FILE_MAX = 32 * 1024 * 1024;
const AT_A_TIME = 3;
const SHOWN_MAX = 200;

type Replaced = ImportPayload["replacedNodes"][number];

/** What became of a file. */
interface Report {
  key: string;
  label: string;
  state: "waits" | "done" | "refused";
  workflowId?: string;
  missing: readonly WorkflowMissingNodeFragment[];
  replaced: readonly Replaced[];
  problems: readonly string[];
}

export interface ImportDialogProps {
  isOpen: boolean;
  onClose: () => void;
  /** Files that were dropped on the page: they are taken in at once. */
  dropped: readonly File[];
  /** Into which folder they go. */
  folder: string | undefined;
  onImported: () => void;
}

/** Takes workflow files in: chosen, dropped or pasted, one or many; and tells of each what it lacks. */
export function ImportDialog(props: ImportDialogProps) {
  return props.isOpen ? <OpenImportDialog {...props} /> : null;
}

function OpenImportDialog({ onClose, dropped, folder, onImported }: ImportDialogProps) {
  const [text, setText] = useState("");
  const [replace, setReplace] = useState(false);
  const [reports, setReports] = useState<readonly Report[]>([]);
  const [isRunning, setRunning] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const taken = useRef<readonly File[]>([]);

  const set = (key: string, change: Partial<Report>) =>
    setReports((before) => before.map((one) => (one.key === key ? { ...one, ...change } : one)));
  const takeParts = async (parts: readonly Part[]) => {
    const waiting = parts.map((part) => ({ part, key: freshId() }));
    setReports((before) => [...waiting.map(({ part, key }) => reportOf(key, part.label)), ...before]);
    setRunning(true);
    const queue = [...waiting];
    const work = async () => {
      for (let next = queue.shift(); next; next = queue.shift())
        set(next.key, await takeIn(next.part, replace, folder));
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    setRunning(false);
    onImported();
  };
  const takeFiles = async (files: readonly File[]) => {
    const parts: Part[] = [];
    for (const file of files) {
      if (file.size > FILE_MAX) {
        const why = `It has ${Math.round(file.size / 1024 / 1024)} MiB, which no workflow file has.`;
        setReports((before) => [{ ...reportOf(freshId(), file.name), state: "refused", problems: [why] }, ...before]);
      } else parts.push(...partsOf(file.name, await file.text()));
    }
    await takeParts(parts);
  };
  useEffect(() => {
    if (dropped.length === 0 || taken.current === dropped) return;
    taken.current = dropped;
    void takeFiles(dropped);
  });
  const pick = (event: ChangeEvent<HTMLInputElement>) => {
    const files = [...(event.target.files ?? [])];
    event.target.value = "";
    void takeFiles(files);
  };
  const paste = () => {
    if (text.trim() === "") return;
    setText("");
    void takeParts(partsOf("What was pasted", text));
  };

  return (
    <Dialog
      title="Import workflows"
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{reports.length > 0 ? "Close" : "Not now"}</Button>
          <Button kind="primary" disabled={text.trim() === ""} isBusy={isRunning} onClick={paste}>
            Import what is pasted
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4">
        {reports.length > 0 && <Reports reports={reports} onChange={set} onClose={onClose} />}
        <div className="flex flex-col items-center gap-2 rounded-lg border border-dashed border-line-strong px-4 py-5 text-center">
          <p className="text-sm">
            Drop files anywhere on this page, or{" "}
            <Button size="small" onClick={() => picker.current?.click()}>
              Choose files
            </Button>
          </p>
          <p className="text-xs text-muted">
            Workflow files in n8n's export format: one workflow, or a list of them.
            {folder !== undefined && ` They go into ${folder}.`}
          </p>
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            accept=".json,application/json"
            aria-label="Workflow files"
            onChange={pick}
          />
        </div>
        <Field label="Or paste one" hint="Nodes that were copied out of n8n's editor can be pasted as well.">
          <Textarea
            rows={5}
            value={text}
            spellCheck={false}
            placeholder='{ "name": "…", "nodes": [ … ], "connections": { … } }'
            className="font-mono text-xs"
            onChange={(event) => setText(event.target.value)}
          />
        </Field>
        <Switch
          label="Put HTTP Requests in place of services' nodes that are missing here"
          checked={replace}
          onChange={setReplace}
        />
      </div>
    </Dialog>
  );
}

function reportOf(key: string, label: string): Report {
  return { key, label, state: "waits", missing: [], replaced: [], problems: [] };
}

async function takeIn(part: Part, replaceServiceNodes: boolean, folder: string | undefined): Promise<Partial<Report>> {
  const outcome = await importWorkflow({ source: part.source, definition: part.definition, replaceServiceNodes });
  if (outcome.kind === "fault") return { state: "refused", problems: [outcome.fault.message, outcome.fault.advice] };
  if (outcome.kind !== "done") return { state: "refused", problems: problemsOf(outcome.errors) };
  const { workflow, workflowId, replacedNodes } = outcome.payload;
  const moved = folder !== undefined && workflowId !== null ? await moveWorkflow(workflowId, folder, true) : undefined;
  const isMoved = moved === undefined || moved.kind === "done";
  return {
    state: "done",
    label: workflow?.name ?? part.label,
    workflowId: workflowId ?? undefined,
    missing: workflow?.missingNodes ?? [],
    replaced: replacedNodes,
    problems: isMoved ? [] : ["It was taken in, but not put into the folder."],
  };
}

type Refusals = Extract<Outcome<ImportPayload>, { kind: "refused" | "conflict" | "busy" }>["errors"];

function problemsOf(errors: Refusals): string[] {
  return errors.flatMap((error) => [
    error.message,
    ...(error.problems ?? []).map(({ node, field, message }) => [node, field, message].filter(Boolean).join(" · ")),
  ]);
}

interface ReportsProps {
  reports: readonly Report[];
  onChange: (key: string, change: Partial<Report>) => void;
  onClose: () => void;
}

function Reports({ reports, onChange, onClose }: ReportsProps) {
  const count = (state: Report["state"]) => reports.filter((one) => one.state === state).length;
  const lacking = reports.filter((one) => one.missing.length > 0).length;
  const said = [
    `${count("done")} imported`,
    ...(lacking > 0 ? [`${lacking} of them lack nodes`] : []),
    ...(count("refused") > 0 ? [`${count("refused")} refused`] : []),
    ...(count("waits") > 0 ? [`${count("waits")} under way`] : []),
  ].join(" · ");
  return (
    <section aria-label="What became of the files">
      <p role="status" className="mb-2 text-sm font-medium">
        {said}
      </p>
      <ul className="max-h-[45vh] divide-y overflow-auto rounded-md border" tabIndex={0} aria-label="Files">
        {reports.slice(0, SHOWN_MAX).map((report) => (
          <li key={report.key} className="px-3 py-2 text-sm">
            <OneReport report={report} onChange={(change) => onChange(report.key, change)} onClose={onClose} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function OneReport({
  report,
  onChange,
  onClose,
}: {
  report: Report;
  onChange: (change: Partial<Report>) => void;
  onClose: () => void;
}) {
  const [replace, isReplacing] = useChange(WorkflowsReplaceServiceNodes, {
    payload: (data) => data.replaceServiceNodes,
    failed: "The nodes were not replaced",
  });
  const { workflowId } = report;
  const canReplace = workflowId !== undefined && report.missing.some((node) => node.replacement !== null);
  const replaceAll = async () => {
    if (workflowId === undefined) return;
    const outcome = await replace({ input: { workflowId } });
    if (outcome.kind !== "done") return;
    const { replacedNodes, workflow } = outcome.payload;
    onChange({ missing: workflow?.missingNodes ?? [], replaced: [...report.replaced, ...replacedNodes] });
  };
  return (
    <>
      <div className="flex items-center gap-2">
        <span className="min-w-0 flex-1 truncate font-medium">
          {workflowId === undefined ? (
            report.label
          ) : (
            <Link
              to="/workflows/$workflowId"
              params={{ workflowId }}
              onClick={onClose}
              className="text-accent hover:underline"
            >
              {report.label}
            </Link>
          )}
        </span>
        {report.state === "waits" && <Skeleton className="h-4 w-16" />}
        {report.state === "refused" && <Badge tone="bad">refused</Badge>}
        {report.state === "done" && report.missing.length === 0 && <Badge tone="good">imported</Badge>}
        {report.state === "done" && report.missing.length > 0 && (
          <Badge tone="warn">
            imported, {report.missing.length} {report.missing.length === 1 ? "node" : "nodes"} missing
          </Badge>
        )}
      </div>
      {report.problems.map((problem) => (
        <p key={problem} className="mt-1 text-[13px] break-words text-bad">
          {problem}
        </p>
      ))}
      {report.missing.length > 0 && (
        <ul className="mt-1.5 flex flex-col gap-1.5 border-l-2 border-warn pl-2.5 text-[13px]">
          {report.missing.map((node) => (
            <li key={node.node}>
              <span className="font-medium">{node.node}</span>{" "}
              <span className="font-mono text-xs break-all text-muted">
                {node.nodeType} {node.typeVersion}
              </span>
              <p className="break-words text-muted">
                {node.replacement === null
                  ? "It cannot run here. Take it out, or ask its service by an HTTP Request."
                  : `An HTTP Request to ${node.service?.name ?? "its service"} can take its place.`}
              </p>
            </li>
          ))}
        </ul>
      )}
      {canReplace && (
        <Button size="small" className="mt-2" isBusy={isReplacing} onClick={() => void replaceAll()}>
          <Icon name="retry" /> Put HTTP Requests in their place
        </Button>
      )}
      {report.replaced.length > 0 && (
        <ul className="mt-1.5 flex flex-col gap-1.5 border-l-2 border-good pl-2.5 text-[13px]">
          {report.replaced.map((node) => (
            <li key={node.node}>
              <span className="font-medium">{node.node}</span> asks {node.service?.name ?? "its service"} by an HTTP
              Request now
              {[...node.needs, ...node.differs, ...node.dropped.map((path) => `${path} is left out`)].map((what) => (
                <p key={what} className="break-words text-muted">
                  {what}
                </p>
              ))}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
