import { type DragEvent, useState } from "react";
import { useQuery } from "urql";
import { type UserError, faultOf, useChange, useLastWrite } from "@/api";
import { Refusal } from "@/parts/Refusal";
import { Button, Dialog, FaultNote, Field, Input, Select, Skeleton, Textarea, bytes, instant, wordsOf } from "@/ui";
import { cut, nameOfFile, nameProblem, readCapsule } from "./add";
import { TestCaseAdd, TestCaseCandidates } from "./documents";

/** An execution as far as a case is named after it. */
export interface Candidate {
  id: string;
  status: string;
  startedAt: string | null;
}

export interface AddTestCaseProps {
  isOpen: boolean;
  onClose: () => void;
  workflowId: string;
  /** The execution that is kept; where it is absent one is chosen, or a capsule file. */
  execution?: Candidate;
  onAdded?: () => void;
}

/** Makes an execution, or a capsule file, a test case of its workflow. */
export function AddTestCase(props: AddTestCaseProps) {
  return props.isOpen ? <OpenAddTestCase {...props} /> : null;
}

type Source = "execution" | "file";

const wordsOfExecution = ({ id, status, startedAt }: Candidate) =>
  `${startedAt === null ? "" : `${instant(startedAt)}, `}${wordsOf(status)}, …${id.slice(-12)}`;

const nameOfExecution = ({ status, startedAt }: Candidate) =>
  cut(`${wordsOf(status)}${startedAt === null ? "" : ` ${instant(startedAt)}`}`);

function OpenAddTestCase({ onClose, workflowId, execution, onAdded }: AddTestCaseProps) {
  const [source, setSource] = useState<Source>("execution");
  const [chosen, setChosen] = useState<Candidate | undefined>(execution);
  const [file, setFile] = useState<File>();
  const [keys, setKeys] = useState("");
  // Until somebody writes a name it follows what is chosen.
  const [name, setName] = useState<string>();
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [isReading, setReading] = useState(false);
  const [add, isAdding] = useChange(TestCaseAdd, {
    payload: (data) => data.addWorkflowTestCase,
    done: ({ testCase }) =>
      testCase != null && testCase.sealedEventCount > 0
        ? "It is a test case. Some of its data is sealed: what follows from that cannot be judged"
        : "It is a test case",
    failed: "The test case was not added",
    quiet: true,
  });
  const isOfFile = source === "file";
  const given = isOfFile ? file && nameOfFile(file.name) : chosen && nameOfExecution(chosen);
  const called = name ?? given ?? "";
  const isChosen = isOfFile ? file !== undefined : chosen !== undefined;
  const problem = isChosen || name !== undefined ? nameProblem(called) : undefined;
  const go = async () => {
    const from = isOfFile ? file && { file } : chosen && { execution: chosen.id };
    if (!from || problem !== undefined) return;
    setErrors([]);
    setReading(true);
    const read = await readCapsule(from);
    setReading(false);
    if ("refused" in read) {
      setErrors([{ code: "CAPSULE", message: read.refused }]);
      return;
    }
    const believed = isOfFile && keys.trim() !== "" ? [keys] : [];
    const outcome = await add({ input: { workflowId, name: called.trim(), capsule: read.capsule, keys: believed } });
    if (outcome.kind === "fault") return;
    if (outcome.kind !== "done") {
      setErrors(outcome.errors);
      return;
    }
    onAdded?.();
    onClose();
  };
  const change = (apply: () => void) => {
    setErrors([]);
    apply();
  };
  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      <Button
        kind="primary"
        isBusy={isReading || isAdding}
        disabled={!isChosen || problem !== undefined}
        onClick={() => void go()}
      >
        Add it
      </Button>
    </>
  );
  return (
    <Dialog title="Add a test case" isOpen onClose={onClose} footer={footer}>
      <form
        className="flex flex-col gap-3 text-sm"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        <p className="text-muted">
          What an execution recorded is kept with its workflow, in a capsule. The check before a version is published
          runs it again in memory, under that version, and tells whether it does the same.
        </p>
        {execution === undefined && (
          <Field label="What is kept">
            <Select<Source>
              data-autofocus
              value={source}
              choices={[
                { value: "execution", label: "an execution of this workflow" },
                { value: "file", label: "a capsule file" },
              ]}
              onChange={(next) => change(() => setSource(next))}
            />
          </Field>
        )}
        {isOfFile ? (
          <OfFile file={file} onFile={(next) => change(() => setFile(next))} keys={keys} onKeys={setKeys} />
        ) : execution === undefined ? (
          <OfExecution workflowId={workflowId} chosen={chosen} onChoose={(next) => change(() => setChosen(next))} />
        ) : (
          <p className="break-words">{wordsOfExecution(execution)}</p>
        )}
        <Field label="What it is called" error={problem}>
          <Input
            data-autofocus={execution === undefined ? undefined : true}
            value={called}
            placeholder="An order of three lines"
            onChange={(event) => change(() => setName(event.target.value))}
          />
        </Field>
        {errors.length > 0 && <Refusal title="The test case was not added" errors={errors} />}
      </form>
    </Dialog>
  );
}

interface OfExecutionProps {
  workflowId: string;
  chosen: Candidate | undefined;
  onChoose: (execution: Candidate | undefined) => void;
}

/** One of the newest executions that ended by themselves: of one that was cancelled nothing can be held against. */
function OfExecution({ workflowId, chosen, onChoose }: OfExecutionProps) {
  const waitFor = useLastWrite();
  const [{ data, error }, again] = useQuery({ query: TestCaseCandidates, variables: { workflowId, waitFor } });
  if (error && !data)
    return <FaultNote fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />;
  if (!data) return <Skeleton className="h-8" />;
  const ended = data.executions.nodes.filter(({ status }) => status === "COMPLETED" || status === "FAILED");
  if (ended.length === 0)
    return (
      <p className="text-[13px] text-muted">
        None of this workflow has ended lately: run it first, or take a capsule file.
      </p>
    );
  return (
    <Field label="Which execution" hint="Of the newest 50. An older one is kept from its own page.">
      <Select
        value={chosen?.id ?? ""}
        choices={[
          { value: "", label: "Choose one" },
          ...ended.map((one) => ({ value: one.id, label: wordsOfExecution(one) })),
        ]}
        onChange={(id) => onChoose(ended.find((one) => one.id === id))}
      />
    </Field>
  );
}

interface OfFileProps {
  file: File | undefined;
  onFile: (file: File | undefined) => void;
  keys: string;
  onKeys: (keys: string) => void;
}

function OfFile({ file, onFile, keys, onKeys }: OfFileProps) {
  const [isOver, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const [dropped] = event.dataTransfer.files;
    if (dropped) onFile(dropped);
  };
  return (
    <>
      <label
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
        className={`flex cursor-pointer flex-col items-center gap-1 rounded-lg border-2 border-dashed px-4 py-6 text-center focus-within:border-accent ${isOver ? "border-accent bg-accent-soft" : ""}`}
      >
        <span className="max-w-full font-medium break-words">
          {file ? file.name : "Choose a file, or drop one here"}
        </span>
        <span className="text-xs text-muted">
          {file ? bytes(file.size) : "A capsule of an execution of this workflow, of at most 8 MiB."}
        </span>
        <input
          type="file"
          accept=".capsule,application/zip"
          aria-label="Capsule file"
          className="sr-only"
          onChange={(event) => {
            const [picked] = event.target.files ?? [];
            // The same file may be chosen again, after it was changed.
            event.target.value = "";
            if (picked) onFile(picked);
          }}
        />
      </label>
      <details>
        <summary className="text-[13px] text-muted">It was recorded by another installation</summary>
        <Field
          className="mt-2"
          label="Public keys of its log"
          hint="As timeloom audit keys prints them there, from somebody whom you trust with them."
        >
          <Textarea rows={3} value={keys} onChange={(event) => onKeys(event.target.value)} />
        </Field>
      </details>
    </>
  );
}
