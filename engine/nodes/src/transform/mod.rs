//! Nodes that reshape lists of items: limit, sort, split out, aggregate, summarize, remove duplicates, rename keys and
//! compare datasets, with Item Lists, the older node that bundles most of them.
//!
//! Each operation is one function of a run; the separate node and Item Lists share it and differ by a [`Dialect`].
//! Nothing here reaches outside its input.

mod aggregate;
mod compare_datasets;
pub(crate) mod fields;
mod history;
mod item_lists;
mod limit;
mod remove_duplicates;
mod rename_keys;
mod sort;
mod split_out;
mod summarize;

pub(crate) use aggregate::Aggregate;
pub(crate) use compare_datasets::CompareDatasets;
pub(crate) use item_lists::ItemLists;
pub(crate) use limit::Limit;
pub(crate) use remove_duplicates::RemoveDuplicates;
pub(crate) use rename_keys::RenameKeys;
pub(crate) use sort::Sort;
pub(crate) use split_out::SplitOut;
pub(crate) use summarize::Summarize;

/// What differs between the nodes that share an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// A field that no item has is an error, not an empty result.
    pub missing_field_fails: bool,
    /// Split Out takes a list of fields.
    pub splits_many_fields: bool,
    /// Remove Duplicates refuses fields that are missing or change their type.
    pub compares_one_type: bool,
    /// Remove Duplicates does not look at the type of null.
    pub null_has_any_type: bool,
    /// Summarize keeps the values by which it groups as they are, not as texts.
    pub groups_by_value: bool,
    /// Summarize can count empty values as well.
    pub counts_empty: bool,
    /// Split Out takes a value that is neither a list nor an object for a list of one.
    pub splits_single_values: bool,
}

impl Dialect {
    /// The separate nodes in their first version.
    pub const NODE: Self = Self {
        missing_field_fails: false,
        splits_many_fields: true,
        compares_one_type: true,
        null_has_any_type: false,
        groups_by_value: false,
        counts_empty: true,
        splits_single_values: true,
    };
}
