//! What a node may use while it runs.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use timeloom_commands::SecretTexts;
use timeloom_domain::definition::{Node, OnError};
use timeloom_domain::ids::TenantId;
use timeloom_domain::inference::port::{NoModels, SharedInference};
use timeloom_domain::item::{Item, Items, JsonObject};
use timeloom_domain::trace::Sampling;
use timeloom_egress::OutboundPolicy;
use timeloom_expressions::port::{CodeMode, CodeOutput, Evaluated};
use timeloom_expressions::scope::Scope;

use super::{
    Agents, AllFeatures, Binaries, Caller, CredentialPort, DataTablePort, DocumentPort, FeaturePort, FixedCredentials,
    Helpers, NoAgents, NoDocuments, NoSubWorkflows, NodeError, RecallPort, SubWorkflows, TransientRecall,
    TransientTables, TransientVectors, VectorPort,
};

/// One run of one node.
pub struct NodeRun<'a> {
    /// Whose execution it is.
    pub tenant: TenantId,
    /// The node as the workflow defines it.
    pub node: &'a Node,
    /// The nodes that serve it.
    pub helpers: Helpers<'a>,
    /// Items by input index; an input without data is an empty list.
    pub inputs: Vec<Items>,
    /// What expressions may read.
    pub scope: Scope,
    /// Memory of this node within the execution, kept from run to run (a loop's remaining items).
    pub memory: &'a mut JsonObject,
    /// The same in every attempt at this node run, after a crash too. Effects send it along.
    pub idempotency_key: &'a str,
    /// Chance for this attempt at this node run.
    pub seed: u64,
    /// Which attempt at which node run this is.
    pub caller: Caller,
    /// Clients for the outside world.
    pub services: &'a Services,
    /// The secrets that the run was given: they are hidden in what it gives.
    pub secrets: &'a SecretTexts,
    /// The expressions of this execution.
    pub expressions: &'a mut dyn Expressions,
}

/// Clients for the outside world that effect nodes share.
#[derive(Debug, Clone)]
pub struct Services {
    /// Which addresses may be reached.
    pub outbound: OutboundPolicy,
    /// The bytes of attachments. Nodes ask for [`NodeRun::binaries`], which hide secrets.
    pub binaries: Binaries,
    /// Where credentials are.
    pub credentials: Arc<dyn CredentialPort>,
    /// What nodes remember from one execution to the next.
    pub recall: Arc<dyn RecallPort>,
    /// Collections of vectors.
    pub vectors: Arc<dyn VectorPort>,
    /// Data tables.
    pub data_tables: Arc<dyn DataTablePort>,
    /// Runs of other workflows.
    pub sub_workflows: Arc<dyn SubWorkflows>,
    /// Reads documents that may mean harm.
    pub documents: Arc<dyn DocumentPort>,
    /// Runs of agents.
    pub agents: Arc<dyn Agents>,
    /// Models of the model manager, and language models by the gateway.
    pub models: SharedInference,
    /// Which node types a tenant has.
    pub features: Arc<dyn FeaturePort>,
    /// How executions are traced.
    pub tracing: Tracing,
}

/// How executions are traced.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tracing {
    /// Which of those that nobody else has decided about.
    pub sampling: Sampling,
    /// Whether the programs that nodes ask are told of which span they are asked.
    pub tells: bool,
}

impl Services {
    /// Clients for what `outbound` allows, without credentials and other workflows, and with attachments in memory.
    pub fn new(outbound: OutboundPolicy) -> Self {
        Self {
            outbound,
            binaries: Binaries::in_memory(),
            credentials: Arc::new(FixedCredentials::default()),
            recall: Arc::new(TransientRecall::default()),
            vectors: Arc::new(TransientVectors::default()),
            data_tables: Arc::new(TransientTables::default()),
            sub_workflows: Arc::new(NoSubWorkflows),
            documents: Arc::new(NoDocuments),
            agents: Arc::new(NoAgents),
            models: Arc::new(NoModels),
            features: Arc::new(AllFeatures),
            tracing: Tracing::default(),
        }
    }
}

/// The expressions of one execution, as nodes reach them.
pub trait Expressions: Send {
    /// Resolves a parameter value for each of these items, expressions at any depth; `None` is `undefined`.
    fn resolve(&mut self, scope: &Scope, value: &Value, items: Range<usize>) -> Vec<Result<Option<Value>, NodeError>>;

    /// Resolves a parameter value for one item, with the kinds that JSON lacks told apart at the top.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Expression`.
    fn evaluate(&mut self, scope: &Scope, value: &Value, item: usize) -> Result<Evaluated, NodeError>;

    /// Runs a script over the scope's items.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Script` when it throws, returns what is not items, or meets a limit.
    fn run_code(&mut self, scope: &Scope, mode: CodeMode, code: &str) -> Result<CodeOutput, NodeError>;
}

impl NodeRun<'_> {
    /// The bytes of attachments: what is written has marks in place of the secrets that this run was given by then.
    pub fn binaries(&self) -> Binaries {
        self.services.binaries.hiding(self.secrets)
    }

    /// The `traceparent` of requests that this run sends, where they are to have one. It is no part of what the author
    /// wrote: expressions do not see it, and it does not tell a run from another that is compared with it.
    pub fn traceparent(&self) -> Option<String> {
        self.services.tracing.tells.then(|| self.caller.span.to_string())
    }

    /// Items of input 0.
    pub fn items(&self) -> Items {
        self.inputs.first().cloned().unwrap_or_default()
    }

    /// Items of input `index`; empty when it has no data.
    pub fn input(&self, index: usize) -> Items {
        self.inputs.get(index).cloned().unwrap_or_default()
    }

    /// Items of input 0, to be changed where they are: those that nobody else has are not copied. The input is gone then,
    /// from what expressions read as well, so this comes last, when nothing can fail any more.
    pub fn take_items(&mut self) -> Vec<Item> {
        let items = self.items();
        self.inputs.clear();
        self.scope.forget_items();
        Arc::unwrap_or_clone(items)
    }

    /// Version of the node's type.
    pub fn version(&self) -> f64 {
        self.node.type_version
    }

    /// Whether a failure of one item is to be passed on as data: nodes then give `{"error": message}` for that item.
    pub fn continues_on_fail(&self) -> bool {
        self.node.error_policy() != OnError::StopWorkflow
    }

    /// The parameter as written, expressions unevaluated. `path` is dotted: `options.caseSensitive`.
    pub fn raw_parameter(&self, path: &str) -> Option<&Value> {
        lookup(&self.node.parameters, path)
    }

    /// The parameter for one item. `None` when it is not set or evaluates to `undefined`.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Expression`.
    pub fn parameter(&mut self, path: &str, item: usize) -> Result<Option<Value>, NodeError> {
        let Some(raw) = lookup(&self.node.parameters, path) else {
            return Ok(None);
        };
        let mut resolved = self.expressions.resolve(&self.scope, raw, item..item + 1);
        resolved.pop().unwrap_or(Ok(None))
    }

    /// The parameter for one item, with the kinds that JSON lacks told apart: a date that knows its zone, for example.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Expression`.
    pub fn evaluated_parameter(&mut self, path: &str, item: usize) -> Result<Evaluated, NodeError> {
        match lookup(&self.node.parameters, path) {
            Some(raw) => self.expressions.evaluate(&self.scope, raw, item),
            None => Ok(Evaluated::Undefined),
        }
    }

    /// The parameter for every item of input 0, in one crossing. An entry is `None` when it is not set or `undefined`.
    pub fn parameter_for_items(&mut self, path: &str) -> Vec<Result<Option<Value>, NodeError>> {
        self.parameter_for_range(path, 0..self.scope.items.len())
    }

    /// The same for these of the items: a structure that is resolved for every item at once takes its room that many times.
    pub fn parameter_for_range(&mut self, path: &str, items: Range<usize>) -> Vec<Result<Option<Value>, NodeError>> {
        match lookup(&self.node.parameters, path) {
            Some(raw) => self.expressions.resolve(&self.scope, raw, items),
            None => vec![Ok(None); items.len()],
        }
    }

    /// Any value with expressions in it, for every item of input 0, in one crossing.
    pub fn resolve_for_items(&mut self, value: &Value) -> Vec<Result<Option<Value>, NodeError>> {
        let count = self.scope.items.len();
        self.expressions.resolve(&self.scope, value, 0..count)
    }

    /// Any value with expressions in it, for one item, with variables that this node alone knows: `$response` of the page
    /// before, for example.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Expression`.
    pub fn resolve_with(
        &mut self,
        value: &Value,
        item: usize,
        additional: &JsonObject,
    ) -> Result<Option<Value>, NodeError> {
        let scope = Scope { additional: Arc::new(additional.clone()), ..self.scope.clone() };
        self.expressions.resolve(&scope, value, item..item + 1).pop().unwrap_or(Ok(None))
    }

    /// A text parameter for one item; numbers and booleans are written out, anything missing is `default`.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Expression`.
    pub fn text(&mut self, path: &str, item: usize, default: &str) -> Result<String, NodeError> {
        Ok(match self.parameter(path, item)? {
            None | Some(Value::Null) => default.to_owned(),
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
        })
    }

    /// A number parameter for one item; numeric text counts, anything else is `default`.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Expression`.
    pub fn number(&mut self, path: &str, item: usize, default: f64) -> Result<f64, NodeError> {
        Ok(match self.parameter(path, item)? {
            Some(Value::Number(number)) => number.as_f64().unwrap_or(default),
            Some(Value::String(text)) => text.trim().parse().unwrap_or(default),
            _ => default,
        })
    }

    /// A boolean parameter for one item; `"true"` and `"false"` count, anything else is `default`.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Expression`.
    pub fn boolean(&mut self, path: &str, item: usize, default: bool) -> Result<bool, NodeError> {
        Ok(match self.parameter(path, item)? {
            Some(Value::Bool(value)) => value,
            Some(Value::String(text)) if text == "true" => true,
            Some(Value::String(text)) if text == "false" => false,
            _ => default,
        })
    }

    /// Runs the author's script over the items.
    ///
    /// # Errors
    /// [`NodeError`] of kind `Script`.
    pub fn run_code(&mut self, mode: CodeMode, code: &str) -> Result<CodeOutput, NodeError> {
        self.expressions.run_code(&self.scope, mode, code)
    }

    /// The item that stands for a failure of item `index` when the node goes on.
    pub fn failed_item(&self, index: usize, error: &NodeError) -> Item {
        let mut json = JsonObject::new();
        json.insert("error".to_owned(), Value::String(error.message.clone()));
        Item::new(json).paired_with(index)
    }
}

/// The value at a dotted path of objects.
pub(super) fn lookup<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}
