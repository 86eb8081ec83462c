//! Numbers as JavaScript writes and reads them.

use serde_json::Number;

use super::lexer::is_space;

/// The largest integer up to which every integer has its own double.
const SAFE_MAX: f64 = 9_007_199_254_740_991.0;

/// `String(number)`: ECMAScript's Number::toString, base 10.
pub(crate) fn to_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-Infinity" } else { "Infinity" }.to_owned();
    }
    if number.fract() == 0.0 && number.abs() <= SAFE_MAX {
        return (number as i64).to_string();
    }
    // The JSON writer's digits are the ones ECMAScript asks for: the fewest that read back as the same double, of
    // those the nearest to it, and of two as near the even one. `format!` differs in the last case.
    let shortest = Number::from_f64(number.abs()).map(|number| number.to_string()).unwrap_or_default();
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = format!("{whole}{fraction}");
    let significant = all_digits.trim_start_matches('0');
    let leading_zeros = i32::try_from(all_digits.len() - significant.len()).unwrap_or(0);
    let whole_len = i32::try_from(whole.len()).unwrap_or(0);
    let point = exponent.parse::<i32>().unwrap_or(0) + whole_len - leading_zeros;
    let digits = significant.trim_end_matches('0');
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}", place_point(digits, point))
}

/// `digits` with the decimal point behind the first `point` of them, by ECMAScript's rules.
fn place_point(digits: &str, point: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    if (count..=21).contains(&point) {
        return format!("{digits}{}", zeros(point - count));
    }
    if (1..=21).contains(&point) {
        let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
        return format!("{whole}.{fraction}");
    }
    if (-5..=0).contains(&point) {
        return format!("0.{}{digits}", zeros(-point));
    }
    let exponent = point - 1;
    let sign = if exponent < 0 { '-' } else { '+' };
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    format!("{first}{dot}{rest}e{sign}{}", exponent.abs())
}

/// A finite number as JSON, integers without a point; `None` for NaN and infinities.
pub(crate) fn to_json(number: f64) -> Option<Number> {
    const I64_END: f64 = 9_223_372_036_854_775_808.0;
    const U64_END: f64 = 18_446_744_073_709_551_616.0;
    if number.fract() == 0.0 {
        if number.abs() < I64_END {
            return Some(Number::from(number as i64));
        }
        if (0.0..U64_END).contains(&number) {
            return Some(Number::from(number as u64));
        }
    }
    Number::from_f64(number)
}

/// `Number(text)`; NaN when the text is no number.
pub(crate) fn from_text(text: &str) -> f64 {
    let text = text.trim_matches(is_space);
    let radix = match text.as_bytes() {
        [] => return 0.0,
        [b'0', b'x' | b'X', ..] => 16,
        [b'0', b'o' | b'O', ..] => 8,
        [b'0', b'b' | b'B', ..] => 2,
        _ => return decimal(text),
    };
    let digits = &text[2..];
    if digits.is_empty() { f64::NAN } else { in_radix(digits, radix) }
}

fn decimal(text: &str) -> f64 {
    match text {
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ if text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) => {
            text.parse().unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    }
}

/// Digits of a radix as a number; NaN for other characters and for more than 128 bits.
fn in_radix(digits: &str, radix: u32) -> f64 {
    match u128::from_str_radix(digits, radix) {
        Ok(number) if !digits.starts_with('+') => number as f64,
        _ => f64::NAN,
    }
}

/// `parseFloat(text)`.
pub(crate) fn parse_float(text: &str) -> f64 {
    let text = text.trim_start_matches(is_space);
    let bytes = text.as_bytes();
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    if text[sign..].starts_with("Infinity") {
        return if bytes.first() == Some(&b'-') { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let digits_from = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits_from(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits_from(end + 1);
        end += if whole + fraction > 0 { 1 + fraction } else { 0 };
    }
    if whole + fraction == 0 {
        return f64::NAN;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let exponent_sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits_from(end + 1 + exponent_sign);
        end += if exponent > 0 { 1 + exponent_sign + exponent } else { 0 };
    }
    text[..end].parse().unwrap_or(f64::NAN)
}

/// `parseInt(text, radix)`; radix 10, or 16 after `0x`, unless given. `None` for more than 128 bits in another radix.
pub(crate) fn parse_int(text: &str, radix: Option<u32>) -> Option<f64> {
    let text = text.trim_start_matches(is_space);
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefixed = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (radix, text) = match (radix, prefixed) {
        (None | Some(16), Some(rest)) => (16, rest),
        (None, None) => (10, text),
        (Some(radix), _) => (radix, text),
    };
    let end = text.find(|digit: char| !digit.is_digit(radix)).unwrap_or(text.len());
    if end == 0 {
        return Some(f64::NAN);
    }
    let digits = &text[..end];
    let number = if radix == 10 { decimal(digits) } else { in_radix(digits, radix) };
    if number.is_nan() {
        return None;
    }
    Some(if negative { -number } else { number })
}

/// `number.toFixed(digits)` for at most 100 digits.
pub(crate) fn to_fixed(number: f64, digits: usize) -> String {
    if !number.is_finite() || number.abs() >= 1e21 {
        return to_text(number);
    }
    let magnitude = number.abs();
    // A tie lies exactly between two answers only when one more binary place per digit makes it whole.
    let scale = 2f64.powi(i32::try_from(digits).unwrap_or(0) + 1);
    let mut text = format!("{magnitude:.digits$}");
    if (magnitude * scale).fract() == 0.0 {
        let longer = format!("{magnitude:.places$}", places = digits + 1);
        if longer.ends_with('5') {
            text = round_up(&longer[..longer.len() - 1]);
        }
    }
    if number < 0.0 { format!("-{text}") } else { text }
}

/// The decimal text with one added at its last digit.
fn round_up(text: &str) -> String {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut digits: Vec<u8> = text.bytes().collect();
    for digit in digits.iter_mut().rev() {
        match digit {
            b'.' => {}
            b'9' => *digit = b'0',
            _ => {
                *digit += 1;
                return String::from_utf8(digits).unwrap_or_default();
            }
        }
    }
    format!("1{}", String::from_utf8(digits).unwrap_or_default())
}

/// `Math.round`: ties go up.
pub(crate) fn round(number: f64) -> f64 {
    let floor = number.floor();
    let rounded = if number - floor >= 0.5 { floor + 1.0 } else { floor };
    if rounded == 0.0 && number < 0.0 { -0.0 } else { rounded }
}

/// `base ** exponent` where every engine must give the same double; `None` where engines may differ in the last bit.
pub(crate) fn power(base: f64, exponent: f64) -> Option<f64> {
    if exponent == 0.0 {
        return Some(1.0);
    }
    let whole = base.fract() == 0.0 && exponent.fract() == 0.0;
    if !whole || !(1.0..=64.0).contains(&exponent) {
        return None;
    }
    let mut product = 1.0;
    for _ in 0..exponent as u32 {
        product *= base;
        if f64::abs(product) > SAFE_MAX + 1.0 {
            return None;
        }
    }
    Some(product)
}
