import { Button, Icon } from "@/ui";
import { useDraftState, useEditor } from "../state/editor";

const SHOWN = 3;

/** Why the draft is not saved, and where to mend it. */
export function ProblemBanner() {
  const { draft, openNode } = useEditor();
  const { state, problems, message } = useDraftState();
  if (state !== "refused" && state !== "failed") return null;
  return (
    <section
      role="status"
      aria-label="Not saved"
      className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b bg-warn-soft px-4 py-2 text-[13px] text-warn"
    >
      <Icon name="warning" className="mt-0.5" />
      <div className="min-w-0 flex-1">
        <p className="font-medium">
          {state === "failed"
            ? "Your changes are not saved: the server could not be asked. They are kept here; they are sent again with the next change."
            : "Your changes are kept here, but they cannot be saved as they are."}
        </p>
        {problems.length === 0 && <p className="break-words">{message}</p>}
        <ul>
          {problems.slice(0, SHOWN).map((problem) => (
            <li key={`${problem.node ?? ""} ${problem.field} ${problem.message}`} className="break-words">
              {problem.node !== undefined && (
                <button
                  type="button"
                  className="font-medium underline"
                  onClick={() => openNode(problem.node, "parameters")}
                >
                  {problem.node}
                </button>
              )}
              {problem.node !== undefined && ": "}
              {problem.message}
            </li>
          ))}
        </ul>
        {problems.length > SHOWN && <p>and {problems.length - SHOWN} more</p>}
      </div>
      <Button size="small" onClick={() => void draft.save()}>
        Try again
      </Button>
    </section>
  );
}
