import { type RawSearch, position } from "@/app/search";

export interface AuditSearch {
  position?: string;
}

/** What the address of /audit says. */
export function search(raw: RawSearch): AuditSearch {
  return { position: position(raw.position) };
}
