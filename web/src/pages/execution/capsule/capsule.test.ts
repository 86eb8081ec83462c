// @vitest-environment node
import { expect, test } from "vitest";
import { blake3 } from "@noble/hashes/blake3.js";
import { readCheckpoint, signerOf } from "@/parts/proof/checkpoint";
import { readKeys } from "@/parts/proof/keys";
import { type AuditedRecord, type Hash, bytesOfHex, leafOf } from "@/parts/proof/tree";
import { changesBetween } from "./changes";
import { Fold } from "./fold";
import { fieldsOf, readLine } from "./line";
import { openExecution } from "./open";
import { FILE_BYTES_MAX, readCapsule } from "./read";
import { withoutSealed } from "./sealed";
import { Archive, crcOf } from "./zip";

const LOG = "00000000-0000-0000-0000-000000000001";
const ORIGIN = `timeloom/${LOG}`;
const EXECUTION = "01920000-0000-7000-8000-000000000001";
const WORKFLOW = "01920000-0000-7000-8000-000000000002";
const TIME_US = 1_764_136_800_000_000n;

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
const utf8 = (text: string) => new TextEncoder().encode(text);
const digest = async (...parts: Uint8Array[]): Promise<Hash> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(parts.flatMap((part) => [...part]))));

function firstOf<T>([first]: readonly T[]): T {
  if (first === undefined) throw new Error("there is none");
  return first;
}

/** The definitions of RFC 6962, as they stand there. */
const split = (count: number) => 2 ** Math.ceil(Math.log2(count) - 1);
async function rootOf(leaves: Hash[]): Promise<Hash> {
  const [only, second] = leaves;
  if (only !== undefined && second === undefined) return only;
  const at = split(leaves.length);
  return digest(Uint8Array.of(1), await rootOf(leaves.slice(0, at)), await rootOf(leaves.slice(at)));
}
async function pathOf(index: number, leaves: Hash[]): Promise<Hash[]> {
  if (leaves.length === 1) return [];
  const at = split(leaves.length);
  return index < at
    ? [...(await pathOf(index, leaves.slice(0, at))), await rootOf(leaves.slice(at))]
    : [...(await pathOf(index - at, leaves.slice(at))), await rootOf(leaves.slice(0, at))];
}

/** An archive with files as they are, as far as its reader looks. */
function zipOf(files: Record<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(files)) {
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    local.setUint16(26, name.length, true);
    const entry = new DataView(new ArrayBuffer(46));
    entry.setUint32(0, 0x02014b50, true);
    entry.setUint32(16, crcOf(content), true);
    entry.setUint32(20, content.length, true);
    entry.setUint32(24, content.length, true);
    entry.setUint16(28, name.length, true);
    entry.setUint32(42, at, true);
    parts.push(new Uint8Array(local.buffer), utf8(name), content);
    directory.push(new Uint8Array(entry.buffer), utf8(name));
    at += 30 + name.length + content.length;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, Object.keys(files).length, true);
  end.setUint32(12, length, true);
  end.setUint32(16, at, true);
  return Uint8Array.from([...parts, ...directory, new Uint8Array(end.buffer)].flatMap((part) => [...part]));
}

const run = (node: string, execution_index: number) => ({ node, run_index: 0, execution_index, sources: [] });
const LARGE = JSON.stringify({
  type: "node_completed",
  run: run("Large", 1),
  started_at_ms: 3,
  duration_us: 1500,
  outputs: [[{ json: { text: "ü".repeat(10) } }]],
});
const REFERENCE = `{"$blob":{"hash":"${hex(blake3(utf8(LARGE)))}","bytes":${utf8(LARGE).length}}}`;
const DEFINITION = {
  name: "Greet",
  nodes: [{ name: "Start", type: "manualTrigger", position: [0, 0] }],
  connections: {},
};
const EVENTS: [category: string, type: string, payload: string][] = [
  ["workflow", "WorkflowCreated", JSON.stringify({ type: "workflow_created", definition: DEFINITION })],
  [
    "execution",
    "ExecutionStarted",
    `{"type":"execution_started","workflow_id":"${WORKFLOW}","workflow_revision":1,"mode":"manual","start_node":"Start","items":[],"seed":7,"at_ms":1}`,
  ],
  [
    "execution",
    "NodeCompleted",
    JSON.stringify({ type: "node_completed", run: run("Start", 0), started_at_ms: 1, duration_us: 9, outputs: [[]] }),
  ],
  ["execution", "NodeCompleted", REFERENCE],
  ["execution", "ExecutionCompleted", '{"type":"execution_completed","at_ms":5}'],
];

function records(): AuditedRecord[] {
  const revisions = new Map<string, number>();
  return EVENTS.map(([category, type, payload], place) => {
    const stream = category === "workflow" ? WORKFLOW : EXECUTION;
    const revision = (revisions.get(stream) ?? 0) + 1;
    revisions.set(stream, revision);
    return {
      // Between them are events of others.
      position: String(place * 2 + 1),
      tenant: 0,
      category,
      stream,
      revision: String(revision),
      id: "05050505-0505-0505-0505-050505050505",
      type,
      version: 1,
      recordedAtUs: String(TIME_US + BigInt(place)),
      payload,
      metadata: '{"actor":"user:ada","command_id":"x","reason":"because"}',
    };
  });
}

function lineOf(record: AuditedRecord, leaf: Hash): string {
  const { position, tenant, category, stream, revision, id, type, version, recordedAtUs, payload, metadata } = record;
  return `{"position":${position},"tenant":${tenant},"category":"${category}","stream":"${stream}","revision":${revision},"id":"${id}","type":"${type}","version":${version},"recorded_at_us":${recordedAtUs},"payload":${payload},"metadata":${metadata},"leaf":"${hex(leaf)}"}\n`;
}

interface Forged {
  /** What is written of an event in place of what was recorded; its leaf is the right one of that. */
  record?: (record: AuditedRecord) => AuditedRecord;
  /** Lines of events and proofs that are left out. */
  without?: number;
  manifest?: (manifest: Record<string, unknown>) => Record<string, unknown>;
  blob?: string;
}

const PAIR = crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);

async function keyText(): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.exportKey("raw", (await PAIR).publicKey));
  const id = (await digest(utf8(`${ORIGIN}\n\u0001`), bytes)).subarray(0, 4);
  return `${ORIGIN}+${hex(id)}+${base64(Uint8Array.of(1, ...bytes))}`;
}

/** A capsule as the program makes one, or as somebody forges one who may write any file but has not the log's key. */
async function capsule({ record = (one) => one, without, manifest = (one) => one, blob = LARGE }: Forged = {}) {
  const own = records();
  const leaves = Array.from({ length: EVENTS.length * 2 }, (_, place) =>
    place % 2 === 0 ? leafOf(own[place / 2] ?? firstOf(own)) : new Uint8Array(32).fill(place),
  );
  const root = await rootOf(leaves);
  const text = `${ORIGIN}\n${leaves.length}\n${base64(root)}\nrecorded ${TIME_US}\n`;
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", (await PAIR).privateKey, utf8(text)));
  const id = bytesOfHex((await keyText()).split("+")[1] ?? "");
  const note = `${text}\n\u2014 ${ORIGIN} ${base64(Uint8Array.of(...id, ...signature))}\n`;
  const kept = own.map((one, place) => ({ one: record(one), place })).filter(({ place }) => place !== without);
  const events = kept.map(({ one }) => lineOf(one, leafOf(one))).join("");
  const proofs = await Promise.all(
    kept.map(async ({ one, place }) => {
      const path = await pathOf(place * 2, leaves);
      return `${JSON.stringify({ position: Number(one.position), path: path.map(hex) })}\n`;
    }),
  );
  const files: Record<string, Uint8Array> = {
    "checkpoint.note": utf8(note),
    "events.jsonl": utf8(events),
    "proofs.jsonl": utf8(proofs.join("")),
    [`blobs/${hex(blake3(utf8(LARGE)))}`]: utf8(blob),
  };
  const listed = await Promise.all(
    Object.entries(files).map(async ([name, content]) => ({
      name,
      bytes: content.length,
      sha256: hex(await digest(content)),
    })),
  );
  const said = manifest({
    format: "timeloom-capsule",
    version: 1,
    log_id: LOG,
    tenant: 0,
    execution: EXECUTION,
    tree_size: leaves.length,
    root: hex(root),
    streams: [
      { category: "execution", id: EXECUTION, role: "execution", events: 4 },
      { category: "workflow", id: WORKFLOW, role: "workflow", events: 1 },
    ],
    sealed_events: 0,
    left_out: [],
    in_force: {
      program: "timeloom 0.1.0",
      workflows: [{ id: WORKFLOW, name: "Greet", revision: 1 }],
      node_types: [],
      credentials: [],
    },
    files: listed,
  });
  return new Blob([zipOf({ "manifest.json": utf8(JSON.stringify(said)), ...files })]);
}

/** Why a file is refused. */
async function refusal(file: Blob): Promise<string> {
  const read = await readCapsule(file).then(
    () => "it was read",
    (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : "?"),
  );
  return read;
}

test("a capsule is read, proved by the log's key, and opened with its states", async () => {
  const read = await readCapsule(await capsule());
  expect(read.lines.map(({ record }) => record.type)).toEqual(EVENTS.map(([, type]) => type));
  expect(await signerOf(read.checkpoint, readKeys(`# ours\n${await keyText()}\n`))).toMatchObject({ name: ORIGIN });
  const opened = openExecution(read, EXECUTION);
  expect(opened).toMatchObject({ status: "COMPLETED", mode: "manual", workflow: { name: "Greet" }, sealed: [] });
  expect(opened.history.run(1)).toMatchObject({ node: "Large", durationMs: 1.5, itemCounts: [1] });
  let told: unknown;
  opened.source
    .part({ executionId: EXECUTION, revision: 3, path: "/node_runs/1/outputs/0/0/json/text" })
    .ask((answer) => {
      told = answer.data;
    });
  expect(told).toBe("ü".repeat(10));
  opened.source.definition().ask(({ data }) => {
    told = data;
  });
  expect(told).toEqual(DEFINITION);
  opened.source.event(3).ask(({ data }) => {
    told = data;
  });
  expect(told).toMatchObject({ revision: 1, reason: "because", known: true, actor: { kind: "user", name: "ada" } });
  opened.source.search("üü", undefined).ask(({ data }) => {
    told = data?.hits.map(({ position }) => position);
  });
  expect(told).toEqual(["7"]);
  opened.source.changes(2, 4).ask(({ data }) => {
    told = data?.map(({ op, path, writtenBy }) => `${op} ${path} by ${writtenBy?.revision ?? "nobody"}`);
  });
  expect(told).toEqual(["replace /ended_at_ms by 4", "add /node_runs/1 by 3", "replace /status by 4"]);
});

test("whoever has not the log's key cannot make one up", async () => {
  const at = (position: string, change: Partial<AuditedRecord>) => (one: AuditedRecord) =>
    one.position === position ? { ...one, ...change } : one;
  expect(
    await refusal(await capsule({ record: at("9", { payload: '{"type":"execution_completed","at_ms":6}' }) })),
  ).toBe(
    "Refusal: the event at position 9 is not in the log of which the checkpoint was signed: it was made up or changed",
  );
  expect(await refusal(await capsule({ record: at("9", { tenant: 1 }) }))).toContain("is another tenant's");
  expect(await refusal(await capsule({ record: at("9", { position: "4" }) }))).toContain("not in the order of the log");
  expect(await refusal(await capsule({ without: 2 }))).toContain("does not follow the one before it in its stream");
  expect(await refusal(await capsule({ without: 4 }))).toContain("has 3 events here, not 4: some were taken out");
  expect(await refusal(await capsule({ blob: LARGE.replace("Large", "Later") }))).toContain("not what its name says");
  const others = (one: Record<string, unknown>) => ({ ...one, root: "0".repeat(64) });
  expect(await refusal(await capsule({ manifest: others }))).toContain("not the checkpoint that the manifest names");
  const { checkpoint } = await readCapsule(await capsule());
  const stranger = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const publicKey = base64(new Uint8Array(await crypto.subtle.exportKey("raw", stranger.publicKey)));
  expect(await signerOf(checkpoint, [{ name: ORIGIN, id: "", publicKey }])).toBeUndefined();
});

test("what is newer, too large, or no capsule is refused in words that say so", async () => {
  const newer = (one: Record<string, unknown>) => ({ format: one.format, version: 2, other: [] });
  expect(await refusal(await capsule({ manifest: newer }))).toBe(
    "Refusal: it is a capsule of version 2, and this app reads 1: open it in the app of a newer server",
  );
  const another = (one: Record<string, unknown>) => ({ ...one, format: "holiday" });
  expect(await refusal(await capsule({ manifest: another }))).toContain("says that it is 'holiday'");
  const unnamed = (one: Record<string, unknown>) => ({ ...one, files: (one.files as unknown[]).slice(1) });
  expect(await refusal(await capsule({ manifest: unnamed }))).toContain("does not name all files that are there");
  expect(await refusal(new Blob(["a letter"]))).toContain("is another kind of file");
  expect(await refusal(new Blob([]))).toContain("is another kind of file");
  expect(await refusal(new Blob([zipOf({ "a.txt": utf8("hello") })]))).toContain("manifest.json: it is missing");
  expect(await refusal({ size: FILE_BYTES_MAX + 1 } as Blob)).toContain(
    "more than 64 MiB, which is too much for a browser",
  );
});

test("no more is unpacked than is allowed, whatever an archive says of itself", async () => {
  const bytes = zipOf({ one: new Uint8Array(600), other: new Uint8Array(600) });
  const archive = Archive.open(bytes, 2, 1_000);
  expect(await archive.take("one", 1_000)).toHaveLength(600);
  await expect(archive.take("other", 1_000)).rejects.toThrow("other has more than 400 bytes");
  expect(() => Archive.open(bytes, 1, 1_000)).toThrow("more than 1 files");
  const flipped = zipOf({ one: utf8("hello") });
  flipped[34] = (flipped[34] ?? 0) ^ 1;
  await expect(Archive.open(flipped, 2, 1_000).take("one", 100)).rejects.toThrow("the capsule was changed");
});

test("a payload is cut out of its line byte for byte", () => {
  const payload = '{ "a" : 1.50, "b":"\\"}{\\\\", "c":[{"d":"]"}], "e":-1e9 }';
  const record = firstOf(records());
  const line = readLine(lineOf({ ...record, payload }, new Uint8Array(32)).trimEnd());
  expect(line.record).toEqual({ ...record, payload });
  const text = '{"payload_text":"{\\n}","position":1}';
  expect([...fieldsOf(text)]).toEqual([
    ["payload_text", '"{\\n}"'],
    ["position", "1"],
  ]);
  for (const wrong of ["[]", "{", '{"payload":1,"payload":2}', '{"other":1}'])
    expect(() => fieldsOf(wrong), wrong).toThrow("it is not an event");
  expect(() => readLine('{"payload":{}}')).toThrow("it is not an event");
});

test("what is sealed is shown as what is erased is, and named", () => {
  const sealed = { $sealed: { key: "k" }, type: "node_failed", run: run("A", 0), error: null };
  expect(withoutSealed("NodeFailed", sealed)).toEqual({
    payload: {
      $erased: ["error"],
      type: "node_failed",
      run: run("A", 0),
      error: { name: "Erased", message: "[erased]" },
    },
    sealed: ["error"],
  });
  const start = { $sealed: {}, type: "execution_retried", start: { items: null, seed: 1 } };
  expect(withoutSealed("ExecutionRetried", start)).toMatchObject({
    payload: { start: { items: [], seed: 1, subject: "[erased]" } },
    sealed: ["start.items"],
  });
  expect(withoutSealed("NodeFailed", { error: null })).toEqual({ payload: { error: null }, sealed: undefined });
});

test("what a newer program wrote is left out of a state, and counted", () => {
  const fold = new Fold();
  fold.apply({ type: "ExecutionStarted", version: 1, payload: { type: "x", seed: 1 } });
  fold.apply({ type: "NodeDreamt", version: 1, payload: {} });
  fold.apply({ type: "ExecutionCompleted", version: 9, payload: { at_ms: 1 } });
  expect(fold.state()).toMatchObject({ unknownEventCount: 2, state: { status: "running", start: { seed: 1 } } });
});

test("states are compared value by value", () => {
  const before = { a: [1, { b: 1 }], gone: 1, same: { x: [] } };
  const after = { a: [1, { b: 2 }, 3], came: null, same: { x: [] } };
  expect(changesBetween(before, after)).toEqual([
    { op: "replace", path: "/a/1/b", before: 1, after: 2 },
    { op: "add", path: "/a/2", after: 3 },
    { op: "add", path: "/came", after: null },
    { op: "remove", path: "/gone", before: 1 },
  ]);
});

test("keys are read as they are printed, and no others", async () => {
  const text = await keyText();
  const dated = readKeys(`${text} from=2026-01-01T00:00:00Z until=2027-01-01T00:00:00Z`);
  expect(dated).toMatchObject([
    { name: ORIGIN, validFrom: "2026-01-01T00:00:00Z", validUntil: "2027-01-01T00:00:00Z" },
  ]);
  for (const [wrong, why] of [
    ["", "there is no key in it"],
    ["PRIVATE+KEY+x", "key number 1 is not NAME+ID+KEY"],
    [text.replace(/\+[0-9a-f]{8}\+/, "+00000000+"), "has an id that is not its own"],
    [`${text} since=now`, "key number 1 is not NAME+ID+KEY"],
    [`${text} from=now`, "key number 1 is not NAME+ID+KEY"],
  ] as const)
    expect(() => readKeys(wrong), wrong).toThrow(why);
  expect(readCheckpoint("nothing")).toBeUndefined();
});
