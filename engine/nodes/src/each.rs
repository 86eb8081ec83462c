//! What a parameter is for each item: one value for all where nothing in it depends on the item.
//!
//! Never keeps a copy an item of what is the same for all: there may be many items.

use serde_json::Value;
use timeloom_engine::node::{NodeError, NodeRun};

use crate::values;

/// Something for every item of input 0.
pub(crate) enum Each<T> {
    /// The same for all.
    Same(T),
    /// By item.
    ByItem(Vec<T>),
}

impl<T> Each<T> {
    /// That of item `index`.
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        match self {
            Self::Same(all) => Some(all),
            Self::ByItem(items) => items.get(index),
        }
    }

    /// The same of what `change` makes of each, which is told the item; of the same for all it is item 0.
    pub(crate) fn map<U>(self, mut change: impl FnMut(usize, T) -> U) -> Each<U> {
        match self {
            Self::Same(all) => Each::Same(change(0, all)),
            Self::ByItem(items) => {
                Each::ByItem(items.into_iter().enumerate().map(|(index, item)| change(index, item)).collect())
            }
        }
    }
}

/// A value of a parameter; `None` when it is not set or `undefined`.
pub(crate) type Given = Result<Option<Value>, NodeError>;

/// `value` with its expressions, for each item.
pub(crate) fn resolved(run: &mut NodeRun<'_>, value: &Value) -> Each<Given> {
    if values::has_expression(value) {
        return Each::ByItem(run.resolve_for_items(value));
    }
    Each::Same(Ok(Some(value.clone())))
}

/// The parameter at `path`, for each item.
pub(crate) fn parameter(run: &mut NodeRun<'_>, path: &str) -> Each<Given> {
    match run.raw_parameter(path).cloned() {
        Some(value) => resolved(run, &value),
        None => Each::Same(Ok(None)),
    }
}

/// Whether no item makes any of the parameters at `paths` something else.
pub(crate) fn are_same(run: &NodeRun<'_>, paths: &[&str]) -> bool {
    !paths.iter().any(|path| run.raw_parameter(path).is_some_and(values::has_expression))
}
