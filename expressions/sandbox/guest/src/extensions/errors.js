// Small helpers of the extension methods.

import { ExpressionExtensionError } from '../errors.js';

/** Stops the expression. */
export function fail(message) {
  throw new ExpressionExtensionError(message);
}

/** Whether two JSON-like values are equal. */
export function isEqual(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isEqual(a[key], b[key]));
}

export const nothing = () => undefined;
