// Calls of extension methods: `value.method()` for methods that JavaScript's values lack.

import { ExpressionExtensionError } from '../errors.js';
import { DateTime } from '../zones.js';
import { arrayMethods } from './array.js';
import { dateMethods } from './date.js';
import { booleanMethods, numberMethods } from './number.js';
import { objectMethods } from './object.js';
import { stringMethods } from './string.js';

const TYPES = [
  ['Array', arrayMethods],
  ['Date', dateMethods],
  ['Number', numberMethods],
  ['Object', objectMethods],
  ['String', stringMethods],
  ['Boolean', booleanMethods],
];
const NAMES = new Set(TYPES.flatMap(([, methods]) => Object.keys(methods)));
const GENERIC = {
  isEmpty: (value) => !value,
  isNotEmpty: (value) => Boolean(value),
};
const ISO_TEXT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** Whether calls of this name are rewritten. */
export function isExtensionName(name) {
  return NAMES.has(name);
}

function isIsoText(value) {
  if (typeof value !== 'string' || !ISO_TEXT.test(value)) return false;
  const date = new Date(value);
  return !Number.isNaN(date.getTime()) && date.toISOString() === value;
}

function methodsOf(value, name) {
  if (Array.isArray(value)) return arrayMethods;
  // Dates come out of JSON as text, and are dates to the methods of dates.
  if (isIsoText(value) && name !== 'toDate' && name !== 'toDateTime' && name in dateMethods) return dateMethods;
  switch (typeof value) {
    case 'string':
      return stringMethods;
    case 'number':
      return numberMethods;
    case 'boolean':
      return booleanMethods;
    case 'object':
      if (value === null) return undefined;
      return value instanceof DateTime || value instanceof Date ? dateMethods : objectMethods;
    default:
      return undefined;
  }
}

function missing(name) {
  const types = TYPES.filter(([, methods]) => Object.hasOwn(methods, name)).map(([type]) => `"${type}"`);
  if (types.length === 0) return new ExpressionExtensionError(`Unknown expression function: ${name}`);
  if (types.length === 1) return new ExpressionExtensionError(`${name}() is only callable on type ${types[0]}`);
  const last = types.pop();
  return new ExpressionExtensionError(`${name}() is only callable on types ${types.join(', ')}, and ${last}`);
}

/** `value.name(...args)`; with `optional`, `value?.name(...args)`. */
export function extend(value, name, args, optional) {
  if (optional && (value === undefined || value === null)) return undefined;
  const methods = methodsOf(value, name);
  if (methods && Object.hasOwn(methods, name)) return methods[name](value, args);
  const native = value === undefined || value === null ? undefined : value[name];
  if (typeof native === 'function') return native.apply(value, args);
  if (Object.hasOwn(GENERIC, name)) return GENERIC[name](value);
  throw missing(name);
}
