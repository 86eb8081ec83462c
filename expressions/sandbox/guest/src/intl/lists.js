// `Intl.RelativeTimeFormat`, `Intl.ListFormat`, `Intl.Locale` and `Intl.Collator`.

import { compareTexts } from './collation.js';
import { checkTag, isSupported, localeData, resolveLocale } from './data.js';
import { NumberFormat, pluralText } from './numbers.js';

const hidden = (target, values) => {
  for (const [name, value] of Object.entries(values)) Object.defineProperty(target, name, { value });
};
const supportedLocalesOf = (locales) => [].concat(locales ?? []).filter(isSupported);

export class RelativeTimeFormat {
  constructor(locales, options = {}) {
    const locale = resolveLocale(locales);
    hidden(this, { locale, options: { numeric: 'always', style: 'long', ...options }, numbers: new NumberFormat(locales) });
  }
  format(value, unit) {
    const name = String(unit).replace(/s$/, '');
    const table = localeData(this.locale.data).relative[name];
    if (!table) throw new RangeError(`Value ${unit} out of range for Intl.RelativeTimeFormat.prototype.format() unit`);
    const number = Number(value);
    if (!Number.isFinite(number)) throw new RangeError('Value need to be finite number');
    const special = this.options.numeric === 'auto' ? table.auto[number] : undefined;
    if (special) return special;
    const past = number < 0 || Object.is(number, -0);
    const text = pluralText(past ? table.past : table.future, this.locale.data.slice(0, 2), number);
    return text.replace('{0}', this.numbers.format(Math.abs(number)));
  }
  formatToParts(value, unit) {
    return [{ type: 'literal', value: this.format(value, unit) }];
  }
  resolvedOptions() {
    return { ...this.options, locale: this.locale.name, numberingSystem: 'latn' };
  }
}

export class ListFormat {
  constructor(locales, options = {}) {
    hidden(this, { locale: resolveLocale(locales), options: { type: 'conjunction', style: 'long', ...options } });
  }
  formatToParts(list) {
    const [two, middle, last] = localeData(this.locale.data).lists[this.options.type][this.options.style];
    const values = Array.from(list);
    return values.flatMap((value, index) => {
      if (index === 0) return [{ type: 'element', value }];
      const between = values.length === 2 ? two : index === values.length - 1 ? last : middle;
      return [{ type: 'literal', value: between }, { type: 'element', value }];
    });
  }
  format(list) {
    return this.formatToParts(list).map((part) => part.value).join('');
  }
  resolvedOptions() {
    return { ...this.options, locale: this.locale.name };
  }
}

export class Locale {
  constructor(tag) {
    const [base] = checkTag(tag).split('-u-');
    const [language, ...rest] = base.split('-');
    const script = rest.find((part) => /^[a-z]{4}$/i.test(part));
    const region = rest.find((part) => /^([a-z]{2}|\d{3})$/i.test(part))?.toUpperCase();
    hidden(this, { baseName: [language, script, region].filter(Boolean).join('-'), language, script, region, numberingSystem: 'latn' });
  }
  getWeekInfo() {
    const sunday = ['en', 'ja', 'ko', 'pt', 'zh'].includes(this.language) && !['GB', 'IE', 'AU', 'NZ', 'PT'].includes(this.region);
    return { firstDay: sunday ? 7 : 1, weekend: [6, 7], minimalDays: sunday ? 1 : 4 };
  }
  toString() {
    return this.baseName;
  }
}

export class Collator {
  constructor(locales, options = {}) {
    const set = { usage: 'sort', sensitivity: 'variant', numeric: false, ...options };
    hidden(this, { locale: resolveLocale(locales), options: set, compare: (a, b) => compareTexts(String(a), String(b), set) });
  }
  resolvedOptions() {
    return { ...this.options, locale: this.locale.name };
  }
}

for (const type of [RelativeTimeFormat, ListFormat, Collator]) type.supportedLocalesOf = supportedLocalesOf;
