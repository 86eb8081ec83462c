//! Counts the words and signs of a document before it is parsed: parsing costs many times as much as counting.
//!
//! Never judges the text: what is no GraphQL is counted somehow, and the parser says what is wrong with it.

/// Whether `text` has more than `max` tokens. Spaces, commas and comments are none.
pub(super) fn exceed(text: &str, max: usize) -> bool {
    let mut rest = text.as_bytes();
    let mut count = 0;
    while let Some(behind) = skip_one(rest, &mut count) {
        if count > max {
            return true;
        }
        rest = behind;
    }
    false
}

/// What comes behind the first token, space or comment; `None` at the end.
fn skip_one<'a>(text: &'a [u8], count: &mut usize) -> Option<&'a [u8]> {
    let (first, rest) = text.split_first()?;
    if matches!(first, b' ' | b'\t' | b'\n' | b'\r' | b',') {
        return Some(rest);
    }
    if *first == b'#' {
        return Some(after(rest, |byte| *byte != b'\n'));
    }
    *count += 1;
    Some(match first {
        b'"' => after_string(text),
        b'.' => after(rest, |byte| *byte == b'.'),
        byte if is_word(byte) => after(rest, is_word),
        _ => rest,
    })
}

/// Bytes of names and numbers; those beyond ASCII are of no token, and counted as one word.
fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+') || !byte.is_ascii()
}

fn after(text: &[u8], passes: impl Fn(&u8) -> bool) -> &[u8] {
    let end = text.iter().position(|byte| !passes(byte)).unwrap_or(text.len());
    &text[end..]
}

/// What comes behind a string, whose quotation mark is the first byte.
fn after_string(text: &[u8]) -> &[u8] {
    if let Some(block) = text.strip_prefix(b"\"\"\"") {
        return after_block(block);
    }
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let ends = !escaped && matches!(byte, b'"' | b'\n');
        escaped = !escaped && *byte == b'\\';
        ends
    });
    end.map_or(&[], |end| &text[end + 2..])
}

fn after_block(text: &[u8]) -> &[u8] {
    let mut from = 0;
    while let Some(found) = text[from..].windows(3).position(|three| three == b"\"\"\"") {
        let (begin, end) = (from + found, from + found + 3);
        if begin == 0 || text[begin - 1] != b'\\' {
            return &text[end..];
        }
        from = end;
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> usize {
        (0..).find(|max| !exceed(text, *max)).unwrap()
    }

    #[test]
    fn words_and_signs_are_counted_and_spaces_and_comments_are_not() {
        assert_eq!(count(""), 0);
        assert_eq!(count(" , \n # {a b c}\n"), 0);
        assert_eq!(count("{ a(b: 1) { ...c } }"), 12);
        assert_eq!(count("query Q($a: Int! = -12) { a }"), 14);
    }

    #[test]
    fn a_string_is_one_token_whatever_is_in_it() {
        assert_eq!(count(r#""a b \" c" d"#), 2);
        assert_eq!(count("\"\"\"a \" b \\\"\"\" c\"\"\" d"), 2);
        assert_eq!(count("\"never closed { { {"), 1);
        assert_eq!(count("\"\"\"never closed { { {"), 1);
        assert_eq!(count("\"\" a"), 2);
    }
}
