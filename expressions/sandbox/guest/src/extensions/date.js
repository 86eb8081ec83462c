// Extension methods of dates: `Date` stays `Date`, Luxon's `DateTime` stays `DateTime`.

import { DateTime, Duration } from '../zones.js';
import { fail, nothing } from './errors.js';

const UNITS = ['milliseconds', 'seconds', 'minutes', 'hours', 'days', 'weeks', 'months', 'quarters', 'years'];

const toLuxon = (value) => (value instanceof DateTime ? value : DateTime.fromJSDate(new Date(value)));
const likeInput = (value, result) => (value instanceof DateTime ? result : result.toJSDate());

/** A moment from whatever a workflow's author passes; `undefined` when it is none. */
export function readMoment(value) {
  if (value instanceof DateTime) return value;
  if (value instanceof Date) return DateTime.fromJSDate(value);
  if (typeof value !== 'string') return undefined;
  for (const read of [DateTime.fromISO, DateTime.fromHTTP, DateTime.fromRFC2822, DateTime.fromSQL]) {
    const moment = read(value);
    if (moment.isValid) return moment;
  }
  const moment = DateTime.fromMillis(Date.parse(value) || NaN);
  return moment.isValid ? moment : undefined;
}

/** Short names of units, which Luxon does not know. */
const SHORT_UNITS = { ms: 'millisecond', sec: 'second', secs: 'second', min: 'minute', mins: 'minute', hr: 'hour', hrs: 'hour' };
const wholeUnit = (unit) => SHORT_UNITS[unit] ?? unit;

function unitName(unit) {
  const name = `${String(unit).toLowerCase().replace(/s$/, '')}s`;
  if (!UNITS.includes(name)) {
    fail(`Unsupported unit '${String(unit)}'. Supported: ${UNITS.map((known) => `'${known}'`).join(', ')}.`);
  }
  return name;
}

function amount([count, unit = 'milliseconds']) {
  if (typeof count === 'object' && count !== null) return count;
  return Duration.fromObject({ [wholeUnit(unit)]: Number(count) });
}

function extract(value, [part = 'week']) {
  const moment = toLuxon(value);
  const names = { yearDayNumber: 'ordinal', weekNumber: 'weekNumber', week: 'weekNumber' };
  return moment.get(names[part] ?? wholeUnit(part).replace(/s$/, ''));
}

function diffTo(value, [other, unit = 'days']) {
  const moment = readMoment(other) ?? fail('diffTo(): expected a date to compare with');
  const units = (Array.isArray(unit) ? unit : [unit]).map(unitName);
  const difference = toLuxon(value).diff(moment, units);
  return Array.isArray(unit) ? difference.toObject() : difference.as(units[0]);
}

function isBetween(value, args) {
  if (args.length !== 2) fail('isBetween(): expected exactly two args');
  const [first, second] = args.map(readMoment);
  if (!first || !second) return undefined;
  const moment = toLuxon(value);
  return first > second ? second < moment && moment < first : first < moment && moment < second;
}

function isInLast(value, [count, unit = 'minutes']) {
  const now = DateTime.now();
  const moment = toLuxon(value);
  return now.minus({ [wholeUnit(unit)]: count }) <= moment && moment <= now;
}

function format(value, [pattern, options]) {
  return toLuxon(value).toFormat(pattern, options);
}

function toRelative(value, [options]) {
  return toLuxon(value).toRelative(options);
}

export const dateMethods = {
  beginningOf: (value, [unit = 'week', options]) => likeInput(value, toLuxon(value).startOf(wholeUnit(unit), options)),
  diffTo,
  diffToNow: (value, [unit]) => diffTo(value, [DateTime.now(), unit]),
  endOfMonth: (value) => likeInput(value, toLuxon(value).endOf('month')),
  extract,
  format,
  inBetween: isBetween,
  isBetween,
  isDst: (value) => toLuxon(value).isInDST,
  isInLast,
  isWeekend: (value) => toLuxon(value).weekday > 5,
  minus: (value, args) => likeInput(value, toLuxon(value).minus(amount(args))),
  plus: (value, args) => likeInput(value, toLuxon(value).plus(amount(args))),
  toBoolean: nothing,
  toDateTime: toLuxon,
  toFloat: (value) => toLuxon(value).toMillis(),
  toInt: (value) => toLuxon(value).toMillis(),
  toRelative,
  toTimeFromNow: toRelative,
};
