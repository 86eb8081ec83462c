//! What happens to a collection.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::execution::ExecutionEvent;
use crate::ids::ExecutionId;
use crate::item::JsonObject;

/// Bytes of an id as text.
const UUID_BYTES: usize = 36;

/// A text with its vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VectorRow {
    /// Its name in the collection: a row of the same name takes its place.
    pub id: Arc<str>,
    /// The text.
    pub text: String,
    /// What else is kept with it.
    #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
    pub metadata: JsonObject,
    /// The vector that stands for it.
    pub vector: Vec<f32>,
}

impl VectorRow {
    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        let metadata: usize = self.metadata.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
        self.id.len() + self.text.len() + metadata + self.vector.len() * 4
    }
}

/// A fact about one collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VectorEvent {
    /// Rows came in.
    VectorsAdded {
        /// The collection's name.
        collection: Arc<str>,
        /// The node run that brought them: its idempotency key.
        by: Arc<str>,
        /// The rows.
        rows: Vec<Arc<VectorRow>>,
        /// Whether all that was there went first.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        clears: bool,
    },
    /// Rows were taken out.
    VectorsRemoved {
        /// The node run that did: its idempotency key.
        by: Arc<str>,
        /// Their names.
        ids: Vec<Arc<str>>,
    },
    /// All rows were taken out.
    VectorsCleared {
        /// The node run that did: its idempotency key.
        by: Arc<str>,
    },
}

impl Event for VectorEvent {
    const CATEGORY: &'static str = "vector-collection";
    const TYPES: &'static [(&'static str, u16)] = &[("VectorsAdded", 1), ("VectorsRemoved", 1), ("VectorsCleared", 1)];

    /// The execution whose node brought the rows: its id begins the key of the node run.
    fn subject_stream(&self) -> Option<(&'static str, String)> {
        let Self::VectorsAdded { by, .. } = self else { return None };
        let execution: ExecutionId = by.get(..UUID_BYTES)?.parse().ok()?;
        Some((ExecutionEvent::CATEGORY, execution.to_string()))
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::VectorsAdded { .. } => "VectorsAdded",
            Self::VectorsRemoved { .. } => "VectorsRemoved",
            Self::VectorsCleared { .. } => "VectorsCleared",
        }
    }
}
