import { useState } from "react";
import { Button, Dialog, DiffView, Icon } from "@/ui";
import { changesInWords } from "../model/changes";
import { diffDefinitions } from "../model/json-diff";
import { mergeDefinitions } from "../model/merge";
import { useDraftState, useEditor } from "../state/editor";

const SHOWN = 4;

/** Somebody changed the workflow while there are changes here: which of them is to count. Nothing is lost by either. */
export function ConflictBanner() {
  const { draft, say } = useEditor();
  const { conflict, saved, history } = useDraftState();
  const [isComparing, setComparing] = useState(false);
  if (!conflict) return null;
  const theirs = changesInWords(saved, conflict.theirs);
  const mine = changesInWords(saved, history.present);
  const { disputed } = mergeDefinitions(saved, history.present, conflict.theirs);
  const settle = (choice: "mine" | "theirs" | "both") => {
    draft.settle(choice);
    say("Settled. Undo brings back what was not taken.");
  };
  return (
    <section
      role="alert"
      aria-label="Changed by two"
      className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b bg-warn-soft px-4 py-2 text-[13px] text-warn"
    >
      <Icon name="warning" />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{conflict.by} changed this workflow meanwhile.</p>
        <p>
          They {inShort(theirs)}. You {inShort(mine)}.{" "}
          {disputed.length > 0 && `Both changed ${disputed.slice(0, SHOWN).join(", ")}: of these, yours would be kept.`}
        </p>
      </div>
      <div className="flex flex-wrap gap-2">
        <Button size="small" onClick={() => setComparing(true)}>
          Compare
        </Button>
        <Button size="small" onClick={() => settle("theirs")}>
          Take theirs
        </Button>
        <Button size="small" onClick={() => settle("mine")}>
          Keep mine
        </Button>
        <Button size="small" kind="primary" onClick={() => settle("both")}>
          Put both together
        </Button>
      </div>
      <Dialog title="From yours to theirs" size="large" isOpen={isComparing} onClose={() => setComparing(false)}>
        <DiffView label="From yours to theirs" changes={diffDefinitions(history.present, conflict.theirs)} />
      </Dialog>
    </section>
  );
}

function inShort(words: readonly string[]): string {
  if (words.length === 0) return "changed nothing that is seen here";
  const rest = words.length > SHOWN ? ` and ${words.length - SHOWN} more` : "";
  return words.slice(0, SHOWN).join(", ") + rest;
}
