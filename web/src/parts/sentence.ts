import { EVENT_KINDS } from "@/app/event-kinds";
import { counted } from "@/ui/counted";
import { rolloutWords } from "./flag-words";

/** A piece of a sentence: words, something that somebody called so, or a thing whose name is to be found. */
export type Part = string | { said: string } | { thing: string; asOf?: string; fallback: string };

/** What a sentence is made of. */
export interface Told {
  type: string;
  category: string;
  streamId: string;
  position: string;
  payload: unknown;
}

type Fields = Record<string, unknown>;

const said = (value: unknown): Part => ({ said: textOf(value) });
const short = (id: string) => (/^[0-9a-f]{8}-/.test(id) ? `…${id.slice(-8)}` : id);
const thing = (id: string, asOf?: string): Part => ({ thing: id, asOf, fallback: short(id) });

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return value === undefined || value === null ? "?" : JSON.stringify(value);
}

function dayOf(milliseconds: unknown): string {
  return typeof milliseconds === "number" ? new Date(milliseconds).toISOString().slice(0, 16).replace("T", " ") : "?";
}

function scopesOf(value: unknown): Part[] {
  return Array.isArray(value) && value.length > 0 ? [" that may do ", said(value.map(textOf).join(", "))] : [];
}

type Teller = (fields: Fields, event: Told) => Part[];

const ACCOUNT: Record<string, Teller> = {
  AccountCreated: (f) => [
    `made the ${textOf(f.kind)} account `,
    said(f.name),
    ...(f.email === undefined ? [] : [" (", said(f.email), ")"]),
  ],
  AccountRenamed: (f, e) => ["called ", thing(e.streamId, before(e.position)), " now ", said(f.name)],
  RoleGranted: (f, e) => ["gave ", thing(e.streamId), " the role ", said(f.role)],
  RoleRevoked: (f, e) => ["took the role ", said(f.role), " from ", thing(e.streamId)],
  AccountDisabled: (_, e) => ["disabled the account ", thing(e.streamId)],
  AccountEnabled: (_, e) => ["enabled the account ", thing(e.streamId)],
  IdentityLinked: (f, e) => ["linked ", thing(e.streamId), " to ", said(f.subject), " at ", said(f.issuer)],
  IdentityUnlinked: (f, e) => ["unlinked ", thing(e.streamId), " from ", said(f.subject), " at ", said(f.issuer)],
  PasswordSet: (_, e) => ["set the password of ", thing(e.streamId)],
  PasswordResealed: (_, e) => ["sealed the password of ", thing(e.streamId), " under another key"],
  PasswordRemoved: (_, e) => ["removed the password of ", thing(e.streamId)],
  SignInLinkMade: (f, e) => [
    "made a sign-in link for ",
    thing(e.streamId),
    `, good until ${dayOf(f.expires_at_ms)} UTC`,
  ],
  SignInLinkUsed: (_, e) => ["used a sign-in link of ", thing(e.streamId)],
  ApiKeyMade: (f, e) => ["made the key ", said(f.name), " for ", thing(e.streamId), ...scopesOf(f.scopes)],
  ApiKeyUsed: (f, e) => ["used the key ", thing(`apiKey/${e.streamId}/${textOf(f.key)}`), " of ", thing(e.streamId)],
  ApiKeyRevoked: (f, e) => [
    "revoked the key ",
    thing(`apiKey/${e.streamId}/${textOf(f.key)}`),
    " of ",
    thing(e.streamId),
  ],
};

const ACCESS: Record<string, Teller> = {
  SessionStarted: (f) => [
    "signed in by ",
    f.method === "oidc" ? "an identity provider" : textOf(f.method),
    ...(f.address === undefined ? [] : [" from ", said(f.address)]),
  ],
  SessionUsed: () => ["used a session"],
  SessionEnded: (f, e) => (f.why === "signed_out" ? ["signed out"] : ["ended a session of ", thing(e.streamId)]),
  TenantCreated: (f) => ["made the tenant ", said(f.name)],
  TenantRenamed: (f, e) => [`called tenant ${e.streamId} now `, said(f.name)],
  TenantSuspended: (_, e) => ["suspended the tenant ", thing(`tenant/${e.streamId}`)],
  TenantResumed: (_, e) => ["resumed the tenant ", thing(`tenant/${e.streamId}`)],
  CategoryOpened: (f, e) => ["opened the category ", said(f.category), ` of tenant ${e.streamId} to other programs`],
  CategoryClosed: (f, e) => ["closed the category ", said(f.category), ` of tenant ${e.streamId} to other programs`],
  CredentialSaved: (f) => ["saved the credential ", said(f.name), " of type ", said(f.credential_type)],
  CredentialResealed: (_, e) => ["sealed the credential ", thing(e.streamId, e.position), " under another key"],
  CredentialDeleted: (_, e) => ["deleted the credential ", thing(e.streamId, before(e.position))],
  AuditTrailRead: (f) => [
    "read ",
    said(f.what),
    ...(f.which === undefined || f.which === null ? [] : [": ", said(f.which)]),
  ],
  SignInRefused: (f) => [
    "was not let in",
    ...(f.name === undefined || f.name === null ? [] : [" as ", said(f.name)]),
    ` by ${textOf(f.method)}`,
    ...(f.address === undefined || f.address === null ? [] : [" from ", said(f.address)]),
    ": ",
    said(f.why),
    ...(typeof f.unrecorded === "number" && f.unrecorded > 0 ? [` (and ${f.unrecorded} more times)`] : []),
  ],
};

/** For how long data is kept, to follow "kept". */
function keptFor(days: unknown): string {
  if (typeof days !== "number") return "for ever";
  return days === 1 ? "for 1 day" : `for ${days} days`;
}

/** The kind of data of which a retention is, in a sentence. */
function dataOf({ streamId }: Told): string {
  return EVENT_KINDS.find(({ category }) => category === streamId)?.label.toLowerCase() ?? streamId;
}

const DAY_MS = 86_400_000;

function goneDays(buckets: unknown, event: Told): string {
  const days = (Array.isArray(buckets) ? (buckets as unknown[]) : []).flatMap((bucket) => {
    const day = typeof bucket === "object" && bucket !== null ? (bucket as Fields).day : undefined;
    return typeof day === "number" ? [day] : [];
  });
  const newest = days.length === 0 ? "?" : new Date(Math.max(...days) * DAY_MS).toISOString().slice(0, 10);
  return `destroyed the keys of ${counted(days.length, "day")} of ${dataOf(event)}, the newest ${newest} (UTC)`;
}

/** How long data is kept, by the kind of it, which is the stream. */
const RETENTION: Record<string, Teller> = {
  RetentionRequested: (f, e) => [`asked for ${dataOf(e)} to be kept ${keptFor(f.days)}: `, said(f.reason)],
  RetentionRequestWithdrawn: (f, e) => [`withdrew the request about how long ${dataOf(e)} are kept: `, said(f.reason)],
  RetentionSet: (f, e) => [`let ${dataOf(e)} be kept ${keptFor(f.days)}: `, said(f.reason)],
  RetentionHoldPlaced: (f, e) => ["placed the hold ", said(f.hold), ` on all ${dataOf(e)}: `, said(f.reason)],
  RetentionHoldReleaseRequested: (f, e) => [
    "asked for the release of the hold ",
    said(f.hold),
    ` on all ${dataOf(e)}: `,
    said(f.reason),
  ],
  RetentionHoldReleased: (f, e) => ["released the hold ", said(f.hold), ` on all ${dataOf(e)}`],
  RetentionApplied: (f, e) => [goneDays(f.buckets, e)],
  RetentionCompleted: (f, e) => [
    `removed what was made of that data: ${countedOf(f.events, "event")} of ${countedOf(f.streams, "stream")} of ${dataOf(e)}`,
  ],
};

function countedOf(count: unknown, one: string): string {
  return typeof count === "number" ? counted(count, one) : `? ${one}s`;
}

function onFor(rollout: unknown): string {
  const { percent, on_for, off_for } = (typeof rollout === "object" && rollout !== null ? rollout : {}) as Fields;
  const numbers = (value: unknown) => (Array.isArray(value) ? value.map(Number) : []);
  const words = { percent: Number(percent ?? 0), onFor: numbers(on_for), offFor: numbers(off_for) };
  return `on ${rolloutWords(words)}`;
}

/** For whom a feature is on; the feature is the stream. */
const FLAG: Record<string, Teller> = {
  FeatureFlagSet: (f, e) => ["set the flag ", said(f.feature ?? e.streamId), `: ${onFor(f.rollout)}`],
  FeatureFlagRolledBack: (f, e) => ["rolled the flag ", said(e.streamId), ` back: ${onFor(f.rollout)}`],
  FeatureFlagRemoved: (_, e) => ["removed the flag ", said(e.streamId), ": on for all tenants"],
};

/** What is decided about somebody's data, and what was copied. */
const DATA: Record<string, Teller> = {
  ErasureRequested: (f) => ["asked for the data of ", said(f.subject), " to be erased: ", said(f.reason)],
  ErasureWithdrawn: (f, e) => [`withdrew the request to erase the subject ${short(e.streamId)}: `, said(f.reason)],
  ErasureApproved: (_, e) => [`approved the erasure of the subject ${short(e.streamId)}`],
  SubjectErased: (_, e) => [`destroyed the key of the subject ${short(e.streamId)}`],
  ErasureCompleted: (f, e) => [
    `completed the erasure of the subject ${short(e.streamId)}: ${countedOf(f.events, "event")} of ${countedOf(f.streams, "stream")}`,
  ],
  LegalHoldPlaced: (f) => ["placed the hold ", said(f.hold), " on ", said(f.subject), ": ", said(f.reason)],
  LegalHoldReleaseRequested: (f, e) => [
    "asked for the release of the hold ",
    said(f.hold),
    ` on the subject ${short(e.streamId)}: `,
    said(f.reason),
  ],
  LegalHoldReleased: (f, e) => ["released the hold ", said(f.hold), ` on the subject ${short(e.streamId)}`],
  RangeArchived: (f) => [`archived the events from #${textOf(f.first)} to #${textOf(f.last)} into `, said(f.place)],
  RangeRestored: (f) => [`brought the events from #${textOf(f.first)} to #${textOf(f.last)} back from `, said(f.place)],
  BackupTaken: (f) => ["backed the log up to position ", said(f.up_to), " into ", said(f.place)],
};

const WORKFLOW: Record<string, Teller> = {
  WorkflowCreated: (f, e) => ["made the workflow ", said((f.definition as Fields | undefined)?.name ?? e.streamId)],
  WorkflowUpdated: (_, e) => ["changed the draft of ", thing(e.streamId)],
  WorkflowVersionPublished: (f, e) => [`published version ${textOf(f.version)} of `, thing(e.streamId)],
  WorkflowSettingsChanged: (_, e) => ["changed the settings of ", thing(e.streamId)],
  WorkflowPinsChanged: (f, e) => [
    f.items === null || f.items === undefined ? "unpinned the items of " : "pinned items to ",
    said(f.node),
    " in ",
    thing(e.streamId),
  ],
  WorkflowActivated: (f, e) => [`activated version ${textOf(f.version)} of `, thing(e.streamId)],
  WorkflowDeactivated: (_, e) => ["deactivated ", thing(e.streamId)],
  WorkflowTestListeningStarted: (_, e) => ["let the draft of ", thing(e.streamId), " take one test call"],
  WorkflowMoved: (f, e) =>
    f.folder === ""
      ? ["took ", thing(e.streamId), " out of its folder"]
      : ["moved ", thing(e.streamId), " to ", said(f.folder)],
  WorkflowArchived: (_, e) => ["archived ", thing(e.streamId)],
  WorkflowUnarchived: (_, e) => ["took ", thing(e.streamId), " out of the archive"],
  WorkflowRolloutStarted: (f, e) => [
    `let ${textOf(f.percent)} % of the executions of `,
    thing(e.streamId),
    ` run version ${textOf(f.version)}`,
  ],
  WorkflowRolloutChanged: (f, e) => [`let ${textOf(f.percent)} % of the executions of `, thing(e.streamId), " run it"],
  WorkflowRolloutPromoted: (f, e) => [`promoted version ${textOf(f.version)} of `, thing(e.streamId)],
  WorkflowRolloutRolledBack: (f, e) => [`rolled version ${textOf(f.version)} of `, thing(e.streamId), " back"],
};

/** Of what is registered: the word for it, and what is done to its versions and names. */
const REGISTRY: Record<string, Teller> = {
  ModelRegistered: (f) => ["registered the model ", said(f.name)],
  ModelVersionAdded: (f, e) => [`added version ${textOf(f.version)} of the model `, said(e.streamId)],
  ModelVersionRejected: (f, e) => [
    "sent a file that is no version of the model ",
    said(e.streamId),
    ": ",
    said(f.reason),
  ],
  ModelVersionWithdrawn: (f, e) => [`withdrew version ${textOf(f.version)} of the model `, said(e.streamId)],
  ModelPromoted: (f, e) => [`promoted version ${textOf(f.version)} of the model `, said(e.streamId)],
  ModelRolledBack: (f, e) => [
    "rolled the model ",
    said(e.streamId),
    ` back from version ${textOf(f.from)} to ${textOf(f.version)}`,
  ],
  ModelAliasSet: (f, e) => ["let ", said(`${e.streamId}@${textOf(f.alias)}`), ` name version ${textOf(f.version)}`],
  ModelAliasRemoved: (f, e) => ["removed the alias ", said(`${e.streamId}@${textOf(f.alias)}`)],
  ModelConfigured: (_, e) => ["changed the settings of the model ", said(e.streamId)],
  ModelRolloutStarted: (f, e) => [
    `began to try version ${textOf(f.version)} of the model `,
    said(e.streamId),
    ` on ${textOf(f.percent)} % of the requests`,
  ],
  ModelRolloutStepped: (f, e) => ["changed the trial of the model ", said(e.streamId), ` to ${textOf(f.percent)} %`],
  ModelRolloutEnded: (f, e) => [
    "ended the trial of the model ",
    said(e.streamId),
    f.promoted === true ? ": promoted" : ": not promoted",
  ],
  ModelEnabled: (_, e) => ["enabled the model ", said(e.streamId)],
  ModelDisabled: (f, e) => ["disabled the model ", said(e.streamId), ": ", said(f.reason)],
  ModelRetired: (_, e) => ["retired the model ", said(e.streamId)],
  DriftWatchStarted: (f, e) => [
    "began to watch the drift of the model ",
    said(e.streamId),
    ` every ${textOf(f.window)} inferences`,
  ],
  DriftDetected: (f, e) => ["found that ", said(f.feature), " of the model ", said(e.streamId), " drifted"],
  DriftWindowJudged: (f, e) => [
    "compared a window of the model ",
    said(e.streamId),
    ` with its baseline: ${textOf(f.drifted)} drifted`,
  ],
  DriftWatchStopped: (_, e) => ["stopped watching the drift of the model ", said(e.streamId)],
  AgentRegistered: (f) => ["registered the agent ", said(f.name)],
  AgentVersionPublished: (f, e) => [`published version ${textOf(f.version)} of the agent `, said(e.streamId)],
  AgentConfigChanged: (_, e) => ["configured the agent ", said(e.streamId)],
  AgentDeprecated: (f, e) => ["deprecated the agent ", said(e.streamId), ": ", said(f.reason)],
  AgentRetired: (_, e) => ["retired the agent ", said(e.streamId)],
  PluginRegistered: (f) => ["registered the plugin ", said(f.name)],
  PluginVersionAdded: (f, e) => ["added version ", said(f.version), " of the plugin ", said(e.streamId)],
  PluginEnabled: (f, e) => ["enabled version ", said(f.version), " of the plugin ", said(e.streamId)],
  PluginDisabled: (f, e) => ["disabled the plugin ", said(e.streamId), ": ", said(f.reason)],
  PluginRetired: (_, e) => ["retired the plugin ", said(e.streamId)],
  GatewayProviderSet: (f) => ["set the provider ", said(f.name), " of language models"],
  GatewayProviderRemoved: (f) => ["removed the provider ", said(f.name), " of language models"],
  GatewayRouteSet: (f) => ["set the route ", said(f.name), " to language models"],
  GatewayRouteRemoved: (f) => ["removed the route ", said(f.name), " to language models"],
  GatewayLimitSet: (f) => ["set the limit ", said(f.name), " of the gateway"],
  GatewayLimitRemoved: (f) => ["removed the limit ", said(f.name), " of the gateway"],
  GatewayPricesSet: () => ["set what language models cost"],
};

const TELLERS: Record<string, Teller> = {
  ...ACCOUNT,
  ...ACCESS,
  ...DATA,
  ...RETENTION,
  ...FLAG,
  ...WORKFLOW,
  ...REGISTRY,
};
/** Streams whose ids say who or what it is by themselves, or are found by them. */
const FOUND = new Set(["workflow", "execution", "account"]);

function before(position: string): string {
  return String(BigInt(position) - 1n);
}

/** What somebody did, in words: the rest of a sentence that begins with who. */
export function sentenceOf(event: Told): Part[] {
  const fields = (typeof event.payload === "object" && event.payload !== null ? event.payload : {}) as Fields;
  const teller = Object.hasOwn(TELLERS, event.type) ? TELLERS[event.type] : undefined;
  if (teller) return teller(fields, event);
  const words = event.type.replaceAll(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return [`${words}: ${event.category} `, FOUND.has(event.category) ? thing(event.streamId) : said(event.streamId)];
}

/** The same as one text, with the names that are known. */
export function sentenceText(
  event: Told,
  nameOf: (thing: string, asOf: string | undefined) => string | undefined,
): string {
  return sentenceOf(event)
    .map((part) => {
      if (typeof part === "string") return part;
      return "said" in part ? part.said : (nameOf(part.thing, part.asOf) ?? part.fallback);
    })
    .join("");
}
