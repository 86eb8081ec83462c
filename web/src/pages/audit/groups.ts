import { EVENT_KINDS } from "@/app/event-kinds";
import type { EventFilter } from "@/gql/schema";

export const GROUPS = ["access", "signin", "credentials", "publishing", "registry", "reads", "all"] as const;
export type Group = (typeof GROUPS)[number];

export const GROUP_NAMES: Record<Group, string> = {
  access: "Accounts, roles, keys and tenants",
  signin: "Signing in",
  credentials: "Credentials",
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
  access: of("account", "tenant"),
  signin: SIGNING_IN,
  credentials: of("credential"),
  publishing: of("workflow"),
  registry: of("model", "agent", "plugin", "gateway"),
  reads: ["AuditTrailRead"],
};

/** Which events a group has; what is audited but for the reads where none is chosen. */
export function filterOf(group: Group | undefined, actor: string | undefined): EventFilter {
  const actors = actor === undefined ? undefined : [actor];
  if (group === "all") return { actors };
  const types =
    group === undefined
      ? Object.entries(TYPES).flatMap(([name, list]) => (name === "reads" ? [] : list))
      : TYPES[group];
  const told = [...new Set(types)].filter((type) => group === "access" || !NOISE.has(type));
  return { actors, types: told.filter((type) => group !== "access" || type !== "ApiKeyUsed") };
}
