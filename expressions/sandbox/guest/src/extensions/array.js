// Extension methods of arrays.

import { fail, isEqual, nothing } from './errors.js';
import { compactObject, mergeObject } from './object.js';

const isObject = (value) => typeof value === 'object' && value !== null;

function numbers(values, name) {
  if (values.some((value) => typeof value !== 'number')) fail(`${name}(): all array elements must be numbers`);
  return values;
}

function otherArray(other, name, example) {
  if (!Array.isArray(other)) fail(`${name}(): expected array arg, e.g. .${name}(${example})`);
  return other;
}

function sum(values, name = 'sum') {
  return numbers(values, name).reduce((total, value) => total + value, 0);
}

export function average(values) {
  return values.length === 0 ? 0 : sum(values, 'average') / values.length;
}

function pick(value, fields) {
  return fields.length > 0 && isObject(value) ? Object.fromEntries(fields.map((field) => [field, value[field]])) : value;
}

/** Primitive values are told apart by a set; only objects need the slow comparison. */
function unique(values, fields) {
  const seen = new Set();
  const objects = [];
  return values.filter((value) => {
    const compared = pick(value, fields);
    if (!isObject(compared)) {
      if (seen.has(compared)) return false;
      seen.add(compared);
      return true;
    }
    if (objects.some((other) => isEqual(other, compared))) return false;
    objects.push(compared);
    return true;
  });
}

const contains = (values, value) => values.some((other) => isEqual(other, value));

function chunk(values, [size]) {
  if (typeof size !== 'number' || !(size > 0)) fail('chunk(): expected non-zero numeric arg, e.g. .chunk(5)');
  const chunks = [];
  for (let start = 0; start < values.length; start += size) chunks.push(values.slice(start, start + size));
  return chunks;
}

function pluck(values, fields) {
  if (fields.length === 0) return values;
  return values.filter(isObject).flatMap((value) => {
    const found = Object.keys(value).filter((key) => fields.includes(key)).map((key) => value[key]);
    if (found.length === 0) return [];
    return [found.length === 1 ? found[0] : found];
  });
}

function renameKeys(values, names) {
  if (names.length === 0 || names.length % 2 !== 0) {
    fail('renameKeys(): expected an even amount of args: from1, to1 [, from2, to2, ...]. e.g. .renameKeys("name", "title")');
  }
  return values.map((value) => {
    if (!isObject(value)) return value;
    const renamed = { ...value };
    for (let index = 0; index < names.length; index += 2) {
      const [from, to] = [names[index], names[index + 1]];
      if (!(from in renamed)) continue;
      renamed[to] = renamed[from];
      delete renamed[from];
    }
    return renamed;
  });
}

function smartJoin(values, [keyField, valueField]) {
  if (typeof keyField !== 'string' || typeof valueField !== 'string' || !keyField || !valueField) {
    fail('smartJoin(): expected two string args, e.g. .smartJoin("name", "value")');
  }
  const joined = {};
  for (const value of values) {
    if (isObject(value) && keyField in value && valueField in value) joined[value[keyField]] = value[valueField];
  }
  return joined;
}

function merge(values, [others]) {
  if (others === undefined) {
    const objects = values.filter((value) => isObject(value) && !Array.isArray(value));
    return objects.reduce((all, value) => mergeObject(all, [value]), {});
  }
  otherArray(others, 'merge', '[{ id: 1, otherValue: 3 }]');
  const merged = {};
  values.forEach((value, index) => {
    if (value !== undefined && typeof value === 'object' && typeof others[index] === 'object') {
      Object.assign(merged, mergeObject(value, [others[index]]));
    }
  });
  return merged;
}

function compact(values) {
  return values
    .filter((value) => value !== null && value !== undefined && value !== 'nil' && value !== '')
    .filter((value) => !isObject(value) || Object.keys(value).length > 0)
    .map((value) => (isObject(value) ? compactObject(value) : value));
}

/** The elements for which `other`, once it is checked, has an equal one or has none. */
function compared(values, other, name, wanted) {
  otherArray(other, name, '[1, 2, 3, 4]');
  return unique(values.filter((value) => contains(other, value) === wanted), []);
}

export const arrayMethods = {
  append: (values, more) => values.concat(more),
  average,
  chunk,
  compact,
  difference: (values, [other]) => compared(values, other, 'difference', false),
  first: (values) => values[0],
  intersection: (values, [other]) => compared(values, other, 'intersection', true),
  isEmpty: (values) => values.length === 0,
  isNotEmpty: (values) => values.length > 0,
  last: (values) => values[values.length - 1],
  max: (values) => Math.max(...numbers(values, 'max')),
  merge,
  min: (values) => Math.min(...numbers(values, 'min')),
  pluck,
  randomItem: (values) => values[Math.floor(Math.random() * values.length)],
  removeDuplicates: unique,
  renameKeys,
  smartJoin,
  sum: (values) => sum(values),
  toBoolean: nothing,
  toDateTime: nothing,
  toFloat: nothing,
  toInt: nothing,
  toJsonString: (values) => JSON.stringify(values),
  union: (values, [other]) => unique([...values, ...otherArray(other, 'union', '[1, 2, 3, 4]')], []),
  unique,
};
