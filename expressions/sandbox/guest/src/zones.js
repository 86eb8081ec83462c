// Luxon, with time zones from the host instead of from `Intl`.

import host from 'timeloom:sandbox/host';
import { DateTime, Duration, IANAZone, Interval, Settings } from 'luxon';
import { currentTime } from './platform/clock.js';
import { zoneLabel } from './intl/zone-names.js';

const known = new Map();

/** The proper name of a zone, or an empty text. */
export function zoneName(zone) {
  let name = known.get(zone);
  if (name === undefined) {
    name = host.zoneName(String(zone));
    known.set(zone, name);
  }
  return name;
}

/** Minutes east of UTC. */
export function zoneOffset(zone, epochMs) {
  return zone === 'UTC' ? 0 : host.zoneOffset(zone, epochMs);
}

/** `EST`, `GMT+1`, `Eastern Standard Time`: the name of a zone at a moment. */
export function zoneDisplayName(zone, epochMs, style) {
  return zoneLabel({
    zone,
    abbreviation: host.zoneAbbreviation(zone, epochMs),
    daylight: host.zoneIsDst(zone, epochMs),
    offset: zoneOffset(zone, epochMs),
    style,
  });
}

IANAZone.isValidZone = (zone) => Boolean(zone) && zoneName(zone) !== '';
IANAZone.prototype.offset = function offset(epochMs) {
  return this.valid ? zoneOffset(this.name, Number(epochMs)) : NaN;
};
IANAZone.prototype.offsetName = function offsetName(epochMs, { format } = {}) {
  return zoneDisplayName(this.name, Number(epochMs), format === 'long' ? 'long' : 'short');
};
Settings.now = currentTime;

/** Sets the zone that dates have when they name none. */
export function setDefaultZone(zone) {
  Settings.defaultZone = zone;
}

export { DateTime, Duration, Interval };
