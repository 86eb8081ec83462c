// Extension methods of texts.

import { DateTime } from '../zones.js';
import { base64Decode, base64Encode, utf8Decode, utf8Encode } from '../platform/bytes.js';
import { URL } from '../platform/url.js';
import { readMoment } from './date.js';
import { fail } from './errors.js';
import { hash } from './hash.js';
import { numberToDateTime } from './number.js';

const EMAIL = /[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+/i;
const SCHEME = /^(?:https?|ftp):\/\//i;
const URL_START = /(?:https?|ftp):\/\/\S+/gi;
const CURRENCY = /\p{Sc}|CHF|Kč|kr|zł|lei|Ft|R(?=\$)/gu;
const SYMBOLS = /[\u2000-\u206f\u2e00-\u2e7f!-,./:-@[-^`{-~]/g;
const FALSE_TEXTS = new Set(['false', 'no', '0']);
const SMALL_WORDS = new Set(
  ('a an and as at because but by en for if in neither nor of on only or over per so some than that the to up upon v vs v. vs. ' +
    'versus via when with without yet').split(' '),
);
const LETTERS = {
  ß: 'ss', ẞ: 'SS', æ: 'ae', Æ: 'AE', œ: 'oe', Œ: 'OE', ø: 'o', Ø: 'O', đ: 'd', Đ: 'D', ð: 'd', Ð: 'D', þ: 'th', Þ: 'TH', ł: 'l', Ł: 'L',
  ı: 'i', ħ: 'h', Ħ: 'H', '‘': "'", '’': "'", '“': '"', '”': '"', '–': '-', '—': '-', '…': '...', '€': 'EUR', '£': 'GBP',
};

function tryUrl(text) {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** How many characters of `text`, from its start, name a host; 0 when none do. What follows may be cut off. */
function hostLength(text) {
  const [whole] = /^[\w.-]*/.exec(text);
  const labels = whole.split('.');
  if (/^\d{1,3}(\.\d{1,3}){3}(?!\w)/.test(whole)) return labels.slice(0, 4).join('.').length;
  if (/^localhost(?![\w-])/i.test(whole)) return 'localhost'.length;
  for (let count = labels.length; count > 1; count -= 1) {
    const [ending] = /^(xn--[a-z0-9]+|[a-z]{2,})?/i.exec(labels[count - 1]);
    const before = labels.slice(0, count - 1);
    if (ending && before.every(Boolean)) return before.join('.').length + 1 + ending.length;
  }
  return 0;
}

/** The host that a whole address begins with: a port, a path, a query and a fragment may follow, blanks may not. */
function hostOf(address) {
  const length = hostLength(address);
  return length > 0 && /^(?::\d+)?(?:[/?#]\S*)?$/.test(address.slice(length)) ? address.slice(0, length) : undefined;
}

const isDomain = (text) => hostOf(text) !== undefined;

const isEmail = (text) => EMAIL.test(text) && !text.includes(' ');

function extractDomain(text) {
  if (!isEmail(text)) return hostOf(text.replace(SCHEME, '').replace(/^mailto:/i, '').replace(/^\/\//, ''));
  const [email] = EMAIL.exec(text);
  return email.slice(email.lastIndexOf('@') + 1);
}

function extractUrl(text) {
  return text.match(URL_START)?.find((url) => hostLength(url.replace(SCHEME, '')) > 0);
}

function extractUrlPath(text) {
  return tryUrl(text)?.pathname;
}

function removeMarkdown(text) {
  return text
    .replace(/^(-\s*?|\*\s*?|_\s*?){3,}\s*$/gm, '')
    .replace(/^([\s\t]*)([*\-+]|\d+\.)\s+/gm, '$1')
    .replace(/\n={2,}/g, '\n')
    .replace(/~{3}.*\n/g, '')
    .replace(/~~/g, '')
    .replace(/`{3}.*\n?/g, '')
    .replace(/<[^>]*>/g, '')
    .replace(/^[=-]{2,}\s*$/gm, '')
    .replace(/\[\^.+?\](: .*?$)?/gm, '')
    .replace(/!\[(.*?)\][[(].*?[\])]/g, '')
    .replace(/\[(.*?)\][[(].*?[\])]/g, '$1')
    .replace(/>/g, '')
    .replace(/^#{1,6}[ \t]*(.*?)[ \t]*#*[ \t]*$/gm, '$1')
    .replace(/([*_]{1,3})(\S.*?\S)\1/g, '$2')
    .replace(/`(.+?)`/g, '$1')
    .replace(/\n{2,}/g, '\n\n');
}

function toSentenceCase(text) {
  const cased = text.toLowerCase().replace(/(^|[.!?])([^\p{L}]*)(\p{L})/gu, (_, end, between, letter) => end + between + letter.toUpperCase());
  const lastLetter = cased.search(/\p{L}[^\p{L}]*$/u);
  if (lastLetter < 0) return '';
  // What follows the end of the last sentence belongs to none.
  const end = cased.slice(lastLetter).search(/[.!?]/);
  return end < 0 ? cased : cased.slice(0, lastLetter + end + 1);
}

function titleWord(word, isEdge) {
  if (/.(?=[A-Z]|\..)/.test(word)) return word;
  if (!isEdge && SMALL_WORDS.has(word.toLowerCase())) return word;
  return word.replace(/[\p{L}\p{N}]/u, (letter) => letter.toUpperCase());
}

function toTitleCase(text) {
  return text.replace(/[^\s:–—-]+/gu, (word, start) => titleWord(word, start === 0 || start + word.length === text.length));
}

const words = (text) => text.trim().split(/[\s_-]+/).filter(Boolean);

function toCamelCase(text) {
  return words(text.toLowerCase())
    .map((word, index) => (index === 0 ? word : word[0].toUpperCase() + word.slice(1)))
    .join('');
}

function toSnakeCase(text) {
  return text.toLowerCase().replace(/[ -]/g, '_').replace(SYMBOLS, '');
}

function replaceSpecialChars(text) {
  return Array.from(text.normalize('NFD').replace(/[\u0300-\u036f]/g, ''), (letter) => LETTERS[letter] ?? letter).join('');
}

function toDate(text) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) fail('cannot convert to date');
  // A date without a time begins at midnight.
  if (!text.includes(':')) date.setHours(0, 0, 0);
  return date;
}

function toDateTime(text, [format] = []) {
  if (['s', 'ms', 'us', 'excel'].includes(format)) return numberToDateTime(Number(text), [format]);
  if (format) return DateTime.fromFormat(text, format);
  return readMoment(text.trim()) ?? fail('cannot convert to Luxon DateTime');
}

function toNumber(text) {
  const number = Number(text.replace(CURRENCY, ''));
  return Number.isNaN(number) ? fail('cannot convert to number') : number;
}

function toInt(text, [radix] = []) {
  const number = parseInt(text.replace(CURRENCY, ''), radix);
  return Number.isNaN(number) ? fail('cannot convert to integer') : number;
}

function toFloat(text) {
  if (text.includes(',')) fail('cannot convert to float, expected . as decimal separator');
  const number = parseFloat(text.replace(CURRENCY, ''));
  return Number.isNaN(number) ? fail('cannot convert to float') : number;
}

function toBoolean(text) {
  return text.length > 0 && !FALSE_TEXTS.has(text.toLowerCase());
}

function quote(text, [mark = '"']) {
  return mark + text.replaceAll('\\', '\\\\').replaceAll(mark, () => `\\${mark}`) + mark;
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    const hint = text.includes("'") ? 'Check you used double quotes' : 'Check the input is valid JSON';
    return fail(`Parsing failed. ${hint}`);
  }
}

const removeTags = (text) => text.replace(/<[^>]*>?/g, '');

export const stringMethods = {
  base64Decode: (text) => utf8Decode(base64Decode(text)),
  base64Encode: (text) => base64Encode(utf8Encode(text)),
  extractDomain,
  extractEmail: (text) => EMAIL.exec(text)?.[0],
  extractUrl,
  extractUrlPath,
  hash: (text, [algorithm = 'md5']) => hash(text, algorithm),
  isDomain,
  isEmail,
  isEmpty: (text) => text === '',
  isNotEmpty: (text) => text !== '',
  isNumeric: (text) => !text.includes(' ') && !Number.isNaN(Number(text)) && !Number.isNaN(parseFloat(text)),
  isUrl: (text) => SCHEME.test(text) && extractUrl(text) === text,
  parseJson,
  quote,
  removeMarkdown,
  removeTags,
  replaceSpecialChars,
  stripTags: removeTags,
  toBoolean,
  toCamelCase,
  toDate,
  toDateTime,
  toDecimalNumber: toFloat,
  toFloat,
  toInt,
  toJsonString: (text) => JSON.stringify(text),
  toNumber,
  toSentenceCase,
  toSnakeCase,
  toTitleCase,
  toWholeNumber: toInt,
  urlDecode: (text, [whole]) => (whole ? decodeURI(text) : decodeURIComponent(text)),
  urlEncode: (text, [whole]) => (whole ? encodeURI(text) : encodeURIComponent(text)),
};
