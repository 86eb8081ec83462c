// The names that expressions see besides the data: what n8n allows, and empty objects for what it denies.

import { DateTime, Duration, Interval } from '../zones.js';
import { functions } from '../extensions/functions.js';

/** Names that are the same inside and outside, so that expressions may use them directly. */
export const NATIVE_NAMES = new Set([
  'undefined', 'NaN', 'Infinity', 'isFinite', 'isNaN', 'parseFloat', 'parseInt', 'Math', 'JSON', 'Array', 'Date', 'String', 'Number',
  'Boolean', 'BigInt', 'Symbol', 'RegExp', 'Map', 'Set', 'WeakMap', 'WeakSet', 'Intl', 'encodeURI', 'encodeURIComponent', 'decodeURI',
  'decodeURIComponent', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array',
  'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array', 'ArrayBuffer', 'SharedArrayBuffer', 'DataView',
  'URL', 'URLSearchParams',
]);

const DENIED_NAMES = [
  'document', 'global', 'globalThis', 'window', 'Window', 'self', 'alert', 'prompt', 'confirm', 'eval', 'uneval', 'setTimeout',
  'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate', 'queueMicrotask', 'Function', 'require', 'module',
  'process', 'Buffer', 'fetch', 'XMLHttpRequest', 'Promise', 'Generator', 'GeneratorFunction', 'AsyncFunction', 'AsyncGenerator',
  'AsyncGeneratorFunction', 'WebAssembly', 'Reflect', 'Proxy', 'escape', 'unescape', 'performance', 'wit', 'Atomics',
];

const HIDDEN_STATICS = {
  Object: [
    'defineProperty', 'defineProperties', 'setPrototypeOf', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'getOwnPropertyDescriptors',
    '__defineGetter__', '__defineSetter__', '__lookupGetter__', '__lookupSetter__',
  ],
  Error: ['prepareStackTrace', 'captureStackTrace', 'stackTraceLimit', '__defineGetter__', '__defineSetter__', '__lookupGetter__', '__lookupSetter__'],
};
const ERRORS = ['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'AggregateError'];

/** A class without some of its static functions, and that cannot be changed. */
function guarded(target, hidden) {
  const names = new Set(hidden);
  return new Proxy(target, {
    get: (object, name) => (names.has(name) ? undefined : object[name]),
    set: () => false,
    defineProperty: () => false,
    deleteProperty: () => false,
    getPrototypeOf: () => null,
    setPrototypeOf: () => false,
    getOwnPropertyDescriptor: (object, name) => (names.has(name) ? undefined : Reflect.getOwnPropertyDescriptor(object, name)),
  });
}

/** A scope with the global names only. */
export function globalNames() {
  const scope = Object.create(null);
  for (const name of DENIED_NAMES) scope[name] = {};
  scope.Object = guarded(Object, HIDDEN_STATICS.Object);
  for (const name of ERRORS) scope[name] = guarded(globalThis[name], HIDDEN_STATICS.Error);
  return Object.assign(scope, functions, { DateTime, Duration, Interval });
}
