// Extension methods of objects.

import { DateTime } from '../zones.js';
import { fail, nothing } from './errors.js';
import { URLSearchParams } from '../platform/url.js';

const isObject = (value) => typeof value === 'object' && value !== null;

/** Fields of `value`, and those of `other` that it lacks. */
export function mergeObject(value, [other]) {
  if (!other) return value;
  if (!isObject(other)) fail('merge(): expected object arg');
  const merged = { ...value };
  for (const [key, field] of Object.entries(other)) {
    if (!(key in merged)) merged[key] = field;
  }
  return merged;
}

/** Without fields that hold nothing, at any depth. Lists become objects by index, moments stay. */
export function compactObject(value) {
  const compacted = {};
  for (const [key, field] of Object.entries(value)) {
    if (field === null || field === undefined || field === 'nil' || field === '') continue;
    if (!isObject(field) || field instanceof DateTime) compacted[key] = field;
    else if (Object.keys(field).length > 0) compacted[key] = compactObject(field);
  }
  return compacted;
}

function withoutFields(value, unwanted) {
  return Object.fromEntries(Object.entries(value).filter(([key, field]) => !unwanted(field, key)));
}

function searchText(text, name) {
  if (typeof text !== 'string' || text === '') fail(`${name}(): expected non-empty string arg, e.g. .${name}('test')`);
  return text;
}

export const objectMethods = {
  compact: compactObject,
  hasField: (value, [name]) => name in value,
  isEmpty: (value) => Object.keys(value).length === 0,
  isNotEmpty: (value) => Object.keys(value).length > 0,
  keepFieldsContaining: (value, [text]) => {
    searchText(text, 'keepFieldsContaining');
    return withoutFields(value, (field) => typeof field !== 'string' || !field.includes(text));
  },
  keys: (value) => Object.keys(value),
  merge: (value, args) => mergeObject(value, args),
  removeField: (value, [name]) => withoutFields(value, (_, key) => key === name),
  removeFieldsContaining: (value, [text]) => {
    searchText(text, 'removeFieldsContaining');
    return withoutFields(value, (field) => typeof field === 'string' && field.includes(text));
  },
  toBoolean: nothing,
  toDateTime: nothing,
  toFloat: nothing,
  toInt: nothing,
  toJsonString: (value) => JSON.stringify(value),
  urlEncode: (value) => new URLSearchParams(value).toString(),
  values: (value) => Object.values(value),
};
