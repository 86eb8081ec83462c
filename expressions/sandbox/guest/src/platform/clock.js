// Time and chance come from the host: the same session gives the same answers whenever it runs.

const NativeDate = globalThis.Date;
let now = 0;

/** Sets the moment that `Date.now()` and `new Date()` answer. */
export function setNow(milliseconds) {
  now = milliseconds;
}

/** The moment of this run. */
export function currentTime() {
  return now;
}

function FixedDate(...parts) {
  if (!new.target) return new NativeDate(now).toString();
  return Reflect.construct(NativeDate, parts.length === 0 ? [now] : parts, new.target);
}
Object.defineProperty(FixedDate, 'name', { value: 'Date' });
Object.defineProperty(FixedDate, 'length', { value: 7 });
FixedDate.prototype = NativeDate.prototype;
for (const [name, value] of Object.entries({ now: () => now, parse: NativeDate.parse, UTC: NativeDate.UTC })) {
  Object.defineProperty(FixedDate, name, { value, writable: true, configurable: true });
}
Object.defineProperty(NativeDate.prototype, 'constructor', { value: FixedDate, writable: true, configurable: true });
globalThis.Date = FixedDate;

// Texts of dates name their zone, which is UTC here.
for (const name of ['toString', 'toTimeString']) {
  const native = NativeDate.prototype[name];
  const value = { [name]() { return native.call(this).replace(/GMT\+0000$/, '$& (Coordinated Universal Time)'); } }[name];
  Object.defineProperty(NativeDate.prototype, name, { value, writable: true, configurable: true });
}

let randomState = 0x9e3779b9;

/** Starts `Math.random` over from a seed. */
export function setSeed(seed) {
  const number = Number(seed);
  randomState = (number ^ Math.floor(number / 4294967296)) | 0;
}

// mulberry32: small, well distributed, and not meant for secrets.
Math.random = function random() {
  randomState = (randomState + 0x6d2b79f5) | 0;
  let mixed = Math.imul(randomState ^ (randomState >>> 15), 1 | randomState);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
};

const performance = { now: () => 0, timeOrigin: 0 };
Object.defineProperty(globalThis, 'performance', { value: performance, writable: true, configurable: true });
