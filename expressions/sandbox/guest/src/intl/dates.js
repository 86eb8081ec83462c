// `Intl.DateTimeFormat`.

import { zoneDisplayName, zoneName, zoneOffset } from '../zones.js';
import { currentTime } from '../platform/clock.js';
import { isSupported, localeData, resolveLocale } from './data.js';

const FORMATS = new WeakMap();
const STYLES = ['full', 'long', 'medium', 'short'];
const DATE_FIELDS = ['weekday', 'year', 'month', 'day'];
const TIME_FIELDS = ['hour', 'minute', 'second', 'dayPeriod', 'fractionalSecondDigits'];

/** The zone of formats that name none, as on a server. */
const DEFAULT_ZONE = 'UTC';

function zoneOf(zone) {
  if (zone === undefined) return DEFAULT_ZONE;
  const text = String(zone);
  const fixed = /^([+-])(\d{2}):?(\d{2})?$/.exec(text);
  if (fixed) return `${fixed[1]}${fixed[2]}:${fixed[3] ?? '00'}`;
  const name = zoneName(text);
  if (!name) throw new RangeError(`Invalid time zone specified: ${text}`);
  return name;
}

function offsetOf(zone, epochMs) {
  const fixed = /^([+-])(\d{2}):(\d{2})$/.exec(zone);
  if (!fixed) return zoneOffset(zone, epochMs);
  return (fixed[1] === '-' ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3]));
}

function settings(locales, options = {}, defaults = 'date') {
  const extension = /-u-(?:.*-)?hc-(h1[12]|h2[34])/.exec(String(locales ?? ''))?.[1];
  const { data, name } = resolveLocale(locales);
  const set = { ...(options ?? {}), data, locale: name, timeZone: zoneOf(options?.timeZone) };
  const any = [...DATE_FIELDS, ...TIME_FIELDS, 'dateStyle', 'timeStyle'].some((field) => set[field] !== undefined);
  if (!any) {
    if (defaults !== 'time') Object.assign(set, { year: 'numeric', month: 'numeric', day: 'numeric' });
    if (defaults !== 'date') Object.assign(set, { hour: 'numeric', minute: 'numeric', second: 'numeric' });
  }
  const cycle = set.hour12 === undefined ? set.hourCycle ?? extension : undefined;
  set.hour12 = set.hour12 ?? (cycle ? cycle === 'h12' || cycle === 'h11' : localeData(data).hour12);
  set.hourCycle = set.hour12 ? 'h12' : 'h23';
  return set;
}

function fieldsAt(epochMs, zone) {
  const shifted = new Date(epochMs + offsetOf(zone, epochMs) * 60_000);
  return {
    year: shifted.getUTCFullYear(),
    month: shifted.getUTCMonth(),
    day: shifted.getUTCDate(),
    weekday: (shifted.getUTCDay() + 6) % 7,
    hour: shifted.getUTCHours(),
    minute: shifted.getUTCMinutes(),
    second: shifted.getUTCSeconds(),
    millisecond: shifted.getUTCMilliseconds(),
  };
}

function datePattern(set, data) {
  if (set.dateStyle) return data.dateStyles[STYLES.indexOf(set.dateStyle)];
  const month = { numeric: 'M', '2-digit': 'M', short: 'S', long: 'L', narrow: 'S' }[set.month] ?? '';
  const key = (set.weekday ? 'E' : '') + (set.year ? 'y' : '') + month + (set.day ? 'd' : '');
  return key && data.dates[key];
}

function timePattern(set, data) {
  const times = set.hour12 ? data.times12 : data.times24;
  if (set.timeStyle) {
    const zone = set.timeStyle === 'full' || set.timeStyle === 'long' ? ' {zone}' : '';
    return (set.timeStyle === 'short' ? times.hm : times.hms) + zone;
  }
  const key = (set.hour ? 'h' : '') + (set.minute ? 'm' : '') + (set.second ? 's' : '');
  const pattern = times[key] ?? (key === 'hs' ? times.hms : '');
  return pattern && set.fractionalSecondDigits ? pattern.replace(/\{ss?\}/, '$&.{fraction}') : pattern;
}

function glueOf(set, data) {
  if (set.dateStyle) return data.glue[set.dateStyle];
  if (set.month === 'long') return set.weekday ? data.glue.full : data.glue.long;
  return set.month === 'short' ? data.glue.medium : data.glue.short;
}

function wholePattern(set) {
  const data = localeData(set.data);
  const date = datePattern(set, data);
  const time = timePattern(set, data);
  let pattern = date && time ? date + glueOf(set, data) + time : date || time || '';
  if (set.era && pattern) pattern += ' {era}';
  if (set.timeZoneName) pattern += `${pattern ? (time ? ' ' : ', ') : ''}{zone}`;
  // Between the time and its half of the day V8 writes a blank, whatever the locale's own sign is.
  return pattern.replaceAll('\u202f', ' ');
}

const pad = (number, length = 2) => String(number).padStart(length, '0');

function hourText(set, fields, wide) {
  const hour = set.hour12 ? fields.hour % 12 || 12 : fields.hour;
  return wide || set.hour === '2-digit' ? pad(hour) : String(hour);
}

function monthText(data, style, fields, alone) {
  const lists = data.months[style === 'narrow' ? 'narrow' : style === 'long' ? 'long' : 'short'];
  return (alone ? lists[1] ?? lists[0] : lists[0])[fields.month];
}

/** The fields that a token stands for: its part type and its text. */
const TOKENS = {
  E: (set, data, fields) => ['weekday', data.weekdays[set.weekday ?? 'long'][fields.weekday]],
  EEEE: (_, data, fields) => ['weekday', data.weekdays.long[fields.weekday]],
  L: (set, data, fields) => ['month', monthText(data, set.month, fields, true)],
  T: (set, data, fields) => ['month', monthText(data, set.month, fields, false)],
  MMMM: (_, data, fields) => ['month', monthText(data, 'long', fields, false)],
  MMM: (_, data, fields) => ['month', monthText(data, 'short', fields, false)],
  M: (set, _, fields) => ['month', set.month === '2-digit' ? pad(fields.month + 1) : String(fields.month + 1)],
  MM: (_, __, fields) => ['month', pad(fields.month + 1)],
  d: (set, _, fields) => ['day', set.day === '2-digit' ? pad(fields.day) : String(fields.day)],
  dd: (_, __, fields) => ['day', pad(fields.day)],
  y: (set, _, fields) => ['year', set.year === '2-digit' ? pad(Math.abs(fields.year) % 100) : yearText(set, fields)],
  yy: (_, __, fields) => ['year', pad(Math.abs(fields.year) % 100)],
  H: (set, _, fields) => ['hour', hourText(set, fields, false)],
  HH: (set, _, fields) => ['hour', hourText(set, fields, true)],
  m: (_, __, fields) => ['minute', String(fields.minute)],
  mm: (_, __, fields) => ['minute', pad(fields.minute)],
  s: (_, __, fields) => ['second', String(fields.second)],
  ss: (_, __, fields) => ['second', pad(fields.second)],
  a: (_, data, fields) => ['dayPeriod', data.ampm[fields.hour < 12 ? 0 : 1]],
  fraction: (set, _, fields) => ['fractionalSecond', pad(fields.millisecond, 3).slice(0, set.fractionalSecondDigits)],
  era: (set, data, fields) => ['era', data.eras[set.era][fields.year > 0 ? 1 : 0]],
  zone: (set, _, fields) => ['timeZoneName', zoneText(set, fields.epochMs)],
};

function yearText(set, fields) {
  return String(set.era && fields.year <= 0 ? 1 - fields.year : fields.year);
}

function zoneText(set, epochMs) {
  const style = set.timeZoneName ?? (set.timeStyle === 'full' ? 'long' : 'short');
  const fixed = /^([+-])(\d{2}):(\d{2})$/.exec(set.timeZone);
  if (fixed) return `GMT${fixed[1]}${Number(fixed[2])}${fixed[3] === '00' ? '' : `:${fixed[3]}`}`;
  return zoneDisplayName(set.timeZone, epochMs, style.startsWith('long') ? 'long' : 'short');
}

function epochOf(value) {
  const epochMs = value === undefined ? currentTime() : Number(value);
  if (!Number.isFinite(epochMs)) throw new RangeError('Invalid time value');
  return epochMs;
}

function formatParts(set, value) {
  const epochMs = epochOf(value);
  const data = localeData(set.data);
  const fields = { ...fieldsAt(epochMs, set.timeZone), epochMs };
  set.pattern ??= wholePattern(set).split(/\{(\w+)\}/);
  const parts = [];
  set.pattern.forEach((piece, index) => {
    if (index % 2 === 0) {
      if (piece) parts.push({ type: 'literal', value: piece });
      return;
    }
    const [type, text] = TOKENS[piece](set, data, fields);
    parts.push({ type, value: text });
  });
  return parts;
}

/** Text of a moment. `defaults` says which fields are shown when the options name none. */
export function formatDate(value, locales, options, defaults) {
  return formatParts(settings(locales, options, defaults), value).map((part) => part.value).join('');
}

export class DateTimeFormat {
  constructor(locales, options) {
    FORMATS.set(this, settings(locales, options));
    this.format = (value) => formatParts(FORMATS.get(this), value).map((part) => part.value).join('');
    Object.defineProperty(this, 'format', { enumerable: false });
  }
  formatToParts(value) {
    return formatParts(FORMATS.get(this), value);
  }
  formatRange(from, to) {
    return `${this.format(from)} – ${this.format(to)}`;
  }
  resolvedOptions() {
    const { data, pattern, ...options } = FORMATS.get(this);
    return { ...options, calendar: 'gregory', numberingSystem: 'latn' };
  }
  static supportedLocalesOf(locales) {
    return [].concat(locales ?? []).filter(isSupported);
  }
}
