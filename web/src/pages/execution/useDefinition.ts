import { isRecord } from "@/parts/records";
import { useMemo } from "react";
import { type Drawn, drawn } from "./definition";
import { useExact } from "./exact";
import { changedNodes } from "./history/facts";
import { useSource } from "./source";

/** What the execution runs: its own version of the workflow, with what a fork changed in it. */
export function useDefinition(beginning: { type: string; payload: unknown } | undefined) {
  const { data: definition, fault } = useExact(useSource().definition());
  const changes = useMemo(() => changedNodes(beginning?.payload), [beginning]);
  const shown = useMemo((): Drawn | undefined => {
    if (definition === undefined) return undefined;
    const own = drawn(definition);
    return {
      ...own,
      nodes: own.nodes.map((node) => {
        const parameters = changes
          .filter((change) => change.node === node.name && change.path !== undefined)
          .reduce<unknown>((value, change) => set(value, change.path ?? "", change.value), node.parameters);
        return { ...node, parameters };
      }),
    };
  }, [definition, changes]);
  return {
    drawn: fault ? { nodes: [], edges: [] } : shown,
    changed: useMemo(() => new Set(changes.map(({ node }) => node)), [changes]),
  };
}

/** A value with something else at a JSON Pointer. */
function set(value: unknown, pointer: string, next: unknown): unknown {
  const [, first, ...rest] = pointer.split("/");
  if (first === undefined) return next;
  const name = first.replaceAll("~1", "/").replaceAll("~0", "~");
  const inner = rest.length === 0 ? "" : `/${rest.join("/")}`;
  if (Array.isArray(value))
    return value.map((one: unknown, place) => (String(place) === name ? set(one, inner, next) : one));
  if (!isRecord(value)) return value;
  return { ...value, [name]: set(value[name], inner, next) };
}
