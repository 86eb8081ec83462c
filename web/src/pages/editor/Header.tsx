import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Badge, Button, Icon, IconButton, Input, Menu, type MenuItem } from "@/ui";
import { useDraftState, useEditor } from "./state/editor";
import type { Problem, SaveState } from "./state/draft";

const SAVE_WORDS: Record<SaveState, string> = {
  saved: "Saved",
  changed: "Not saved yet",
  saving: "Saving …",
  refused: "Not saved",
  failed: "Not saved",
  conflict: "Changed by two",
};

export interface HeaderProps {
  isActive: boolean;
  activeVersion: number | undefined;
  publishedVersion: number | undefined;
  folder: string;
  isArchived: boolean;
  isRunning: boolean;
  /** What is missing in the draft, or wrong. */
  problems: readonly Problem[];
  isListOpen: boolean;
  onProblems: () => void;
  /** Absent where whoever looks may not. */
  onRun: (() => void) | undefined;
  onPublish: () => void;
  menu: readonly (MenuItem | "line")[];
}

/** What the workflow is called, whether it is saved, and what can be done with all of it. */
export function Header(props: HeaderProps) {
  const { draft, commands, isReadOnly, openPalette } = useEditor();
  const { history, state } = useDraftState();
  return (
    <header className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b bg-surface px-3 py-2 md:px-4">
      <div className="flex min-w-0 flex-1 basis-60 items-center gap-2">
        <div className="min-w-0">
          <div className="mb-1 truncate text-xs text-muted">
            <Link to="/workflows" className="hover:underline">
              Workflows
            </Link>
            {props.folder !== "" && ` / ${props.folder.replaceAll("/", " / ")}`}
          </div>
          {isReadOnly ? (
            <h1 className="truncate text-[15px] leading-6 font-semibold tracking-tight">{history.present.name}</h1>
          ) : (
            <Name name={history.present.name} onRename={(name) => draft.edit({ ...draft.definition, name })} />
          )}
        </div>
        {props.isArchived && <Badge tone="warn">archived</Badge>}
        {props.isActive && (
          <Badge tone="good">active{props.activeVersion !== undefined && ` · version ${props.activeVersion}`}</Badge>
        )}
        {!props.isActive && props.publishedVersion !== undefined && <Badge>version {props.publishedVersion}</Badge>}
        {!isReadOnly && (
          <button
            type="button"
            title="Save now (Ctrl+S)"
            onClick={() => void draft.save()}
            className={`shrink-0 text-xs whitespace-nowrap ${state === "refused" || state === "failed" || state === "conflict" ? "text-warn" : "text-muted"} hover:text-text`}
          >
            {SAVE_WORDS[state]}
          </button>
        )}
        {props.problems.length > 0 && (
          <Button size="small" aria-expanded={props.isListOpen} onClick={props.onProblems}>
            <Icon name="warning" className="text-warn" />
            {inWords(props.problems)}
          </Button>
        )}
      </div>
      <div role="toolbar" aria-label="Workflow" className="flex flex-wrap items-center gap-1">
        {!isReadOnly && (
          <>
            <IconButton
              label="Undo"
              icon={<span aria-hidden>↶</span>}
              disabled={history.past.length === 0}
              onClick={() => commands.undo()}
            />
            <IconButton
              label="Redo"
              icon={<span aria-hidden>↷</span>}
              disabled={history.future.length === 0}
              onClick={() => commands.redo()}
            />
            <Button onClick={() => openPalette(commands.placeNow())}>
              <Icon name="plus" />
              Add
            </Button>
          </>
        )}
        {props.onRun && (
          <Button kind="primary" isBusy={props.isRunning} onClick={props.onRun}>
            <Icon name="play" />
            Run
          </Button>
        )}
        {!isReadOnly && <Button onClick={props.onPublish}>Publish</Button>}
        <Menu trigger={<IconButton label="More" icon={<Icon name="more" />} />} items={props.menu} />
      </div>
    </header>
  );
}

/** How many problems hinder something, else how many hints there are. */
function inWords(problems: readonly Problem[]): string {
  const errors = problems.filter(({ severity }) => severity !== "WARNING").length;
  const [count, word] = errors > 0 ? [errors, "problem"] : [problems.length, "hint"];
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

function Name({ name, onRename }: { name: string; onRename: (name: string) => void }) {
  const [text, setText] = useState<string>();
  if (text === undefined)
    return (
      <h1 className="truncate text-[15px] leading-6 font-semibold tracking-tight">
        <button
          type="button"
          title="Rename the workflow"
          className="max-w-full truncate rounded hover:bg-hover"
          onClick={() => setText(name)}
        >
          {name === "" ? "Without a name" : name}
        </button>
      </h1>
    );
  const take = () => {
    if (text.trim() !== "" && text.trim() !== name) onRename(text.trim());
    setText(undefined);
  };
  return (
    <>
      <h1 className="sr-only">{name}</h1>
      <Input
        autoFocus
        aria-label="Name of the workflow"
        className="!h-7 w-64 max-w-full"
        value={text}
        onFocus={(event) => event.target.select()}
        onChange={(event) => setText(event.target.value)}
        onBlur={take}
        onKeyDown={(event) => {
          if (event.key === "Enter") take();
          else if (event.key === "Escape") setText(undefined);
        }}
      />
    </>
  );
}
