// The order of texts that people expect: letters before accents before capitals.

/** Signs in their order; digits and letters follow them. */
const SIGNS = '_-,;:!?.\'"()[]{}@*/\\&#%`^+<=>|~$';

function primaryKey(character) {
  if (/\s/.test(character)) return 0;
  const sign = SIGNS.indexOf(character);
  if (sign >= 0) return 1 + sign;
  const code = character.codePointAt(0);
  if (code >= 48 && code <= 57) return 100 + code;
  return 1000 + code;
}

function analyse(text) {
  const bases = [];
  const accents = [];
  const cases = [];
  for (const character of text.normalize('NFD')) {
    if (/\p{M}/u.test(character)) {
      accents[bases.length - 1] = (accents[bases.length - 1] ?? '') + character;
      continue;
    }
    const lower = character.toLowerCase();
    bases.push(lower);
    accents.push('');
    cases.push(lower === character ? 0 : 1);
  }
  return { bases, accents, cases };
}

function compareLists(a, b, key) {
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const difference = key(a[index]) - key(b[index]);
    if (difference) return difference < 0 ? -1 : 1;
  }
  return Math.sign(a.length - b.length);
}

function withNumbers(bases) {
  const joined = [];
  for (const base of bases) {
    if (/\d/.test(base) && typeof joined.at(-1) === 'number') joined[joined.length - 1] = joined.at(-1) * 10 + Number(base);
    else joined.push(/\d/.test(base) ? Number(base) : base);
  }
  return joined;
}

const accentKey = (accent) => (accent ? accent.codePointAt(0) : 0);

/** -1, 0 or 1. */
export function compareTexts(a, b, { sensitivity = 'variant', numeric = false } = {}) {
  if (a === b) return 0;
  const [left, right] = [analyse(a), analyse(b)];
  const bases = (one) => (numeric ? withNumbers(one.bases) : one.bases);
  const key = (base) => (typeof base === 'number' ? 148 + base / (base + 1) : primaryKey(base));
  const primary = compareLists(bases(left), bases(right), key);
  if (primary) return primary;
  if (sensitivity !== 'base' && sensitivity !== 'case') {
    const secondary = compareLists(left.accents, right.accents, accentKey);
    if (secondary) return secondary;
  }
  return sensitivity === 'variant' || sensitivity === 'case' ? compareLists(left.cases, right.cases, Number) : 0;
}
