import { describe, expect, it } from "vitest";
import { EVENT_KINDS } from "@/app/event-kinds";
import { sentenceOf, sentenceText } from "@/parts/sentence";
import { GROUPS, filterOf, isTold } from "./groups";

const event = (
  type: string,
  payload: unknown,
  category = "account",
  streamId = "01a21c63-aea3-7173-95a9-9efdcf7b6b45",
) => ({
  type,
  category,
  streamId,
  position: "12",
  payload,
});
const nameOf = (thing: string) => (thing.startsWith("01a21c63") ? "Ada" : undefined);

describe("what somebody did, in words", () => {
  it("names accounts, roles and who was not let in", () => {
    expect(sentenceText(event("RoleGranted", { role: "editor" }), nameOf)).toBe("gave Ada the role editor");
    const refused = { method: "password", name: "ann", why: "wrong password", address: "10.0.0.7", unrecorded: 4 };
    expect(sentenceText(event("SignInRefused", refused, "audit", "x"), nameOf)).toBe(
      "was not let in as ann by password from 10.0.0.7: wrong password (and 4 more times)",
    );
  });

  it("tells what is decided about data", () => {
    const id = "5a0c1111-2222-4333-8444-555566667777";
    expect(sentenceText(event("LegalHoldReleased", { hold: "case 7" }, "subject", id), nameOf)).toBe(
      "released the hold case 7 on the subject …66667777",
    );
    const backup = { place: "/backups/timeloom", up_to: 12, events: 3 };
    expect(sentenceText(event("BackupTaken", backup, "audit", "x"), nameOf)).toBe(
      "backed the log up to position 12 into /backups/timeloom",
    );
  });

  it("tells how long data is kept, and what went", () => {
    const told = (type: string, payload: unknown) =>
      sentenceText(event(type, payload, "retention", "model-call"), nameOf);
    expect(told("RetentionRequested", { days: 1, reason: "our policy" })).toBe(
      "asked for model calls to be kept for 1 day: our policy",
    );
    expect(told("RetentionSet", { reason: "an audit" })).toBe("let model calls be kept for ever: an audit");
    const buckets = [{ day: 20_370 }, { day: 20_371 }];
    expect(told("RetentionApplied", { buckets, days: 30 })).toBe(
      "destroyed the keys of 2 days of model calls, the newest 2025-10-10 (UTC)",
    );
    expect(told("RetentionCompleted", { streams: 1, events: 17 })).toBe(
      "removed what was made of that data: 17 events of 1 stream of model calls",
    );
  });

  it("tells for whom a feature is on", () => {
    const rollout = { percent: 20, on_for: [3, 7], off_for: [9] };
    expect(
      sentenceText(event("FeatureFlagSet", { feature: "agents", rollout }, "feature-flag", "agents"), nameOf),
    ).toBe("set the flag agents: on for 20 % of the tenants and 3, 7 but not 9");
    expect(sentenceText(event("FeatureFlagRemoved", {}, "feature-flag", "agents"), nameOf)).toBe(
      "removed the flag agents: on for all tenants",
    );
  });

  it("asks for the name that a credential had before it was deleted", () => {
    expect(sentenceOf(event("CredentialDeleted", {}, "credential", "8b3b"))).toContainEqual(
      expect.objectContaining({ thing: "8b3b", asOf: "11" }),
    );
  });

  it("keeps what somebody wrote apart from its own words", () => {
    expect(sentenceOf(event("AccountCreated", { kind: "user", name: "<b>x</b>" }))).toContainEqual({
      said: "<b>x</b>",
    });
  });

  it("has words for every event that it does not know, and bears payloads of any shape", () => {
    expect(sentenceText(event("NodeCompleted", null, "execution", "e-1"), nameOf)).toBe(
      "node completed: execution e-1",
    );
    for (const kind of EVENT_KINDS)
      for (const type of kind.types)
        expect(sentenceText(event(type, "no object", kind.category), nameOf).length).toBeGreaterThan(5);
  });
});

describe("groups", () => {
  it("leave reads of the trail out where none is chosen, and ask for the whole log only when told to", () => {
    expect(isTold(undefined, "AuditTrailRead")).toBe(false);
    expect(isTold(undefined, "SignInRefused")).toBe(true);
    expect(isTold("reads", "AuditTrailRead")).toBe(true);
    expect(filterOf("reads", undefined).types).toEqual(["AuditTrailRead"]);
    expect(filterOf("all", "x")).toEqual({ actors: ["x"] });
  });

  it("name no more types than one question may", () => {
    for (const group of GROUPS) expect(filterOf(group, undefined).types?.length ?? 0).toBeLessThanOrEqual(50);
  });
});
