/** What a capsule says that it is. Everything in it comes from others: what is not as it has to be is refused. */

import { isRecord } from "@/parts/records";
import { Refusal } from "./refusal";

export const FORMAT = "timeloom-capsule";
/** The version of capsules that this app reads. */
export const VERSION = 1;
export const MANIFEST = "manifest.json";

const ROLES = ["execution", "earlier", "called", "workflow"] as const;
export type Role = (typeof ROLES)[number];

export interface CapsuleStream {
  category: string;
  id: string;
  role: Role;
  /** How many events it has here, from its first one on. */
  events: number;
}

export interface CapsuleFile {
  name: string;
  bytes: number;
  sha256: string;
}

export interface Manifest {
  logId: string;
  tenant: number;
  execution: string;
  treeSize: string;
  root: string;
  streams: CapsuleStream[];
  sealedEvents: number;
  leftOut: { what: string; name: string; reason: string }[];
  program: string;
  workflows: { id: string; name: string; revision: number; version: number | undefined }[];
  nodeTypes: { name: string; version: string }[];
  credentials: { type: string; name: string }[];
  files: CapsuleFile[];
}

const wrong = (what: string) => new Refusal(`${MANIFEST}: it cannot be read: ${what}`);

function text(value: unknown, name: string): string {
  if (typeof value !== "string") throw wrong(`${name} is no text`);
  return value;
}

function count(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw wrong(`${name} is no count`);
  return value;
}

function list<T>(value: unknown, name: string, read: (one: Record<string, unknown>) => T): T[] {
  if (!Array.isArray(value)) throw wrong(`${name} is no list`);
  return value.map((one: unknown) => {
    if (!isRecord(one)) throw wrong(`${name} has what is no object`);
    return read(one);
  });
}

function role(value: unknown): Role {
  const found = ROLES.find((one) => one === value);
  if (!found) throw wrong("a stream has a role that no capsule has");
  return found;
}

export function readManifest(content: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    throw wrong("it is no JSON");
  }
  if (!isRecord(value)) throw wrong("it is no object");
  const format = text(value.format, "format");
  if (format !== FORMAT) throw new Refusal(`${MANIFEST}: it says that it is '${format.slice(0, 40)}', not '${FORMAT}'`);
  const version = count(value.version, "version");
  if (version > VERSION)
    throw new Refusal(
      `it is a capsule of version ${version}, and this app reads ${VERSION}: open it in the app of a newer server`,
    );
  const inForce = value.in_force;
  if (!isRecord(inForce)) throw wrong("in_force is no object");
  const files = list(value.files, "files", (one) => ({
    name: text(one.name, "a file's name"),
    bytes: count(one.bytes, "a file's size"),
    sha256: text(one.sha256, "a file's hash"),
  }));
  if (new Set(files.map(({ name }) => name)).size < files.length)
    throw new Refusal(`${MANIFEST}: it names a file twice: the capsule was changed`);
  return {
    logId: text(value.log_id, "log_id"),
    tenant: count(value.tenant, "tenant"),
    execution: text(value.execution, "execution"),
    treeSize: String(count(value.tree_size, "tree_size")),
    root: text(value.root, "root"),
    streams: list(value.streams, "streams", (one) => ({
      category: text(one.category, "a category"),
      id: text(one.id, "an id"),
      role: role(one.role),
      events: count(one.events, "a count of events"),
    })),
    sealedEvents: count(value.sealed_events, "sealed_events"),
    leftOut: list(value.left_out, "left_out", (one) => ({
      what: text(one.what, "what was left out"),
      name: text(one.name, "what was left out"),
      reason: text(one.reason, "a reason"),
    })),
    program: text(inForce.program, "program"),
    workflows: list(inForce.workflows, "workflows", (one) => ({
      id: text(one.id, "a workflow's id"),
      name: text(one.name, "a workflow's name"),
      revision: count(one.revision, "a revision"),
      version: one.version === undefined ? undefined : count(one.version, "a version"),
    })),
    nodeTypes: list(inForce.node_types, "node_types", (one) => ({
      name: text(one.name, "a node type"),
      version: text(one.version, "a node type's version"),
    })),
    credentials: list(inForce.credentials, "credentials", (one) => ({
      type: text(one.type, "a credential's type"),
      name: text(one.name, "a credential's name"),
    })),
    files,
  };
}
