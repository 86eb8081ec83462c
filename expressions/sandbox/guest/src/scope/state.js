// What the current call is about: the scope that the host sent and the items read so far.

import host from 'timeloom:sandbox/host';
import { ExpressionError, LimitError } from '../errors.js';
import { setNow, setSeed } from '../platform/clock.js';
import { setDefaultZone } from '../zones.js';

/** Items asked for at once when many jobs read them one by one. */
const CHUNK = 64;

export const state = { scope: undefined, itemCount: 0, generation: 0, chunk: 1, items: new Map(), lookups: new Map() };

/** Takes over what a request says. */
export function begin(request) {
  if (request.seed !== undefined) setSeed(request.seed);
  if (request.scope) {
    state.scope = request.scope;
    setNow(request.scope.nowMs);
    setDefaultZone(request.scope.timezone);
  }
  if (request.generation !== state.generation) forgetItems();
  state.generation = request.generation;
  state.itemCount = request.itemCount;
  state.chunk = (request.jobs?.length ?? 0) > 1 ? CHUNK : 1;
  state.lookups.clear();
}

/** Drops what scripts may have changed. */
export function forgetItems() {
  state.items.clear();
  state.lookups.clear();
}

/** Asks the host; a refusal stops the expression. */
export function ask(query) {
  const text = JSON.stringify(query);
  const known = state.lookups.get(text);
  if (known !== undefined) return known;
  const answer = JSON.parse(host.lookup(text));
  if (answer.error) {
    if (answer.error.kind === 'fault') throw new LimitError(answer.error.message);
    throw new ExpressionError(answer.error.message, { type: answer.error.kind });
  }
  state.lookups.set(text, answer.ok);
  return answer.ok;
}

/** Item of the current input, or `undefined`. */
export function itemAt(index) {
  const known = state.items.get(index);
  if (known !== undefined || !(index >= 0 && index < state.itemCount)) return known;
  const items = JSON.parse(host.lookup(`{"op":"own","from":${index},"count":${state.chunk}}`)).ok;
  items.forEach((item, offset) => {
    if (!state.items.has(index + offset)) state.items.set(index + offset, item);
  });
  return state.items.get(index);
}

/** All items of the current input. */
export function allItems() {
  state.chunk = Math.max(1, state.itemCount);
  return Array.from({ length: state.itemCount }, (_, index) => itemAt(index));
}
