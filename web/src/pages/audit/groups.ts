import { EVENT_KINDS } from "@/app/event-kinds";
import type { EventFilter } from "@/gql/schema";

export const GROUPS = ["access", "signin", "credentials", "data", "publishing", "registry", "reads", "all"] as const;
export type Group = (typeof GROUPS)[number];

export const GROUP_NAMES: Record<Group, string> = {
  access: "Accounts, roles, keys, tenants and flags",
  signin: "Signing in",
  credentials: "Credentials",
  data: "Erasures, retention and backups",
  publishing: "Workflows",
  registry: "Models, agents, plugins, gateway",
  reads: "Who looked at the audit trail",
  all: "Everything in the log",
};

const of = (...categories: string[]) =>
  EVENT_KINDS.filter((kind) => categories.includes(kind.category)).flatMap((kind) => kind.types);

/** That a key or session was used again says nothing that its beginning does not. */
const NOISE = new Set(["SessionUsed", "ApiKeyUsed", "PasswordResealed", "CredentialResealed"]);
const SIGNING_IN = ["SessionStarted", "SessionEnded", "SignInRefused", "SignInLinkUsed"];

const TYPES: Record<Exclude<Group, "all">, readonly string[]> = {
  access: of("account", "tenant", "feature-flag"),
  signin: SIGNING_IN,
  credentials: of("credential"),
  data: [...of("subject", "retention", "archive"), "BackupTaken"],
  publishing: of("workflow"),
  registry: of("model", "agent", "plugin", "gateway"),
  reads: ["AuditTrailRead"],
};

const AUDITED = [
  "account",
  "session",
  "tenant",
  "credential",
  "workflow",
  "model",
  "agent",
  "plugin",
  "gateway",
  "subject",
  "retention",
  "feature-flag",
  "archive",
  "audit",
];

/** Which events a group has; what is audited where none is chosen. */
export function filterOf(group: Group | undefined, actor: string | undefined): EventFilter {
  const actors = actor === undefined ? undefined : [actor];
  if (group === "all") return { actors };
  // More types than one question may name: what is too much of these is left out when it comes.
  if (group === undefined) return { actors, categories: AUDITED };
  return { actors, types: TYPES[group].filter((type) => !NOISE.has(type)) };
}

/** Whether a line is shown: reads of the trail itself, and what is repeated, only where somebody asks for them. */
export function isTold(group: Group | undefined, type: string): boolean {
  return group !== undefined || (type !== "AuditTrailRead" && !NOISE.has(type));
}
