//! The binary forms of PostgreSQL's types that are more than a number or a text. `None`, where bytes are not what they should be.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};
use timeloom_domain::item::JsonObject;

/// Bytes that are read from their beginning on.
pub(crate) struct Reader<'r>(pub &'r [u8]);

impl<'r> Reader<'r> {
    /// So many bytes.
    pub fn take(&mut self, count: usize) -> Option<&'r [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
}

/// A number of any size as text, with the digits after the point that it has.
pub(crate) fn numeric(reader: &mut Reader<'_>) -> Option<String> {
    let groups = usize::try_from(reader.i16()?).ok()?;
    let (weight, sign, scale) = (reader.i16()?, reader.i16()?.cast_unsigned(), reader.i16()?);
    match sign {
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => {}
    }
    let digits = (0..groups).map(|_| reader.i16()).collect::<Option<Vec<_>>>()?;
    // A group has four digits; the first stands for so many groups before the point.
    let group = |place: i32| usize::try_from(place).ok().and_then(|place| digits.get(place)).copied().unwrap_or(0);
    let weight = i32::from(weight);
    let mut text = if sign == 0x4000 { "-".to_owned() } else { String::new() };
    if weight < 0 {
        text.push('0');
    }
    for place in 0..=weight {
        let digits = group(place);
        // Writing to a text cannot fail.
        let _ = if place == 0 { write!(text, "{digits}") } else { write!(text, "{digits:04}") };
    }
    let scale = usize::try_from(scale).ok()?;
    if scale > 0 {
        let mut fraction = String::new();
        let groups_after = i32::try_from(scale.div_ceil(4)).ok()?;
        for place in weight + 1..=weight + groups_after {
            let _ = write!(fraction, "{:04}", if place < 0 { 0 } else { group(place) });
        }
        text.push('.');
        text.push_str(fraction.get(..scale)?);
    }
    Some(text)
}

/// A time in so many `unit_us` microseconds since 2000, as text in UTC; the two ends of time by their names.
pub(crate) fn moment(count: i64, unit_us: i64, last: i64, first: i64) -> Value {
    const FROM_1970_US: i64 = 946_684_800_000_000;
    if count == last {
        return json!("infinity");
    }
    if count == first {
        return json!("-infinity");
    }
    let micros = count.checked_mul(unit_us).and_then(|micros| micros.checked_add(FROM_1970_US));
    match micros.and_then(chrono::DateTime::from_timestamp_micros) {
        Some(time) => json!(time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()),
        None => Value::Null,
    }
}

/// A time of a day, with the zone in seconds west of Greenwich where it has one.
pub(crate) fn time_text(micros: i64, zone: Option<i32>) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        let _ = write!(text, ".{}", digits.trim_end_matches('0'));
    }
    if let Some(west) = zone {
        let (sign, away) = (if west > 0 { '-' } else { '+' }, west.unsigned_abs());
        let _ = write!(text, "{sign}{:02}", away / 3_600);
        if away % 3_600 != 0 {
            let _ = write!(text, ":{:02}", away / 60 % 60);
        }
    }
    text
}

/// A span of time by its parts, those that are 0 left out.
pub(crate) fn interval(reader: &mut Reader<'_>) -> Option<Value> {
    let (micros, days, months) = (reader.i64()?, reader.i32()?, reader.i32()?);
    let seconds = micros / 1_000_000;
    let thousandths = micros % 1_000_000;
    let milliseconds = if thousandths % 1_000 == 0 {
        json!(thousandths / 1_000)
    } else {
        // Less than 1000, so nothing is lost.
        let parts = thousandths as f64 / 1_000.0;
        json!(parts)
    };
    let parts = [
        ("years", json!(months / 12)),
        ("months", json!(months % 12)),
        ("days", json!(days)),
        ("hours", json!(seconds / 3_600)),
        ("minutes", json!(seconds / 60 % 60)),
        ("seconds", json!(seconds % 60)),
        ("milliseconds", milliseconds),
    ];
    let told = parts.into_iter().filter(|(_, count)| *count != json!(0));
    Some(Value::Object(told.map(|(name, count)| (name.to_owned(), count)).collect::<JsonObject>()))
}

pub(crate) fn uuid_text(raw: &[u8]) -> Option<String> {
    let digits: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| digits.get(from..to);
    (raw.len() == 16).then_some(())?;
    Some(format!("{}-{}-{}-{}-{}", part(0, 8)?, part(8, 12)?, part(12, 16)?, part(16, 20)?, part(20, 32)?))
}

/// An address, with the length of its network where it is not a single one.
pub(crate) fn network(reader: &mut Reader<'_>) -> Option<String> {
    let (family, bits, is_network, length) = (reader.byte()?, reader.byte()?, reader.byte()?, reader.byte()?);
    let (address, full) = match (family, length) {
        (2, 4) => (Ipv4Addr::from(reader.array::<4>()?).to_string(), 32),
        (3, 16) => (Ipv6Addr::from(reader.array::<16>()?).to_string(), 128),
        _ => return None,
    };
    Some(if bits == full && is_network == 0 { address } else { format!("{address}/{bits}") })
}

pub(crate) fn bits_text(reader: &mut Reader<'_>) -> Option<String> {
    let count = usize::try_from(reader.i32()?).ok()?;
    let bytes = reader.take(count.div_ceil(8))?;
    let bit = |place: usize| bytes.get(place / 8).map(|byte| if byte >> (7 - place % 8) & 1 == 1 { '1' } else { '0' });
    (0..count).map(bit).collect()
}
