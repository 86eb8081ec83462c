// `Intl.NumberFormat` and `Intl.PluralRules`.

import { isSupported, localeData, resolveLocale } from './data.js';

const NO_MINOR_UNIT = new Set(['JPY', 'KRW', 'VND', 'CLP', 'ISK']);
const FORMATS = new WeakMap();

/** The plural category of a number in a language. */
export function pluralCategory(language, value) {
  const number = Math.abs(value);
  const whole = Number.isInteger(number);
  const [last, lastTwo] = [number % 10, number % 100];
  const fewSlavic = last >= 2 && last <= 4 && !(lastTwo >= 12 && lastTwo <= 14);
  switch (language) {
    case 'ja':
    case 'zh':
    case 'ko':
      return 'other';
    case 'fr':
    case 'pt':
      return number < 2 ? 'one' : 'other';
    case 'ru':
    case 'uk':
      if (!whole) return 'other';
      return last === 1 && lastTwo !== 11 ? 'one' : fewSlavic ? 'few' : 'many';
    case 'pl':
      if (!whole) return 'other';
      return number === 1 ? 'one' : fewSlavic ? 'few' : 'many';
    case 'cs':
      if (!whole) return 'many';
      return number === 1 ? 'one' : number >= 2 && number <= 4 ? 'few' : 'other';
    default:
      return number === 1 ? 'one' : 'other';
  }
}

/** The text of a plural table for a number. */
export function pluralText(table, language, value) {
  if (typeof table === 'string') return table;
  return table[pluralCategory(language, value)] ?? table.other ?? Object.values(table)[0];
}

function digits(value, name, least, most) {
  if (value === undefined) return undefined;
  const number = Math.floor(Number(value));
  if (!(number >= least && number <= most)) throw new RangeError(`${name} value is out of range.`);
  return number;
}

function fractionDigits(options, style, currency) {
  const standard = style === 'currency' ? (NO_MINOR_UNIT.has(currency) ? [0, 0] : [2, 2]) : style === 'percent' ? [0, 0] : [0, 3];
  const compact = options.notation === 'compact';
  let least = digits(options.minimumFractionDigits, 'minimumFractionDigits', 0, 100);
  let most = digits(options.maximumFractionDigits, 'maximumFractionDigits', 0, 100);
  if (least === undefined && most === undefined) return compact ? [0, 0] : standard;
  least ??= Math.min(standard[0], most);
  most ??= Math.max(standard[1], least);
  if (least > most) throw new RangeError('maximumFractionDigits value is out of range.');
  return [least, most];
}

function settings(locales, options = {}) {
  const { data, name } = resolveLocale(locales);
  const style = options.style ?? 'decimal';
  if (!['decimal', 'percent', 'currency', 'unit'].includes(style)) throw new RangeError(`Value ${style} out of range for Intl.NumberFormat options property style`);
  const currency = options.currency?.toUpperCase();
  if (style === 'currency' && !/^[A-Z]{3}$/.test(currency ?? '')) throw new TypeError('Currency code is required with currency style.');
  if (style === 'unit' && !options.unit) throw new TypeError('Required unit option is missing with unit style.');
  const [least, most] = fractionDigits(options, style, currency);
  const compact = options.notation === 'compact';
  return {
    data,
    locale: name,
    style,
    currency,
    currencyDisplay: options.currencyDisplay ?? 'symbol',
    unit: options.unit,
    unitDisplay: options.unitDisplay ?? 'short',
    notation: options.notation ?? 'standard',
    compactDisplay: options.compactDisplay ?? 'short',
    signDisplay: options.signDisplay ?? 'auto',
    useGrouping: options.useGrouping ?? true,
    minimumIntegerDigits: digits(options.minimumIntegerDigits, 'minimumIntegerDigits', 1, 21) ?? 1,
    minimumFractionDigits: least,
    maximumFractionDigits: most,
    minimumSignificantDigits: digits(options.minimumSignificantDigits, 'minimumSignificantDigits', 1, 21),
    maximumSignificantDigits: digits(options.maximumSignificantDigits, 'maximumSignificantDigits', 1, 21),
    roundingMode: options.roundingMode ?? 'halfExpand',
    numberingSystem: 'latn',
    plainCompact: compact && options.maximumFractionDigits === undefined && options.minimumFractionDigits === undefined,
  };
}

/** Decimal text of a non-negative number, half away from zero like `Intl`, where `toFixed` works on the binary value. */
function fixed(value, places) {
  const text = String(value);
  if (text.includes('e') || !text.includes('.')) return value.toFixed(Math.min(places, 100));
  const [whole, fraction] = text.split('.');
  if (fraction.length <= places) return `${whole}${places ? `.${fraction.padEnd(places, '0')}` : ''}`;
  const kept = BigInt(whole + fraction.slice(0, places)) + (fraction[places] >= '5' ? 1n : 0n);
  const padded = kept.toString().padStart(places + 1, '0');
  return places ? `${padded.slice(0, -places)}.${padded.slice(-places)}` : padded;
}

function significant(value, least = 1, most = 21) {
  if (value === 0) return least > 1 ? `0.${'0'.repeat(least - 1)}` : '0';
  const text = Number(value.toPrecision(most)).toString();
  const plain = text.includes('e') ? BigInt(Math.round(Number(text))).toString() : text;
  const count = plain.replace('.', '').replace(/^0+/, '').length;
  if (count >= least) return plain;
  return `${plain}${plain.includes('.') ? '' : '.'}${'0'.repeat(least - count)}`;
}

function rounded(value, set) {
  if (set.minimumSignificantDigits !== undefined || set.maximumSignificantDigits !== undefined) {
    return significant(value, set.minimumSignificantDigits, set.maximumSignificantDigits);
  }
  if (set.plainCompact && value < 100) return significant(value, 1, 2);
  const text = fixed(value, set.maximumFractionDigits);
  if (!text.includes('.')) return text;
  const [whole, fraction] = text.split('.');
  const kept = fraction.slice(0, set.minimumFractionDigits) + fraction.slice(set.minimumFractionDigits).replace(/0+$/, '');
  return kept ? `${whole}.${kept}` : whole;
}

/** Where digits are grouped: by threes, in India by twos above the thousand. */
function grouping(set) {
  return set.locale.endsWith('-IN') || set.locale === 'hi' ? /\B(?=(?:\d{2})*\d{3}(?!\d))/g : /\B(?=(?:\d{3})+(?!\d))/g;
}

function numberParts(text, set, symbols) {
  const [whole, fraction] = text.split('.');
  const padded = whole.padStart(set.minimumIntegerDigits, '0');
  const grouped = set.useGrouping !== false && set.useGrouping !== 'false' && padded.length >= 3 + symbols.minimumGrouping;
  const parts = [];
  const groups = grouped ? padded.replace(grouping(set), ' ').split(' ') : [padded];
  groups.forEach((group, index) => {
    if (index > 0) parts.push({ type: 'group', value: symbols.group });
    parts.push({ type: 'integer', value: group });
  });
  if (fraction) parts.push({ type: 'decimal', value: symbols.decimal }, { type: 'fraction', value: fraction });
  return parts;
}

function around(template, type, parts) {
  const [before, after = ''] = template.split('{0}');
  const side = (text) => {
    if (!text) return [];
    const [, lead, body, tail] = /^(\s*)([^]*?)(\s*)$/.exec(text);
    return [lead && { type: 'literal', value: lead }, body && { type, value: body }, tail && { type: 'literal', value: tail }].filter(Boolean);
  };
  return [...side(before), ...parts, ...side(after)];
}

function currencyText(set, symbols) {
  if (set.currencyDisplay === 'code' || set.currencyDisplay === 'name') return set.currency;
  const symbol = symbols.symbols[set.currency] ?? set.currency;
  return set.currencyDisplay === 'narrowSymbol' ? symbol.replace(/^[A-Z]+(?=\p{Sc}$)/u, '') : symbol;
}

function withStyle(set, data, value, parts) {
  const symbols = data.numbers;
  if (set.style === 'percent') return around(symbols.percent, 'percentSign', parts);
  if (set.style === 'currency') {
    const text = currencyText(set, symbols);
    const template = symbols.currency.replace('¤', text);
    // Letters stand off from the digits: `CHF 5`.
    return around(/^[A-Z]{3}\{0\}$/.test(template) ? template.replace('{0}', '\u00a0{0}') : template, 'currency', parts);
  }
  const unit = set.style === 'unit' && data.units[set.unitDisplay]?.[set.unit];
  if (unit) return around(pluralText(unit, set.data.slice(0, 2), value), 'unit', parts);
  if (set.style === 'unit') return [...parts, { type: 'literal', value: ' ' }, { type: 'unit', value: set.unit }];
  return parts;
}

function compactParts(set, data, value) {
  const power = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  const template = data.numbers.compact[set.compactDisplay][power - 1];
  if (power === 0 || !template || template === '{0}') return numberParts(rounded(value, set), set, data.numbers);
  return around(template, 'compact', numberParts(rounded(value / 1000 ** power, set), set, data.numbers));
}

function signOf(set, value, isZero) {
  const negative = value < 0 || Object.is(value, -0);
  switch (set.signDisplay) {
    case 'never':
      return '';
    case 'always':
      return negative ? '-' : '+';
    case 'exceptZero':
      return isZero ? '' : negative ? '-' : '+';
    case 'negative':
      return negative && !isZero ? '-' : '';
    default:
      return negative ? '-' : '';
  }
}

function formatParts(set, input) {
  const data = localeData(set.data);
  const value = typeof input === 'bigint' ? Number(input) : Number(input);
  const size = Math.abs(value) * (set.style === 'percent' ? 100 : 1);
  let parts;
  if (Number.isNaN(value)) parts = [{ type: 'nan', value: 'NaN' }];
  else if (!Number.isFinite(value)) parts = [{ type: 'infinity', value: '∞' }];
  else if (typeof input === 'bigint') parts = numberParts(String(input).replace('-', ''), set, data.numbers);
  else if (set.notation === 'compact') parts = compactParts(set, data, size);
  else parts = numberParts(rounded(set.style === 'percent' ? Number(size.toPrecision(15)) : size, set), set, data.numbers);
  const isZero = parts.every((part) => !/[1-9]/.test(part.value));
  const sign = signOf(set, value, isZero);
  const styled = withStyle(set, data, size, parts);
  return sign ? [{ type: sign === '-' ? 'minusSign' : 'plusSign', value: sign }, ...styled] : styled;
}

export class NumberFormat {
  constructor(locales, options) {
    FORMATS.set(this, settings(locales, options));
    this.format = (value) => formatParts(FORMATS.get(this), value).map((part) => part.value).join('');
    Object.defineProperty(this, 'format', { enumerable: false });
  }
  formatToParts(value) {
    return formatParts(FORMATS.get(this), value);
  }
  resolvedOptions() {
    const { data, plainCompact, ...options } = FORMATS.get(this);
    return options;
  }
  static supportedLocalesOf(locales) {
    return [].concat(locales ?? []).filter(isSupported);
  }
}

export class PluralRules {
  constructor(locales) {
    this.locale = resolveLocale(locales);
    Object.defineProperty(this, 'locale', { enumerable: false });
  }
  select(value) {
    return pluralCategory(this.locale.data.slice(0, 2), value);
  }
  resolvedOptions() {
    return { locale: this.locale.name, type: 'cardinal' };
  }
}
