//! GraphQL documents: parsed once and kept, and measured before anything is built from them.
//!
//! Invariant: a document that passes has bounded text, bounded root fields and bounded fields with its fragments
//! written out, so that no short text can ask for an endless answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, FragmentDefinition, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use async_graphql::{Name, Positioned, ServerError};

/// Longest document, in bytes. Data belongs into variables.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Most fields of a document, with its fragments written out.
const FIELDS_MAX: usize = 2_000;
/// Most fields of one operation's root: that many commands one request may send.
const ROOT_FIELDS_MAX: usize = 50;
/// Most fields that get another name in the answer.
const ALIASES_MAX: usize = 100;
/// Parsed documents that are kept.
const KEPT_MAX: usize = 256;
/// Longest document that is kept, in bytes.
const KEPT_BYTES_MAX: usize = 16 << 10;

/// Why a document is not taken.
#[derive(Debug)]
pub(crate) struct Unacceptable {
    /// For programs.
    pub code: &'static str,
    /// What the answer says.
    pub error: ServerError,
}

impl Unacceptable {
    fn limit(what: &str, max: usize) -> Self {
        let message = format!("the document has more than {max} {what}: split it into several requests");
        Self { code: "DOCUMENT_TOO_LARGE", error: ServerError::new(message, None) }
    }
}

/// Keeps parsed documents by their text.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    kept: Mutex<HashMap<Arc<str>, Arc<ExecutableDocument>>>,
}

impl Documents {
    /// Parses and measures `text`, or finds it among the kept ones.
    pub(crate) fn get(&self, text: &str) -> Result<Arc<ExecutableDocument>, Unacceptable> {
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err(Unacceptable::limit("bytes", DOCUMENT_BYTES_MAX));
        }
        if let Some(known) = self.lock().get(text) {
            return Ok(Arc::clone(known));
        }
        let document = parse_query(text)
            .map_err(|error| Unacceptable { code: "GRAPHQL_PARSE_FAILED", error: ServerError::from(error) })?;
        measure(&document)?;
        let document = Arc::new(document);
        if text.len() <= KEPT_BYTES_MAX {
            let mut kept = self.lock();
            if kept.len() >= KEPT_MAX {
                // Real clients send a few documents again and again: starting over is rare and costs one parse each.
                kept.clear();
            }
            kept.insert(Arc::from(text), Arc::clone(&document));
        }
        Ok(document)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Arc<ExecutableDocument>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

#[derive(Debug, Default, Clone, Copy)]
struct Measure {
    fields: usize,
    aliases: usize,
    /// Fields at the top, through fragments.
    roots: usize,
}

fn measure(document: &ExecutableDocument) -> Result<(), Unacceptable> {
    let mut known = HashMap::new();
    for (_, operation) in document.operations.iter() {
        let found = measure_set(&operation.node.selection_set.node, &document.fragments, &mut known)?;
        if found.roots > ROOT_FIELDS_MAX {
            return Err(Unacceptable::limit("fields at its root", ROOT_FIELDS_MAX));
        }
        if found.aliases > ALIASES_MAX {
            return Err(Unacceptable::limit("aliases", ALIASES_MAX));
        }
        if found.fields > FIELDS_MAX {
            return Err(Unacceptable::limit("fields", FIELDS_MAX));
        }
    }
    Ok(())
}

/// Counts with fragments written out; each fragment is counted once, so that nested spreads cost nothing to measure.
fn measure_set<'a>(
    set: &'a SelectionSet,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    known: &mut HashMap<&'a str, Option<Measure>>,
) -> Result<Measure, Unacceptable> {
    let mut total = Measure::default();
    for item in &set.items {
        let (part, is_field) = match &item.node {
            Selection::Field(field) => {
                let inner = measure_set(&field.node.selection_set.node, fragments, known)?;
                let aliases = inner.aliases.saturating_add(usize::from(field.node.alias.is_some()));
                (Measure { fields: inner.fields.saturating_add(1), aliases, roots: 1 }, true)
            }
            Selection::InlineFragment(inline) => {
                (measure_set(&inline.node.selection_set.node, fragments, known)?, false)
            }
            Selection::FragmentSpread(spread) => {
                (measure_fragment(spread.node.fragment_name.node.as_str(), fragments, known)?, false)
            }
        };
        total.fields = total.fields.saturating_add(part.fields);
        total.aliases = total.aliases.saturating_add(part.aliases);
        total.roots = total.roots.saturating_add(if is_field { 1 } else { part.roots });
    }
    Ok(total)
}

fn measure_fragment<'a>(
    name: &str,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    known: &mut HashMap<&'a str, Option<Measure>>,
) -> Result<Measure, Unacceptable> {
    // A spread of an unknown fragment is for validation to name.
    let Some((name, fragment)) = fragments.get_key_value(name) else { return Ok(Measure::default()) };
    match known.get(name.as_str()) {
        Some(Some(measured)) => return Ok(*measured),
        Some(None) => {
            let error = ServerError::new(format!("fragment '{name}' spreads itself"), Some(fragment.pos));
            return Err(Unacceptable { code: "GRAPHQL_VALIDATION_FAILED", error });
        }
        None => {}
    }
    known.insert(name.as_str(), None);
    let measured = measure_set(&fragment.node.selection_set.node, fragments, known)?;
    known.insert(name.as_str(), Some(measured));
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> &'static str {
        Documents::default().get(text).map_or_else(|error| error.code, |_| "taken")
    }

    #[test]
    fn a_usual_document_is_taken_and_kept() {
        let documents = Documents::default();
        let first = documents.get("{ head { position } }").unwrap();
        let second = documents.get("{ head { position } }").unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn too_many_root_fields_aliases_or_bytes_are_refused() {
        let roots: String = (0..=ROOT_FIELDS_MAX).map(|index| format!("field{index} ")).collect();
        assert_eq!(refused(&format!("{{ {roots} }}")), "DOCUMENT_TOO_LARGE");
        let aliases: String = (0..=ALIASES_MAX).map(|index| format!("a{index}: b ")).collect();
        assert_eq!(refused(&format!("{{ head {{ {aliases} }} }}")), "DOCUMENT_TOO_LARGE");
        assert_eq!(refused(&" ".repeat(DOCUMENT_BYTES_MAX + 1)), "DOCUMENT_TOO_LARGE");
    }

    #[test]
    fn fragments_that_double_each_other_are_counted_written_out() {
        let mut text = "{ ...f0 } fragment f30 on Query { a }".to_owned();
        for level in 0..30 {
            text.push_str(&format!(" fragment f{level} on Query {{ ...f{next} ...f{next} }}", next = level + 1));
        }
        assert_eq!(refused(&text), "DOCUMENT_TOO_LARGE");
    }

    #[test]
    fn a_fragment_that_spreads_itself_is_refused() {
        assert_eq!(
            refused("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }"),
            "GRAPHQL_VALIDATION_FAILED"
        );
    }

    #[test]
    fn the_named_operation_decides_the_type() {
        let document = parse_query("query A { a } mutation B { b }").unwrap();
        assert_eq!(operation_type(&document, Some("B")), OperationType::Mutation);
        assert_eq!(operation_type(&document, Some("A")), OperationType::Query);
        assert!(operation(&document, None).is_none());
    }
}
