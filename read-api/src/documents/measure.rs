//! How much a document asks for, with its fragments written out.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned, ServerError};

use super::Unacceptable;
use crate::options::RequestLimits;

#[derive(Debug, Default, Clone, Copy)]
struct Measure {
    fields: usize,
    aliases: usize,
    /// Fields at the top, through fragments.
    roots: usize,
    /// The most fields that lie in each other.
    depth: usize,
}

/// Refuses a document whose operations ask for more than `limits` allow.
pub(super) fn measure(document: &ExecutableDocument, limits: &RequestLimits) -> Result<(), Unacceptable> {
    let mut known = HashMap::new();
    for (_, operation) in document.operations.iter() {
        let found = measure_set(&operation.node.selection_set.node, &document.fragments, &mut known)?;
        let checked = [
            ("root fields", "rootFields", found.roots, limits.root_fields),
            ("aliases", "aliases", found.aliases, limits.aliases),
            ("fields", "fields", found.fields, limits.fields),
            ("levels of fields", "depth", found.depth, limits.depth),
        ];
        for (what, name, actual, max) in checked {
            if actual > max {
                return Err(Unacceptable::limit(what, name, Some(actual), max));
            }
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
    for selection in &set.items {
        let (part, is_field) = match &selection.node {
            Selection::Field(field) => {
                let mut inner = measure_set(&field.node.selection_set.node, fragments, known)?;
                inner.fields = inner.fields.saturating_add(1);
                inner.aliases = inner.aliases.saturating_add(usize::from(field.node.alias.is_some()));
                inner.depth = inner.depth.saturating_add(1);
                (inner, true)
            }
            Selection::InlineFragment(fragment) => {
                (measure_set(&fragment.node.selection_set.node, fragments, known)?, false)
            }
            Selection::FragmentSpread(spread) => {
                (measure_fragment(spread.node.fragment_name.node.as_str(), fragments, known)?, false)
            }
        };
        total.fields = total.fields.saturating_add(part.fields);
        total.aliases = total.aliases.saturating_add(part.aliases);
        total.roots = total.roots.saturating_add(if is_field { 1 } else { part.roots });
        total.depth = total.depth.max(part.depth);
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
