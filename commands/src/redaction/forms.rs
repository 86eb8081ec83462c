//! How a secret may be written: as it is, and as programs write texts into other texts.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// How a text is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Searched {
    /// As it is: it is a line of a longer one, or written in base64 already.
    AsItIs,
    /// In every form.
    InEveryForm,
}

/// One way to write a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Form {
    /// What is searched for.
    pub(super) bytes: Vec<u8>,
    /// Whether it is base64, of which the letters before and after may have a part of the secret in them.
    pub(super) base64: bool,
}

/// What a component of an address keeps as it is, by the standard for addresses.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same as scripts of pages have it.
const COMPONENT: &AsciiSet = &UNRESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// What forms of pages keep as it is; a space is a plus there.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b' ');
/// What is kept in the path of an address.
const PATH: &AsciiSet = &COMPONENT
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');
/// What is kept in the query of an address.
const QUERY: &AsciiSet = &PATH.remove(b'?').remove(b'%').remove(b'[').remove(b']').remove(b'|').remove(b'^');
/// The same in addresses of pages.
const PAGE_QUERY: &AsciiSet = &QUERY.add(b'\'');

/// Every form of `secret` that is searched for.
pub(super) fn forms(secret: &str, searched: Searched) -> BTreeSet<Form> {
    let plain = |bytes: Vec<u8>| Form { bytes, base64: false };
    let mut found = BTreeSet::from([plain(secret.as_bytes().to_vec())]);
    if searched == Searched::AsItIs {
        return found;
    }
    let escaped = json_escaped(secret);
    let texts = escaped.iter().cloned().chain(quoted(secret)).chain(percent_encoded(secret));
    found.extend(texts.map(|text| plain(text.into_bytes())));
    found.insert(plain(secret.encode_utf16().flat_map(u16::to_le_bytes).collect()));
    found.insert(plain(secret.encode_utf16().flat_map(u16::to_be_bytes).collect()));
    for text in escaped.iter().map(String::as_str).chain([secret]) {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        found.extend([hex.to_uppercase(), hex].map(|hex| plain(hex.into_bytes())));
        for core in base64_cores(text.as_bytes()) {
            let escaped = percent_encode(core.as_bytes(), NON_ALPHANUMERIC).to_string();
            found.extend([escaped, core].map(|text| Form { bytes: text.into_bytes(), base64: true }));
        }
    }
    found
}

/// What base64 has of `secret` whatever comes before and after it: at each of the three places where it can begin.
fn base64_cores(secret: &[u8]) -> Vec<String> {
    let mut cores = Vec::new();
    for before in 0..3_usize {
        let placed = [&[0; 3][..before], secret].concat();
        // The first letters have bits of what comes before, the last may have bits of what comes after.
        let (first, end) = ((before * 8).div_ceil(6), placed.len() * 8 / 6);
        for encoded in [STANDARD_NO_PAD.encode(&placed), URL_SAFE_NO_PAD.encode(&placed)] {
            cores.extend(encoded.get(first..end).map(str::to_owned));
        }
    }
    cores
}

/// As a text of JSON has it, in the habits of several programs; and again, for JSON in a text of JSON.
fn json_escaped(secret: &str) -> BTreeSet<String> {
    let (plain, mut escaped) = (in_json(secret), BTreeSet::new());
    for text in [plain.clone(), plain.replace('/', "\\/")] {
        for upper in [false, true] {
            // What is unsafe in pages, with or without the apostrophe, with or without what is not ASCII.
            for unsafe_letters in ["", "<>&", "<>&'"] {
                let is_unsafe = |letter: char| unsafe_letters.contains(letter);
                escaped.insert(unicode_escaped(&text, upper, is_unsafe));
                escaped.insert(unicode_escaped(&text, upper, |letter| !letter.is_ascii() || is_unsafe(letter)));
            }
        }
        escaped.insert(text);
    }
    escaped.insert(in_json(&plain));
    escaped.remove(secret);
    escaped
}

/// What is between the quotes.
fn in_json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

fn unicode_escaped(text: &str, upper: bool, is_escaped: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if !is_escaped(letter) {
            escaped.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            let written = if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
            escaped.push_str(&written);
        }
    }
    escaped
}

/// As pages and texts in quotes have it.
fn quoted(secret: &str) -> Vec<String> {
    let page = |quote: &str, apostrophe: &str| {
        let page = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        page.replace('"', quote).replace('\'', apostrophe)
    };
    vec![
        page("&quot;", "&#39;"),
        page("&quot;", "&#x27;"),
        page("&quot;", "&#039;"),
        page("&#34;", "&#39;"),
        page("\"", "'"),
        secret.replace('\'', "''"),
        secret.replace('\'', "\\'"),
    ]
}

/// As addresses and forms have it.
fn percent_encoded(secret: &str) -> Vec<String> {
    let of = |set: &'static AsciiSet| percent_encode(secret.as_bytes(), set).to_string();
    let form = of(FORM).replace(' ', "+");
    let encoded = [of(UNRESERVED), of(COMPONENT), form, of(PATH), of(QUERY), of(PAGE_QUERY), of(NON_ALPHANUMERIC)];
    encoded.into_iter().flat_map(|text| [lower_escapes(&text), text]).collect()
}

/// `%2F` as `%2f`.
fn lower_escapes(text: &str) -> String {
    let mut left = 0;
    let lower = |letter: char| {
        if letter == '%' {
            left = 2;
            return letter;
        }
        let within = left > 0;
        left = if within { left - 1 } else { 0 };
        if within { letter.to_ascii_lowercase() } else { letter }
    };
    text.chars().map(lower).collect()
}
