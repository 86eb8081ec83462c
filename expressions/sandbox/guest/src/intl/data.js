// Locale data. A locale is parsed when it is first used.

import texts from './locales.json';

const DEFAULT = 'en-US';
const FALLBACKS = { no: 'nb', nn: 'nb' };
const loaded = new Map();
const names = Object.keys(texts);

function matching(tag) {
  const [language, ...rest] = String(tag).replace(/_/g, '-').split('-u-')[0].split('-');
  const lower = (FALLBACKS[language.toLowerCase()] ?? language).toLowerCase();
  const region = rest.find((part) => /^([a-z]{2}|\d{3})$/i.test(part))?.toUpperCase();
  if (lower === 'en') return { data: region && region !== 'US' ? 'en-GB' : DEFAULT, name: region ? `en-${region}` : 'en' };
  const data = names.find((name) => name === lower);
  return data && { data, name: region ? `${lower}-${region}` : lower };
}

/** Checks the form of a language tag, as `Intl` does. */
export function checkTag(tag) {
  if (typeof tag !== 'string' && !(tag instanceof Object)) throw new TypeError('Incorrect locale information provided');
  const text = String(tag);
  if (!/^[a-z]{2,8}([-_][a-z0-9]{1,8})*$/i.test(text)) throw new RangeError(`Incorrect locale information provided: ${text}`);
  return text;
}

/** The first locale of a list that there is data for; `name` is what the caller sees. */
export function resolveLocale(locales) {
  const list = locales === undefined ? [] : Array.isArray(locales) ? locales : [locales];
  for (const tag of list) {
    const found = matching(checkTag(tag));
    if (found) return found;
  }
  return { data: DEFAULT, name: DEFAULT };
}

/** Whether there is data for a locale. */
export function isSupported(tag) {
  return matching(checkTag(tag)) !== undefined;
}

/** The data of a resolved locale. */
export function localeData(name) {
  let data = loaded.get(name);
  if (!data) {
    data = JSON.parse(texts[name]);
    loaded.set(name, data);
  }
  return data;
}
