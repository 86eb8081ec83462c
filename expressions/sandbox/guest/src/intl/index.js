// Installs `Intl`, and the methods of numbers, dates and texts that depend on it.

import { compareTexts } from './collation.js';
import { checkTag } from './data.js';
import { DateTimeFormat, formatDate } from './dates.js';
import { Collator, ListFormat, Locale, RelativeTimeFormat } from './lists.js';
import { NumberFormat, PluralRules } from './numbers.js';

/** Lets a class be called without `new`, as the real ones can be. */
function callable(type) {
  return new Proxy(type, { apply: (target, _, args) => new target(...args) });
}

const Intl = {};
const members = {
  DateTimeFormat: callable(DateTimeFormat),
  NumberFormat: callable(NumberFormat),
  Collator: callable(Collator),
  PluralRules,
  RelativeTimeFormat,
  ListFormat,
  Locale,
  getCanonicalLocales: (locales) => [].concat(locales ?? []).map(checkTag),
  supportedValuesOf: () => [],
};
for (const [name, value] of Object.entries(members)) {
  Object.defineProperty(Intl, name, { value, writable: true, configurable: true });
}
Object.defineProperty(Intl, Symbol.toStringTag, { value: 'Intl', configurable: true });

function method(type, name, value) {
  Object.defineProperty(type.prototype, name, { value, writable: true, configurable: true });
}

Object.defineProperty(globalThis, 'Intl', { value: Intl, writable: true, configurable: true });
method(Number, 'toLocaleString', function toLocaleString(locales, options) {
  return new NumberFormat(locales, options).format(this.valueOf());
});
method(BigInt, 'toLocaleString', function toLocaleString(locales, options) {
  return new NumberFormat(locales, options).format(this.valueOf());
});
function dateMethod(name, defaults) {
  method(Date, name, {
    [name](locales, options) {
      return Number.isNaN(this.getTime()) ? 'Invalid Date' : formatDate(this.getTime(), locales, options, defaults);
    },
  }[name]);
}
dateMethod('toLocaleString', 'all');
dateMethod('toLocaleDateString', 'date');
dateMethod('toLocaleTimeString', 'time');
method(String, 'localeCompare', function localeCompare(other, _locales, options) {
  return compareTexts(String(this), String(other), options);
});
