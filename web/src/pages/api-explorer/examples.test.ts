import { readFileSync } from "node:fs";
import { buildSchema, parse, validate } from "graphql";
import { describe, expect, it } from "vitest";
import { EXAMPLES, curlOf, kindOf } from "./examples";

describe("examples of the API", () => {
  const schema = buildSchema(readFileSync("../read-api/schema.graphql", "utf8"));

  it.each(EXAMPLES.map((example) => [example.id, example] as const))("%s is what the schema allows", (_, example) => {
    expect(validate(schema, parse(example.query)).map((error) => error.message)).toEqual([]);
  });

  it("change nothing", () => {
    expect(EXAMPLES.filter((example) => kindOf(example.query) === "mutation")).toEqual([]);
  });

  it("are asked from a terminal in one piece, whatever quotes are in them", () => {
    expect(curlOf("http://x", 'query { a(b: "it\'s") }', {})).toContain(`it'\\''s`);
    expect(curlOf("http://x", "# note\nsubscription { a }", {})).toContain("Accept: text/event-stream");
  });
});
