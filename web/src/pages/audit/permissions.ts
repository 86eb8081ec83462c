import type { Permission } from "@/gql/schema";

/** What each permission lets somebody do, in words that go on after "may". */
export const PERMISSION_WORDS: Record<Permission, string> = {
  WORKFLOW_READ: "see workflows",
  WORKFLOW_WRITE: "change workflows",
  EXECUTION_READ: "see executions and their data",
  EXECUTION_RUN: "run executions",
  CREDENTIAL_READ: "see which credentials there are",
  CREDENTIAL_WRITE: "change credentials",
  REGISTRY_READ: "see models and plugins",
  REGISTRY_WRITE: "change models and plugins",
  AUDIT_READ: "read the audit trail",
  ACCOUNT_READ: "see accounts",
  ACCOUNT_WRITE: "change accounts",
  OWNER_WRITE: "change owners",
  SYSTEM_READ: "see the system",
  SYSTEM_WRITE: "rebuild read models",
  TENANT_WRITE: "change tenants",
  EVENT_APPEND: "append events of other programs",
  ERASURE_REQUEST: "ask for erasures",
  ERASURE_APPROVE: "approve erasures",
  TABLE_READ: "see data tables",
  TABLE_WRITE: "write data tables",
};

export function isPermission(text: string): text is Permission {
  return Object.hasOwn(PERMISSION_WORDS, text);
}

export function wordOf(permission: Permission): string {
  return PERMISSION_WORDS[permission];
}
