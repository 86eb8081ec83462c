//! A secret is found in every form in which programs write it, and nothing else is touched.

use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::{Value, json};
use timeloom_domain::item::Item;

use super::*;

/// One that every encoding changes.
const SECRET: &str = "p/S w=\"ö&<'%+12>~x";
const MARK: &str = "[secret of \"Mailer\"]";

fn noted(secret: &str) -> SecretTexts {
    let secrets = SecretTexts::default();
    secrets.note("Mailer", secret);
    secrets
}

fn hidden(text: &str) -> String {
    noted(SECRET).finder().unwrap().hidden_in_text(text).unwrap_or_else(|| panic!("it is not found in {text}"))
}

#[test]
fn nothing_is_searched_where_nothing_was_noted() {
    let secrets = SecretTexts::default();
    assert!(secrets.finder().is_none() && secrets.shared().finder().is_none());
    secrets.note("Mailer", "short");
    assert!(secrets.finder().is_none(), "a text of five letters is in too much");
}

#[test]
fn it_is_found_as_it_is_and_in_the_forms_of_addresses_pages_and_texts() {
    let percent = utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string();
    let query: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let mut url = url::Url::parse("http://h.example/").unwrap();
    url.set_path(SECRET);
    url.set_query(Some(SECRET));
    let in_json = json!(SECRET).to_string();
    let twice = json!(in_json).to_string();
    for written in [
        SECRET.to_owned(),
        "p%2fS%20w%3d%22%c3%b6%26%3c%27%25%2b12%3e%7ex".to_owned(),
        percent,
        query,
        url.path().trim_start_matches('/').to_owned(),
        url.query().unwrap().to_owned(),
        in_json.trim_matches('"').to_owned(),
        in_json.trim_matches('"').replace('/', "\\/").replace('ö', "\\u00f6"),
        in_json.trim_matches('"').replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"),
        twice.trim_matches(['"', '\\']).to_owned(),
        "p/S w=&quot;ö&amp;&lt;&#39;%+12&gt;~x".to_owned(),
        SECRET.replace('\'', "''"),
    ] {
        assert_eq!(hidden(&format!("a {written} b")), format!("a {MARK} b"));
    }
}

#[test]
fn it_is_found_in_base64_wherever_it_begins_and_no_bit_of_it_stays() {
    for before in ["", "u", "us", "ann:", "\u{0}\u{ff}"] {
        for after in ["", "x", "xy", "xyz"] {
            let whole = format!("{before}{SECRET}{after}");
            for encoded in [STANDARD.encode(&whole), STANDARD_NO_PAD.encode(&whole), URL_SAFE.encode(&whole)] {
                let hidden = hidden(&format!("Basic {encoded} end"));
                let (left, right) = hidden.split_once(MARK).unwrap();
                let (left, right) = (left.trim_start_matches("Basic "), right.trim_end_matches(" end"));
                assert!(left.len() <= before.len() * 8 / 6, "{encoded}: {hidden}");
                assert!(right.trim_end_matches('=').len() <= (after.len() * 8).div_ceil(6), "{encoded}: {hidden}");
            }
        }
    }
}

#[test]
fn it_is_found_in_hex_and_in_wide_letters() {
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hidden(&format!("0x{hex}")), format!("0x{MARK}"));
    assert_eq!(hidden(&hex.to_uppercase()), MARK);
    let finder = noted(SECRET).finder().unwrap();
    for write in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
        let wide: Vec<u8> = SECRET.encode_utf16().flat_map(write).collect();
        assert_eq!(finder.hidden_in_bytes(&wide).unwrap(), MARK.as_bytes());
    }
}

#[test]
fn items_are_searched_through_names_and_numbers_and_errors() {
    let secrets = noted("open sesame");
    secrets.note("Pin", "123456");
    let finder = secrets.finder().unwrap();
    let json = json!({"a": ["x open sesame", {"open sesame": 123_456}], "kept": 12, "b": "none"});
    let mut item = Item::new(json.as_object().unwrap().clone());
    item.error = Some(json!({"message": "123456"}));
    let shared = item.json.clone();
    finder.hide_in_item(&mut item);
    let [mailer, pin] = ["[secret of \"Mailer\"]", "[secret of \"Pin\"]"];
    let wanted = json!({"a": [format!("x {mailer}"), {mailer: pin}], "kept": 12, "b": "none"});
    assert_eq!((item.json.to_value(), item.error), (wanted, Some(json!({ "message": pin }))));
    assert_eq!(shared.to_value(), json, "somebody else has it as it was");
    let mut untouched = Value::String("open".to_owned());
    finder.hide_in_value(&mut untouched);
    assert_eq!(untouched, "open");
}

#[test]
fn the_proofs_that_are_made_of_a_credential_are_secrets_too() {
    let secrets = SecretTexts::default();
    let basic = json!({"user": "ann", "password": "open sesame"});
    secrets.note_credential("Mailer", "httpBasicAuth", basic.as_object().unwrap());
    let finder = secrets.finder().unwrap();
    let proof = format!("Basic {}", STANDARD.encode("ann:open sesame"));
    assert_eq!(finder.hidden_in_text(&proof).unwrap(), format!("Basic {MARK}"));
    assert_eq!(finder.hidden_in_text("ann"), None, "who signs in is no secret");

    let secrets = SecretTexts::default();
    let header = json!({"name": "Authorization", "value": proof});
    secrets.note_credential("Mailer", "httpHeaderAuth", header.as_object().unwrap());
    secrets.note("Mailer", "Bearer abcdef123456");
    let finder = secrets.finder().unwrap();
    for told in ["open sesame", "abcdef123456", STANDARD.encode("ann:open sesame").as_str()] {
        assert_eq!(finder.hidden_in_text(told).as_deref(), Some(MARK), "{told}");
    }
}

#[test]
fn a_line_of_a_key_is_a_secret_and_its_frame_is_none() {
    let key =
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END PRIVATE KEY-----\n";
    let finder = noted(key).finder().unwrap();
    assert_eq!(finder.hidden_in_text("x AQEFAASCBKcwggSjAgEAAoIB").unwrap(), format!("x {MARK}"));
    assert_eq!(finder.hidden_in_text("-----BEGIN PRIVATE KEY-----"), None);
    assert_eq!(finder.hidden_in_text(&key.replace('\n', "\\n")).unwrap(), format!("{MARK}\\n"));
}

#[test]
fn what_is_noted_later_is_found_later_and_the_name_has_no_line_in_it() {
    let secrets = noted("open sesame");
    let shared = secrets.shared();
    assert!(shared.finder().unwrap().hidden_in_text("token-of-later").is_none());
    secrets.note("Two\nlines", "token-of-later");
    assert_eq!(shared.finder().unwrap().hidden_in_text("token-of-later").unwrap(), "[secret of \"Twolines\"]");
    let shown = format!("{secrets:?}");
    assert!(!shown.contains("sesame"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However content is cut into pieces, what goes on is what it is with marks in it.
    #[test]
    fn a_secret_across_pieces_is_found(
        parts in prop::collection::vec(prop_oneof![
            Just("open sesame".to_owned()),
            Just(STANDARD.encode("ann:open sesame")),
            "[a-z ]{0,40}",
            "[ -~]{0,200}",
        ], 0..12),
        cuts in prop::collection::vec(1..30_usize, 1..100),
    ) {
        let finder = noted("open sesame").finder().unwrap();
        let content = parts.concat().into_bytes();
        let whole = finder.hidden_in_bytes(&content).unwrap_or_else(|| content.clone());
        let (mut passage, mut passed, mut rest) = (Passage::new(Arc::clone(&finder)), Vec::new(), &content[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            passed.extend(passage.pass(piece));
            rest = more;
        }
        passed.extend(passage.finish());
        prop_assert_eq!(String::from_utf8_lossy(&passed), String::from_utf8_lossy(&whole));
    }

    /// Any text is found in each of the three kinds of base64, at any place.
    #[test]
    fn any_secret_is_found_in_base64(secret in "\\PC{6,40}", before in "\\PC{0,5}", after in "\\PC{0,5}") {
        prop_assume!(secret.trim().chars().count() >= SECRET_CHARACTERS_MIN);
        let finder = noted(&secret).finder().unwrap();
        let encoded = STANDARD.encode(format!("{before}{secret}{after}"));
        prop_assert!(finder.hidden_in_text(&encoded).is_some());
    }
}
