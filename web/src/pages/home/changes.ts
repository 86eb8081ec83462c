import type { EventFilter, Permission } from "@/gql/schema";

/** What is told of a kind of thing: the words for each change, which come before its name. */
interface Told {
  permission: Permission;
  words: Record<string, string>;
}

/** By the category of the events. What runs do by themselves is not told here, nor what is tried out all the time. */
const TOLD: Record<string, Told> = {
  workflow: {
    permission: "WORKFLOW_READ",
    words: {
      WorkflowCreated: "made",
      WorkflowUpdated: "changed the draft of",
      WorkflowSettingsChanged: "changed the settings of",
      WorkflowVersionPublished: "published",
      WorkflowActivated: "activated",
      WorkflowDeactivated: "deactivated",
      WorkflowMoved: "moved",
      WorkflowArchived: "archived",
      WorkflowUnarchived: "took out of the archive",
      WorkflowRolloutStarted: "began to roll out a version of",
      WorkflowRolloutChanged: "changed the roll-out of",
      WorkflowRolloutPromoted: "promoted a version of",
      WorkflowRolloutRolledBack: "rolled back a version of",
    },
  },
  agent: {
    permission: "REGISTRY_READ",
    words: {
      AgentRegistered: "registered the agent",
      AgentVersionPublished: "published the agent",
      AgentConfigChanged: "changed the configuration of the agent",
      AgentDeprecated: "deprecated the agent",
      AgentRetired: "retired the agent",
    },
  },
  model: {
    permission: "REGISTRY_READ",
    words: {
      ModelRegistered: "registered the model",
      ModelVersionAdded: "added a version of the model",
      ModelVersionWithdrawn: "withdrew a version of the model",
      ModelPromoted: "promoted the model",
      ModelRolledBack: "rolled back the model",
      ModelConfigured: "changed the settings of the model",
      ModelEnabled: "enabled the model",
      ModelDisabled: "disabled the model",
      ModelRetired: "retired the model",
    },
  },
  gateway: {
    permission: "REGISTRY_READ",
    words: {
      GatewayProviderSet: "set a provider of the",
      GatewayProviderRemoved: "removed a provider of the",
      GatewayRouteSet: "set a route of the",
      GatewayRouteRemoved: "removed a route of the",
      GatewayLimitSet: "set a limit of the",
      GatewayLimitRemoved: "removed a limit of the",
      GatewayPricesSet: "set the prices of the",
    },
  },
};

/** The changes that somebody may see; `undefined` where they may see none. */
export function filterOf(can: (permission: Permission) => boolean): EventFilter | undefined {
  const seen = Object.entries(TOLD).filter(([, { permission }]) => can(permission));
  if (seen.length === 0) return undefined;
  return { categories: seen.map(([category]) => category), types: seen.flatMap(([, { words }]) => Object.keys(words)) };
}

/** What somebody did, in words that come before the name of what they did it to. */
export function deedOf({ category, type }: { category: string; type: string }): string {
  return TOLD[category]?.words[type] ?? type;
}

/** A change by somebody; `times` of the same kind one behind the other. */
export interface Deed<E> {
  event: E;
  times: number;
}

interface Change {
  type: string;
  streamId: string;
  actor: { kind: string; name: string };
}

/** Changes with those of one kind, thing and person taken together: an editor saves often. */
export function deedsOf<E extends Change>(events: readonly E[]): Deed<E>[] {
  const deeds: Deed<E>[] = [];
  for (const event of events) {
    const last = deeds.at(-1);
    if (last && isLike(last.event, event)) last.times += 1;
    else deeds.push({ event, times: 1 });
  }
  return deeds;
}

function isLike(one: Change, other: Change): boolean {
  return (
    one.type === other.type &&
    one.streamId === other.streamId &&
    one.actor.kind === other.actor.kind &&
    one.actor.name === other.actor.name
  );
}
