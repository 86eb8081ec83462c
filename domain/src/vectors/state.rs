//! The folded collection, its decisions, and the search in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{VectorEvent, VectorRow};
use crate::event::Aggregate;

/// Most rows of a collection: all of them are compared in a search.
pub const ROWS_MAX: usize = 20_000;
/// Most numbers of a vector.
pub const DIMENSIONS_MAX: usize = 8_192;
/// Most bytes of a collection.
pub const COLLECTION_BYTES_MAX: usize = 128 << 20;

/// A collection as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VectorCollection {
    /// Its name; empty before anything came in.
    pub name: Arc<str>,
    /// Its rows by their names.
    pub rows: BTreeMap<Arc<str>, Arc<VectorRow>>,
}

/// A request to one collection.
#[derive(Debug, Clone, PartialEq)]
pub enum VectorCommand {
    /// Take rows in; those of the same names go.
    Add {
        /// The collection's name.
        collection: Arc<str>,
        /// The node run that brings them.
        by: Arc<str>,
        /// The rows.
        rows: Vec<Arc<VectorRow>>,
        /// Whether all that is there goes first. It is one event with the rows, so that a command that is sent again after
        /// them takes none of them out.
        clears: bool,
    },
    /// Take rows out. Those that are not there are gone already.
    Remove {
        /// The node run that does.
        by: Arc<str>,
        /// Their names.
        ids: Vec<Arc<str>>,
    },
    /// Take all rows out.
    Clear {
        /// The node run that does.
        by: Arc<str>,
    },
}

/// Why a collection says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VectorRefusal {
    /// Vectors of another length.
    #[error(
        "the collection has vectors of {wanted} numbers, '{id}' has {found}: use the same model for all of it, or clear it"
    )]
    OtherLength {
        /// The row.
        id: Arc<str>,
        /// The numbers of its vector.
        found: usize,
        /// Those of the vectors that are there.
        wanted: usize,
    },
    /// No numbers, or something that is none.
    #[error("the vector of '{0}' is none: it wants 1 to {DIMENSIONS_MAX} numbers")]
    NoVector(Arc<str>),
    /// Too many rows.
    #[error(
        "the collection would have {0} rows, at most {ROWS_MAX} are allowed: take some out, or use several collections"
    )]
    TooManyRows(usize),
    /// Too much in it.
    #[error("the collection would have more than {} MiB: take rows out, or use several collections", COLLECTION_BYTES_MAX >> 20)]
    TooLarge,
}

impl VectorCollection {
    /// The rows whose vectors point most nearly where `query` does, the nearest first, with how nearly: 1 is the same. Of
    /// equally near ones that comes first whose name does.
    ///
    /// # Errors
    /// [`VectorRefusal::OtherLength`] where the rows have vectors of another length.
    pub fn nearest(&self, query: &[f32], count: usize) -> Result<Vec<(Arc<VectorRow>, f32)>, VectorRefusal> {
        if let Some(row) = self.rows.values().next().filter(|row| row.vector.len() != query.len()) {
            let (id, found, wanted) = (Arc::from("the query"), query.len(), row.vector.len());
            return Err(VectorRefusal::OtherLength { id, found, wanted });
        }
        let mut found: Vec<(&Arc<VectorRow>, f32)> =
            self.rows.values().map(|row| (row, cosine(query, &row.vector))).collect();
        found.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.id.cmp(&other.0.id)));
        Ok(found.into_iter().take(count).map(|(row, score)| (Arc::clone(row), score)).collect())
    }

    fn check(&self, rows: &[Arc<VectorRow>]) -> Result<(), VectorRefusal> {
        let length = |row: &Arc<VectorRow>| row.vector.len();
        let wanted = self.rows.values().next().map(length).or_else(|| rows.first().map(length)).unwrap_or_default();
        for row in rows {
            let is_vector =
                (1..=DIMENSIONS_MAX).contains(&row.vector.len()) && row.vector.iter().all(|n| n.is_finite());
            if !is_vector {
                return Err(VectorRefusal::NoVector(Arc::clone(&row.id)));
            }
            if row.vector.len() != wanted {
                return Err(VectorRefusal::OtherLength { id: Arc::clone(&row.id), found: row.vector.len(), wanted });
            }
        }
        let fresh = rows.iter().filter(|row| !self.rows.contains_key(&row.id)).count();
        if self.rows.len() + fresh > ROWS_MAX {
            return Err(VectorRefusal::TooManyRows(self.rows.len() + fresh));
        }
        let bytes: usize = self.rows.values().chain(rows).map(|row| row.bytes()).sum();
        if bytes > COLLECTION_BYTES_MAX { Err(VectorRefusal::TooLarge) } else { Ok(()) }
    }
}

/// The cosine of the angle between two vectors; 0 where one has no direction, or they are of different lengths.
///
/// ```
/// use timeloom_domain::vectors::cosine;
///
/// assert_eq!(cosine(&[2.0, 0.0], &[3.0, 0.0]), 1.0);
/// assert_eq!(cosine(&[2.0, 0.0], &[0.0, 3.0]), 0.0);
/// ```
pub fn cosine(one: &[f32], other: &[f32]) -> f32 {
    if one.len() != other.len() {
        return 0.0;
    }
    let product = |one: &[f32], other: &[f32]| -> f64 {
        one.iter().zip(other).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
    };
    let lengths = (product(one, one) * product(other, other)).sqrt();
    if lengths > 0.0 { (product(one, other) / lengths) as f32 } else { 0.0 }
}

impl Aggregate for VectorCollection {
    const FOLD_VERSION: u32 = 1;

    type Event = VectorEvent;
    type Command = VectorCommand;
    type Refusal = VectorRefusal;

    fn apply(&mut self, event: &VectorEvent) {
        match event {
            VectorEvent::VectorsAdded { collection, rows, clears, .. } => {
                if *clears {
                    self.rows.clear();
                }
                self.name = Arc::clone(collection);
                self.rows.extend(rows.iter().map(|row| (Arc::clone(&row.id), Arc::clone(row))));
            }
            VectorEvent::VectorsRemoved { ids, .. } => ids.iter().for_each(|id| {
                self.rows.remove(id);
            }),
            VectorEvent::VectorsCleared { .. } => self.rows.clear(),
        }
    }

    fn decide(&self, command: &VectorCommand) -> Result<Vec<VectorEvent>, VectorRefusal> {
        Ok(match command {
            VectorCommand::Add { collection, by, rows, clears } => {
                match clears {
                    true => Self::default().check(rows)?,
                    false => self.check(rows)?,
                }
                if !clears && rows.iter().all(|row| self.rows.get(&row.id).is_some_and(|known| known == row)) {
                    return Ok(Vec::new());
                }
                let (collection, by) = (Arc::clone(collection), Arc::clone(by));
                vec![VectorEvent::VectorsAdded { collection, by, rows: rows.clone(), clears: *clears }]
            }
            VectorCommand::Remove { by, ids } => {
                let ids: Vec<Arc<str>> = ids.iter().filter(|id| self.rows.contains_key(*id)).cloned().collect();
                if ids.is_empty() {
                    return Ok(Vec::new());
                }
                vec![VectorEvent::VectorsRemoved { by: Arc::clone(by), ids }]
            }
            VectorCommand::Clear { .. } if self.rows.is_empty() => Vec::new(),
            VectorCommand::Clear { by } => vec![VectorEvent::VectorsCleared { by: Arc::clone(by) }],
        })
    }
}
