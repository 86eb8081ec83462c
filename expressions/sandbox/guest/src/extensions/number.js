// Extension methods of numbers and booleans.

import { DateTime } from '../zones.js';
import { fail, nothing } from './errors.js';

/** Days from 1899-12-30, where spreadsheets start, to 1970-01-01. */
const EXCEL_EPOCH_DAYS = 25569;
const DAY_MS = 86_400_000;

function round(value, [places = 0] = []) {
  return Number(value.toFixed(places));
}

/** The moment that a number means in a unit. */
export function numberToDateTime(value, [format = 'ms']) {
  switch (format) {
    case 'ms':
      return DateTime.fromMillis(value);
    case 's':
      return DateTime.fromSeconds(value);
    case 'us':
      return DateTime.fromMillis(value / 1000);
    case 'excel':
      return DateTime.fromMillis((value - EXCEL_EPOCH_DAYS) * DAY_MS);
    default:
      return fail(`Unsupported format '${String(format)}'. toDateTime() supports 'ms', 's', 'us' and 'excel'.`);
  }
}

export const numberMethods = {
  abs: (value) => Math.abs(value),
  ceil: (value) => Math.ceil(value),
  floor: (value) => Math.floor(value),
  format: (value, [locale = 'en-US', options = {}]) => new Intl.NumberFormat(locale, options).format(value),
  isEven: (value) => (Number.isInteger(value) ? value % 2 === 0 : fail('isEven() is only callable on integers')),
  isInteger: (value) => Number.isInteger(value),
  isOdd: (value) => (Number.isInteger(value) ? Math.abs(value) % 2 === 1 : fail('isOdd() is only callable on integers')),
  round,
  toBoolean: (value) => value !== 0,
  toDateTime: numberToDateTime,
  toFloat: (value) => value,
  toInt: (value) => round(value),
  toNumber: (value) => value,
};

export const booleanMethods = {
  toBoolean: (value) => value,
  toDateTime: nothing,
  toFloat: (value) => Number(value),
  toInt: (value) => Number(value),
  toNumber: (value) => Number(value),
};
