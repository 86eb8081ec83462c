//! The workflow that a tool runs: a trigger that gets the arguments, the tool's node, and the nodes that serve it.
//!
//! What its parameters say with `$fromAI` reads the arguments. Any other expression was evaluated before, for the item that the
//! agent is asked about, and comes along as a fixed argument: so the workflow is the same for every item, and nothing that was
//! evaluated is evaluated again.

use serde_json::{Value, json};
use timeloom_domain::agent::GIVEN_ARGUMENT as GIVEN;
use timeloom_domain::definition::Node;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun};

use super::from_ai::{Arguments, asks, rewritten};

/// The trigger.
const TRIGGER: &str = "Arguments of the tool";

/// Makes the parameters of one tool.
pub(super) struct Maker<'m, 'r> {
    pub(super) run: &'m mut NodeRun<'r>,
    pub(super) index: usize,
    pub(super) arguments: Arguments,
    given: Vec<Value>,
}

impl<'m, 'r> Maker<'m, 'r> {
    pub(super) fn new(run: &'m mut NodeRun<'r>, index: usize) -> Self {
        Self { run, index, arguments: Arguments::default(), given: Vec::new() }
    }

    /// The schema of the arguments, and those that are fixed.
    pub(super) fn finish(self) -> (Value, JsonObject) {
        let fixed = (!self.given.is_empty()).then(|| (GIVEN.to_owned(), Value::Array(self.given)));
        (self.arguments.schema(), fixed.into_iter().collect())
    }

    /// The parameters of a node as they stand in the tool's workflow.
    pub(super) fn parameters(&mut self, of: &Node) -> Result<Value, NodeError> {
        self.value(of, &of.parameters, "")
    }

    pub(super) fn value(&mut self, of: &Node, value: &Value, name: &str) -> Result<Value, NodeError> {
        Ok(match value {
            Value::Object(fields) => {
                let made = fields.iter().map(|(name, value)| Ok((name.clone(), self.value(of, value, name)?)));
                Value::Object(made.collect::<Result<_, NodeError>>()?)
            }
            Value::Array(values) => {
                Value::Array(values.iter().map(|value| self.value(of, value, name)).collect::<Result<_, _>>()?)
            }
            Value::String(text) => match text.strip_prefix('=') {
                Some(template) if asks(template) => Value::String(self.template(of, template, name == "url")?),
                Some(_) => Value::String(format!("={{{{ {} }}}}", self.evaluated(of, value)?)),
                None => value.clone(),
            },
            other => other.clone(),
        })
    }

    /// A read of what a value comes to now.
    fn evaluated(&mut self, of: &Node, value: &Value) -> Result<String, NodeError> {
        let scope = self.run.scope_of(of);
        let items = self.index..self.index + 1;
        let resolved = self.run.expressions.resolve(&scope, value, items).pop().unwrap_or(Ok(None))?;
        Ok(self.keep(resolved.unwrap_or_default()))
    }

    /// A read of a value that comes along.
    pub(super) fn keep(&mut self, value: Value) -> String {
        self.given.push(value);
        format!("$json[\"{GIVEN}\"][{}]", self.given.len() - 1)
    }

    /// A template part by part. In an address, what the model fills stays one part of it, unless it fills all of it.
    fn template(&mut self, of: &Node, template: &str, is_address: bool) -> Result<String, NodeError> {
        let wrong = |why: String| NodeError::operation(format!("the tool '{}': {why}", of.name));
        let (mut made, mut rest) = ("=".to_owned(), template);
        while let Some((before, after)) = rest.split_once("{{") {
            let (script, after) = after.split_once("}}").ok_or_else(|| wrong("a '{{' is not closed".to_owned()))?;
            made.push_str(before);
            let script = match asks(script) {
                false => self.evaluated(of, &Value::String(format!("={{{{{script}}}}}")))?,
                true => {
                    let script = rewritten(script, &mut self.arguments).map_err(wrong)?;
                    let is_all = made == "=" && after.trim().is_empty();
                    if is_address && !is_all { part_of_address(script.trim()) } else { script.trim().to_owned() }
                }
            };
            made.push_str(&format!("{{{{ {script} }}}}"));
            rest = after;
        }
        made.push_str(rest);
        Ok(made)
    }
}

/// JavaScript that writes a value so that it stays one part of an address.
pub(super) fn part_of_address(script: &str) -> String {
    format!("encodeURIComponent({script}).replace(/^\\.\\.?$/, '')")
}

/// A node of a tool's workflow.
pub(super) fn node(name: &str, node_type: &str, version: f64, parameters: Value, credentials: Option<&Value>) -> Value {
    let mut made = json!({
        "id": name, "name": name, "type": node_type, "typeVersion": version, "position": [240, 0], "parameters": parameters,
    });
    if let Some(credentials) = credentials {
        made["credentials"] = credentials.clone();
    }
    made
}

/// The file of a tool's workflow: the node, and those that serve it by the kind of their connection.
pub(super) fn workflow(name: &str, node: Value, helpers: Vec<(&'static str, Value)>) -> String {
    let trigger = json!({
        "id": TRIGGER, "name": TRIGGER, "type": "n8n-nodes-base.executeWorkflowTrigger", "typeVersion": 1.1,
        "position": [0, 0], "parameters": {"inputSource": "passthrough"},
    });
    let of = node["name"].clone();
    let mut connections = json!({TRIGGER: {"main": [[{"node": of, "type": "main", "index": 0}]]}});
    let mut nodes = vec![trigger, node];
    for (kind, helper) in helpers {
        if let Some(name) = helper["name"].as_str() {
            connections[name] = json!({kind: [[{"node": of, "type": kind, "index": 0}]]});
        }
        nodes.push(helper);
    }
    json!({"name": format!("Tool: {name}"), "nodes": nodes, "connections": connections, "settings": {"executionOrder": "v1"}})
        .to_string()
}
