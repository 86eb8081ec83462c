import type { Permission } from "@/gql/schema";

/** A kind of aggregate: what its events are called, and who may see them. */
export interface EventKind {
  category: string;
  label: string;
  permission: Permission;
  types: readonly string[];
}

const kind = (category: string, label: string, permission: Permission, types: string): EventKind => ({
  category,
  label,
  permission,
  types: types.split(" "),
});

/** What this build writes. A log may hold others as well: a category or type is also taken as somebody writes it. */
export const EVENT_KINDS: readonly EventKind[] = [
  kind(
    "execution",
    "Executions",
    "EXECUTION_READ",
    "ExecutionStarted NodeScheduled NodeStarted NodeCompleted NodeFailed NodeRetried NodeStubbed NodeSkipped ExecutionWaiting ExecutionResumed ExecutionPaused ExecutionUnpaused ExecutionBreakpointsChanged ExecutionTakenOver ExecutionResponded ExecutionDataSaved ExecutionRetried ExecutionForked ExecutionRetriedAs ExecutionDismissed ExecutionCancelled ExecutionCompleted ExecutionFailed ExecutionContinuedAsNew ExecutionContinued",
  ),
  kind(
    "workflow",
    "Workflows",
    "WORKFLOW_READ",
    "WorkflowCreated WorkflowUpdated WorkflowVersionPublished WorkflowSettingsChanged WorkflowPinsChanged WorkflowActivated WorkflowDeactivated WorkflowTestListeningStarted WorkflowMoved WorkflowArchived WorkflowUnarchived WorkflowRolloutStarted WorkflowRolloutChanged WorkflowRolloutPromoted WorkflowRolloutRolledBack",
  ),
  kind(
    "agent",
    "Agents",
    "REGISTRY_READ",
    "AgentRegistered AgentVersionPublished AgentConfigChanged AgentDeprecated AgentRetired",
  ),
  kind(
    "agent-run",
    "Agent runs",
    "EXECUTION_READ",
    "AgentRunStarted AgentRunForked AgentMemoryRead AgentToolsListed AgentModelAsked AgentModelAnswered AgentModelFailed AgentOutputRejected AgentToolRefused AgentApprovalRequested AgentApprovalGiven AgentApprovalDenied AgentToolCalled AgentToolAnswered AgentToolFailed AgentMemoryWritten AgentRunPaused AgentRunResumed AgentRunCancelled AgentRunCompleted AgentRunFailed",
  ),
  kind("agent-memory", "Agents' memories", "EXECUTION_READ", "AgentExchangeRemembered AgentMemoryCleared"),
  kind(
    "model",
    "Models",
    "REGISTRY_READ",
    "ModelRegistered ModelVersionAdded ModelVersionRejected ModelVersionWithdrawn ModelPromoted ModelRolledBack ModelAliasSet ModelAliasRemoved ModelConfigured ModelLoadRequested ModelUnloadRequested ModelRolloutStarted ModelRolloutStepped ModelRolloutEnded ModelEnabled ModelDisabled ModelRetired",
  ),
  kind(
    "inference",
    "Inferences",
    "EXECUTION_READ",
    "InferenceRequested InferenceStarted InferenceCompleted InferenceFailed InferenceRejected InferenceCancelled InferenceWindowClosed",
  ),
  kind(
    "inference-worker",
    "Inference workers",
    "REGISTRY_READ",
    "InferenceWorkerStarted ModelLoaded ModelLoadFailed ProviderFellBack ModelDegraded ModelRecovered ModelUnloaded InferenceWorkerDraining InferenceWorkerStopped",
  ),
  kind(
    "gateway",
    "Gateway",
    "REGISTRY_READ",
    "GatewayProviderSet GatewayProviderRemoved GatewayRouteSet GatewayRouteRemoved GatewayLimitSet GatewayLimitRemoved GatewayPricesSet",
  ),
  kind(
    "model-call",
    "Model calls",
    "EXECUTION_READ",
    "ModelCallCompleted ModelCallFailed ModelCallRefused ModelCallCancelled CircuitOpened CircuitHalfOpened CircuitClosed",
  ),
  kind(
    "plugin",
    "Plugins",
    "REGISTRY_READ",
    "PluginRegistered PluginVersionAdded PluginEnabled PluginDisabled PluginRetired",
  ),
  kind(
    "replay-check",
    "Replay checks",
    "EXECUTION_READ",
    "ReplayCheckRequested ReplayCheckCompleted ReplayCheckFailed BisectionBegun BisectionStepTaken BisectionEnded",
  ),
  kind(
    "drift-watch",
    "Watches over drift",
    "REGISTRY_READ",
    "DriftWatchStarted DriftDetected DriftWindowJudged DriftWatchStopped",
  ),
  kind("test-cases", "Test cases", "WORKFLOW_READ", "WorkflowTestCaseAdded WorkflowTestCaseRemoved"),
  kind("evaluation", "Evaluations", "EXECUTION_READ", "EvaluationRequested EvaluationCompleted EvaluationFailed"),
  kind("evaluation-set", "Evaluation sets", "EXECUTION_READ", "EvaluationSetCreated EvaluationSetVersionAdded"),
  kind(
    "listener",
    "Triggers that listen",
    "WORKFLOW_READ",
    "ListenerOpened ListenerFailed ListenerAdvanced ListenerMessageRefused",
  ),
  kind("recall", "What nodes remember", "EXECUTION_READ", "RecallKeysAdded RecallMarkRaised RecallCleared"),
  kind("vector-collection", "Vector collections", "EXECUTION_READ", "VectorsAdded VectorsRemoved VectorsCleared"),
  kind(
    "data-tables",
    "Data tables",
    "TABLE_READ",
    "DataTableCreated DataTableRenamed DataTableColumnAdded DataTableColumnRenamed DataTableColumnRemoved DataTableDeleted",
  ),
  kind("data-table", "Rows of data tables", "TABLE_READ", "TableRowsInserted TableRowsUpdated TableRowsDeleted"),
  kind(
    "account",
    "Accounts and keys",
    "AUDIT_READ",
    "AccountCreated AccountRenamed RoleGranted RoleRevoked AccountDisabled AccountEnabled IdentityLinked IdentityUnlinked PasswordSet PasswordResealed PasswordRemoved SignInLinkMade SignInLinkUsed ApiKeyMade ApiKeyUsed ApiKeyRevoked",
  ),
  kind("session", "Sessions", "AUDIT_READ", "SessionStarted SessionUsed SessionEnded"),
  kind("credential", "Credentials", "AUDIT_READ", "CredentialSaved CredentialResealed CredentialDeleted"),
  kind(
    "tenant",
    "Tenants",
    "AUDIT_READ",
    "TenantCreated TenantRenamed TenantSuspended TenantResumed CategoryOpened CategoryClosed",
  ),
  kind(
    "subject",
    "Erasures and holds",
    "AUDIT_READ",
    "ErasureRequested ErasureWithdrawn ErasureApproved SubjectErased ErasureCompleted LegalHoldPlaced LegalHoldReleaseRequested LegalHoldReleased",
  ),
  kind(
    "retention",
    "Retention",
    "AUDIT_READ",
    "RetentionRequested RetentionRequestWithdrawn RetentionSet RetentionApplied RetentionCompleted RetentionHoldPlaced RetentionHoldReleaseRequested RetentionHoldReleased",
  ),
  kind("feature-flag", "Feature flags", "AUDIT_READ", "FeatureFlagSet FeatureFlagRolledBack FeatureFlagRemoved"),
  kind("audit", "Reads of the audit trail", "AUDIT_READ", "AuditTrailRead SignInRefused BackupTaken"),
  kind("archive", "Archive of the log", "AUDIT_READ", "RangeArchived RangeRestored"),
];

/** The categories that somebody may see; `undefined` where they may see the whole log. */
export function seenCategories(can: (permission: Permission) => boolean): string[] | undefined {
  if (can("AUDIT_READ")) return undefined;
  return EVENT_KINDS.filter((one) => can(one.permission)).map((one) => one.category);
}
