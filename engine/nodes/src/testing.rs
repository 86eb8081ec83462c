//! A bench for node tests: it runs one node on items, with expressions of the simplest kind.
//!
//! Expressions understood: `{{ $json }}`, `{{ $json.a.b }}`, `{{ $json["a b"] }}`, `{{ $itemIndex }}`, JSON literals
//! and `undefined`; `{{ $now }}` and `{{ $now.setZone("Asia/Tokyo") }}` alone are dates where a node asks for one;
//! `{{ fail("message") }}` throws. Scripts are answered by a function that the test gives.
#![expect(clippy::panic, clippy::unwrap_used, reason = "this helps tests: what fails panics")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use timeloom_domain::definition::{Connection, Graph, Node, WorkflowDefinition, wrap_item};
use timeloom_domain::execution::ExecutionMode;
use timeloom_domain::ids::{ExecutionId, TenantId, WorkflowId};
use timeloom_domain::item::{Item, Items, JsonObject};
use timeloom_engine::node::{
    Behaviour, Caller, Expressions, FixedCredentials, Helpers, NodeError, NodeOutput, NodeRun, NodeType, NodeWait,
    OutboundPolicy, SecretTexts, Services,
};
use timeloom_expressions::port::{CodeMode, CodeOutput, Evaluated, ExpressionError, SpecialKind};
use timeloom_expressions::scope::{ExecutionInfo, NoNodes, NodeInfo, NodeLookup, PreviousNode, Scope, WorkflowInfo};
use timeloom_expressions::time::{from_ms, to_iso};
use uuid::Uuid;

pub use crate::declared::check_definitions;
use crate::values;

/// Answers a script: mode, source and the items it would see.
type Script = Box<dyn FnMut(CodeMode, &str, &[Item]) -> Result<CodeOutput, NodeError> + Send>;

/// The span of every node run.
pub const SPAN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// One node with its input, ready to run.
pub struct Bench<'t> {
    node_type: &'t dyn NodeType,
    /// The node as the workflow would define it.
    pub node: Node,
    /// Nodes that serve it or each other: whom, as what, and the helper.
    helpers: Vec<(String, String, Node)>,
    /// Items by input.
    pub inputs: Vec<Items>,
    /// Memory, kept from run to run.
    pub memory: JsonObject,
    /// `$now` in milliseconds: 2024-05-17T12:30:45.678Z unless the test says otherwise.
    pub now_ms: i64,
    /// What tells this run from others.
    pub idempotency_key: &'static str,
    /// The workflow's time zone.
    pub timezone: chrono_tz::Tz,
    /// Chance.
    pub seed: u64,
    /// `$runIndex`.
    pub run_index: usize,
    /// Which attempt at which node run it is.
    pub caller: Caller,
    /// Clients for the outside world: private addresses are allowed.
    pub services: Services,
    /// The secrets that the node was given.
    pub secrets: SecretTexts,
    /// `$prevNode`.
    pub previous: Option<PreviousNode>,
    /// The other nodes of the run.
    pub nodes: Arc<dyn NodeLookup>,
    script: Script,
}

impl<'t> Bench<'t> {
    /// A bench for one node of that type, version and parameters.
    pub fn new(node_type: &'t dyn NodeType, version: f64, parameters: Value) -> Self {
        let node = json!({
            "id": "1", "name": "Tested", "type": node_type.definition().node_type, "typeVersion": version,
            "parameters": parameters,
        });
        Self {
            node_type,
            node: serde_json::from_value(node).unwrap(),
            helpers: Vec::new(),
            inputs: Vec::new(),
            memory: JsonObject::new(),
            now_ms: 1_715_949_045_678,
            idempotency_key: "key-1",
            timezone: chrono_tz::UTC,
            seed: 7,
            run_index: 0,
            caller: Caller {
                tenant: TenantId(1),
                workflow_id: WorkflowId(Uuid::from_u128(1)),
                execution_id: ExecutionId(Uuid::from_u128(2)),
                execution_index: 0,
                attempt: 1,
                attempts_max: 1,
                mode: ExecutionMode::Manual,
                depth: 0,
                span: SPAN.parse().unwrap(),
            },
            secrets: SecretTexts::default(),
            services: Services::new(OutboundPolicy {
                allow_private: true,
                request_time_max: Duration::from_secs(5),
                response_bytes_max: 1 << 20,
                file_bytes_max: 2 << 20,
                ..OutboundPolicy::default()
            }),
            previous: None,
            nodes: Arc::new(NoNodes),
            script: Box::new(|_, _, _| panic!("this test gives no script")),
        }
    }

    /// Adds the next input: an array of items, bare or wrapped in `json`.
    pub fn input(mut self, items: Value) -> Self {
        self.inputs.push(self::items(items));
        self
    }

    /// A node of that type and those parameters serves the tested one as `kind`; it is called after its kind.
    pub fn helper(self, kind: &str, node_type: &str, parameters: Value) -> Self {
        self.helper_of("Tested", kind, node_type, parameters)
    }

    /// The same of a helper.
    pub fn helper_of(mut self, to: &str, kind: &str, node_type: &str, parameters: Value) -> Self {
        let before = self.helpers.iter().filter(|(_, known, _)| known == kind).count();
        let name = if before == 0 { kind.to_owned() } else { format!("{kind} {}", before + 1) };
        let node = json!({"name": name, "type": node_type, "parameters": parameters});
        self.helpers.push((to.to_owned(), kind.to_owned(), serde_json::from_value(node).unwrap()));
        self
    }

    /// The helper of that kind, to be changed.
    pub fn helper_node(&mut self, kind: &str) -> &mut Node {
        let found = self.helpers.iter_mut().find(|(_, known, _)| known == kind);
        found.map(|(_, _, node)| node).unwrap()
    }

    /// The node names a credential of that type, and the store holds it with these fields.
    pub fn credential(mut self, type_name: &str, fields: Value) -> Self {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        self.node.credentials = Some(json!({type_name: {"id": "c1", "name": "mine"}}));
        let by_type = BTreeMap::from([(type_name.to_owned(), fields)]);
        self.services.credentials = Arc::new(FixedCredentials::new(by_type));
        self
    }

    /// The node goes on when it fails.
    pub fn continue_on_fail(mut self) -> Self {
        self.node.continue_on_fail = true;
        self
    }

    /// What scripts answer.
    pub fn script(
        mut self,
        script: impl FnMut(CodeMode, &str, &[Item]) -> Result<CodeOutput, NodeError> + Send + 'static,
    ) -> Self {
        self.script = Box::new(script);
        self
    }

    /// Runs a node that computes from its input alone.
    pub fn run(&mut self) -> Result<NodeOutput, NodeError> {
        match self.node_type.behaviour() {
            Behaviour::Pure(node) => self.with_run(|run| node.run(run)),
            Behaviour::PassThrough => panic!("a pass-through node does not run"),
            Behaviour::Effect(_) => panic!("use run_effect"),
            Behaviour::Wait(_) => panic!("use wait"),
        }
    }

    /// Asks a node that could hold the execution up for what it gives at once.
    pub fn at_once(&mut self) -> Result<Option<NodeOutput>, NodeError> {
        let Behaviour::Wait(node) = self.node_type.behaviour() else { panic!("use run") };
        self.with_run(|run| node.at_once(run))
    }

    /// Asks a node that holds the execution up for what it waits.
    pub fn wait(&mut self) -> Result<Option<NodeWait>, NodeError> {
        let Behaviour::Wait(node) = self.node_type.behaviour() else { panic!("use run") };
        self.with_run(|run| node.wait(run))
    }

    /// Runs a node that touches the outside world.
    pub async fn run_effect(&mut self) -> Result<NodeOutput, NodeError> {
        let Behaviour::Effect(node) = self.node_type.behaviour() else { panic!("use run") };
        let scope = self.scope();
        let (definition, graph) = self.workflow();
        let mut expressions = SimpleExpressions { script: &mut self.script };
        let mut run = NodeRun {
            tenant: TenantId(0),
            node: &self.node,
            helpers: Helpers::new(&definition, &graph),
            inputs: self.inputs.clone(),
            scope,
            memory: &mut self.memory,
            idempotency_key: self.idempotency_key,
            seed: self.seed,
            caller: self.caller,
            services: &self.services,
            secrets: &self.secrets,
            expressions: &mut expressions,
        };
        node.run(&mut run).await
    }

    /// The JSON of output 0's items.
    pub fn output(&mut self) -> Value {
        json_of(&self.run().unwrap(), 0)
    }

    /// The JSON of all outputs' items.
    pub fn outputs(&mut self) -> Value {
        let output = self.run().unwrap();
        (0..output.outputs.len()).map(|index| json_of(&output, index)).collect()
    }

    /// The message with which the node fails.
    pub fn failure(&mut self) -> String {
        self.run().unwrap_err().message
    }

    fn with_run<T>(&mut self, action: impl FnOnce(&mut NodeRun<'_>) -> T) -> T {
        let scope = self.scope();
        let (definition, graph) = self.workflow();
        let mut expressions = SimpleExpressions { script: &mut self.script };
        let mut run = NodeRun {
            tenant: TenantId(0),
            node: &self.node,
            helpers: Helpers::new(&definition, &graph),
            inputs: self.inputs.clone(),
            scope,
            memory: &mut self.memory,
            idempotency_key: self.idempotency_key,
            seed: self.seed,
            caller: self.caller,
            services: &self.services,
            secrets: &self.secrets,
            expressions: &mut expressions,
        };
        action(&mut run)
    }

    /// The node with its helpers, as a workflow of nothing else.
    fn workflow(&self) -> (WorkflowDefinition, Graph) {
        let mut definition = WorkflowDefinition { nodes: vec![self.node.clone()], ..WorkflowDefinition::default() };
        for (to, kind, helper) in &self.helpers {
            let connection = Connection { node: to.clone(), kind: kind.clone(), index: 0 };
            let kinds = definition.connections.entry(helper.name.clone()).or_default();
            kinds.insert(kind.clone(), vec![Some(vec![connection])]);
            definition.nodes.push(helper.clone());
        }
        let graph = Graph::new(&definition);
        (definition, graph)
    }

    fn scope(&self) -> Scope {
        Scope {
            items: self.inputs.first().cloned().unwrap_or_default(),
            inputs: Arc::new(self.inputs.clone()),
            run_index: self.run_index,
            now_ms: self.now_ms,
            timezone: self.timezone,
            node: NodeInfo { name: self.node.name.clone(), ..NodeInfo::default() },
            previous: self.previous.clone(),
            workflow: WorkflowInfo::default(),
            execution: ExecutionInfo::default(),
            vars: Arc::default(),
            env: Arc::default(),
            additional: Arc::default(),
            nodes: Arc::clone(&self.nodes),
        }
    }
}

/// Items from an array of objects, bare or wrapped in `json`.
pub fn items(items: Value) -> Items {
    let Value::Array(items) = items else { panic!("items are an array") };
    Arc::new(items.into_iter().map(|item| wrap_item(item).unwrap()).collect())
}

/// The JSON of the items of output `index`.
pub fn json_of(output: &NodeOutput, index: usize) -> Value {
    output.outputs[index].iter().map(|item| item.json.to_value()).collect()
}

/// The `pairedItem` of each item of output 0, as JSON.
pub fn pairs_of(output: &NodeOutput) -> Value {
    output.outputs[0].iter().map(|item| json!(item.paired_item)).collect()
}

struct SimpleExpressions<'s> {
    script: &'s mut Script,
}

impl Expressions for SimpleExpressions<'_> {
    fn resolve(&mut self, scope: &Scope, value: &Value, items: Range<usize>) -> Vec<Result<Option<Value>, NodeError>> {
        items.map(|index| resolve(scope, value, index)).collect()
    }

    fn evaluate(&mut self, scope: &Scope, value: &Value, item: usize) -> Result<Evaluated, NodeError> {
        if let Some(zone) = zone_of_now(scope, value) {
            let now = from_ms(scope.now_ms, zone).unwrap();
            return Ok(Evaluated::Special { kind: SpecialKind::DateTime, json: to_iso(&now).into() });
        }
        Ok(resolve(scope, value, item)?.map_or(Evaluated::Undefined, Evaluated::Json))
    }

    fn run_code(&mut self, scope: &Scope, mode: CodeMode, code: &str) -> Result<CodeOutput, NodeError> {
        (self.script)(mode, code, &scope.items)
    }
}

/// The zone of a date that is the present.
fn zone_of_now(scope: &Scope, value: &Value) -> Option<chrono_tz::Tz> {
    match value.as_str()?.strip_prefix("={{ $now")?.strip_suffix(" }}")? {
        "" => Some(scope.timezone),
        source => source.strip_prefix(".setZone(\"")?.strip_suffix("\")")?.parse().ok(),
    }
}

fn resolve(scope: &Scope, value: &Value, index: usize) -> Result<Option<Value>, NodeError> {
    Ok(match value {
        Value::String(text) => match text.strip_prefix('=') {
            Some(template) => evaluate(scope, template, index)?,
            None => Some(value.clone()),
        },
        Value::Array(parts) => {
            let parts = parts.iter().map(|part| Ok(resolve(scope, part, index)?.unwrap_or(Value::Null)));
            Some(parts.collect::<Result<Value, NodeError>>()?)
        }
        Value::Object(fields) => {
            let mut resolved = JsonObject::new();
            for (key, field) in fields {
                if let Some(field) = resolve(scope, field, index)? {
                    resolved.insert(key.clone(), field);
                }
            }
            Some(Value::Object(resolved))
        }
        other => Some(other.clone()),
    })
}

fn evaluate(scope: &Scope, template: &str, index: usize) -> Result<Option<Value>, NodeError> {
    if let Some(sole) = template.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"))
        && !sole.contains("{{")
    {
        return expression(scope, sole.trim(), index);
    }
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inner, after) = after.split_once("}}").unwrap();
        text.push_str(before);
        text.push_str(&expression(scope, inner.trim(), index)?.map(|value| values::text(&value)).unwrap_or_default());
        rest = after;
    }
    text.push_str(rest);
    Ok(Some(Value::String(text)))
}

fn expression(scope: &Scope, source: &str, index: usize) -> Result<Option<Value>, NodeError> {
    let json = &scope.items.get(index).cloned().unwrap_or_default().json;
    if let Some(message) = source.strip_prefix("fail(\"").and_then(|rest| rest.strip_suffix("\")")) {
        let error = ExpressionError::Syntax(message.to_owned());
        return Err(NodeError::expression(error, index));
    }
    Ok(match source {
        "$json" => Some(json.to_value()),
        "$itemIndex" => Some(json!(index)),
        "undefined" => None,
        _ if source.starts_with("$response") || source.starts_with("$pageCount") => {
            values::get(&scope.additional, source, true).cloned()
        }
        _ => match source.strip_prefix("$json") {
            Some(path) => values::get(json, path.strip_prefix('.').unwrap_or(path), true).cloned(),
            None => Some(serde_json::from_str(source).unwrap_or_else(|_| panic!("not understood here: {source}"))),
        },
    })
}
