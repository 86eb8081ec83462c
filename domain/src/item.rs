//! The items that flow along connections, in the shapes that n8n files and users know.
//!
//! An item is one JSON object with optional binary attachments and a note of which input item it came from.

mod shared;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::shared::SharedObject;

/// A JSON object, in insertion order.
pub type JsonObject = Map<String, Value>;

/// One item on a connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The data that expressions see as `$json`; shared with the items that have the same.
    #[serde(default)]
    pub json: SharedObject,
    /// Attachments by property name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<BTreeMap<String, BinaryData>>,
    /// Which input item or items this one was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paired_item: Option<PairedItem>,
    /// Set by a node that failed for this item alone and was told to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
}

impl Item {
    /// An item that holds `json` and nothing else.
    pub fn new(json: impl Into<SharedObject>) -> Self {
        Self { json: json.into(), binary: None, paired_item: None, error: None }
    }

    /// The same item, made from input item `index` of input 0.
    pub fn paired_with(mut self, index: usize) -> Self {
        self.paired_item = Some(PairedItem::index(index));
        self
    }
}

/// One attachment of an item: its description, and the bytes either inline (base64) or as a blob's hash.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BinaryData {
    /// Base64 of the bytes; empty when `id` names a stored blob.
    #[serde(default)]
    pub data: String,
    /// Media type, for example `text/plain`.
    #[serde(default)]
    pub mime_type: String,
    /// File name with its extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Extension without the dot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_extension: Option<String>,
    /// Human-readable size, for example `12 B`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_size: Option<String>,
    /// Reference to a blob in the blob store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Fields of other tools' files that we carry along unread.
    #[serde(flatten)]
    pub extra: JsonObject,
}

/// Where an item came from: an index, a reference, or several references.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PairedItem {
    /// Index of an item of input 0.
    Index(usize),
    /// One item of a named input.
    One(PairedReference),
    /// Several items, each an index or a reference.
    Many(Vec<PairedItem>),
}

impl PairedItem {
    /// Item `index` of input 0.
    pub fn index(index: usize) -> Self {
        Self::One(PairedReference { item: index, input: None, source_overwrite: None })
    }

    /// Item `item` of input `input`.
    pub fn of(item: usize, input: usize) -> Self {
        let input = (input > 0).then_some(input);
        Self::One(PairedReference { item, input, source_overwrite: None })
    }

    /// All references, flat.
    pub fn references(&self) -> Vec<PairedReference> {
        match self {
            Self::Index(item) => {
                vec![PairedReference { item: *item, input: None, source_overwrite: None }]
            }
            Self::One(reference) => vec![reference.clone()],
            Self::Many(parts) => parts.iter().flat_map(Self::references).collect(),
        }
    }
}

/// One reference to an input item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairedReference {
    /// Index of the item in that input.
    pub item: usize,
    /// Index of the input; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<usize>,
    /// Set by loops: where to look instead of at the direct predecessor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_overwrite: Option<Source>,
}

/// Which run of which node gave a node its input.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Name of the node that produced the items.
    pub previous_node: String,
    /// Index of its output; 0 when absent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub previous_node_output: usize,
    /// Index of its run; 0 when absent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub previous_node_run: usize,
}

fn is_zero(value: &usize) -> bool {
    *value == 0
}

/// The items of one input or output; shared, because the same items are read by many nodes.
pub type Items = Arc<Vec<Item>>;

/// The items of all outputs of a node, by output index.
pub type Outputs = Vec<Items>;
