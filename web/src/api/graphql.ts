import { type TypedDocumentNode, gql } from "@urql/core";
import type { graphql as Typed } from "../gql/gql";

/** Fragments by name, as they were defined, so that documents can spread them. */
const fragments = new Map<string, string>();

/**
 * A document, typed by what the schema says of its text. It stays in the module where it is written, so that each page loads
 * its own documents and no others. A fragment has to be defined in a module that is loaded before: export it, and import it
 * where it is spread.
 */
export const graphql = ((source: string): TypedDocumentNode => {
  const defined = /^\s*fragment\s+(\w+)\s+on\b/.exec(source)?.[1];
  if (defined !== undefined) fragments.set(defined, source);
  return gql(withFragments(source));
}) as unknown as typeof Typed;

function withFragments(source: string): string {
  const has = new Set<string>();
  const parts = [source];
  // The list grows while it is walked: fragments spread others.
  for (const part of parts) {
    for (const [, name] of part.matchAll(/\.\.\.\s*(?!on\b)(\w+)/g)) {
      if (name === undefined || has.has(name) || new RegExp(`fragment\\s+${name}\\s+on`).test(source)) continue;
      const fragment = fragments.get(name);
      if (fragment === undefined)
        throw new Error(`the fragment ${name} is spread before its module is loaded: import it`);
      has.add(name);
      parts.push(fragment);
    }
  }
  return parts.join("\n");
}
