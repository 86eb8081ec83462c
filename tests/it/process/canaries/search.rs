//! Looks for planted texts in whatever a process left behind, in every encoding in which they could hide.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A text that nothing says but who planted it.
pub(super) struct Canary {
    pub(super) name: &'static str,
    /// What to look for, and what it is called.
    forms: Vec<(String, Vec<u8>)>,
}

impl Canary {
    pub(super) fn new(name: &'static str, secret: &[u8]) -> Self {
        let mut forms = vec![("raw".to_owned(), secret.to_vec())];
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        forms.push(("HEX".to_owned(), hex.to_uppercase().into_bytes()));
        forms.push(("hex".to_owned(), hex.into_bytes()));
        for before in 0..3 {
            let placed = [&[0; 3][..before], secret].concat();
            let (first, end) = ((before * 8).div_ceil(6), placed.len() * 8 / 6);
            let name = |kind: &str| format!("{kind} after {before}");
            let core = |encoded: String| encoded.as_bytes()[first..end].to_vec();
            forms.push((name("base64"), core(STANDARD_NO_PAD.encode(&placed))));
            forms.push((name("base64url"), core(URL_SAFE_NO_PAD.encode(&placed))));
        }
        let escapes = |keeps: fn(u8) -> bool, upper: bool| -> Vec<u8> {
            let escape = |byte: &u8| match (keeps(*byte), upper) {
                (true, _) => vec![*byte],
                (false, true) => format!("%{byte:02X}").into_bytes(),
                (false, false) => format!("%{byte:02x}").into_bytes(),
            };
            secret.iter().flat_map(escape).collect()
        };
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        forms.push(("percent".to_owned(), escapes(unreserved, true)));
        forms.push(("percent in small letters".to_owned(), escapes(unreserved, false)));
        forms.push(("percent of all but letters".to_owned(), escapes(|byte| byte.is_ascii_alphanumeric(), true)));
        if let Ok(text) = std::str::from_utf8(secret) {
            let escaped = serde_json::to_string(text).unwrap();
            let twice = serde_json::to_string(&escaped[1..escaped.len() - 1]).unwrap();
            forms.push(("JSON".to_owned(), escaped.as_bytes()[1..escaped.len() - 1].to_vec()));
            forms.push(("JSON twice".to_owned(), twice.as_bytes()[1..twice.len() - 1].to_vec()));
            forms.push(("UTF-16LE".to_owned(), text.encode_utf16().flat_map(u16::to_le_bytes).collect()));
            forms.push(("UTF-16BE".to_owned(), text.encode_utf16().flat_map(u16::to_be_bytes).collect()));
        }
        Self { name, forms }
    }

    /// In which encodings it is in there.
    pub(super) fn found_in(&self, content: &[u8]) -> Vec<&str> {
        let is_in = |form: &[u8]| content.windows(form.len()).any(|part| part[0] == form[0] && part == form);
        self.forms.iter().filter(|(_, form)| is_in(form)).map(|(name, _)| name.as_str()).collect()
    }
}

/// Everything that a process gave or left behind.
#[derive(Default)]
pub(super) struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    pub(super) fn keep(&mut self, what: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.0.push((what.into(), content.into()));
    }

    /// Takes in every file under `folder` but the keys; answers how many.
    pub(super) fn keep_files(&mut self, folder: &Path) -> usize {
        let mut count = 0;
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                count += self.keep_files(&entry);
            } else if entry.file_name().is_none_or(|name| name != "credentials.key") {
                self.keep(entry.display().to_string(), fs::read(&entry).unwrap());
                count += 1;
            }
        }
        count
    }

    /// Whether a text is in any of them.
    pub(super) fn say(&self, text: &str) -> bool {
        self.0.iter().any(|(_, content)| content.windows(text.len()).any(|part| part == text.as_bytes()))
    }

    /// Fails with every place in which a canary is.
    #[track_caller]
    pub(super) fn hide(&self, canaries: &[Canary]) {
        let mut found = Vec::new();
        for (what, content) in &self.0 {
            for canary in canaries {
                for encoding in canary.found_in(content) {
                    found.push(format!("{} ({encoding}) in {what}", canary.name));
                }
            }
        }
        assert!(found.is_empty(), "secrets got out:\n{}", found.join("\n"));
    }
}

#[test]
fn a_planted_text_is_found_in_each_encoding_at_any_place() {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let secret = "kQ7/can\"ary+of~the&test\\Wx3";
    let canary = Canary::new("planted", secret.as_bytes());
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert!(canary.found_in(percent.as_bytes()).is_empty(), "letters are not escaped by anybody");
    let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = secret.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::to_string(&serde_json::json!({ "a": secret })).unwrap();
    for (hidden, encoding) in [
        (secret.as_bytes().to_vec(), "raw"),
        (wide, "UTF-16LE"),
        (big, "UTF-16BE"),
        (hex.to_uppercase().into_bytes(), "HEX"),
        (hex.into_bytes(), "hex"),
        (url.replace('~', "%7E").into_bytes(), "percent of all but letters"),
        (url.replace("%7E", "~").into_bytes(), "percent"),
        (serde_json::to_string(&json).unwrap().into_bytes(), "JSON twice"),
        (json.into_bytes(), "JSON"),
    ] {
        let content = [b"before ".as_slice(), &hidden, b" after"].concat();
        assert!(canary.found_in(&content).contains(&encoding), "{encoding}: {:?}", canary.found_in(&content));
    }
    for before in ["", "u", "us", "use", "user"] {
        for after in ["", "x", "xy"] {
            let whole = format!("{before}{secret}{after}");
            let place = format!(" after {}", before.len() % 3);
            let found = |encoded: String| canary.found_in(encoded.as_bytes()).iter().any(|name| name.ends_with(&place));
            assert!(found(STANDARD.encode(&whole)) && found(URL_SAFE.encode(&whole)), "{whole}");
        }
    }
    assert!(canary.found_in(b"kQ7/can and nothing more").is_empty());
}
