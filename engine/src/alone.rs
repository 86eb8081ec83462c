//! One run of one node by itself, outside of any workflow: how agents use nodes as tools.
//!
//! Its parameters are taken as they are: nothing in them is an expression, whoever wrote it. Invariant: what comes back has
//! marks in place of the secrets that the node was given.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use serde_json::Value;
use timeloom_commands::SecretTexts;
use timeloom_domain::definition::{Graph, Node, WorkflowDefinition};
use timeloom_domain::item::{Item, Items, JsonObject};
use timeloom_expressions::port::{CodeMode, CodeOutput, Evaluated};
use timeloom_expressions::scope::{ExecutionInfo, NoNodes, NodeInfo, Scope, WorkflowInfo};

use crate::attempt::broke_down;
use crate::hide::Hide as _;
use crate::node::{Behaviour, Caller, Expressions, Helpers, NodeError, NodeOutput, NodeRun, Services, SharedNodeType};

/// A node to run by itself.
#[derive(Debug)]
pub struct Alone<'a> {
    /// The node, with parameters that are taken as they are.
    pub node: Node,
    /// What it is given.
    pub items: Vec<Item>,
    /// For whom it runs.
    pub caller: Caller,
    /// The same in every attempt.
    pub idempotency_key: &'a str,
    /// Chance for this run.
    pub seed: u64,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
}

/// Runs a node by itself. What it gives on its first output is the answer.
///
/// # Errors
/// [`NodeError`] when it fails, or cannot run by itself.
pub async fn run_alone(
    node_type: &SharedNodeType,
    services: &Arc<Services>,
    alone: Alone<'_>,
) -> Result<Vec<Item>, NodeError> {
    let secrets = SecretTexts::default();
    let ran = run(node_type, services, alone, &secrets).await;
    let Some(finder) = secrets.finder() else { return ran.map(first_output) };
    match ran {
        Ok(mut output) => {
            output.hide(&finder);
            Ok(first_output(output))
        }
        Err(mut error) => {
            error.hide(&finder);
            Err(error)
        }
    }
}

async fn run(
    node_type: &SharedNodeType,
    services: &Arc<Services>,
    alone: Alone<'_>,
    secrets: &SecretTexts,
) -> Result<NodeOutput, NodeError> {
    let Alone { node, items, caller, idempotency_key, seed, now_ms } = alone;
    let definition = WorkflowDefinition { nodes: vec![node.clone()], ..WorkflowDefinition::default() };
    let graph = Graph::new(&definition);
    let items: Items = Arc::new(items);
    let (mut memory, mut expressions) = (JsonObject::new(), AsItIs);
    let mut run = NodeRun {
        tenant: caller.tenant,
        node: &node,
        helpers: Helpers::new(&definition, &graph),
        inputs: vec![Arc::clone(&items)],
        scope: scope(&node, items, now_ms),
        memory: &mut memory,
        idempotency_key,
        seed,
        caller,
        services,
        secrets,
        expressions: &mut expressions,
    };
    let ran = match node_type.behaviour() {
        Behaviour::Effect(effect) => AssertUnwindSafe(effect.run(&mut run)).catch_unwind().await,
        Behaviour::Pure(pure) => std::panic::catch_unwind(AssertUnwindSafe(|| pure.run(&mut run))),
        Behaviour::PassThrough | Behaviour::Wait(_) => {
            let message = format!("a node of type {} does nothing by itself", node.node_type);
            return Err(NodeError::operation(message).described("use a node that computes or reaches out"));
        }
    };
    ran.unwrap_or_else(|panic| Err(broke_down(&*panic)))
}

fn first_output(output: NodeOutput) -> Vec<Item> {
    output.outputs.into_iter().next().unwrap_or_default()
}

fn scope(node: &Node, items: Items, now_ms: i64) -> Scope {
    Scope {
        inputs: Arc::new(vec![Arc::clone(&items)]),
        items,
        run_index: 0,
        now_ms,
        timezone: chrono_tz::UTC,
        node: NodeInfo {
            name: node.name.clone(),
            id: node.id.clone(),
            type_version: node.type_version,
            parameters: node.parameters.clone(),
            webhook_id: None,
        },
        previous: None,
        workflow: WorkflowInfo::default(),
        execution: ExecutionInfo::default(),
        vars: Arc::default(),
        env: Arc::default(),
        additional: Arc::default(),
        nodes: Arc::new(NoNodes),
    }
}

/// Takes everything as it is.
struct AsItIs;

impl Expressions for AsItIs {
    fn resolve(
        &mut self,
        _scope: &Scope,
        value: &Value,
        items: std::ops::Range<usize>,
    ) -> Vec<Result<Option<Value>, NodeError>> {
        items.map(|_| Ok(Some(value.clone()))).collect()
    }

    fn evaluate(&mut self, _scope: &Scope, value: &Value, _item: usize) -> Result<Evaluated, NodeError> {
        Ok(Evaluated::Json(value.clone()))
    }

    fn run_code(&mut self, _scope: &Scope, _mode: CodeMode, _code: &str) -> Result<CodeOutput, NodeError> {
        Err(NodeError::operation("a node that runs by itself runs no code").described("put the code into a workflow"))
    }
}
