import { describe, expect, it } from "vitest";
import { factsOf } from "./metrics";

describe("what metrics say of a process", () => {
  it("is read from the text, and what is not there is left out", () => {
    const text = `# TYPE process_threads gauge\nprocess_threads 14\ntimeloom_build_info{version="0.1.0"} 1\nprocess_start_time_seconds 1795772573.75\n# EOF`;
    expect(factsOf(text)).toEqual({
      version: "0.1.0",
      threads: 14,
      startedAt: "2026-11-27T09:42:53.750Z",
      residentBytes: undefined,
      cpuSeconds: undefined,
      openFiles: undefined,
    });
  });
});
