//! Methods of strings. Positions count UTF-16 units.

use std::borrow::Cow;

use super::ast::Method;
use super::eval::Machine;
use super::lexer::is_space;
use super::value::{Js, text_len};
use super::{Stop, Unsupported};

/// Longest text that padding and repeating may make, in bytes.
const MADE_BYTES_MAX: usize = 1 << 20;

/// Calls `text.method(...arguments)`.
pub(super) fn call<'a>(
    machine: &mut Machine<'a>,
    text: &Cow<'a, str>,
    method: Method,
    arguments: &[Js<'a>],
) -> Result<Js<'a>, Stop> {
    machine.charge(text.len())?;
    match method {
        Method::ToString => Ok(Js::Text(text.clone())),
        Method::ToUpperCase => Ok(Js::text(text.to_uppercase())),
        Method::ToLowerCase => Ok(Js::text(text.to_lowercase())),
        Method::Trim => Ok(trimmed(text, |text| text.trim_matches(is_space))),
        Method::TrimStart => Ok(trimmed(text, |text| text.trim_start_matches(is_space))),
        Method::TrimEnd => Ok(trimmed(text, |text| text.trim_end_matches(is_space))),
        Method::Includes | Method::StartsWith | Method::EndsWith | Method::IndexOf | Method::LastIndexOf => {
            search(text, method, arguments)
        }
        Method::Slice | Method::Substring | Method::Substr => cut(text, method, arguments),
        Method::CharAt | Method::CharCodeAt | Method::At => unit_at(text, method, arguments),
        Method::Split => split(machine, text, arguments),
        Method::Replace | Method::ReplaceAll => replace(machine, text, method, arguments),
        Method::PadStart | Method::PadEnd => pad(machine, text, method, arguments),
        Method::Repeat => repeat(machine, text, arguments),
        Method::Concat => {
            let mut joined = text.to_string();
            for argument in arguments {
                joined.push_str(&argument.to_text()?);
            }
            machine.charge(joined.len())?;
            Ok(Js::text(joined))
        }
        Method::ToFixed
        | Method::Join
        | Method::Map
        | Method::Filter
        | Method::Find
        | Method::FindIndex
        | Method::Some
        | Method::Every
        | Method::Reduce => Err(Stop::Threw),
    }
}

fn trimmed<'a>(text: &Cow<'a, str>, trim: fn(&str) -> &str) -> Js<'a> {
    Js::Text(match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
        Cow::Owned(text) => Cow::Owned(trim(text).to_owned()),
    })
}

/// Argument `index` as text; a missing one is the text `undefined`.
fn text_argument<'a>(arguments: &[Js<'a>], index: usize) -> Result<Cow<'a, str>, Stop> {
    arguments.get(index).unwrap_or(&Js::Undefined).to_text()
}

/// Argument `index` as a whole number; a missing one and NaN are 0.
pub(super) fn whole_argument(arguments: &[Js<'_>], index: usize) -> Result<f64, Stop> {
    let number = arguments.get(index).unwrap_or(&Js::Undefined).to_number()?;
    Ok(if number.is_nan() { 0.0 } else { number.trunc() })
}

/// A position counted from the end when negative, within `0..=length`.
pub(super) fn relative(position: f64, length: usize) -> usize {
    let from_start = if position < 0.0 { position + length as f64 } else { position };
    from_start.clamp(0.0, length as f64) as usize
}

/// Argument `index` as a relative position; `default` when it is missing or undefined.
pub(super) fn position(arguments: &[Js<'_>], index: usize, length: usize, default: usize) -> Result<usize, Stop> {
    match arguments.get(index) {
        None | Some(Js::Undefined) => Ok(default),
        Some(_) => Ok(relative(whole_argument(arguments, index)?, length)),
    }
}

fn search<'a>(text: &str, method: Method, arguments: &[Js<'a>]) -> Result<Js<'a>, Stop> {
    // Searching from a position is rare: the engine does it.
    if !matches!(arguments.get(1), None | Some(Js::Undefined)) {
        return Err(Unsupported.into());
    }
    let wanted = text_argument(arguments, 0)?;
    let place = |at: Option<usize>| Js::Number(at.map_or(-1.0, |at| text_len(&text[..at]) as f64));
    Ok(match method {
        Method::Includes => Js::Bool(text.contains(&*wanted)),
        Method::StartsWith => Js::Bool(text.starts_with(&*wanted)),
        Method::EndsWith => Js::Bool(text.ends_with(&*wanted)),
        Method::IndexOf => place(text.find(&*wanted)),
        _ => place(text.rfind(&*wanted)),
    })
}

fn cut<'a>(text: &Cow<'a, str>, method: Method, arguments: &[Js<'a>]) -> Result<Js<'a>, Stop> {
    let length = text_len(text);
    let clamped = |index: usize, default: usize| match arguments.get(index) {
        None | Some(Js::Undefined) => Ok::<_, Stop>(default),
        Some(_) => Ok(whole_argument(arguments, index)?.clamp(0.0, length as f64) as usize),
    };
    let (start, end) = match method {
        Method::Slice => (position(arguments, 0, length, 0)?, position(arguments, 1, length, length)?),
        Method::Substring => {
            let (a, b) = (clamped(0, 0)?, clamped(1, length)?);
            (a.min(b), a.max(b))
        }
        _ => {
            let start = position(arguments, 0, length, 0)?;
            let count = clamped(1, length)?;
            (start, start.saturating_add(count).min(length))
        }
    };
    units(text, start, end.max(start))
}

/// The UTF-16 units `start..end`, where they are whole characters.
fn units<'a>(text: &Cow<'a, str>, start: usize, end: usize) -> Result<Js<'a>, Stop> {
    if text.is_ascii() {
        return Ok(Js::Text(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(start..end).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(start..end).unwrap_or_default().to_owned()),
        }));
    }
    let units: Vec<u16> = text.encode_utf16().skip(start).take(end - start).collect();
    Ok(Js::text(String::from_utf16(&units).map_err(|_| Unsupported)?))
}

fn unit_at<'a>(text: &Cow<'a, str>, method: Method, arguments: &[Js<'a>]) -> Result<Js<'a>, Stop> {
    let length = text_len(text);
    let mut place = whole_argument(arguments, 0)?;
    if method == Method::At && place < 0.0 {
        place += length as f64;
    }
    if !(0.0..length as f64).contains(&place) {
        return Ok(match method {
            Method::CharAt => Js::Text(Cow::Borrowed("")),
            Method::CharCodeAt => Js::Number(f64::NAN),
            _ => Js::Undefined,
        });
    }
    let place = place as usize;
    if method == Method::CharCodeAt {
        let unit = text.encode_utf16().nth(place).ok_or(Unsupported)?;
        return Ok(Js::Number(f64::from(unit)));
    }
    units(text, place, place + 1)
}

fn split<'a>(machine: &mut Machine<'a>, text: &Cow<'a, str>, arguments: &[Js<'a>]) -> Result<Js<'a>, Stop> {
    if !matches!(arguments.get(1), None | Some(Js::Undefined)) {
        return Err(Unsupported.into());
    }
    match arguments.first() {
        None | Some(Js::Undefined) => return Ok(Js::array(vec![Js::Text(text.clone())])),
        Some(separator) if separator.is_object() || *separator.to_text()? == *"" => {
            let simple = matches!(separator, Js::Text(_)) && text.chars().all(|character| character.len_utf16() == 1);
            if !simple {
                return Err(Unsupported.into());
            }
            machine.charge(text.len() * 8)?;
            return Ok(Js::array(text.chars().map(|character| Js::text(character.to_string())).collect()));
        }
        Some(_) => {}
    }
    let separator = text_argument(arguments, 0)?;
    let pieces: Vec<Js<'a>> = match text {
        Cow::Borrowed(text) => text.split(&*separator).map(|piece| Js::Text(Cow::Borrowed(piece))).collect(),
        Cow::Owned(text) => text.split(&*separator).map(|piece| Js::text(piece.to_owned())).collect(),
    };
    machine.charge(pieces.len() * 8)?;
    Ok(Js::array(pieces))
}

fn replace<'a>(
    machine: &mut Machine<'a>,
    text: &Cow<'a, str>,
    method: Method,
    arguments: &[Js<'a>],
) -> Result<Js<'a>, Stop> {
    if arguments.first().is_some_and(Js::is_object) {
        return Err(Unsupported.into());
    }
    let wanted = text_argument(arguments, 0)?;
    let replacement = text_argument(arguments, 1)?;
    // `$&` and its siblings have a meaning; between the units of an empty pattern lie torn surrogates.
    if replacement.contains('$') || (wanted.is_empty() && method == Method::ReplaceAll) {
        return Err(Unsupported.into());
    }
    if method == Method::Replace {
        return Ok(Js::text(text.replacen(&*wanted, &replacement, 1)));
    }
    let growth = text.matches(&*wanted).count().saturating_mul(replacement.len());
    machine.charge(growth)?;
    Ok(Js::text(text.replace(&*wanted, &replacement)))
}

fn pad<'a>(
    machine: &mut Machine<'a>,
    text: &Cow<'a, str>,
    method: Method,
    arguments: &[Js<'a>],
) -> Result<Js<'a>, Stop> {
    let wanted = whole_argument(arguments, 0)?;
    let length = text_len(text);
    let filler = match arguments.get(1) {
        None | Some(Js::Undefined) => Cow::Borrowed(" "),
        Some(filler) => filler.to_text()?,
    };
    if wanted <= length as f64 || filler.is_empty() {
        return Ok(Js::Text(text.clone()));
    }
    if wanted > MADE_BYTES_MAX as f64 || !filler.is_ascii() {
        return Err(Unsupported.into());
    }
    let missing = wanted as usize - length;
    machine.charge(missing)?;
    let padding: String = filler.chars().cycle().take(missing).collect();
    Ok(Js::text(match method {
        Method::PadStart => padding + text,
        _ => text.to_string() + &padding,
    }))
}

fn repeat<'a>(machine: &mut Machine<'a>, text: &str, arguments: &[Js<'a>]) -> Result<Js<'a>, Stop> {
    let count = whole_argument(arguments, 0)?;
    // A count below 0 is a RangeError, which the engine throws.
    if !(0.0..=MADE_BYTES_MAX as f64).contains(&count) {
        return Err(Unsupported.into());
    }
    let bytes = text.len().saturating_mul(count as usize);
    if bytes > MADE_BYTES_MAX {
        return Err(Unsupported.into());
    }
    machine.charge(bytes)?;
    Ok(Js::text(text.repeat(count as usize)))
}
