import { useMemo } from "react";
import { Badge, Button, Icon, IconButton } from "@/ui";
import { danglingEdges, withoutDangling } from "../model/dangling";
import type { Problem } from "../state/draft";
import { useDraftState, useEditor } from "../state/editor";

const HINDERED = { RUN: "run", PUBLISH: "published", ACTIVATE: "activated" } as const;

export interface ProblemListProps {
  problems: readonly Problem[];
  onClose: () => void;
}

/** What the draft lacks, what matters most first, and the way to where it is mended. */
export function ProblemList({ problems, onClose }: ProblemListProps) {
  const { draft, openNode, say } = useEditor();
  const { history } = useDraftState();
  const dangling = useMemo(() => danglingEdges(history.present), [history.present]);
  const drop = () => {
    draft.edit(withoutDangling(draft.definition));
    say(`${dangling.length} connections that led nowhere are removed`);
  };
  return (
    <section aria-label="Problems of the draft" className="border-b bg-surface text-[13px]">
      <header className="flex items-center gap-2 px-4 pt-2">
        <p className="min-w-0 flex-1 text-muted">The draft is saved with all of this.</p>
        {dangling.length > 0 && (
          <Button size="small" onClick={drop}>
            Remove connections that lead nowhere
          </Button>
        )}
        <IconButton label="Close the list of problems" icon={<Icon name="close" />} onClick={onClose} />
      </header>
      <ul className="max-h-56 overflow-auto px-4 pb-2" tabIndex={0} aria-label="Problems">
        {problems.map((problem) => (
          <li
            key={`${problem.node ?? ""} ${problem.field} ${problem.message}`}
            className="flex flex-wrap items-baseline gap-x-2 py-1"
          >
            <Badge tone={problem.severity === "WARNING" ? "neutral" : "warn"}>
              {problem.severity === "WARNING" ? "hint" : "problem"}
            </Badge>
            <span className="min-w-0 flex-1 break-words">
              {problem.node !== undefined && (
                <button
                  type="button"
                  className="font-medium underline"
                  onClick={() => openNode(problem.node, problem.field === "timeoutSeconds" ? "node" : "parameters")}
                >
                  {problem.node}
                </button>
              )}
              {problem.node !== undefined && ": "}
              {problem.message}
              <span className="ml-2 text-xs text-muted">{hinderedInWords(problem)}</span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What is refused while a problem is there. */
export function hinderedInWords({ severity, hinders = [] }: Problem): string {
  if (severity === undefined) return "not saved";
  const steps = hinders.map((step) => HINDERED[step]);
  const last = steps.pop();
  if (last === undefined) return "";
  return `not ${steps.length === 0 ? last : `${steps.join(", ")} or ${last}`} meanwhile`;
}
