// Functions without a receiver.

import { ExpressionError, ExpressionExtensionError } from '../errors.js';
import { average } from './array.js';

function ifEmpty(...args) {
  if (args.length !== 2) throw new ExpressionError('expected two arguments (value, defaultValue) for this function');
  const [value, fallback] = args;
  if (value === undefined || value === null || value === '') return fallback;
  if (typeof value !== 'object') return value;
  return Object.keys(value).length === 0 ? fallback : value;
}

function numberList(start, end) {
  const [first, last] = [Number(start), Number(end)];
  const step = first <= last ? 1 : -1;
  return Array.from(new Array(Math.abs(first - last) + 1), (_, index) => first + index * step);
}

function zip(keys, values) {
  if (keys.length !== values.length) throw new ExpressionExtensionError('keys and values not of equal length');
  return Object.fromEntries(keys.map((key, index) => [key, values[index]]));
}

const min = (...values) => Math.min(...values);
const max = (...values) => Math.max(...values);
const averageOf = (...values) => average(values);
const not = (value) => !value;

export const functions = {
  min,
  max,
  not,
  average: averageOf,
  ifEmpty,
  numberList,
  zip,
  $min: min,
  $max: max,
  $average: averageOf,
  $not: not,
  $ifEmpty: ifEmpty,
};
