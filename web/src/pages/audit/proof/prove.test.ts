import { beforeEach, describe, expect, it } from "vitest";
import type { Key } from "@/parts/proof/checkpoint";
import { type AuditedRecord, type Hash, bytesOfHex, isSame, leafOf } from "@/parts/proof/tree";
import { type Asked, prove } from "./prove";

const ORIGIN = "timeloom/00000000-0000-0000-0000-000000000001";
const TIME_US = 1_764_136_800_000_000n;

const record = (position: number, payload = `{"number":${String(position)}}`): AuditedRecord => ({
  position: String(position),
  tenant: 0,
  category: "order",
  stream: "o-1",
  revision: String(position),
  id: "05050505-0505-0505-0505-050505050505",
  type: "OrderPlaced",
  version: 1,
  recordedAtUs: String(TIME_US + BigInt(position)),
  payload,
  metadata: "{}",
});

const hex = (hash: Uint8Array) => Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
const digest = async (...parts: Uint8Array[]): Promise<Hash> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(parts.flatMap((part) => [...part]))));

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
async function linkOf(size: number, leaves: Hash[], isWhole = true): Promise<Hash[]> {
  if (size === leaves.length) return isWhole ? [] : [await rootOf(leaves)];
  const at = split(leaves.length);
  return size <= at
    ? [...(await linkOf(size, leaves.slice(0, at), isWhole)), await rootOf(leaves.slice(at))]
    : [...(await linkOf(size - at, leaves.slice(at), false)), await rootOf(leaves.slice(0, at))];
}

/** A server with a log, whose operator may do anything. */
class Server implements Asked {
  constructor(
    public records: AuditedRecord[],
    private pair: CryptoKeyPair,
    public signedSize = records.length,
  ) {}

  static async of(count: number) {
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    return new Server(
      Array.from({ length: count }, (_, index) => record(index + 1)),
      pair,
    );
  }

  leaves = (size: number) => this.records.slice(0, size).map(leafOf);

  async key(): Promise<Key & { bytes: Uint8Array }> {
    const bytes = new Uint8Array(await crypto.subtle.exportKey("raw", this.pair.publicKey));
    return { name: ORIGIN, id: "", publicKey: base64(bytes), bytes };
  }

  async note() {
    const root = base64(await rootOf(this.leaves(this.signedSize)));
    const text = `${ORIGIN}\n${String(this.signedSize)}\n${root}\nrecorded ${String(TIME_US)}\n`;
    const signature = new Uint8Array(
      await crypto.subtle.sign("Ed25519", this.pair.privateKey, new TextEncoder().encode(text)),
    );
    const { bytes } = await this.key();
    const id = (await digest(new TextEncoder().encode(`${ORIGIN}\n\u0001`), bytes)).subarray(0, 4);
    return `${text}\n\u2014 ${ORIGIN} ${base64(Uint8Array.of(...id, ...signature))}\n`;
  }

  material = async (position: string) => ({
    record: this.records[Number(position) - 1] ?? null,
    note: await this.note(),
    keys: [await this.key()] as Key[],
  });
  inclusion = async (position: string, size: string) =>
    (await pathOf(Number(position) - 1, this.leaves(Number(size)))).map(hex);
  consistency = async (from: string, to: string) => (await linkOf(Number(from), this.leaves(Number(to)))).map(hex);
}

/** Why something is not proved. */
async function because(position: string, asked: Asked) {
  const proof = await prove(position, asked);
  return proof.is === "false" ? proof.because : proof.is;
}

beforeEach(() => {
  localStorage.clear();
});

describe("the leaf of an event", () => {
  it("is the one that the server computes", () => {
    const known = { ...record(7, '{"text":"ü"}'), tenant: 2, revision: "3", recordedAtUs: "-1", metadata: "[]" };
    const leaf = bytesOfHex("81a1dfa4cfe9b6662373f85f50d41d0501f273289ff3b56164b9c895fbd94f5f");
    expect(isSame(leafOf(known), leaf)).toBe(true);
  });
});

describe("an event", () => {
  it("is proved wherever it is in the log", async () => {
    const server = await Server.of(13);
    for (let position = 1; position <= 13; position++) {
      expect(await prove(String(position), server)).toMatchObject({ is: "proved", size: "13" });
    }
  });

  it("is proved to be of the history that this browser saw before", async () => {
    const server = await Server.of(13);
    for (const size of [1, 4, 5, 7, 8, 12, 13]) {
      server.signedSize = size;
      const proof = await prove("1", server);
      expect(proof).toMatchObject({ is: "proved", size: String(size) });
    }
    expect(await prove("2", server)).toMatchObject({ keptSize: "13" });
  });

  it("that no checkpoint covers waits for one", async () => {
    const server = await Server.of(5);
    server.signedSize = 3;
    expect(await prove("4", server)).toEqual({ is: "waiting", size: "3" });
  });

  it("that is not what was recorded is found out", async () => {
    const server = await Server.of(9);
    const honest = server.records;
    const lying: Asked = {
      inclusion: server.inclusion,
      consistency: server.consistency,
      material: async (position) => ({ ...(await server.material(position)), record: record(4, '{"number":5}') }),
    };
    expect(await prove("4", lying)).toMatchObject({ is: "false" });
    expect(server.records).toBe(honest);
  });
});

describe("a server that lies", () => {
  it("and writes history anew is found out by what this browser kept", async () => {
    const server = await Server.of(9);
    expect(await prove("3", server)).toMatchObject({ is: "proved" });
    server.records[1] = record(2, "{}");
    expect(await because("3", server)).toContain("9 events");
    server.records.push(record(10));
    server.signedSize = 10;
    expect(await prove("3", server)).toMatchObject({ is: "false" });
  });

  it("and cuts off the end is found out by what this browser kept", async () => {
    const server = await Server.of(9);
    expect(await prove("3", server)).toMatchObject({ is: "proved" });
    server.records = server.records.slice(0, 6).map((old, index) => (index === 5 ? record(6, "{}") : old));
    server.signedSize = 6;
    expect(await prove("3", server)).toMatchObject({ is: "false" });
  });

  it("and signs by another key is found out", async () => {
    const [server, other] = [await Server.of(9), await Server.of(9)];
    expect(await prove("3", server)).toMatchObject({ is: "proved" });
    expect(await because("3", other)).toContain("keys");
    const forged: Asked = {
      inclusion: server.inclusion,
      consistency: server.consistency,
      material: async (position) => ({ ...(await server.material(position)), note: await other.note() }),
    };
    expect(await because("3", forged)).toContain("not signed");
  });
});
