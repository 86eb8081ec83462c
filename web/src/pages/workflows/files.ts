/** A workflow in a file that is to be taken in. */
export interface Part {
  /** What it is called until the server has read it. */
  label: string;
  /** The text of a whole file, or one definition of a file that holds many. */
  source?: string;
  definition?: unknown;
}

/** What of a text can be taken in: files of one workflow, and lists of many, as exports of whole instances are. */
export function partsOf(name: string, text: string): Part[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The server says where it is wrong.
    return [{ label: name, source: text }];
  }
  if (!Array.isArray(value) || value.length === 0) return [{ label: name, source: text }];
  return value.map((definition: unknown, place) => ({
    label: nameIn(definition) ?? `${name}, number ${place + 1}`,
    definition,
  }));
}

function nameIn(definition: unknown): string | undefined {
  if (typeof definition !== "object" || definition === null) return undefined;
  const { name } = definition as { name?: unknown };
  return typeof name === "string" && name !== "" ? name : undefined;
}
