export type GatewaySearch = Record<string, never>;

/** What the address of /gateway says: nothing yet. */
export function search(): GatewaySearch {
  return {};
}

export type ModelCallSearch = Record<string, never>;

/** What the address of /gateway/calls/$callId says: nothing yet. */
export function callSearch(): ModelCallSearch {
  return {};
}
