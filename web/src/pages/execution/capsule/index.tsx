import { type DragEvent, useCallback, useEffect, useRef, useState } from "react";
import { useActions } from "@/app/actions";
import { usePageTitle } from "@/app/title";
import { Button, CodeBlock, Icon, PageHeader, Progress, classes } from "@/ui";
import { CapsuleDebugger } from "./CapsuleDebugger";
import { type OpenedExecution, openExecution } from "./open";
import { type Capsule, FILE_BYTES_MAX, readCapsule } from "./read";
import { Refusal } from "./refusal";

type Stand =
  | { is: "empty" }
  | { is: "reading"; name: string; share: number }
  | { is: "refused"; name: string; why: string }
  | { is: "open"; name: string; capsule: Capsule; first: OpenedExecution };

/** A capsule as the debugger shows it: read and proved by the browser, and sent nowhere. */
export function CapsulePage() {
  const [stand, setStand] = useState<Stand>({ is: "empty" });
  const [isOver, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const reading = useRef(0);
  usePageTitle(stand.is === "open" ? stand.first.workflow.name : undefined, "Capsule");
  useEffect(() => () => void (reading.current += 1), []);
  const choose = useCallback(() => picker.current?.click(), []);
  useActions([{ id: "capsule-open", label: "Open a capsule file", run: choose }]);
  const read = async (file: File) => {
    reading.current += 1;
    const turn = reading.current;
    const isLatest = () => turn === reading.current;
    setStand({ is: "reading", name: file.name, share: 0 });
    try {
      const capsule = await readCapsule(file, (share) => {
        if (isLatest()) setStand({ is: "reading", name: file.name, share });
      });
      const first = openExecution(capsule, capsule.manifest.execution);
      if (isLatest()) setStand({ is: "open", name: file.name, capsule, first });
    } catch (error) {
      if (isLatest()) setStand({ is: "refused", name: file.name, why: whyOf(error) });
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const [file] = event.dataTransfer.files;
    if (file) void read(file);
  };
  return (
    <div
      className={classes("flex min-h-0 flex-1 flex-col", isOver && "ring-2 ring-accent ring-inset")}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <input
        ref={picker}
        type="file"
        hidden
        aria-label="Capsule file"
        accept=".capsule,application/zip"
        onChange={(event) => {
          const [file] = event.target.files ?? [];
          // The same file may be chosen again, after it was changed.
          event.target.value = "";
          if (file) void read(file);
        }}
      />
      {stand.is === "open" ? (
        <CapsuleDebugger
          key={stand.name + stand.capsule.manifest.execution + stand.capsule.manifest.treeSize}
          name={stand.name}
          capsule={stand.capsule}
          first={stand.first}
          onChoose={choose}
        />
      ) : (
        <Beginning stand={stand} onChoose={choose} />
      )}
    </div>
  );
}

function whyOf(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  // What else happens is the browser's: it has no room left, or the file went away while it was read.
  return error instanceof Error ? `the browser could not read it (${error.message})` : "the browser could not read it";
}

function Beginning({ stand, onChoose }: { stand: Exclude<Stand, { is: "open" }>; onChoose: () => void }) {
  return (
    <>
      <PageHeader title="Capsule">One execution in one file, opened in this browser</PageHeader>
      <div className="mx-auto flex w-full max-w-2xl flex-col gap-4 p-4 md:p-8">
        {stand.is === "refused" && (
          <div role="alert" className="rounded-lg border border-bad bg-bad-soft px-4 py-3 text-sm text-bad">
            <p className="font-semibold break-words">{stand.name} is not opened</p>
            <p className="break-words">{sentence(stand.why)}</p>
            <p className="mt-1 text-text">
              Nothing of it is shown. Ask whoever gave it to you for the file as it was made.
            </p>
          </div>
        )}
        <div className="flex flex-col items-center gap-3 rounded-lg border border-dashed border-line-strong bg-surface px-4 py-10 text-center">
          <span className="rounded-full bg-accent-soft p-3 text-accent">
            <Icon name="execution" className="size-5" />
          </span>
          {stand.is === "reading" ? (
            <div role="status" className="w-full max-w-xs">
              <p className="text-sm break-words">Reading and proving {stand.name}</p>
              <Progress label="Reading and proving" value={Math.round(stand.share * 100)} max={100} />
            </div>
          ) : (
            <>
              <p className="text-[15px] font-semibold">Drop a capsule here</p>
              <Button kind="primary" onClick={onChoose}>
                Choose a file
              </Button>
              <p className="text-xs text-muted">At most {FILE_BYTES_MAX / 2 ** 20} MiB</p>
            </>
          )}
        </div>
        <div className="flex flex-col gap-2 text-sm text-muted">
          <p>
            The file stays in this browser: it is read, proved and shown here, without a server, and without a network
            once this page was open here before. What is in it is only looked at; nothing can be changed.
          </p>
          <p>
            A capsule is made of an execution that has ended: with <b>Make a capsule</b> in the menu of its page, or by
          </p>
          <CodeBlock label="Make a capsule" code="timeloom capsule make EXECUTION -o order.capsule" />
        </div>
      </div>
    </>
  );
}

/** A fragment as a sentence. */
function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
