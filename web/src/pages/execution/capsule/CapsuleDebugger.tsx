import { useMemo, useState } from "react";
import { useKeys } from "@/app/keys";
import { Badge, Button, Elapsed, Icon, Select, StatusBadge, Time, type Tone } from "@/ui";
import { Explorer } from "../Explorer";
import { useExplored } from "../explore";
import type { ExecutionSearch } from "../search";
import { SourceContext } from "../source";
import { useDefinition } from "../useDefinition";
import { About } from "./About";
import type { Role } from "./manifest";
import { type OpenedExecution, openExecution } from "./open";
import type { Capsule } from "./read";
import { type Keys, type Signed, useSigned } from "./signer";

export interface CapsuleDebuggerProps {
  /** Name of the file. */
  name: string;
  capsule: Capsule;
  /** The execution that it is about. */
  first: OpenedExecution;
  /** Somebody wants another file. */
  onChoose: () => void;
}

/** A capsule that was read: its executions, one at a time. */
export function CapsuleDebugger({ name, capsule, first, onChoose }: CapsuleDebuggerProps) {
  const [given, setGiven] = useState<Keys | undefined>();
  const signed = useSigned(capsule.checkpoint, given);
  const [chosen, setChosen] = useState(first.id);
  const opened = useMemo(
    () => (chosen === first.id ? first : openExecution(capsule, chosen)),
    [capsule, first, chosen],
  );
  return (
    <SourceContext value={opened.source}>
      <Opened
        key={opened.id}
        name={name}
        capsule={capsule}
        opened={opened}
        signed={signed}
        onExecution={setChosen}
        onKeys={setGiven}
        onChoose={onChoose}
      />
    </SourceContext>
  );
}

interface OpenedProps {
  name: string;
  capsule: Capsule;
  opened: OpenedExecution;
  signed: Signed;
  onExecution: (id: string) => void;
  onKeys: (keys: Keys) => void;
  onChoose: () => void;
}

function Opened(props: OpenedProps) {
  const { capsule, opened, signed, onKeys } = props;
  const { history, breakpoints } = opened;
  const [view, setView] = useState<ExecutionSearch>({});
  const [change] = useState(() => (next: Partial<ExecutionSearch>) => setView((before) => ({ ...before, ...next })));
  const explored = useExplored(history, 0, view, change);
  const { drawn, changed } = useDefinition(opened.beginning);
  useKeys(
    explored.keys.map((key) => (key.keys === "." ? { ...key, does: "newest event" } : key)),
    "Capsule",
  );
  return (
    <Explorer
      id={opened.id}
      explored={explored}
      drawn={drawn}
      changed={changed}
      breakpoints={breakpoints}
      isOpen={false}
      head={<Head {...props} onNode={explored.goToNode} onAbout={() => explored.openTab("about")} />}
      panels={[
        {
          value: "about",
          label: "Capsule",
          content: () => <About capsule={capsule} opened={opened} signed={signed} onKeys={onKeys} onGo={explored.go} />,
        },
      ]}
    />
  );
}

const PROOFS: Record<Signed["is"], [words: string, tone: Tone]> = {
  checking: ["being proved", "neutral"],
  proved: ["proved", "good"],
  unknown: ["whole, but not proved", "warn"],
  other: ["signed by another key", "bad"],
  failed: ["whole, but not proved", "warn"],
};

interface HeadProps extends OpenedProps {
  onNode: (node: string) => void;
  onAbout: () => void;
}

function Head({ name, capsule, opened, signed, onExecution, onChoose, onNode, onAbout }: HeadProps) {
  const { workflow, error } = opened;
  const [words, tone] = PROOFS[signed.is];
  const executions = capsule.manifest.streams.filter(({ category }) => category === "execution");
  return (
    <>
      <header className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b bg-surface px-3 py-2 md:px-4">
        <div className="min-w-0 flex-1 basis-60">
          <h1 className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-0.5 text-[15px] font-semibold tracking-tight">
            <span className="max-w-full min-w-0 truncate" title={workflow.name}>
              {workflow.name}
            </span>
            <StatusBadge status={opened.status} />
            <button type="button" className="shrink-0" title="What is proved, and what is in it" onClick={onAbout}>
              <Badge tone={tone}>{words}</Badge>
            </button>
          </h1>
          <p className="flex flex-wrap items-center gap-x-2 text-xs text-muted">
            <span className="max-w-56 truncate" title={name}>
              {name}
            </span>
            <span>
              ·{" "}
              {workflow.version === undefined ? `draft, revision ${workflow.revision}` : `version ${workflow.version}`}
            </span>
            {opened.startedAt !== undefined && (
              <>
                <span className="hidden sm:inline">
                  · <Time value={opened.startedAt} />
                </span>
                <span>
                  · <Elapsed from={opened.startedAt} to={opened.endedAt} />
                </span>
              </>
            )}
            <span>· only looked at</span>
          </p>
        </div>
        {executions.length > 1 && (
          <Select
            aria-label="Execution"
            value={opened.id}
            onChange={onExecution}
            choices={executions.map(({ id, role }) => ({ value: id, label: labelOf(id, role) }))}
            className="h-7 max-w-64 text-[13px]"
          />
        )}
        <Button size="small" onClick={onChoose}>
          Open another
        </Button>
      </header>
      {error && (
        <div
          role="alert"
          className="flex items-center gap-2 border-b bg-bad-soft px-3 py-1.5 text-[13px] text-bad md:px-4"
        >
          <Icon name="warning" />
          <span className="min-w-0 break-words">
            <FailedNode node={error.node} onNode={onNode} />
            {error.message}
          </span>
        </div>
      )}
    </>
  );
}

function FailedNode({ node, onNode }: { node: string | undefined; onNode: (node: string) => void }) {
  if (node === undefined) return null;
  return (
    <>
      <button type="button" className="font-semibold underline" onClick={() => onNode(node)}>
        {node}
      </button>
      {": "}
    </>
  );
}

const ROLES: Record<Role, string> = {
  execution: "this execution",
  earlier: "from which it goes on",
  called: "called by it",
  workflow: "",
};

function labelOf(id: string, role: Role): string {
  return `${id.slice(0, 8)}…${id.slice(-4)}, ${ROLES[role]}`;
}
