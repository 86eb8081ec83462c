import { useSyncExternalStore } from "react";
import type { Definition } from "../model/definition";
import { stepBetween } from "../model/changes";
import { type History, begin, record, redo, undo } from "../model/history";
import { mergeDefinitions } from "../model/merge";

export interface Problem {
  node: string | undefined;
  field: string;
  message: string;
  /** Absent where it is why the draft is not saved. */
  severity?: "ERROR" | "WARNING";
  /** What is refused while it is there. */
  hinders?: readonly ("RUN" | "PUBLISH" | "ACTIVATE")[];
}

/** What the server has now, made by somebody else, while there are changes here that it has not. */
export interface Conflict {
  theirs: Definition;
  revision: number;
  by: string;
  /** What theirs lacks, where that was told. */
  problems?: readonly Problem[];
}

/** What became of an attempt to save. */
export type Saved =
  | { kind: "saved"; revision: number; workflowId?: string; problems?: readonly Problem[] }
  | { kind: "refused"; message: string; problems: readonly Problem[] }
  | ({ kind: "conflict" } & Conflict)
  | { kind: "failed"; message: string };

export type SaveState = "saved" | "changed" | "saving" | "refused" | "failed" | "conflict";

export interface DraftState {
  history: History<Definition>;
  /** As the server has it. */
  saved: Definition;
  revision: number;
  state: SaveState;
  /** Why it is not saved. */
  problems: readonly Problem[];
  /** What the draft lacks that the server has. */
  lacks: readonly Problem[];
  message: string | undefined;
  conflict: Conflict | undefined;
  /** Names of the nodes that are chosen; the last is the one that keys act on. */
  selection: readonly string[];
  /** A connection that is chosen, by its id. */
  edge: string | undefined;
}

export type Save = (present: Definition, saved: Definition, revision: number) => Promise<Saved>;

const SAVES_AFTER_MS = 1_500;

/** The draft that is edited: its history, what of it is saved, and what somebody else made of it. */
export class Draft {
  private now: DraftState;
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private saving: Promise<boolean> | undefined;
  private waiting: Conflict | undefined;
  private created: string | undefined;
  private isFixed = false;

  constructor(
    saved: Definition,
    revision: number,
    private readonly save_: Save,
    private readonly savesAfter = SAVES_AFTER_MS,
    lacks: readonly Problem[] = [],
  ) {
    const fresh = { problems: [], lacks, message: undefined, conflict: undefined, selection: [], edge: undefined };
    this.now = { history: begin(saved), saved, revision, state: revision === 0 ? "changed" : "saved", ...fresh };
  }

  readonly get = (): DraftState => this.now;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  /** The workflow's id, once a new one was saved. */
  get workflowId(): string | undefined {
    return this.created;
  }

  /** Whether anything was changed at all. */
  hasEdits(): boolean {
    return this.now.history.past.length > 0;
  }

  get definition(): Definition {
    return this.now.history.present;
  }

  /** Lets nothing be changed here, or again; what others do still comes in. */
  fix(isFixed: boolean): void {
    this.isFixed = isFixed;
  }

  /** Makes an edit. `merge` joins it to the one before of the same name. */
  edit(next: Definition, options: { merge?: string; select?: readonly string[] } = {}): void {
    if (this.isFixed) return;
    this.become(record(this.now.history, next, options.merge), options.select);
  }

  undo(): boolean {
    if (this.isFixed) return false;
    const before = this.now.history;
    this.become(undo(before));
    return this.now.history !== before;
  }

  redo(): boolean {
    if (this.isFixed) return false;
    const before = this.now.history;
    this.become(redo(before));
    return this.now.history !== before;
  }

  select(names: readonly string[], edge?: string): void {
    const { selection } = this.now;
    const isSame = names.length === selection.length && names.every((name, place) => name === selection[place]);
    if (isSame && edge === this.now.edge) return;
    this.set({ selection: isSame ? selection : names, edge });
  }

  /** Saves at once. `true` when the server has everything that is here. */
  async save(): Promise<boolean> {
    clearTimeout(this.timer);
    if (this.isFixed) return this.isSaved();
    if (this.saving) {
      await this.saving;
      return this.isSaved() || this.save();
    }
    if (this.now.state === "conflict") return false;
    if (this.isSaved()) return true;
    this.saving = this.send();
    const isDone = await this.saving;
    this.saving = undefined;
    this.lookAtWaiting();
    return isDone;
  }

  /** Somebody else's change came. */
  changedElsewhere(theirs: Definition, revision: number, by: string, problems?: readonly Problem[]): void {
    if (revision <= this.now.revision) return;
    this.waiting = { theirs, revision, by, problems };
    if (!this.saving) this.lookAtWaiting();
  }

  /** Settles a conflict. What is not taken stays in the history, so that undo brings it back. */
  settle(choice: "mine" | "theirs" | "both"): void {
    const { conflict, history, saved } = this.now;
    if (!conflict) return;
    const { theirs, revision } = conflict;
    const present = {
      mine: history.present,
      theirs,
      both: mergeDefinitions(saved, history.present, theirs).definition,
    }[choice];
    const lacks = conflict.problems ?? this.now.lacks;
    this.set({
      saved: theirs,
      revision,
      lacks,
      conflict: undefined,
      state: "changed",
      history: record(history, present),
    });
    this.become(this.now.history);
    if (choice !== "theirs") void this.save();
  }

  isSaved(): boolean {
    return this.now.revision > 0 && stepBetween(this.now.saved, this.definition).kind === "none";
  }

  /** Ends timers when the page is left. */
  close(): void {
    clearTimeout(this.timer);
  }

  private async send(): Promise<boolean> {
    const { saved, revision } = this.now;
    const sent = this.definition;
    this.set({ state: "saving" });
    const outcome = await this.save_(sent, saved, revision);
    switch (outcome.kind) {
      case "saved":
        this.created ??= outcome.workflowId;
        this.set({
          saved: sent,
          revision: outcome.revision,
          problems: [],
          lacks: outcome.problems ?? this.now.lacks,
          message: undefined,
          state: "saved",
        });
        if (!this.isSaved()) {
          this.set({ state: "changed" });
          this.saveSoon();
        }
        return this.isSaved();
      case "conflict":
        this.set({ state: "conflict", conflict: outcome });
        return false;
      case "refused":
        this.set({ state: "refused", problems: outcome.problems, message: outcome.message });
        return false;
      case "failed":
        this.set({ state: "failed", message: outcome.message });
        return false;
    }
  }

  private become(history: History<Definition>, select?: readonly string[]): void {
    const names = new Set(history.present.nodes.map((node) => node.name));
    const selection = select ?? this.now.selection.filter((name) => names.has(name));
    this.set({ history, selection, edge: select ? undefined : this.now.edge });
    if (this.now.conflict) return;
    if (this.isSaved()) this.set({ state: "saved", problems: [], message: undefined });
    else {
      if (this.now.state !== "saving") this.set({ state: this.now.state === "refused" ? "refused" : "changed" });
      this.saveSoon();
    }
  }

  private saveSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.save(), this.savesAfter);
  }

  private lookAtWaiting(): void {
    const { waiting } = this;
    this.waiting = undefined;
    if (!waiting || waiting.revision <= this.now.revision) return;
    const { theirs, revision } = waiting;
    const lacks = waiting.problems ?? this.now.lacks;
    if (stepBetween(theirs, this.definition).kind === "none")
      this.set({ saved: theirs, revision, lacks, state: "saved", conflict: undefined });
    else if (stepBetween(this.now.saved, theirs).kind === "none") this.set({ revision });
    else if (this.isSaved()) {
      this.set({ saved: theirs, revision, lacks });
      this.become(record(this.now.history, theirs));
    } else {
      clearTimeout(this.timer);
      this.set({ conflict: waiting, state: "conflict" });
    }
  }

  private set(part: Partial<DraftState>): void {
    this.now = { ...this.now, ...part };
    for (const listener of this.listeners) listener();
  }
}

/** Everything that is wrong with a draft, or missing: what keeps it from being saved first. */
export function problemsOf({ problems, lacks }: Pick<DraftState, "problems" | "lacks">): readonly Problem[] {
  return problems.length === 0 ? lacks : [...problems, ...lacks];
}

export function useDraft(draft: Draft): DraftState {
  return useSyncExternalStore(draft.subscribe, draft.get);
}
