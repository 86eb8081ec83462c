// `URL` and `URLSearchParams`, as far as scripts on web addresses need them.

const DEFAULT_PORTS = { 'http:': '80', 'https:': '443', 'ws:': '80', 'wss:': '443', 'ftp:': '21', 'file:': '' };
const formEncode = (text) =>
  encodeURIComponent(text).replace(/%20/g, '+').replace(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

function formDecode(text) {
  const spaced = text.replace(/\+/g, ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

function pairsOf(source) {
  if (source === undefined || source === null) return [];
  if (typeof source === 'object') {
    const entries = typeof source[Symbol.iterator] === 'function' ? source : Object.entries(source);
    return Array.from(entries, ([name, value]) => [String(name), String(value)]);
  }
  const parts = String(source).replace(/^\?/, '').split('&').filter(Boolean);
  return parts.map((part) => {
    const equals = part.indexOf('=');
    return equals < 0 ? [formDecode(part), ''] : [formDecode(part.slice(0, equals)), formDecode(part.slice(equals + 1))];
  });
}

export class URLSearchParams {
  #pairs;
  #changed;

  constructor(source, changed) {
    this.#pairs = pairsOf(source);
    this.#changed = typeof changed === 'function' ? changed : () => {};
  }
  get size() {
    return this.#pairs.length;
  }
  get(name) {
    return this.#pairs.find((pair) => pair[0] === name)?.[1] ?? null;
  }
  getAll(name) {
    return this.#pairs.filter((pair) => pair[0] === name).map((pair) => pair[1]);
  }
  has(name) {
    return this.#pairs.some((pair) => pair[0] === name);
  }
  append(name, value) {
    this.#pairs.push([String(name), String(value)]);
    this.#changed(this.toString());
  }
  set(name, value) {
    const first = this.#pairs.findIndex((pair) => pair[0] === name);
    if (first < 0) return this.append(name, value);
    this.#pairs = this.#pairs.filter((pair, index) => index === first || pair[0] !== name);
    this.#pairs[this.#pairs.findIndex((pair) => pair[0] === name)][1] = String(value);
    this.#changed(this.toString());
  }
  delete(name) {
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== name);
    this.#changed(this.toString());
  }
  sort() {
    this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed(this.toString());
  }
  forEach(action) {
    for (const [name, value] of this.#pairs) action(value, name, this);
  }
  *entries() {
    for (const pair of this.#pairs) yield [...pair];
  }
  *keys() {
    for (const pair of this.#pairs) yield pair[0];
  }
  *values() {
    for (const pair of this.#pairs) yield pair[1];
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  toString() {
    return this.#pairs.map(([name, value]) => `${formEncode(name)}=${formEncode(value)}`).join('&');
  }
}

const percentEncode = (text, allowed) => text.replace(allowed, (part) => encodeURIComponent(part));
const PATH_ESCAPED = /[\s"<>`{}?#\u0080-\u{10ffff}]+/gu;
const QUERY_ESCAPED = /[\s"<>#'\u0080-\u{10ffff}]+/gu;

function normalizePath(path) {
  const output = [];
  const segments = path.split('/');
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1;
    if (segment === '..') {
      if (output.length > 1) output.pop();
      if (last) output.push('');
    } else if (segment === '.') {
      if (last) output.push('');
    } else output.push(segment);
  });
  return output.join('/');
}

function parse(text) {
  const match = /^([a-z][a-z0-9+.-]*:)(\/\/)?([^]*)$/i.exec(text);
  if (!match) return undefined;
  const protocol = match[1].toLowerCase();
  const special = protocol in DEFAULT_PORTS;
  const [, head, search, hash] = /^([^?#]*)(\?[^#]*)?(#[^]*)?$/.exec(match[3]);
  const parts = { protocol, username: '', password: '', hostname: '', port: '', search: search ?? '', hash: hash ?? '' };
  if (!match[2] && !special) return { ...parts, pathname: head, opaque: true };
  const rest = special ? head.replace(/\\/g, '/').replace(/^\/+/, protocol === 'file:' ? '/' : '') : head;
  const [, authority, path] = /^([^/]*)([^]*)$/.exec(rest);
  const at = authority.lastIndexOf('@');
  if (at >= 0) {
    const [user, ...password] = authority.slice(0, at).split(':');
    Object.assign(parts, { username: user, password: password.join(':') });
  }
  const host = /^(\[[0-9a-f:.]+\]|[^:]*)(?::(\d*))?$/i.exec(authority.slice(at + 1));
  if (!host || /[\s<>^|%#]/.test(host[1]) || (special && protocol !== 'file:' && host[1] === '')) return undefined;
  if (Number(host[2] ?? 0) > 65535) return undefined;
  const port = host[2] === undefined || host[2] === DEFAULT_PORTS[protocol] ? '' : String(host[2] && Number(host[2]));
  return { ...parts, hostname: host[1].toLowerCase(), port, pathname: normalizePath(path || (special ? '/' : '')) };
}

function resolve(text, base) {
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return text;
  const from = new URL(base);
  if (text.startsWith('//')) return from.protocol + text;
  if (text.startsWith('/')) return from.origin + text;
  if (text.startsWith('?')) return from.origin + from.pathname + text;
  if (text.startsWith('#') || text === '') return from.origin + from.pathname + from.search + text;
  return from.origin + from.pathname.replace(/[^/]*$/, '') + text;
}

export class URL {
  #parts;
  #params;

  constructor(text, base) {
    const trimmed = String(text).trim();
    const parts = parse(base === undefined ? trimmed : resolve(trimmed, base));
    if (!parts) throw new TypeError('Invalid URL');
    parts.pathname = percentEncode(parts.pathname, PATH_ESCAPED);
    parts.search = parts.search === '?' ? '' : percentEncode(parts.search, QUERY_ESCAPED);
    parts.hash = parts.hash === '#' ? '' : parts.hash;
    this.#parts = parts;
  }
  static canParse(text, base) {
    try {
      return Boolean(new URL(text, base));
    } catch {
      return false;
    }
  }
  get searchParams() {
    this.#params ??= new URLSearchParams(this.#parts.search, (text) => {
      this.#parts.search = text && `?${text}`;
    });
    return this.#params;
  }
  get host() {
    return this.hostname + (this.port && `:${this.port}`);
  }
  get origin() {
    return this.protocol in DEFAULT_PORTS && this.protocol !== 'file:' ? `${this.protocol}//${this.host}` : 'null';
  }
  get href() {
    if (this.#parts.opaque) return this.protocol + this.pathname + this.search + this.hash;
    const user = this.username + (this.password && `:${this.password}`);
    return `${this.protocol}//${user && `${user}@`}${this.host}${this.pathname}${this.search}${this.hash}`;
  }
  toString() {
    return this.href;
  }
  toJSON() {
    return this.href;
  }
  static {
    const prefixes = { search: '?', hash: '#' };
    for (const name of ['protocol', 'username', 'password', 'hostname', 'port', 'pathname', 'search', 'hash']) {
      Object.defineProperty(URL.prototype, name, {
        get() {
          return this.#parts[name];
        },
        set(value) {
          const text = String(value);
          const prefix = prefixes[name];
          this.#parts[name] = prefix && text && !text.startsWith(prefix) ? prefix + text : text;
          this.#params = undefined;
        },
        enumerable: true,
        configurable: true,
      });
    }
  }
}

for (const [name, value] of Object.entries({ URL, URLSearchParams })) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}
