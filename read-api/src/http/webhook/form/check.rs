//! Whether what was sent is what the form asks for, and the item that it becomes.
//!
//! A browser checks as well, but nobody need use one: what is not checked here is not checked.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Value, json};
use timeloom_domain::form::{Field, FieldKind, Form};
use timeloom_domain::item::JsonObject;

use super::submission::{Submission, Upload};

/// Longest answer of one line, in bytes.
const LINE_BYTES_MAX: usize = 16 << 10;
/// Longest answer of several lines, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// What the fields say that are not filled in as they should be, by their place in the form.
pub(super) type Faults = BTreeMap<usize, String>;

/// The answers of a form.
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// They by the names of their fields.
    pub(super) json: JsonObject,
    /// Files by the name of their attachment.
    pub(super) files: Vec<(String, Upload)>,
}

/// What was sent, as an item's data.
///
/// # Errors
/// What is wrong with which fields.
pub(super) fn check(form: &Form, sent: &Submission) -> Result<Filled, Faults> {
    let (mut filled, mut faults) = (Filled::default(), Faults::new());
    for (index, field) in form.fields.iter().enumerate() {
        let answer = match &field.kind {
            FieldKind::Html { html } => {
                if !field.name.is_empty() {
                    filled.json.insert(field.name.clone(), json!(html));
                }
                continue;
            }
            FieldKind::File { multiple, accepts } => files(field, (*multiple, accepts), sent.files(index)),
            FieldKind::Checkboxes { options, at_least, at_most } => {
                chosen(field, options, (*at_least, *at_most), sent.texts(index))
            }
            _ => one(field, sent.text(index)),
        };
        match answer {
            Ok(value) => {
                filled.json.insert(field.name.clone(), value);
                filled.files.extend(attachments(field, sent.files(index)));
            }
            Err(fault) => {
                faults.insert(index, fault);
            }
        }
    }
    if faults.is_empty() { Ok(filled) } else { Err(faults) }
}

/// The answer of a field that takes one text.
fn one(field: &Field, sent: Option<&str>) -> Result<Value, String> {
    if let FieldKind::Hidden { value } = &field.kind {
        let text = sent.unwrap_or(value);
        return length(text, LINE_BYTES_MAX).map(|()| json!(text));
    }
    let Some(text) = sent else {
        return if field.required { Err(missing(field)) } else { Ok(Value::Null) };
    };
    let is_exact = matches!(field.kind, FieldKind::Password | FieldKind::TextArea);
    let text = if is_exact { text } else { text.trim() };
    length(text, if field.kind == FieldKind::TextArea { TEXT_BYTES_MAX } else { LINE_BYTES_MAX })?;
    if text.trim().is_empty() {
        return match field.kind {
            _ if field.required => Err(missing(field)),
            FieldKind::Number => Ok(Value::Null),
            _ => Ok(json!(text)),
        };
    }
    match &field.kind {
        FieldKind::Number => number(text).ok_or_else(|| "Enter a number".to_owned()),
        FieldKind::Email if !is_mail_address(text) => Err("Enter a mail address, such as ada@example.org".to_owned()),
        FieldKind::Date { format } => date(text, format.as_deref()),
        FieldKind::Dropdown { options } | FieldKind::Radio { options } => {
            if options.iter().any(|option| option.trim() == text) {
                Ok(json!(text))
            } else {
                Err("Choose one of the options".to_owned())
            }
        }
        _ => Ok(json!(text)),
    }
}

/// The answer of a field that takes any number of its options.
fn chosen(
    field: &Field,
    options: &[String],
    (at_least, at_most): (Option<usize>, Option<usize>),
    sent: &[String],
) -> Result<Value, String> {
    let listed: Option<Vec<String>> = match sent {
        // Programs send a list as one JSON text.
        [text] if text.starts_with('[') && !options.contains(text) => serde_json::from_str(text).ok(),
        _ => None,
    };
    let mut chosen: Vec<&str> = Vec::new();
    for text in listed.as_deref().unwrap_or(sent).iter().filter(|text| !text.is_empty()) {
        let option = options.iter().find(|option| *option == text).ok_or("Choose from the options alone")?;
        if !chosen.contains(&option.as_str()) {
            chosen.push(option);
        }
    }
    let count = chosen.len();
    if count == 0 {
        return if field.required { Err("Choose at least one option".to_owned()) } else { Ok(json!([])) };
    }
    match (at_least, at_most) {
        (Some(least), Some(most)) if least == most && count != least => Err(format!("Choose exactly {least}")),
        (Some(least), _) if count < least => Err(format!("Choose at least {least}")),
        (_, Some(most)) if count > most => Err(format!("Choose at most {most}")),
        _ => Ok(json!(chosen)),
    }
}

fn files(field: &Field, (multiple, accepts): (bool, &[String]), sent: &[Upload]) -> Result<Value, String> {
    if sent.is_empty() {
        return if field.required { Err("Choose a file".to_owned()) } else { Ok(Value::Null) };
    }
    if !multiple && sent.len() > 1 {
        return Err("Choose one file only".to_owned());
    }
    if let Some(other) = sent.iter().find(|file| !is_accepted(file, accepts)) {
        return Err(format!("'{}' is not taken here: choose {}", other.name, accepts.join(", ")));
    }
    let about =
        |file: &Upload| json!({ "filename": file.name, "mimetype": file.media_type, "size": file.content.len() });
    Ok(match sent {
        [file] if !multiple => about(file),
        files => files.iter().map(about).collect(),
    })
}

/// The files of a field under the names of their attachments.
fn attachments(field: &Field, sent: &[Upload]) -> impl Iterator<Item = (String, Upload)> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let name: String = field.name.chars().map(|character| if is_word(character) { character } else { '_' }).collect();
    let count = sent.len();
    sent.iter().enumerate().map(move |(index, file)| {
        let name = if count > 1 { format!("{name}_{index}") } else { name.clone() };
        (name, file.clone())
    })
}

fn is_accepted(file: &Upload, accepts: &[String]) -> bool {
    let name = file.name.to_ascii_lowercase();
    let media_type = file.media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    accepts.is_empty()
        || accepts.iter().any(|accepted| match accepted.strip_suffix("/*") {
            Some(kind) => media_type.split('/').next() == Some(kind),
            None if accepted.contains('/') => *accepted == media_type,
            None => name.rsplit_once('.').is_some_and(|(_, own)| own == accepted.trim_start_matches('.')),
        })
}

fn missing(field: &Field) -> String {
    match field.kind {
        FieldKind::Dropdown { .. } | FieldKind::Radio { .. } => "Choose one of the options".to_owned(),
        FieldKind::Date { .. } => "Enter a date".to_owned(),
        _ => "Fill this in".to_owned(),
    }
}

fn length(text: &str, bytes_max: usize) -> Result<(), String> {
    if text.len() > bytes_max { Err(format!("This is too long: at most {bytes_max} bytes")) } else { Ok(()) }
}

/// A number as JSON writes it: whole ones without a fraction.
fn number(text: &str) -> Option<Value> {
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    Some(if number.fract() == 0.0 && number.abs() <= WHOLE_MAX { json!(number as i64) } else { json!(number) })
}

fn is_mail_address(text: &str) -> bool {
    let is_name = |name: &str| {
        let known = |character: char| character.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(character);
        !name.is_empty() && name.chars().all(known)
    };
    let is_part = |part: &str| {
        let known = |character: char| character.is_alphanumeric() || character == '-';
        !part.is_empty() && part.chars().all(known) && !part.starts_with('-') && !part.ends_with('-')
    };
    text.len() <= 254 && text.rsplit_once('@').is_some_and(|(name, host)| is_name(name) && host.split('.').all(is_part))
}

/// A day, written as the author wants it: `yyyy`, `yy`, `mm`, `m`, `dd` and `d` stand for its parts.
fn date(text: &str, format: Option<&str>) -> Result<Value, String> {
    let wrong = || "Enter a date, such as 2030-01-31".to_owned();
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10).ok_or_else(wrong)?;
    let Some(format) = format else { return Ok(json!(text)) };
    let mut written = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let same = rest.chars().take_while(|character| *character == first).count();
        let (run, after) = rest.split_at(same * first.len_utf8());
        let part = match (first.to_ascii_lowercase(), same) {
            ('y', 2) => "%y",
            ('y', _) => "%Y",
            ('m', 1) => "%-m",
            ('m', 2) => "%m",
            ('m', 3) => "%b",
            ('m', _) => "%B",
            ('d', 1) => "%-d",
            ('d', 2) => "%d",
            _ => "",
        };
        if part.is_empty() {
            written.push_str(run)
        } else {
            written.push_str(&day.format(part).to_string())
        }
        rest = after;
    }
    Ok(json!(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: Value) -> Form {
        Form::read(&json!({ "formFields": { "values": fields } })).unwrap()
    }

    async fn sent(pairs: &[(&str, &str)]) -> Submission {
        let mut headers = actix_web::http::header::HeaderMap::new();
        let urlencoded = actix_web::http::header::HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(actix_web::http::header::CONTENT_TYPE, urlencoded);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Submission::read(&headers, body.into()).await.unwrap()
    }

    fn options(options: &[&str]) -> Value {
        json!({ "values": options.iter().map(|option| json!({ "option": option })).collect::<Vec<_>>() })
    }

    /// What one field makes of a text: its answer, or what is wrong.
    async fn answer(mut field: Value, pairs: &[(&str, &str)]) -> Result<Value, String> {
        field["fieldLabel"] = json!("it");
        match check(&form(json!([field])), &sent(pairs).await) {
            Ok(filled) => Ok(filled.json["it"].clone()),
            Err(faults) => Err(faults[&0].clone()),
        }
    }

    #[tokio::test]
    async fn answers_have_the_type_of_their_field() {
        let kind = |kind: &str| json!({ "fieldType": kind });
        let list = |kind: &str| json!({ "fieldType": kind, "fieldOptions": options(&["a", "b", "c"]) });
        let multi = json!({ "fieldType": "dropdown", "multiselect": true, "fieldOptions": options(&["a", "b", "c"]) });
        let day = |format: &str| json!({ "fieldType": "date", "formatDate": format });
        for (field, text, expected) in [
            (kind("text"), " Ada ", json!("Ada")),
            (kind("password"), " p ", json!(" p ")),
            (kind("textarea"), " a\r\nb ", json!(" a\r\nb ")),
            (kind("number"), "41", json!(41)),
            (kind("number"), "-1.5e3", json!(-1500)),
            (kind("number"), "0.25", json!(0.25)),
            (kind("number"), "", Value::Null),
            (kind("email"), "ada.l+x@mail.example.org", json!("ada.l+x@mail.example.org")),
            (kind("date"), "2030-02-28", json!("2030-02-28")),
            (day("dd/mm/yyyy"), "2030-02-08", json!("08/02/2030")),
            (day("d. m. yy"), "2030-02-08", json!("8. 2. 30")),
            (list("dropdown"), "b", json!("b")),
            (list("dropdown"), "", json!("")),
            (list("radio"), "c", json!("c")),
            (list("checkbox"), "[\"a\",\"c\"]", json!(["a", "c"])),
            (multi, "b", json!(["b"])),
        ] {
            assert_eq!(answer(field.clone(), &[("field-0", text)]).await, Ok(expected), "{field} {text:?}");
        }
        let twice = answer(list("checkbox"), &[("field-0[]", "b"), ("field-0[]", "a"), ("field-0", "a")]).await;
        assert_eq!(twice, Ok(json!(["b", "a"])));
        assert_eq!(answer(list("checkbox"), &[("other", "b"), ("field-9", "x")]).await, Ok(json!([])));
        assert_eq!(answer(list("radio"), &[]).await, Ok(Value::Null));
    }

    #[tokio::test]
    async fn what_does_not_fit_is_told_beside_its_field() {
        let kind = |kind: &str| json!({ "fieldType": kind, "requiredField": true });
        let list = |kind: &str| json!({ "fieldType": kind, "fieldOptions": options(&["a", "b", "c"]) });
        let two = json!({ "fieldType": "checkbox", "limitSelection": "exact", "numberOfSelections": 2,
            "fieldOptions": options(&["a", "b", "c"]) });
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        for (field, text, says) in [
            (kind("text"), "  ", "Fill this in"),
            (kind("text"), long.as_str(), "This is too long"),
            (kind("number"), "NaN", "Enter a number"),
            (kind("number"), "1e999", "Enter a number"),
            (kind("number"), "1,5", "Enter a number"),
            (kind("email"), "ada", "Enter a mail address"),
            (kind("email"), "ada@-x.org", "Enter a mail address"),
            (kind("email"), "a b@example.org", "Enter a mail address"),
            (kind("date"), "2030-02-30", "Enter a date"),
            (kind("date"), "30.01.2030", "Enter a date"),
            (list("dropdown"), "z", "Choose one of the options"),
            (list("radio"), "<script>", "Choose one of the options"),
            (list("checkbox"), "[\"a\",\"z\"]", "Choose from the options alone"),
            (two.clone(), "a", "Choose exactly 2"),
            (kind("file"), "a text is no file", "Choose a file"),
        ] {
            let told = answer(field.clone(), &[("field-0", text)]).await.unwrap_err();
            assert!(told.starts_with(says), "{field}: {told}");
        }
        assert_eq!(answer(two, &[]).await, Ok(json!([])), "what is not required may be left out");
    }

    #[test]
    fn files_are_taken_by_extension_and_type() {
        let file = |name: &str, media_type: &str| Upload {
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            content: bytes::Bytes::from_static(b"x"),
        };
        let accepts = [".pdf".to_owned(), "png".to_owned(), "image/*".to_owned(), "text/csv".to_owned()];
        for (name, media_type) in [("A.PDF", ""), ("a.png", ""), ("x", "image/jpeg"), ("x", "text/csv; charset=utf-8")]
        {
            assert!(is_accepted(&file(name, media_type), &accepts), "{name}");
        }
        for (name, media_type) in [("a.pdf.exe", "application/x"), ("pdf", ""), ("x", "text/html"), ("x", "imagex/a")] {
            assert!(!is_accepted(&file(name, media_type), &accepts), "{name}");
        }
        let field = &form(json!([{ "fieldLabel": "My file!", "fieldType": "file", "multipleFiles": true }])).fields[0];
        let names = |count: usize| {
            let files = vec![file("a", "b"); count];
            attachments(field, &files).map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!((names(1), names(2)), (vec!["My_file_".to_owned()], vec!["My_file__0".into(), "My_file__1".into()]));
    }
}
