export type GatewaySearch = Record<never, never>;

/** What the address of /gateway says: nothing yet. */
export function search(): GatewaySearch {
  return {};
}

export type ModelCallSearch = Record<never, never>;

/** What the address of /gateway/calls/$callId says: nothing yet. */
export function callSearch(): ModelCallSearch {
  return {};
}
