//! Free functions, `Math`, `Object`, `JSON`, and methods of numbers.

use std::borrow::Cow;

use super::ast::{Function, Method};
use super::eval::Machine;
use super::text_methods::whole_argument;
use super::value::Js;
use super::{Stop, Unsupported, number, stringify};

/// Longest text that `JSON.parse` reads natively, in bytes.
const JSON_BYTES_MAX: usize = 64 << 10;

/// Calls a free function.
pub(super) fn call<'a>(machine: &mut Machine<'a>, function: Function, arguments: &[Js<'a>]) -> Result<Js<'a>, Stop> {
    let undefined = Js::Undefined;
    let first = arguments.first().unwrap_or(&undefined);
    let finite = |check: fn(f64) -> bool| Js::Bool(matches!(first, Js::Number(number) if check(*number)));
    Ok(match function {
        Function::Number if arguments.is_empty() => Js::Number(0.0),
        Function::Number => Js::Number(first.to_number()?),
        Function::String if arguments.is_empty() => Js::Text(Cow::Borrowed("")),
        Function::String => Js::Text(first.to_text()?),
        Function::Boolean => Js::Bool(first.is_truthy()),
        Function::ParseInt | Function::NumberParseInt => parse_int(arguments, first)?,
        Function::ParseFloat | Function::NumberParseFloat => Js::Number(number::parse_float(&first.to_text()?)),
        Function::IsNaN => Js::Bool(first.to_number()?.is_nan()),
        Function::EncodeUriComponent => {
            let text = first.to_text()?;
            machine.charge(text.len() * 3)?;
            Js::text(encode_uri_component(&text))
        }
        Function::ObjectKeys | Function::ObjectValues | Function::ObjectEntries => {
            let entries = first.entries()?;
            machine.charge(entries.len())?;
            Js::array(entries.into_iter().map(|entry| member_of(function, entry)).collect())
        }
        Function::JsonStringify => stringify::call(machine, arguments)?,
        Function::JsonParse => {
            let text = first.to_text()?;
            machine.charge(text.len())?;
            parse_json(&text)?
        }
        Function::IsArray => Js::Bool(first.array_len().is_some()),
        Function::IsInteger => finite(|number| number.is_finite() && number.fract() == 0.0),
        Function::NumberIsNaN => finite(f64::is_nan),
        Function::IsFinite => finite(f64::is_finite),
        Function::Min | Function::Max | Function::Pow => several(function, arguments)?,
        Function::Floor | Function::Ceil | Function::Round | Function::Abs => Js::Number(rounded(function, first)?),
        Function::Trunc | Function::Sqrt | Function::Sign => Js::Number(rounded(function, first)?),
    })
}

fn parse_int<'a>(arguments: &[Js<'a>], first: &Js<'a>) -> Result<Js<'a>, Stop> {
    let radix = match whole_argument(arguments, 1)? {
        0.0 => None,
        radix if (2.0..=36.0).contains(&radix) => Some(radix as u32),
        _ => return Err(Unsupported.into()),
    };
    Ok(Js::Number(number::parse_int(&first.to_text()?, radix).ok_or(Unsupported)?))
}

fn member_of<'a>(function: Function, (key, value): (Cow<'a, str>, Js<'a>)) -> Js<'a> {
    match function {
        Function::ObjectKeys => Js::Text(key),
        Function::ObjectValues => value,
        _ => Js::array(vec![Js::Text(key), value]),
    }
}

fn parse_json<'a>(text: &str) -> Result<Js<'a>, Stop> {
    if text.len() > JSON_BYTES_MAX || has_long_number(text) {
        return Err(Unsupported.into());
    }
    // Text that is not JSON throws a SyntaxError, which the engine words.
    let value: serde_json::Value = serde_json::from_str(text).map_err(|_| Unsupported)?;
    Ok(Js::from_owned_json(value))
}

/// Whether a number of the text may be so long, or so far from 1, that readers of JSON differ in its last bit.
fn has_long_number(text: &str) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    text.as_bytes().split(|byte| !is_part(byte)).any(|run| {
        let has_digit = run.iter().any(u8::is_ascii_digit);
        let has_exponent = run.iter().any(|byte| matches!(byte, b'e' | b'E'));
        has_digit && (run.len() > 15 || has_exponent)
    })
}

fn rounded(function: Function, argument: &Js<'_>) -> Result<f64, Stop> {
    let number = argument.to_number()?;
    Ok(match function {
        Function::Floor => number.floor(),
        Function::Ceil => number.ceil(),
        Function::Round => number::round(number),
        Function::Abs => number.abs(),
        Function::Trunc => number.trunc(),
        Function::Sqrt => number.sqrt(),
        _ if number == 0.0 || number.is_nan() => number,
        _ => number.signum(),
    })
}

fn several<'a>(function: Function, arguments: &[Js<'a>]) -> Result<Js<'a>, Stop> {
    let numbers = arguments.iter().map(Js::to_number).collect::<Result<Vec<f64>, Stop>>()?;
    if function == Function::Pow {
        let [base, exponent] = numbers.as_slice() else { return Err(Unsupported.into()) };
        return Ok(Js::Number(number::power(*base, *exponent).ok_or(Unsupported)?));
    }
    let is_min = function == Function::Min;
    let mut best = if is_min { f64::INFINITY } else { f64::NEG_INFINITY };
    for number in numbers {
        if number.is_nan() {
            return Ok(Js::Number(f64::NAN));
        }
        // -0 is less than 0.
        let is_tie_of_zeros = number == 0.0 && best == 0.0 && number.is_sign_negative() == is_min;
        let is_better = if is_min { number < best } else { number > best };
        if is_better || is_tie_of_zeros {
            best = number;
        }
    }
    Ok(Js::Number(best))
}

fn encode_uri_component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Calls `number.method(...arguments)`.
pub(super) fn number_method<'a>(number: f64, method: Method, arguments: &[Js<'a>]) -> Result<Js<'a>, Stop> {
    match method {
        Method::ToString => match arguments.first() {
            None | Some(Js::Undefined) => Ok(Js::text(number::to_text(number))),
            Some(_) => Err(Unsupported.into()),
        },
        Method::ToFixed => {
            let digits = whole_argument(arguments, 0)?;
            // More digits are a RangeError, which the engine throws.
            if !(0.0..=100.0).contains(&digits) {
                return Err(Unsupported.into());
            }
            Ok(Js::text(number::to_fixed(number, digits as usize)))
        }
        _ => Err(Stop::Threw),
    }
}
