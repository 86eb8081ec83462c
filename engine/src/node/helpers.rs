//! The nodes that serve a node: its language model, its memory, its tools. They never run by themselves; the node that they are
//! attached to reads what they say.

use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::definition::{Graph, Node, WorkflowDefinition, helper_name};
use timeloom_expressions::scope::{NodeInfo, Scope};

use super::run::lookup;
use super::{NodeError, NodeRun};

/// The nodes that serve others, as a run reaches them. Those that are switched off do not count.
#[derive(Clone, Copy)]
pub struct Helpers<'a> {
    definition: &'a WorkflowDefinition,
    graph: &'a Graph,
}

impl<'a> Helpers<'a> {
    /// Those of a definition.
    pub fn new(definition: &'a WorkflowDefinition, graph: &'a Graph) -> Self {
        Self { definition, graph }
    }

    /// What is attached to a node as `kind`: by place, then in the order of the file.
    pub fn of(&self, node: &Node, kind: &str) -> Vec<&'a Node> {
        let Some(index) = self.graph.index(&node.name) else { return Vec::new() };
        let of_kind = self.graph.helpers(index).iter().filter(|helper| helper.kind == kind);
        let nodes = of_kind.filter_map(|helper| self.definition.nodes.get(helper.node));
        nodes.filter(|node| !node.disabled).collect()
    }
}

impl<'a> NodeRun<'a> {
    /// The nodes that serve this one as `kind`, such as `ai_tool`.
    pub fn attached(&self, kind: &str) -> Vec<&'a Node> {
        self.helpers.of(self.node, kind)
    }

    /// The nodes that serve a helper in its turn: the embedding of a vector store.
    pub fn attached_to(&self, helper: &Node, kind: &str) -> Vec<&'a Node> {
        self.helpers.of(helper, kind)
    }

    /// The first node that serves this one as `kind`.
    ///
    /// # Errors
    /// When there is none.
    pub fn needed(&self, kind: &str) -> Result<&'a Node, NodeError> {
        self.needed_by(self.node, kind)
    }

    /// The first node that serves a helper as `kind`.
    ///
    /// # Errors
    /// When there is none.
    pub fn needed_by(&self, node: &Node, kind: &str) -> Result<&'a Node, NodeError> {
        let missing = || {
            let name = helper_name(kind);
            NodeError::operation(format!("'{}' has no {name}", node.name))
                .described(format!("attach a {name} to it, with a connection of the kind {kind}"))
        };
        self.helpers.of(node, kind).into_iter().next().ok_or_else(missing)
    }

    /// A parameter of a helper for one item of this node's input: what this node may read its expressions read as well.
    /// `None` when it is not set or evaluates to `undefined`.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Expression`.
    pub fn parameter_of(&mut self, helper: &Node, path: &str, item: usize) -> Result<Option<Value>, NodeError> {
        let Some(raw) = lookup(&helper.parameters, path) else { return Ok(None) };
        let scope = self.scope_of(helper);
        self.expressions.resolve(&scope, raw, item..item + 1).pop().unwrap_or(Ok(None))
    }

    /// A text parameter of a helper; numbers and booleans are written out, anything missing is `default`.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Expression`.
    pub fn text_of(&mut self, helper: &Node, path: &str, item: usize, default: &str) -> Result<String, NodeError> {
        Ok(match self.parameter_of(helper, path, item)? {
            None | Some(Value::Null) => default.to_owned(),
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
        })
    }

    /// A number of a helper; numeric text counts, anything else is `None`.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Expression`.
    pub fn number_of(&mut self, helper: &Node, path: &str, item: usize) -> Result<Option<f64>, NodeError> {
        Ok(match self.parameter_of(helper, path, item)? {
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        })
    }

    /// What the expressions of a helper may read, while it serves this node.
    pub fn scope_of(&self, helper: &Node) -> Scope {
        let node = NodeInfo {
            name: helper.name.clone(),
            id: helper.id.clone(),
            type_version: helper.type_version,
            parameters: helper.parameters.clone(),
            webhook_id: helper.webhook_id.clone(),
        };
        Scope { node, additional: Arc::default(), ..self.scope.clone() }
    }
}
