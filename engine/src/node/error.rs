//! Why a node failed, in words for the workflow's author.

use serde_json::{Map, Value, json};
use timeloom_egress::EgressError;
use timeloom_expressions::port::ExpressionError;

/// A node's failure.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct NodeError {
    /// What kind of failure.
    pub kind: NodeErrorKind,
    /// What went wrong: one sentence.
    pub message: String,
    /// What to do about it.
    pub description: Option<String>,
    /// The item with which it failed.
    pub item_index: Option<usize>,
    /// Error data of the author's own, from Stop and Error or a thrown object.
    pub data: Option<Value>,
    /// Line in the author's script.
    pub line: Option<u32>,
}

/// What kind of failure a [`NodeError`] is. The names are those that n8n users see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeErrorKind {
    /// Parameters or data are not what the node needs.
    Operation,
    /// An outside system refused or failed.
    Api,
    /// An expression failed.
    Expression,
    /// The author's script failed.
    Script,
}

impl NodeErrorKind {
    /// Name in run data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operation => "NodeOperationError",
            Self::Api => "NodeApiError",
            Self::Expression => "ExpressionError",
            Self::Script => "Error",
        }
    }
}

impl NodeError {
    /// Parameters or data are not what the node needs.
    pub fn operation(message: impl Into<String>) -> Self {
        Self::new(NodeErrorKind::Operation, message)
    }

    /// An outside system refused or failed.
    pub fn api(message: impl Into<String>) -> Self {
        Self::new(NodeErrorKind::Api, message)
    }

    fn new(kind: NodeErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), description: None, item_index: None, data: None, line: None }
    }

    /// The same with advice.
    #[must_use]
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The same, for item `index`.
    #[must_use]
    pub fn at_item(mut self, index: usize) -> Self {
        self.item_index = Some(index);
        self
    }

    /// A failure to evaluate an expression of item `index`.
    pub fn expression(error: ExpressionError, index: usize) -> Self {
        Self::from_script(NodeErrorKind::Expression, error).at_item(index)
    }

    /// A failure of the author's script.
    pub fn script(error: ExpressionError) -> Self {
        Self::from_script(NodeErrorKind::Script, error)
    }

    fn from_script(kind: NodeErrorKind, error: ExpressionError) -> Self {
        let mut failure = Self::new(kind, error.to_string());
        if let ExpressionError::Thrown { description, line, item_index, value, .. } = error {
            failure.description = description;
            failure.line = line;
            failure.item_index = item_index;
            failure.data = value;
        }
        failure
    }

    /// The failure as run data shows it.
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("name".to_owned(), json!(self.kind.name()));
        fields.insert("message".to_owned(), json!(self.message));
        if let Some(description) = &self.description {
            fields.insert("description".to_owned(), json!(description));
        }
        if let Some(index) = self.item_index {
            fields.insert("itemIndex".to_owned(), json!(index));
        }
        if let Some(line) = self.line {
            fields.insert("lineNumber".to_owned(), json!(line));
        }
        if let Some(data) = &self.data {
            fields.insert("data".to_owned(), data.clone());
        }
        Value::Object(fields)
    }
}

/// What no repetition mends is the author's or the operator's affair; the rest is the other side's.
impl From<EgressError> for NodeError {
    fn from(error: EgressError) -> Self {
        let kind = if error.is_refusal() { NodeErrorKind::Operation } else { NodeErrorKind::Api };
        Self::new(kind, error.to_string()).described(error.advice())
    }
}
