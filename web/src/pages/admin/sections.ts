import type { Permission } from "@/gql/schema";

/** What there is to look after. `permission` is what it takes to see it; one's own keys and sessions take none. */
export const SECTIONS = [
  { section: "accounts", label: "Accounts", permission: "ACCOUNT_READ" },
  { section: "keys", label: "Keys" },
  { section: "sessions", label: "Sessions" },
  { section: "credentials", label: "Credentials", permission: "CREDENTIAL_READ" },
  { section: "tenants", label: "Tenants", permission: "TENANT_WRITE" },
  { section: "flags", label: "Flags", permission: "TENANT_WRITE" },
  { section: "erasures", label: "Erasures", permission: "ERASURE_REQUEST" },
  { section: "retention", label: "Retention", permission: "ERASURE_REQUEST" },
  { section: "backups", label: "Backups", permission: "SYSTEM_READ" },
  { section: "projections", label: "Projections", permission: "SYSTEM_READ" },
  { section: "archive", label: "Archive", permission: "SYSTEM_READ" },
  { section: "triggers", label: "Triggers", permission: "WORKFLOW_READ" },
  { section: "workers", label: "Workers", permission: "SYSTEM_READ" },
  { section: "system", label: "System" },
  { section: "browser", label: "This browser" },
] as const satisfies readonly { section: string; label: string; permission?: Permission }[];

export type Section = (typeof SECTIONS)[number]["section"];

export const ROLES = ["OWNER", "ADMIN", "EDITOR", "OPERATOR", "AUDITOR", "VIEWER"] as const;

export const ROLE_WORDS: Record<(typeof ROLES)[number], string> = {
  OWNER: "everything; there is always one",
  ADMIN: "everything but tenants and owners",
  EDITOR: "builds workflows and runs them",
  OPERATOR: "runs workflows that others built, and looks after what runs",
  AUDITOR: "reads everything, the audit trail included, and changes nothing",
  VIEWER: "sees workflows and what they did",
};

/** How a permission is written on the command line and in messages. */
export function permissionName(permission: Permission): string {
  return permission.toLowerCase().replace("_", ":");
}

export const PERMISSIONS: readonly Permission[] = [
  "WORKFLOW_READ",
  "WORKFLOW_WRITE",
  "EXECUTION_READ",
  "EXECUTION_RUN",
  "CREDENTIAL_READ",
  "CREDENTIAL_WRITE",
  "REGISTRY_READ",
  "REGISTRY_WRITE",
  "AUDIT_READ",
  "ACCOUNT_READ",
  "ACCOUNT_WRITE",
  "OWNER_WRITE",
  "SYSTEM_READ",
  "SYSTEM_WRITE",
  "TENANT_WRITE",
  "EVENT_APPEND",
  "ERASURE_REQUEST",
  "ERASURE_APPROVE",
  "TABLE_READ",
  "TABLE_WRITE",
];
