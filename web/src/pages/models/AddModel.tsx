import { useEffect, useRef, useState } from "react";
import { wrote } from "@/api";
import { Button, Dialog, Field, Input, Progress, Switch, bytes as bytesWords } from "@/ui";
import { CodeBlock } from "@/ui/CodeBlock";
import { type Became, UploadProblem, abandon, become, begin, send } from "./upload";

export interface AddModelProps {
  /** The model of which it becomes a version; its name is asked for where it is absent. */
  model?: string;
  /** The upload that goes on. It is in the address, so that it is found again. */
  upload: string | undefined;
  onUpload: (id: string | undefined) => void;
  isOpen: boolean;
  onClose: () => void;
  /** It became a version: the page goes to it. */
  onDone: (became: Became) => void;
}

export function AddModel(props: AddModelProps) {
  return props.isOpen ? <OpenAddModel {...props} /> : null;
}

type State =
  | { at: "words" }
  | { at: "sending"; offset: number }
  | { at: "checking" }
  | { at: "broken"; message: string; isPassing: boolean; requestId?: string };

function OpenAddModel({ model, upload, onUpload, onClose, onDone }: AddModelProps) {
  const [file, setFile] = useState<File | undefined>();
  const [name, setName] = useState(model ?? "");
  const [licence, setLicence] = useState("");
  const [source, setSource] = useState("");
  const [promote, setPromote] = useState(model === undefined);
  const [state, setState] = useState<State>({ at: "words" });
  const [isOver, setOver] = useState(false);
  const stopping = useRef(new AbortController());
  useEffect(() => () => stopping.current.abort(), []);
  const isUnderWay = state.at === "sending" || state.at === "checking";
  const take = (taken: File | undefined) => {
    if (!taken || isUnderWay) return;
    setFile(taken);
    setState({ at: "words" });
    if (name === "") setName(nameOf(taken.name));
  };
  const go = async () => {
    if (!file) return;
    stopping.current = new AbortController();
    const { signal } = stopping.current;
    try {
      setState({ at: "sending", offset: 0 });
      const standing = await begin(file, upload);
      onUpload(standing.id);
      await send(file, standing, (offset) => setState({ at: "sending", offset }), signal);
      setState({ at: "checking" });
      const became = await become(standing.id, {
        model: name.trim(),
        source: source.trim() === "" ? file.name : source.trim(),
        licence: licence.trim() === "" ? undefined : licence.trim(),
        promote,
      });
      wrote(became.position);
      onDone(became);
    } catch (problem) {
      if (signal.aborted) return;
      const { message, isPassing, requestId } =
        problem instanceof UploadProblem
          ? problem
          : { message: String(problem), isPassing: true, requestId: undefined };
      // What the checks refused is refused again: the next file begins anew.
      if (!isPassing) onUpload(undefined);
      setState({ at: "broken", message, isPassing, requestId });
    }
  };
  const stop = async () => {
    stopping.current.abort();
    if (upload !== undefined) await abandon(upload).catch(() => undefined);
    onUpload(undefined);
    setState({ at: "words" });
  };
  const footer = (
    <>
      {isUnderWay ? (
        <Button kind="danger" disabled={state.at === "checking"} onClick={() => void stop()}>
          Stop, and forget what was sent
        </Button>
      ) : (
        <Button onClick={onClose}>Not now</Button>
      )}
      <Button kind="primary" isBusy={isUnderWay} disabled={!file || name.trim() === ""} onClick={() => void go()}>
        {state.at === "broken" && state.isPassing
          ? "Go on"
          : upload !== undefined && state.at === "words"
            ? "Go on with the upload"
            : "Send and check"}
      </Button>
    </>
  );
  return (
    <Dialog
      title={model === undefined ? "Add a model" : `Add a version of ${model}`}
      isOpen
      onClose={onClose}
      footer={footer}
    >
      <div className="flex flex-col gap-3">
        <label
          onDragOver={(event) => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={(event) => {
            event.preventDefault();
            setOver(false);
            take(event.dataTransfer.files[0]);
          }}
          className={`flex cursor-pointer flex-col items-center gap-1 rounded-lg border-2 border-dashed px-4 py-6 text-center text-sm focus-within:border-accent ${isOver ? "border-accent bg-accent-soft" : ""}`}
        >
          <span className="font-medium">{file ? file.name : "Choose a file, or drop one here"}</span>
          <span className="text-xs text-muted">
            {file
              ? bytesWords(file.size)
              : "Of the format ONNX, with its weights in it. It is checked before it becomes a version."}
          </span>
          <input
            type="file"
            accept=".onnx"
            aria-label="File"
            className="sr-only"
            disabled={isUnderWay}
            onChange={(event) => take(event.target.files?.[0])}
          />
        </label>
        {upload !== undefined && state.at === "words" && (
          <p className="text-[13px] text-muted">
            An upload was begun before. Choose the same file, and it goes on where it ended.
          </p>
        )}
        {state.at === "sending" && file && (
          <div role="status" className="text-[13px]">
            <Progress label="Sending" value={state.offset} max={Math.max(1, file.size)} />
            <p className="mt-1 text-muted">
              {bytesWords(state.offset)} of {bytesWords(file.size)} are there
            </p>
          </div>
        )}
        {state.at === "checking" && (
          <div role="status" className="text-[13px]">
            <Progress label="Checking" />
            <p className="mt-1 text-muted">The server reads the file, and loads it on trial in a process of its own.</p>
          </div>
        )}
        {state.at === "broken" && (
          <div role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-[13px] text-bad">
            {state.message}
            {state.isPassing && " What was sent is kept for 24 hours: go on when the connection is back."}
            {state.requestId !== undefined && <div className="font-mono text-xs">Request {state.requestId}</div>}
          </div>
        )}
        <div className="grid gap-3 sm:grid-cols-2">
          {model === undefined && (
            <Field
              label="Name"
              className="sm:col-span-2"
              hint="Small letters, digits and hyphens. A model of this name gets another version."
            >
              <Input value={name} disabled={isUnderWay} onChange={(event) => setName(event.target.value)} />
            </Field>
          )}
          <Field label="Licence (may be left out)">
            <Input
              value={licence}
              placeholder="Apache-2.0"
              disabled={isUnderWay}
              onChange={(event) => setLicence(event.target.value)}
            />
          </Field>
          <Field label="Where it is from (may be left out)">
            <Input
              value={source}
              placeholder={file?.name ?? "the file's name"}
              disabled={isUnderWay}
              onChange={(event) => setSource(event.target.value)}
            />
          </Field>
          <div className="sm:col-span-2">
            <Switch
              label="Requests that name no version are answered by it at once"
              checked={promote}
              disabled={isUnderWay}
              onChange={setPromote}
            />
          </div>
        </div>
        <details>
          <summary className="text-[13px] text-muted">By the command line, with weights beside it or as GGUF</summary>
          <div className="mt-2">
            <CodeBlock
              label="command"
              code={`timeloom model add ${name.trim() || "NAME"} ${file?.name ?? "model.onnx"} --beside weights.bin --server ${location.origin}`}
            />
          </div>
        </details>
      </div>
    </Dialog>
  );
}

/** A name of a model out of that of a file. */
function nameOf(file: string): string {
  return file
    .toLowerCase()
    .replace(/\.onnx$/, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
}
