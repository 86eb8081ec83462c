//! What a flag can hold back.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the name of a node type's feature begins with.
const NODE: &str = "node:";
/// Longest name of a node type, in bytes.
const NODE_TYPE_BYTES_MAX: usize = 200;

/// Something of which it can be said who has it. As text: `agents`, `gateway`, or `node:` and the name of a node type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Feature {
    /// Beginning runs of agents.
    Agents,
    /// Asking language models by the gateway.
    Gateway,
    /// Running nodes of a type, built in or of a plugin.
    Node(String),
}

/// The text names no feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a feature is 'agents', 'gateway', or 'node:' with the name of a node type of at most {NODE_TYPE_BYTES_MAX} letters, digits and . _ - @ /"
)]
pub struct InvalidFeature;

impl Feature {
    /// The feature of a node type.
    pub fn node(node_type: &str) -> Self {
        Self::Node(node_type.to_owned())
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agents => formatter.write_str("agents"),
            Self::Gateway => formatter.write_str("gateway"),
            Self::Node(node_type) => write!(formatter, "{NODE}{node_type}"),
        }
    }
}

impl FromStr for Feature {
    type Err = InvalidFeature;

    fn from_str(text: &str) -> Result<Self, InvalidFeature> {
        let is_known = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-' | '@' | '/');
        match (text, text.strip_prefix(NODE)) {
            ("agents", _) => Ok(Self::Agents),
            ("gateway", _) => Ok(Self::Gateway),
            (_, Some(node_type))
                if (1..=NODE_TYPE_BYTES_MAX).contains(&node_type.len()) && node_type.chars().all(is_known) =>
            {
                Ok(Self::node(node_type))
            }
            _ => Err(InvalidFeature),
        }
    }
}

impl TryFrom<String> for Feature {
    type Error = InvalidFeature;

    fn try_from(text: String) -> Result<Self, InvalidFeature> {
        text.parse()
    }
}

impl From<Feature> for String {
    fn from(feature: Feature) -> Self {
        feature.to_string()
    }
}
