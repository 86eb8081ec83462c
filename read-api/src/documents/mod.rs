//! GraphQL documents: found by their names or taken as they come, parsed once and kept, and measured before anything is
//! built from them.
//!
//! Invariant: a document that passes has bounded text, bounded root fields, bounded depth and bounded fields with its
//! fragments written out, so that no short text can ask for an endless answer.

mod measure;
mod persisted;
mod tokens;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::ServerError;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::parser::{Error as ParseError, parse_query};

use self::measure::measure;
use self::persisted::Persisted;
pub(crate) use self::persisted::hash_of;
pub use self::persisted::{TrustedDocuments, TrustedDocumentsError};
use crate::options::{GraphqlOptions, RequestLimits};

/// Parsed documents that are kept.
const KEPT_MAX: usize = 256;
/// Longest document that is kept, in bytes.
const KEPT_BYTES_MAX: usize = 16 << 10;
/// What automatic persisted queries call a hash that is not known here: clients look for exactly this.
const NOT_FOUND: &str = "PersistedQueryNotFound";

/// Why a document is not taken.
#[derive(Debug)]
pub(crate) struct Unacceptable {
    /// For programs.
    pub code: &'static str,
    /// What the answer says.
    pub error: ServerError,
}

impl Unacceptable {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, error: ServerError::new(message, None) }
    }

    /// The document has more than `max` of something.
    fn limit(what: &str, name: &str, actual: Option<usize>, max: usize) -> Self {
        let has = actual.map(|actual| format!("{actual} {what}, at most {max} are allowed"));
        let has = has.unwrap_or_else(|| format!("more than {max} {what}"));
        let mut refusal =
            Self::new("DOCUMENT_TOO_LARGE", format!("the document has {has}: split it into several requests"));
        let extensions = refusal.error.extensions.get_or_insert_default();
        extensions.set("limit", name);
        extensions.set("max", max);
        refusal
    }
}

/// How a request names its document.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Named<'a> {
    /// Its text.
    pub text: Option<&'a str>,
    /// A name that the deployment gave it.
    pub id: Option<&'a str>,
    /// Its SHA-256, as automatic persisted queries write it.
    pub hash: Option<&'a str>,
}

/// Finds, parses and keeps documents.
#[derive(Debug)]
pub(crate) struct Documents {
    limits: RequestLimits,
    trusted: Option<TrustedDocuments>,
    persisted: Mutex<Persisted>,
    kept: Mutex<HashMap<Arc<str>, Arc<ExecutableDocument>>>,
}

impl Documents {
    pub(crate) fn new(options: &GraphqlOptions) -> Self {
        Self {
            limits: options.limits,
            trusted: options.trusted.clone(),
            persisted: Mutex::new(Persisted::new(options.persisted_documents)),
            kept: Mutex::default(),
        }
    }

    /// The document that a request means, parsed and measured, with its text.
    pub(crate) fn find(&self, named: Named<'_>) -> Result<(Arc<str>, Arc<ExecutableDocument>), Unacceptable> {
        let text = match &self.trusted {
            Some(trusted) => self.trusted_text(trusted, named)?,
            None => self.text(named)?,
        };
        let document = self.get(&text)?;
        Ok((text, document))
    }

    fn trusted_text(&self, trusted: &TrustedDocuments, named: Named<'_>) -> Result<Arc<str>, Unacceptable> {
        self.check_length(named.text)?;
        let sent = named.text.map(hash_of);
        let names = [named.id, named.hash, sent.as_deref()];
        let found = names.into_iter().flatten().find_map(|name| trusted.get(without_scheme(name)));
        let message = "this server runs only the documents that it was given: ask its operator to add this one";
        found.ok_or_else(|| Unacceptable::new("DOCUMENT_NOT_TRUSTED", message))
    }

    fn text(&self, named: Named<'_>) -> Result<Arc<str>, Unacceptable> {
        self.check_length(named.text)?;
        let hash = named.hash.or(named.id).map(|name| without_scheme(name).to_ascii_lowercase());
        match (named.text, hash) {
            (Some(text), None) => Ok(Arc::from(text)),
            (Some(text), Some(hash)) => {
                if named.hash.is_some() && hash_of(text) != hash {
                    let message = "sha256Hash is not the SHA-256 of this document: send its hash in hexadecimal";
                    return Err(Unacceptable::new("PERSISTED_QUERY_HASH_MISMATCH", message));
                }
                if named.hash.is_some() {
                    lock(&self.persisted).keep(hash, text);
                }
                Ok(Arc::from(text))
            }
            (None, Some(hash)) => {
                let found = lock(&self.persisted).get(&hash);
                found.ok_or_else(|| Unacceptable::new("PERSISTED_QUERY_NOT_FOUND", NOT_FOUND))
            }
            (None, None) => Err(Unacceptable::new("BAD_REQUEST", "the parameter query is missing")),
        }
    }

    fn check_length(&self, text: Option<&str>) -> Result<(), Unacceptable> {
        let (length, max) = (text.map_or(0, str::len), self.limits.document_bytes);
        if length > max { Err(Unacceptable::limit("bytes", "documentBytes", Some(length), max)) } else { Ok(()) }
    }

    /// Parses and measures `text`, or finds it among the kept ones.
    fn get(&self, text: &Arc<str>) -> Result<Arc<ExecutableDocument>, Unacceptable> {
        if let Some(known) = lock(&self.kept).get(text) {
            return Ok(Arc::clone(known));
        }
        if tokens::exceed(text, self.limits.tokens) {
            return Err(Unacceptable::limit("words and signs", "tokens", None, self.limits.tokens));
        }
        let document = parse_query(&**text)
            .map_err(|error| Unacceptable { code: "GRAPHQL_PARSE_FAILED", error: without_excerpt(error) })?;
        measure(&document, &self.limits)?;
        let document = Arc::new(document);
        if text.len() <= KEPT_BYTES_MAX {
            let mut kept = lock(&self.kept);
            if kept.len() >= KEPT_MAX {
                // Real clients send a few documents again and again: starting over is rare and costs one parse each.
                kept.clear();
            }
            kept.insert(Arc::clone(text), Arc::clone(&document));
        }
        Ok(document)
    }
}

/// The error of a text that is no document, by place and by what was expected there. The parser's own message has the line
/// in it, in which there may be a secret: errors are kept in more places than what was sent.
fn without_excerpt(error: ParseError) -> ServerError {
    let ParseError::Syntax { message, start, .. } = &error else { return ServerError::from(error) };
    let expected = message.rsplit_once("\n  = ").map_or("something else was expected", |(_, expected)| expected);
    let message = format!("the document cannot be read at line {}, column {}: {expected}", start.line, start.column);
    ServerError { message, ..ServerError::from(error.clone()) }
}

/// A name without the word that says how it was made.
fn without_scheme(name: &str) -> &str {
    name.strip_prefix("sha256:").unwrap_or(name)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change of these leaves them whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The operation that a request names, or the only one.
pub(crate) fn operation<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&operation.node),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(all), Some(name)) => all.get(name).map(|operation| &operation.node),
        (DocumentOperations::Multiple(all), None) if all.len() == 1 => {
            all.values().next().map(|operation| &operation.node)
        }
        (DocumentOperations::Multiple(_), None) => None,
    }
}

/// The kind of that operation; queries are the harmless guess for a document whose fault execution will name.
pub(crate) fn operation_type(document: &ExecutableDocument, name: Option<&str>) -> OperationType {
    operation(document, name).map_or(OperationType::Query, |operation| operation.ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents() -> Documents {
        Documents::new(&GraphqlOptions::default())
    }

    fn of_text(text: &str) -> Named<'_> {
        Named { text: Some(text), ..Named::default() }
    }

    /// The code of a refusal and the limit that it names.
    fn refused(text: &str) -> (&'static str, Option<String>) {
        let Err(refusal) = documents().find(of_text(text)) else { return ("taken", None) };
        let limit = refusal.error.extensions.as_ref().and_then(|extensions| extensions.get("limit"));
        (refusal.code, limit.map(|limit| limit.to_string().replace('"', "")))
    }

    fn too_large(limit: &str) -> (&'static str, Option<String>) {
        ("DOCUMENT_TOO_LARGE", Some(limit.to_owned()))
    }

    #[test]
    fn a_usual_document_is_taken_and_kept() {
        let documents = documents();
        let (_, first) = documents.find(of_text("{ head { position } }")).unwrap();
        let (_, second) = documents.find(of_text("{ head { position } }")).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn every_limit_refuses_what_goes_over_it_and_names_itself() {
        let limits = RequestLimits::default();
        let roots: String = (0..=limits.root_fields).map(|index| format!("field{index} ")).collect();
        assert_eq!(refused(&format!("{{ {roots} }}")), too_large("rootFields"));
        let aliases: String = (0..=limits.aliases).map(|index| format!("a{index}: b ")).collect();
        assert_eq!(refused(&format!("{{ head {{ {aliases} }} }}")), too_large("aliases"));
        assert_eq!(refused(&" ".repeat(limits.document_bytes + 1)), too_large("documentBytes"));
        assert_eq!(refused(&"a ".repeat(limits.tokens + 1)), too_large("tokens"));
        let fields: String = (0..=limits.fields).map(|index| format!("f{index} ")).collect();
        assert_eq!(refused(&format!("{{ head {{ {fields} }} }}")), too_large("fields"));
        let deep = |depth: usize| format!("{}{}", "{ a ".repeat(depth), "}".repeat(depth));
        assert_eq!(refused(&deep(limits.depth + 1)), too_large("depth"));
        assert_eq!(refused(&deep(limits.depth)), ("taken", None));
    }

    #[test]
    fn a_refusal_says_how_much_is_allowed() {
        let refusal = documents().find(of_text(&" ".repeat((1 << 20) + 1))).unwrap_err();
        assert_eq!(
            refusal.error.message,
            "the document has 1048577 bytes, at most 1048576 are allowed: split it into several requests"
        );
    }

    #[test]
    fn depth_is_counted_through_fragments() {
        let mut text = "{ ...f0 } fragment f20 on Query { a }".to_owned();
        for level in 0..20 {
            text.push_str(&format!(" fragment f{level} on Query {{ a {{ ...f{next} }} }}", next = level + 1));
        }
        assert_eq!(refused(&text), too_large("depth"));
    }

    #[test]
    fn fragments_that_double_each_other_are_counted_written_out() {
        let mut text = "{ ...f0 } fragment f30 on Query { a }".to_owned();
        for level in 0..30 {
            text.push_str(&format!(" fragment f{level} on Query {{ ...f{next} ...f{next} }}", next = level + 1));
        }
        assert_eq!(refused(&text), too_large("rootFields"));
    }

    #[test]
    fn a_fragment_that_spreads_itself_is_refused() {
        let text = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
        assert_eq!(refused(text).0, "GRAPHQL_VALIDATION_FAILED");
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_place_and_not_shown() {
        let text = "mutation {\n  save(secret: \"open sesame\"";
        let error = documents().find(Named { text: Some(text), ..Named::default() }).unwrap_err();
        let message = error.error.message;
        assert!(message.starts_with("the document cannot be read at line 2, column 29: expected "), "{message}");
        assert!(!message.contains("sesame") && !message.contains('\n'), "{message}");
        assert_eq!(error.error.locations.len(), 1);
    }

    #[test]
    fn the_named_operation_decides_the_type() {
        let document = parse_query("query A { a } mutation B { b }").unwrap();
        assert_eq!(operation_type(&document, Some("B")), OperationType::Mutation);
        assert_eq!(operation_type(&document, Some("A")), OperationType::Query);
        assert!(operation(&document, None).is_none());
    }

    #[test]
    fn a_document_left_here_is_found_by_its_hash() {
        let documents = documents();
        let text = "{ head { position } }";
        let hash = hash_of(text);
        let by_hash = Named { hash: Some(&hash), ..Named::default() };
        assert_eq!(documents.find(by_hash).unwrap_err().code, "PERSISTED_QUERY_NOT_FOUND");
        documents.find(Named { text: Some(text), ..by_hash }).unwrap();
        assert_eq!(&*documents.find(by_hash).unwrap().0, text);
        let wrong = Named { text: Some("{ a }"), ..by_hash };
        assert_eq!(documents.find(wrong).unwrap_err().code, "PERSISTED_QUERY_HASH_MISMATCH");
        let scheme = format!("sha256:{hash}");
        assert_eq!(&*documents.find(Named { id: Some(&scheme), ..Named::default() }).unwrap().0, text);
    }

    #[test]
    fn only_trusted_documents_are_run_where_there_are_such() {
        let trusted = TrustedDocuments::from_json(r#"{"head": "{ head { position } }"}"#).unwrap();
        let documents = Documents::new(&GraphqlOptions { trusted: Some(trusted), ..GraphqlOptions::default() });
        let text = "{ head { position } }";
        let hash = hash_of(text);
        let by = |text, id, hash| Named { text, id, hash };
        for named in [by(Some(text), None, None), by(None, Some("head"), None), by(None, None, Some(&*hash))] {
            assert_eq!(&*documents.find(named).unwrap().0, text);
        }
        let other = hash_of("{ workflows { nodes { id } } }");
        for named in [
            by(Some("{ workflows { nodes { id } } }"), None, None),
            by(Some("{ workflows { nodes { id } } }"), None, Some(&*other)),
            by(None, Some("body"), None),
            by(None, None, None),
        ] {
            assert_eq!(documents.find(named).unwrap_err().code, "DOCUMENT_NOT_TRUSTED");
        }
    }
}
