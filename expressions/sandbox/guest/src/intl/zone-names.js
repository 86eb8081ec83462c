// Names of time zones in English, as `Intl` gives them.

const NORTH_AMERICAN = { E: 'Eastern', C: 'Central', M: 'Mountain', P: 'Pacific', AK: 'Alaska', HA: 'Hawaii-Aleutian', H: 'Hawaii-Aleutian' };
const LONG = {
  CET: 'Central European Standard Time',
  CEST: 'Central European Summer Time',
  EET: 'Eastern European Standard Time',
  EEST: 'Eastern European Summer Time',
  WET: 'Western European Standard Time',
  WEST: 'Western European Summer Time',
  GMT: 'Greenwich Mean Time',
  BST: 'British Summer Time',
  JST: 'Japan Standard Time',
  KST: 'Korean Standard Time',
  HKT: 'Hong Kong Standard Time',
  AEST: 'Australian Eastern Standard Time',
  AEDT: 'Australian Eastern Daylight Time',
  NZST: 'New Zealand Standard Time',
  NZDT: 'New Zealand Daylight Time',
  SAST: 'South Africa Standard Time',
};
const UTC_NAMES = new Set(['UTC', 'Etc/UTC', 'Etc/UCT', 'UCT', 'Zulu', 'Universal']);

function offsetText(offset, long) {
  if (offset === 0) return 'GMT';
  const minutes = Math.abs(offset) % 60;
  const hours = String(Math.floor(Math.abs(offset) / 60));
  const sign = offset < 0 ? '-' : '+';
  if (long) return `GMT${sign}${hours.padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
  return `GMT${sign}${hours}${minutes ? `:${String(minutes).padStart(2, '0')}` : ''}`;
}

/** The label of a zone at a moment. */
export function zoneLabel({ zone, abbreviation, offset, style }) {
  if (UTC_NAMES.has(zone)) return style === 'long' ? 'Coordinated Universal Time' : 'UTC';
  const match = /^(E|C|M|P|AK|HA|H)(S|D)T$/.exec(abbreviation);
  if (match && /^(America|US|Canada|Pacific\/Honolulu)/.test(zone)) {
    if (style !== 'long') return abbreviation;
    return `${NORTH_AMERICAN[match[1]]} ${match[2] === 'D' ? 'Daylight' : 'Standard'} Time`;
  }
  if (style === 'long') {
    if (zone === 'Asia/Kolkata' || zone === 'Asia/Calcutta') return 'India Standard Time';
    if (abbreviation === 'CST' && /Shanghai|Chongqing|PRC/.test(zone)) return 'China Standard Time';
    if (LONG[abbreviation]) return LONG[abbreviation];
  }
  return offsetText(offset, style === 'long');
}
