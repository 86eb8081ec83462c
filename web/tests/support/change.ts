import { expect } from "@playwright/test";
import type { Server } from "./server";

/** What every change answers. */
export interface Changed {
  errors: { message: string }[];
  position?: string | null;
}

/** Makes a change and waits until reads show it. */
export async function changed<P>(
  server: Server,
  field: string,
  type: string,
  input: unknown,
  selects = "",
): Promise<P & Changed> {
  const document = `mutation($input: ${type}!) { ${field}(input: $input) { position errors { message } ${selects} } }`;
  const data = await server.ask<Record<string, P & Changed>>(document, { input });
  const payload = data[field];
  if (payload === undefined) throw new Error(`${field} answered nothing`);
  expect(payload.errors, field).toEqual([]);
  if (payload.position) await server.settled(payload.position);
  return payload;
}
