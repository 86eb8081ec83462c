import { type RawSearch, count, flag, oneOf } from "@/app/search";

/** The draft, or a published version. */
export type Side = "draft" | number;

export interface VersionsSearch {
  /** What is compared, and with what. */
  left?: Side;
  right?: Side;
  show?: "definition";
  /** Whether a test case is to be added. */
  add?: true;
}

/** What the address of /workflows/$workflowId/versions says. */
export function search(raw: RawSearch): VersionsSearch {
  return {
    left: side(raw.left),
    right: side(raw.right),
    show: oneOf(["definition"], raw.show),
    add: flag(raw.add),
  };
}

function side(value: unknown): Side | undefined {
  if (value === "draft") return "draft";
  const version = count(value);
  return version === undefined || version === 0 ? undefined : version;
}
