//! Writes JSON by hand, where a tree of values would cost more than the numbers in it.

/// Writes `text` as a string of JSON.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < b' ') {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        // What must be escaped is one byte, so that the cut after it is on a boundary.
        let (byte, after) = special.split_at(1);
        match byte.as_bytes() {
            b"\"" => out.extend_from_slice(b"\\\""),
            b"\\" => out.extend_from_slice(b"\\\\"),
            b"\n" => out.extend_from_slice(b"\\n"),
            b"\r" => out.extend_from_slice(b"\\r"),
            b"\t" => out.extend_from_slice(b"\\t"),
            other => out.extend(other.iter().flat_map(|byte| format!("\\u{byte:04x}").into_bytes())),
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// Writes a whole number.
pub(super) fn number(out: &mut Vec<u8>, number: impl Into<i128>) {
    let number: i128 = number.into();
    if number < 0 {
        out.push(b'-');
    }
    let mut digits = [0_u8; 40];
    let (mut left, mut at) = (number.unsigned_abs(), digits.len());
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (left % 10) as u8;
        }
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_numbers_are_what_other_writers_write() {
        for text in ["", "plain", "a \"quoted\" \\ one\n\t\r", "\u{1}\u{1f}", "größer 🙂", "\u{7f}"] {
            let mut out = Vec::new();
            string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
        for value in [0, 1, -1, 10, i128::from(u64::MAX), i128::from(i64::MIN)] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
