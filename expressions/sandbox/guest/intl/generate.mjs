// Writes `src/intl/locales.json` from the locale data (Unicode CLDR) of the Node.js that runs this: `npm run locales`.

import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const LOCALES = [
  'en-US', 'en-GB', 'de', 'fr', 'es', 'it', 'pt', 'nl', 'pl', 'ja', 'zh', 'ru', 'uk', 'sv', 'da', 'nb', 'fi', 'cs', 'tr', 'ko',
];
const CURRENCIES = ['USD', 'EUR', 'GBP', 'JPY', 'CNY', 'INR', 'BRL', 'CAD', 'AUD', 'CHF', 'SEK', 'NOK', 'DKK', 'PLN', 'CZK', 'TRY', 'KRW', 'RUB', 'UAH', 'MXN'];
const UNITS = ['year', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond'];
const RELATIVE_UNITS = ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second'];
const SAMPLES = [1, 2, 5, 1.5];
const utc = { timeZone: 'UTC' };
const sample = new Date(Date.UTC(2026, 2, 5, 9, 5, 7));

function names(locale, count, dateOf, options, type) {
  const format = new Intl.DateTimeFormat(locale, { ...utc, ...options });
  return Array.from({ length: count }, (_, index) => format.formatToParts(dateOf(index)).find((part) => part.type === type).value);
}

const monthDate = (month) => new Date(Date.UTC(2026, month, 15));
const dayDate = (day) => new Date(Date.UTC(2026, 2, 2 + day));

function months(locale, style) {
  const names2 = (options) => names(locale, 12, monthDate, options, 'month');
  const format = names2({ month: style, day: 'numeric' });
  const alone = names2({ month: style });
  return alone.join() === format.join() ? [format] : [format, alone];
}

/** The pattern of a format: literals, and tokens in braces. */
function pattern(locale, options) {
  const parts = new Intl.DateTimeFormat(locale, { ...utc, ...options }).formatToParts(sample);
  const alone = names(locale, 12, monthDate, { month: 'long' }, 'month').concat(names(locale, 12, monthDate, { month: 'short' }, 'month'));
  return parts.map(({ type, value }) => token(type, value, options, alone)).join('');
}

function token(type, value, options, alone) {
  const numeric = /^\d+$/.test(value);
  switch (type) {
    case 'weekday':
      return options.dateStyle ? '{EEEE}' : '{E}';
    case 'month':
      if (numeric) return value.length === 2 ? '{MM}' : '{M}';
      if (!options.dateStyle) return alone.includes(value) && !options.day ? '{L}' : '{T}';
      return value.length > 3 && options.dateStyle !== 'medium' ? '{MMMM}' : '{MMM}';
    case 'day':
      return value.length === 2 ? '{dd}' : '{d}';
    case 'year':
      return value.length === 2 ? '{yy}' : '{y}';
    case 'hour':
      return value.length === 2 ? '{HH}' : '{H}';
    case 'minute':
      return value.length === 2 ? '{mm}' : '{m}';
    case 'second':
      return value.length === 2 ? '{ss}' : '{s}';
    case 'dayPeriod':
      return '{a}';
    default:
      return value;
  }
}

function datePatterns(locale) {
  const patterns = {};
  for (const weekday of [undefined, 'long']) {
    for (const year of [undefined, 'numeric']) {
      for (const month of [undefined, 'numeric', 'short', 'long']) {
        for (const day of [undefined, 'numeric']) {
          if (!weekday && !year && !month && !day) continue;
          const key = (weekday ? 'E' : '') + (year ? 'y' : '') + ({ numeric: 'M', short: 'S', long: 'L' }[month] ?? '') + (day ? 'd' : '');
          patterns[key] = pattern(locale, { weekday, year, month, day });
        }
      }
    }
  }
  return patterns;
}

function timePatterns(locale, hourCycle) {
  const of = (options) => pattern(locale, { ...options, hourCycle });
  return {
    h: of({ hour: 'numeric' }),
    hm: of({ hour: 'numeric', minute: 'numeric' }),
    hms: of({ hour: 'numeric', minute: 'numeric', second: 'numeric' }),
    m: '{m}',
    ms: of({ minute: 'numeric', second: 'numeric' }),
    s: '{s}',
  };
}

function glue(locale, options) {
  const formats = [options, { hour: 'numeric', minute: 'numeric', ...options }].map((one) => new Intl.DateTimeFormat(locale, { ...utc, ...one }));
  const [date, both] = formats.map((format) => format.format(sample));
  const time = new Intl.DateTimeFormat(locale, { ...utc, hour: 'numeric', minute: 'numeric' }).format(sample);
  return both.startsWith(date) ? both.slice(date.length, both.length - time.length) : ', ';
}

function style(locale, options) {
  return ['full', 'long', 'medium', 'short'].map((dateStyle) => pattern(locale, { [options]: dateStyle, dateStyle }));
}

function plurals(locale, format) {
  const rules = new Intl.PluralRules(locale);
  const found = {};
  for (const value of SAMPLES) {
    const text = format(value);
    found[rules.select(value)] = text;
  }
  const values = new Set(Object.values(found));
  return values.size === 1 ? [...values][0] : found;
}

function hole(parts) {
  let filled = false;
  return parts
    .map(({ type, value }) => {
      if (!['integer', 'decimal', 'fraction', 'group'].includes(type)) return value;
      const text = filled ? '' : '{0}';
      filled = true;
      return text;
    })
    .join('');
}

function units(locale, unitDisplay) {
  return Object.fromEntries(
    UNITS.map((unit) => {
      const format = new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay });
      return [unit, plurals(locale, (value) => hole(format.formatToParts(value)))];
    }),
  );
}

function relative(locale) {
  const always = new Intl.RelativeTimeFormat(locale);
  const auto = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  return Object.fromEntries(
    RELATIVE_UNITS.map((unit) => {
      const special = {};
      for (const value of [-2, -1, 0, 1, 2]) {
        const text = auto.format(value, unit);
        if (text !== always.format(value, unit)) special[value] = text;
      }
      return [
        unit,
        {
          past: plurals(locale, (value) => hole(always.formatToParts(-value, unit))),
          future: plurals(locale, (value) => hole(always.formatToParts(value, unit))),
          auto: special,
        },
      ];
    }),
  );
}

function list(locale, type, listStyle) {
  const format = new Intl.ListFormat(locale, { type, style: listStyle });
  const literals = (values) => format.formatToParts(values).filter((part) => part.type === 'literal').map((part) => part.value);
  const [two] = literals(['a', 'b']);
  const [middle, last] = literals(['a', 'b', 'c']);
  return [two, middle, last];
}

function numbers(locale) {
  const part = (value, options, type) => new Intl.NumberFormat(locale, options).formatToParts(value).find((one) => one.type === type)?.value;
  const symbols = {};
  for (const currency of CURRENCIES) {
    const symbol = part(1, { style: 'currency', currency }, 'currency');
    if (symbol !== currency) symbols[currency] = symbol;
  }
  const shape = (value, options) =>
    hole(new Intl.NumberFormat(locale, options).formatToParts(value)).replace(/[€$]|EUR/, '¤');
  const compact = (compactDisplay) => [1e3, 1e6, 1e9, 1e12].map((value) =>
    hole(new Intl.NumberFormat(locale, { notation: 'compact', compactDisplay }).formatToParts(value)));
  return {
    decimal: part(1.5, {}, 'decimal'),
    group: part(1234567, {}, 'group') ?? '',
    minimumGrouping: part(1234, {}, 'group') ? 1 : 2,
    percent: shape(0.5, { style: 'percent' }),
    currency: shape(1, { style: 'currency', currency: 'EUR', maximumFractionDigits: 0 }),
    symbols,
    compact: { short: compact('short'), long: compact('long') },
  };
}

function localeData(locale) {
  const ampm = [1, 13].map((hour) =>
    new Intl.DateTimeFormat(locale, { ...utc, hour: 'numeric', hourCycle: 'h12' }).formatToParts(new Date(Date.UTC(2026, 0, 1, hour))).find((part) => part.type === 'dayPeriod').value);
  const hourCycle = new Intl.DateTimeFormat(locale, { hour: 'numeric' }).resolvedOptions().hourCycle;
  const lists = {};
  for (const type of ['conjunction', 'disjunction', 'unit']) {
    lists[type] = Object.fromEntries(['long', 'short', 'narrow'].map((one) => [one, list(locale, type, one)]));
  }
  const eras = ['long', 'short', 'narrow'].map((era) => names(locale, 2, (index) => new Date(Date.UTC(index ? 2026 : -10, 0, 1)), { era }, 'era'));
  return {
    hour12: hourCycle === 'h12' || hourCycle === 'h11',
    months: { long: months(locale, 'long'), short: months(locale, 'short'), narrow: months(locale, 'narrow') },
    weekdays: Object.fromEntries(['long', 'short', 'narrow'].map((weekday) => [weekday, names(locale, 7, dayDate, { weekday }, 'weekday')])),
    ampm,
    eras: { long: eras[0], short: eras[1], narrow: eras[2] },
    dates: datePatterns(locale),
    dateStyles: style(locale, 'dateStyle'),
    times12: timePatterns(locale, 'h12'),
    times24: timePatterns(locale, 'h23'),
    glue: {
      full: glue(locale, { weekday: 'long', month: 'long', day: 'numeric', year: 'numeric' }),
      long: glue(locale, { month: 'long', day: 'numeric', year: 'numeric' }),
      medium: glue(locale, { month: 'short', day: 'numeric', year: 'numeric' }),
      short: glue(locale, { month: 'numeric', day: 'numeric', year: 'numeric' }),
    },
    numbers: numbers(locale),
    units: { long: units(locale, 'long'), short: units(locale, 'short'), narrow: units(locale, 'narrow') },
    relative: relative(locale),
    lists,
  };
}

// Each locale is a text of its own, so that the guest parses only the ones it needs.
const data = Object.fromEntries(LOCALES.map((locale) => [locale, JSON.stringify(localeData(locale))]));
const target = fileURLToPath(new URL('../src/intl/locales.json', import.meta.url));
await writeFile(target, `${JSON.stringify(data, null, 1)}\n`);
console.log(`${LOCALES.length} locales`);
