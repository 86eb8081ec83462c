//! What a person sent: texts and files by the field that they are of. What no field asked for is left out.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use timeloom_domain::form::{FieldKind, Form};
use url::form_urlencoded;

use super::super::body;
use super::super::refusal::Refusal;

/// Most texts and files that are read; a form that is sent as pairs has no more than one with files.
const PAIRS_MAX: usize = 1_000;
/// The hidden field that tells two looks at the same form apart.
pub(super) const SUBMISSION: &str = "submission";
/// The hidden field that tells the pages of one execution apart.
pub(super) const PAGE: &str = "page";
/// Longest value of a hidden field of ours, in bytes.
const OWN_BYTES_MAX: usize = 64;

/// A file as it was sent.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    /// Its name, without folders.
    pub(super) name: String,
    /// What the sender says that it is.
    pub(super) media_type: String,
    /// What it holds.
    pub(super) content: Bytes,
}

/// What was sent, or what is filled in before anything was.
#[derive(Debug, Clone, Default)]
pub(super) struct Submission {
    texts: BTreeMap<usize, Vec<String>>,
    files: BTreeMap<usize, Vec<Upload>>,
    own: BTreeMap<&'static str, String>,
}

/// The name under which the field at `index` is sent.
pub(super) fn field_name(index: usize) -> String {
    format!("field-{index}")
}

impl Submission {
    /// What the body of a request says.
    ///
    /// # Errors
    /// A refusal when it is no form.
    pub(super) async fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, Refusal> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut submission = Self::default();
        match essence.as_str() {
            "multipart/form-data" => {
                for part in body::parts(headers, body).await? {
                    match part.file_name {
                        None => submission.add(&part.name, String::from_utf8_lossy(&part.content).into_owned()),
                        Some(name) => submission.add_file(&part.name, upload(&name, part.media_type, part.content)),
                    }
                }
            }
            "application/x-www-form-urlencoded" => {
                for (name, value) in form_urlencoded::parse(&body).take(PAIRS_MAX) {
                    submission.add(&name, value.into_owned());
                }
            }
            _ => {
                let message = "send the form as multipart/form-data or application/x-www-form-urlencoded";
                return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
            }
        }
        Ok(submission)
    }

    /// What is filled in at first: what the query of the address says by the names of the fields, else their defaults.
    pub(super) fn at_first(form: &Form, query: &str) -> Self {
        let asked: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .take(PAIRS_MAX)
            .map(|(n, v)| (n.into_owned(), v.into_owned()))
            .collect();
        let mut submission = Self::default();
        for (index, field) in form.fields.iter().enumerate() {
            let own = match &field.kind {
                // A password in an address is in every history and log.
                FieldKind::Password | FieldKind::File { .. } | FieldKind::Html { .. } => continue,
                FieldKind::Hidden { value } => vec![value.clone()],
                _ => field.default.clone(),
            };
            let named = asked
                .iter()
                .filter(|(name, value)| !value.is_empty() && name.strip_suffix("[]").unwrap_or(name) == field.name);
            let named: Vec<String> = named.map(|(_, value)| value.clone()).collect();
            submission.texts.insert(index, if named.is_empty() { own } else { named });
        }
        submission
    }

    /// The texts of a field.
    pub(super) fn texts(&self, index: usize) -> &[String] {
        self.texts.get(&index).map(Vec::as_slice).unwrap_or_default()
    }

    /// The first text of a field.
    pub(super) fn text(&self, index: usize) -> Option<&str> {
        self.texts(index).first().map(String::as_str)
    }

    /// The files of a field.
    pub(super) fn files(&self, index: usize) -> &[Upload] {
        self.files.get(&index).map(Vec::as_slice).unwrap_or_default()
    }

    /// A hidden field of ours.
    pub(super) fn own(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(String::as_str)
    }

    /// What tells it from every other one: the page that it was sent from, and everything that was filled in.
    pub(super) fn digest(&self, page: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        add(page.as_bytes());
        for (index, texts) in &self.texts {
            add(&index.to_be_bytes());
            texts.iter().for_each(|text| add(text.as_bytes()));
        }
        add(b"files");
        for (index, files) in &self.files {
            add(&index.to_be_bytes());
            for file in files {
                add(file.name.as_bytes());
                add(file.media_type.as_bytes());
                add(&file.content);
            }
        }
        digest.finalize().into()
    }

    fn add(&mut self, name: &str, text: String) {
        if let Some(own) = [SUBMISSION, PAGE].into_iter().find(|own| *own == name) {
            if text.len() <= OWN_BYTES_MAX {
                self.own.insert(own, text);
            }
        } else if let Some(index) = index_of(name) {
            self.texts.entry(index).or_default().push(text);
        }
    }

    fn add_file(&mut self, name: &str, file: Upload) {
        if let Some(index) = index_of(name) {
            self.files.entry(index).or_default().push(file);
        }
    }
}

fn index_of(name: &str) -> Option<usize> {
    let name = name.strip_suffix("[]").unwrap_or(name);
    name.strip_prefix("field-")?.parse().ok()
}

fn upload(name: &str, media_type: Option<String>, content: Bytes) -> Upload {
    // A path in a name means the name alone.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|character| !character.is_control()).take(255).collect();
    let media_type = media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    Upload { name: if name.is_empty() { "file".to_owned() } else { name }, media_type, content }
}
