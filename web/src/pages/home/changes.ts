const WORDS: Record<string, string> = {
  WorkflowCreated: "made",
  WorkflowUpdated: "changed the draft of",
  WorkflowSettingsChanged: "changed the settings of",
  WorkflowVersionPublished: "published",
  WorkflowActivated: "activated",
  WorkflowDeactivated: "deactivated",
  WorkflowMoved: "moved",
  WorkflowArchived: "archived",
};

/** What somebody did to a workflow, in words that come before its name. */
export function deedOf(type: string): string {
  return WORDS[type] ?? type;
}

/** A change of a workflow by somebody; `times` of the same kind one behind the other. */
export interface Deed<E> {
  event: E;
  times: number;
}

interface EventOfWorkflow {
  type: string;
  streamId: string;
  actor: { kind: string; name: string };
}

/** Changes with those of one kind, workflow and person taken together: an editor saves often. */
export function deedsOf<E extends EventOfWorkflow>(events: readonly E[]): Deed<E>[] {
  const deeds: Deed<E>[] = [];
  for (const event of events) {
    const last = deeds.at(-1);
    if (last && isLike(last.event, event)) last.times += 1;
    else deeds.push({ event, times: 1 });
  }
  return deeds;
}

function isLike(one: EventOfWorkflow, other: EventOfWorkflow): boolean {
  return (
    one.type === other.type &&
    one.streamId === other.streamId &&
    one.actor.kind === other.actor.kind &&
    one.actor.name === other.actor.name
  );
}
