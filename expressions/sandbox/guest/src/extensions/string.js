// Extension methods of texts.

import { DateTime } from '../zones.js';
import { base64Decode, base64Encode, utf8Decode, utf8Encode } from '../platform/bytes.js';
import { URL } from '../platform/url.js';
import { readMoment } from './date.js';
import { fail } from './errors.js';
import { hash } from './hash.js';
import { numberToDateTime } from './number.js';

const EMAIL = /[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+/i;
const WHOLE_EMAIL = new RegExp(`^${EMAIL.source}$`, 'i');
const DOMAIN_LABEL = '(?!-)[a-z0-9\\u00a1-\\uffff-]{1,63}(?<!-)';
const DOMAIN = new RegExp(`^(?:${DOMAIN_LABEL}\\.)+(?:xn--[a-z0-9-]{2,59}|[a-z\\u00a1-\\uffff]{2,63})$`, 'i');
const ADDRESS = /^(?:(?:[a-z][a-z0-9+.-]*:)?\/\/|mailto:)?(?:[^\s@/?#]+@)?(\[[0-9a-f:.]+\]|[^\s@/?#:]+)(?::\d+)?(?:[/?#]\S*)?$/i;
const URL_IN_TEXT = /(?:(?:https?|ftp|file):\/\/|www\.)[^\s<>"'`]+[^\s<>"'`.,;:!?)\]}]|(?:(?:https?|ftp|file):\/\/|www\.)[^\s<>"'`]+/i;
const CURRENCY = /^[\u20ac$\u00a3\u00a5\u20b9\u20bd\u20a9\s]+|[\u20ac$\u00a3\u00a5\u20b9\u20bd\u20a9\s]+$/gu;
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

function isUrl(text) {
  const url = text.trim() === text ? tryUrl(text) : undefined;
  return url !== undefined && ['http:', 'https:'].includes(url.protocol);
}

function isDomain(text) {
  return DOMAIN.test(text);
}

function extractDomain(text) {
  const email = WHOLE_EMAIL.test(text.replace(/^mailto:/i, '')) && text.slice(text.lastIndexOf('@') + 1);
  if (email) return email;
  const host = ADDRESS.exec(text.trim())?.[1];
  if (host && (/^(?:[a-z][a-z0-9+.-]*:)?\/\//i.test(text.trim()) || host.includes('.'))) return host;
  const url = URL_IN_TEXT.exec(text)?.[0];
  if (url) return ADDRESS.exec(url)?.[1];
  const mail = EMAIL.exec(text)?.[0];
  if (mail) return mail.slice(mail.lastIndexOf('@') + 1);
  return text.split(/[\s,;<>()"']+/).find(isDomain);
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
    .replace(/!\[(.*?)\][[(].*?[\])]/g, '$1')
    .replace(/\[(.*?)\][[(].*?[\])]/g, '$1')
    .replace(/^\s{0,3}>\s?/gm, '')
    .replace(/^#{1,6}\s+(.*?)\s*#*\s*$/gm, '$1')
    .replace(/([*_]{1,3})(\S.*?\S?)\1/g, '$2')
    .replace(/`(.+?)`/g, '$1');
}

function toSentenceCase(text) {
  return text.toLowerCase().replace(/(^|[.!?])([^\p{L}]*)(\p{L})/gu, (_, end, between, letter) => end + between + letter.toUpperCase());
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
  return text.toLowerCase().replace(/[ -]/g, '_').replace(/[^\p{L}\p{N}_]/gu, '');
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
  if (['s', 'ms', 'us', 'excel'].includes(format)) {
    const number = Number(text);
    return Number.isNaN(number) ? fail(`Cannot convert '${text}' to a timestamp`) : numberToDateTime(number, [format]);
  }
  const moment = format ? DateTime.fromFormat(text, format) : readMoment(text.trim());
  if (!moment?.isValid) fail('cannot convert to Luxon DateTime');
  return moment;
}

function toNumber(text) {
  const number = Number(text.replace(CURRENCY, ''));
  return Number.isNaN(number) ? fail('cannot convert to number') : number;
}

function toInt(text, [radix] = []) {
  return parseInt(text.replace(CURRENCY, ''), radix);
}

function toFloat(text) {
  const plain = text.replace(CURRENCY, '');
  return parseFloat(/^[^.]*,\d+$/.test(plain) ? plain.replace(',', '.') : plain);
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
  extractUrl: (text) => URL_IN_TEXT.exec(text)?.[0],
  extractUrlPath,
  hash: (text, [algorithm = 'md5']) => hash(text, algorithm),
  isDomain,
  isEmail: (text) => WHOLE_EMAIL.test(text),
  isEmpty: (text) => text === '',
  isNotEmpty: (text) => text !== '',
  isNumeric: (text) => !text.includes(' ') && !Number.isNaN(Number(text)) && !Number.isNaN(parseFloat(text)),
  isUrl,
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
