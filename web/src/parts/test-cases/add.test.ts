import { afterEach, describe, expect, it, vi } from "vitest";
import { CAPSULE_BYTES_MAX, NAME_CHARACTERS_MAX, base64Of, cut, nameOfFile, nameProblem, readCapsule } from "./add";

afterEach(() => vi.unstubAllGlobals());

/** A file of so many bytes of which each is its place. */
const fileOf = (length: number) => new File([Uint8Array.from({ length }, (_, place) => place % 256)], "run.capsule");

describe("base64Of", () => {
  it("gives the same bytes back, however many there are", async () => {
    for (const length of [0, 1, 2, 3, 24_575, 24_576, 24_577, 60_000]) {
      const read = Uint8Array.from(atob(await base64Of(fileOf(length))), (character) => character.charCodeAt(0));
      expect(read, String(length)).toEqual(Uint8Array.from({ length }, (_, place) => place % 256));
    }
  });
});

describe("names", () => {
  it("come of the file, and are as long as they may be", () => {
    expect(nameOfFile("An order.capsule")).toBe("An order");
    expect(nameOfFile("order.zip")).toBe("order.zip");
    expect(Array.from(cut("ü".repeat(200)))).toHaveLength(NAME_CHARACTERS_MAX);
    expect(Array.from(cut("😀".repeat(200)))).toHaveLength(NAME_CHARACTERS_MAX);
  });

  it("say what is wrong with them", () => {
    expect(nameProblem("An order")).toBeUndefined();
    expect(nameProblem("😀".repeat(NAME_CHARACTERS_MAX))).toBeUndefined();
    expect(nameProblem("  ")).toBe("Give it a name.");
    expect(nameProblem("a".repeat(NAME_CHARACTERS_MAX + 1))).toBe("At most 100 characters.");
    expect(nameProblem("a\tb")).toBe("No control characters.");
  });
});

describe("readCapsule", () => {
  it("sends nothing of a file that is too large", async () => {
    expect(await readCapsule({ file: fileOf(3) })).toEqual({ capsule: "AAEC" });
    expect(await readCapsule({ file: fileOf(CAPSULE_BYTES_MAX + 1) })).toHaveProperty(
      "refused",
      expect.stringContaining("8,388,609 bytes"),
    );
  });

  it("tells in the server's words why an execution makes none", async () => {
    const asked: string[] = [];
    const answer = new Response(JSON.stringify({ errors: [{ message: "it has not ended" }] }), { status: 409 });
    vi.stubGlobal("fetch", (path: string) => {
      asked.push(path);
      return Promise.resolve(answer);
    });
    expect(await readCapsule({ execution: "0192" })).toEqual({ refused: "it has not ended" });
    expect(asked).toEqual(["/capsules/0192?attachments=6291456"]);
  });
});
