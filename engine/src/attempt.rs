//! One attempt at one node: its input made ready, the node run, its output put in order.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use serde_json::Value;
use timeloom_commands::SecretTexts;
use timeloom_domain::chance;
use timeloom_domain::definition::{Node, OnError};
use timeloom_domain::execution::{ExecutionMode, StartFacts, TriggerFacts};
use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_domain::item::{Item, Items, JsonObject, Outputs, PairedItem, SharedObject, Source};
use timeloom_domain::trace::{ExecutionTrace, TraceParent};
use timeloom_expressions::evaluator::Session;
use timeloom_expressions::port::{CodeMode, CodeOutput, Evaluated, Limits};
use timeloom_expressions::scope::{ExecutionInfo, NodeInfo, PreviousNode, Scope, WorkflowInfo};

use crate::hide::Hide;
use crate::lookup::RunLookup;
use crate::machine::{Machine, Task, expression_input};
use crate::node::{
    Behaviour, Caller, Expressions, Helpers, NodeError, NodeOutput, NodeResponse, NodeRun, NodeWait, Services,
    WaitNode, blocking,
};
use crate::plan::Plan;

/// What every attempt of an execution shares.
pub(crate) struct Surroundings {
    /// Whose execution it is.
    pub(crate) tenant: TenantId,
    /// The execution that was started.
    pub(crate) root: ExecutionId,
    /// Its id as text.
    pub(crate) execution_id: String,
    /// Where a request makes it go on when it waits.
    pub(crate) resume_url: String,
    /// `$vars`.
    pub(crate) vars: Arc<JsonObject>,
    /// `$env`.
    pub(crate) env: Arc<JsonObject>,
    /// Clients for the outside world.
    pub(crate) services: Arc<Services>,
    /// Limits of one Code node run.
    pub(crate) code_limits: Limits,
    /// Where the execution stands in traces.
    pub(crate) trace: ExecutionTrace,
}

impl Surroundings {
    /// What those are told who are asked by a node run.
    fn span_of(&self, execution_index: usize) -> TraceParent {
        self.trace.within(self.trace.node_run(execution_index), self.services.tracing.sampling)
    }
}

/// What an attempt gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Given {
    /// Items by output.
    pub(crate) outputs: Outputs,
    /// Memory of the node, where it changed.
    pub(crate) memory: Option<JsonObject>,
    /// Notices for the author.
    pub(crate) hints: Vec<String>,
    /// The answer to the request that started the execution.
    pub(crate) response: Option<NodeResponse>,
    /// Facts by which the execution can be found.
    pub(crate) saved: BTreeMap<String, String>,
}

impl Given {
    fn of(outputs: Outputs) -> Self {
        Self { outputs, memory: None, hints: Vec::new(), response: None, saved: BTreeMap::new() }
    }
}

/// A node run made ready.
pub(crate) struct Attempt {
    plan: Arc<Plan>,
    task: Task,
    /// Items by input; none once the node has had them for itself.
    inputs: Vec<Items>,
    /// How many items each input has, or had.
    counts: Vec<usize>,
    scope: Scope,
    memory: JsonObject,
    seed: u64,
    idempotency_key: String,
    caller: Caller,
    /// The output on which it passes its input on, where it does.
    way_through: usize,
    surroundings: Arc<Surroundings>,
    /// The secrets that the node was given.
    secrets: SecretTexts,
}

/// The expressions of one execution, as nodes reach them.
pub(crate) struct SessionExpressions<'s> {
    session: &'s mut Session,
    code_limits: Limits,
}

impl Expressions for SessionExpressions<'_> {
    fn resolve(
        &mut self,
        scope: &Scope,
        value: &Value,
        items: std::ops::Range<usize>,
    ) -> Vec<Result<Option<Value>, NodeError>> {
        let first = items.start;
        let resolved = self.session.resolve_evaluated_for_items(scope, value, items);
        let into_json =
            |(place, result): (usize, Result<timeloom_expressions::evaluator::Resolved<'_>, _>)| match result {
                Ok(resolved) => Ok(resolved.into_json()),
                Err(error) => Err(NodeError::expression(error, first + place)),
            };
        resolved.into_iter().enumerate().map(into_json).collect()
    }

    fn evaluate(&mut self, scope: &Scope, value: &Value, item: usize) -> Result<Evaluated, NodeError> {
        let resolved = self.session.resolve_evaluated_for_items(scope, value, item..item + 1).pop();
        match resolved {
            Some(Ok(resolved)) => Ok(resolved.into_evaluated()),
            Some(Err(error)) => Err(NodeError::expression(error, item)),
            None => Ok(Evaluated::Undefined),
        }
    }

    fn run_code(&mut self, scope: &Scope, mode: CodeMode, code: &str) -> Result<CodeOutput, NodeError> {
        self.session.run_code(scope, mode, code, self.code_limits).map_err(NodeError::script)
    }
}

impl Attempt {
    /// Makes the input of `task` ready.
    pub(crate) fn prepare(machine: &Machine, task: Task, surroundings: &Arc<Surroundings>, now_ms: i64) -> Self {
        let plan = Arc::clone(machine.plan());
        let node = plan.node(task.node);
        let inputs = ready_inputs(node, &task.inputs);
        let readable: Vec<Option<Items>> =
            inputs.iter().zip(&task.inputs).map(|(items, given)| given.as_ref().map(|_| Arc::clone(items))).collect();
        let items = expression_input(plan.order, &readable).cloned().unwrap_or_default();
        let sources = task.facts.sources.clone();
        let lookup = RunLookup::new(Arc::clone(machine.data()), task.node, inputs.clone(), sources);
        // A run that was recorded tells the time and has the chance that it had then.
        let recorded = machine.stubs().filter(|stubs| !stubs.is_live(&node.name)).and_then(|s| s.recorded(&task.facts));
        let now_ms = recorded.map_or(now_ms, |recorded| recorded.started_at_ms);
        let place = recorded.map_or(task.facts.execution_index, |recorded| recorded.execution_index);
        let seed = mix(machine.start().seed, place as u64);
        let scope = Scope {
            items,
            inputs: Arc::new(inputs.clone()),
            run_index: task.facts.run_index,
            now_ms,
            timezone: plan.timezone,
            node: NodeInfo {
                name: node.name.clone(),
                id: node.id.clone(),
                type_version: node.type_version,
                parameters: node.parameters.clone(),
                webhook_id: node.webhook_id.clone(),
            },
            previous: previous_node(&task.facts.sources),
            workflow: WorkflowInfo {
                id: plan.workflow_id.to_string(),
                name: plan.definition.name.clone(),
                active: machine.start().workflow_version.is_some(),
            },
            execution: execution_info(machine, surroundings),
            vars: Arc::clone(&surroundings.vars),
            env: Arc::clone(&surroundings.env),
            additional: Arc::default(),
            nodes: Arc::new(lookup),
        };
        let memory = machine.data().memory(task.node).cloned().unwrap_or_default();
        let idempotency_key = idempotency_key(&surroundings.execution_id, task.facts.execution_index);
        let caller = Caller {
            tenant: surroundings.tenant,
            workflow_id: plan.workflow_id,
            execution_id: surroundings.root,
            execution_index: task.facts.execution_index,
            attempt: task.attempts + 1,
            attempts_max: node.attempts_max(),
            mode: machine.start().mode,
            depth: depth(machine.start().trigger.as_ref()),
            span: surroundings.span_of(task.facts.execution_index),
        };
        let way_through = way_through(node, machine.start());
        let counts = inputs.iter().map(|items| items.len()).collect();
        let surroundings = Arc::clone(surroundings);
        let secrets = SecretTexts::default();
        Self {
            plan,
            task,
            inputs,
            counts,
            scope,
            memory,
            seed,
            idempotency_key,
            caller,
            way_through,
            surroundings,
            secrets,
        }
    }

    /// Whether nobody needs the input once the node runs, however that ends: it is not tried again, and where it fails the
    /// workflow does not go on with the input. A pure node then has it for itself.
    pub(crate) fn uses_input_up(&self) -> bool {
        self.node().error_policy() == OnError::StopWorkflow && self.node().attempts_max() == 1
    }

    /// Which attempt at which node run this is.
    pub(crate) fn caller(&self) -> Caller {
        self.caller
    }

    /// Whether the node mostly waits for other executions.
    pub(crate) fn waits_for_others(&self) -> bool {
        self.plan.node_type(self.task.node).waits_for_others()
    }

    fn node(&self) -> &Node {
        self.plan.node(self.task.node)
    }

    /// Gives pinned items in place of the node's own.
    pub(crate) fn pinned(&self, items: &[Item]) -> Given {
        self.in_order(NodeOutput::single(items.to_vec()), None)
    }

    /// Passes input 0 on: for disabled nodes, triggers and NoOp.
    pub(crate) fn pass_through(&self) -> Given {
        let given = self.inputs.first().filter(|_| self.task.inputs.first().is_some_and(Option::is_some));
        let mut outputs = vec![Items::default(); self.way_through + 1];
        outputs[self.way_through] = given.map(Arc::clone).unwrap_or_default();
        self.always_some(Given::of(outputs))
    }

    /// Whether the node has no item to run with and gives an empty one instead (`alwaysOutputData`).
    pub(crate) fn has_no_items(&self) -> bool {
        !self.task.facts.sources.is_empty() && !self.plan.is_trigger(self.task.node) && self.scope.items.is_empty()
    }

    /// What a node gives that was reached without items: nothing, or one empty item.
    pub(crate) fn without_items(&self) -> Given {
        self.always_some(Given::of(vec![Items::default()]))
    }

    /// An attempt at a pure node.
    pub(crate) fn run_pure(&mut self, session: &mut Session) -> Result<Given, NodeError> {
        let plan = Arc::clone(&self.plan);
        match plan.node_type(self.task.node).behaviour() {
            Behaviour::Pure(node) => {
                let before = self.memory.clone();
                let (inputs, scope) = self.input_of_pure();
                let run = |run: &mut NodeRun<'_>| catch_unwind(AssertUnwindSafe(|| node.run(run)));
                let ran = self.with_run(session, inputs, scope, run);
                let mut output = self.hidden(ran.unwrap_or_else(|panic| Err(broke_down(&*panic))))?;
                // Pure nodes run where blocking is allowed.
                blocking(self.surroundings.services.binaries.settle(&mut output.outputs))?;
                Ok(self.given(output, &before))
            }
            Behaviour::PassThrough | Behaviour::Effect(_) | Behaviour::Wait(_) => Ok(self.pass_through()),
        }
    }

    /// What a node gives at once that could hold the execution up; `None` when it does.
    pub(crate) fn at_once(&mut self, node: &dyn WaitNode, session: &mut Session) -> Result<Option<Given>, NodeError> {
        let (inputs, scope) = (self.inputs.clone(), self.scope.clone());
        let give = |run: &mut NodeRun<'_>| catch_unwind(AssertUnwindSafe(|| node.at_once(run)));
        let asked = self.with_run(session, inputs, scope, give);
        let output = self.hidden(asked.unwrap_or_else(|panic| Err(broke_down(&*panic))))?;
        Ok(output.map(|output| self.in_order(output, None)))
    }

    /// What a node that holds the execution up waits for.
    pub(crate) fn begin_wait(
        &mut self,
        node: &dyn WaitNode,
        session: &mut Session,
    ) -> Result<Option<NodeWait>, NodeError> {
        let (inputs, scope) = (self.inputs.clone(), self.scope.clone());
        let wait = |run: &mut NodeRun<'_>| catch_unwind(AssertUnwindSafe(|| node.wait(run)));
        let asked = self.with_run(session, inputs, scope, wait);
        self.hidden(asked.unwrap_or_else(|panic| Err(broke_down(&*panic))))
    }

    /// What somebody said that the node run gives.
    pub(crate) fn replaced(&self, outputs: &Outputs) -> Given {
        let outputs = outputs.iter().map(|items| items.to_vec()).collect();
        self.in_order(NodeOutput::many(outputs), None)
    }

    /// What a node gives whose wait is over: these items, or its input.
    pub(crate) fn resumed(&self, items: Option<&[Item]>) -> Given {
        match items {
            Some(items) => self.in_order(NodeOutput::single(items.to_vec()), None),
            None => self.pass_through(),
        }
    }

    /// A parameter for the node's first item; `None` when it is undefined or cannot be evaluated.
    pub(crate) fn resolve(&self, session: &mut Session, value: &Value) -> Option<Value> {
        let mut expressions = SessionExpressions { session, code_limits: self.surroundings.code_limits };
        expressions.resolve(&self.scope, value, 0..1).pop()?.ok()?
    }

    /// Whether a condition holds for the node's first item. One that cannot be evaluated holds: whoever wrote it shall see.
    pub(crate) fn is_true(&self, session: &mut Session, condition: &str) -> bool {
        let text = condition.strip_prefix('=').unwrap_or(condition);
        let text = if text.contains("{{") { format!("={text}") } else { format!("={{{{ {text} }}}}") };
        let mut expressions = SessionExpressions { session, code_limits: self.surroundings.code_limits };
        match expressions.resolve(&self.scope, &Value::String(text), 0..1).pop() {
            Some(Ok(value)) => is_truthy(value.as_ref()),
            Some(Err(_)) | None => true,
        }
    }

    /// An attempt at an effect node.
    pub(crate) async fn run_effect(&mut self, session: &mut Session) -> Result<Given, NodeError> {
        let plan = Arc::clone(&self.plan);
        let Behaviour::Effect(effect) = plan.node_type(self.task.node).behaviour() else {
            return self.run_pure(session);
        };
        let before = self.memory.clone();
        let mut expressions = SessionExpressions { session, code_limits: self.surroundings.code_limits };
        let mut run = NodeRun {
            tenant: self.surroundings.tenant,
            node: plan.node(self.task.node),
            helpers: Helpers::new(&plan.definition, &plan.graph),
            inputs: self.inputs.clone(),
            scope: self.scope.clone(),
            memory: &mut self.memory,
            idempotency_key: &self.idempotency_key,
            seed: self.seed,
            caller: self.caller,
            services: &self.surroundings.services,
            secrets: &self.secrets,
            expressions: &mut expressions,
        };
        let ran = AssertUnwindSafe(effect.run(&mut run)).catch_unwind().await;
        let ran = ran.unwrap_or_else(|panic| Err(broke_down(&*panic)));
        let mut output = if self.secrets.finder().is_some() { blocking(async { self.hidden(ran) })? } else { ran? };
        self.surroundings.services.binaries.settle(&mut output.outputs).await?;
        Ok(self.given(output, &before))
    }

    /// What a node gave, with marks in place of the secrets that it was given. Whatever becomes an event passes here.
    fn hidden<T: Hide>(&mut self, mut ran: Result<T, NodeError>) -> Result<T, NodeError> {
        if let Some(finder) = self.secrets.finder() {
            finder.hide_in_object(&mut self.memory);
            match &mut ran {
                Ok(given) => given.hide(&finder),
                Err(error) => error.hide(&finder),
            }
        }
        ran
    }

    /// What a node gave, in order, with its memory where that changed.
    fn given(&self, output: NodeOutput, before: &JsonObject) -> Given {
        let memory = (self.memory != *before).then(|| self.memory.clone());
        self.in_order(output, memory)
    }

    /// The input as a pure node gets it: for itself, where nobody needs it any more.
    fn input_of_pure(&mut self) -> (Vec<Items>, Scope) {
        if !self.uses_input_up() {
            return (self.inputs.clone(), self.scope.clone());
        }
        self.task.inputs.clear();
        (std::mem::take(&mut self.inputs), self.scope.take())
    }

    fn with_run<T>(
        &mut self,
        session: &mut Session,
        inputs: Vec<Items>,
        scope: Scope,
        call: impl FnOnce(&mut NodeRun<'_>) -> T,
    ) -> T {
        let mut expressions = SessionExpressions { session, code_limits: self.surroundings.code_limits };
        let mut run = NodeRun {
            tenant: self.surroundings.tenant,
            node: self.plan.node(self.task.node),
            helpers: Helpers::new(&self.plan.definition, &self.plan.graph),
            inputs,
            scope,
            memory: &mut self.memory,
            idempotency_key: &self.idempotency_key,
            seed: self.seed,
            caller: self.caller,
            services: &self.surroundings.services,
            secrets: &self.secrets,
            expressions: &mut expressions,
        };
        call(&mut run)
    }

    /// What goes on when the node failed and the workflow continues; `None` when it stops.
    pub(crate) fn continued(&self, error: &NodeError) -> Option<Outputs> {
        let items = || self.inputs.first().cloned().unwrap_or_default();
        match self.node().error_policy() {
            OnError::StopWorkflow => None,
            OnError::ContinueRegularOutput => Some(vec![items()]),
            OnError::ContinueErrorOutput => {
                let with_error = |(index, item): (usize, &Item)| {
                    let mut json = item.json.clone();
                    json.insert("error".to_owned(), Value::String(error.message.clone()));
                    Item::new(json).paired_with(index)
                };
                let mut outputs = vec![Items::default(); self.plan.shape(self.task.node).outputs];
                outputs.push(Arc::new(items().iter().enumerate().map(with_error).collect()));
                Some(outputs)
            }
        }
    }

    /// Puts a node's output in order: error items to the error output, pairs filled in, never nothing if so wished.
    fn in_order(&self, output: NodeOutput, memory: Option<JsonObject>) -> Given {
        let NodeOutput { mut outputs, hints, response, saved } = output;
        if self.node().error_policy() == OnError::ContinueErrorOutput {
            self.route_errors(&mut outputs);
        }
        self.fill_pairs(&mut outputs);
        for item in outputs.iter_mut().flatten() {
            if let Some(error) = &item.error {
                let message = error.get("message").unwrap_or(error).clone();
                item.json = SharedObject::from_iter([("error".to_owned(), message)]);
            }
        }
        let outputs = outputs.into_iter().map(Arc::new).collect();
        self.always_some(Given { outputs, memory, hints, response, saved })
    }

    fn route_errors(&self, outputs: &mut Vec<Vec<Item>>) {
        let regular = self.plan.shape(self.task.node).outputs;
        outputs.resize_with(regular + 1, Vec::new);
        let mut failed = Vec::new();
        for output in outputs.iter_mut().take(regular) {
            let (errors, good): (Vec<Item>, Vec<Item>) = std::mem::take(output).into_iter().partition(is_error_item);
            *output = good;
            failed.extend(errors.into_iter().map(|item| self.with_origin(item)));
        }
        outputs[regular].extend(failed);
    }

    /// A failed item with the fields of the item it was made from under its own.
    fn with_origin(&self, mut item: Item) -> Item {
        if let Some(error) = item.error.take()
            && !item.json.contains_key("error")
        {
            item.json.insert("error".to_owned(), error.get("message").unwrap_or(&error).clone());
        }
        let reference = item.paired_item.as_ref().and_then(|paired| paired.references().into_iter().next());
        let origin = reference.and_then(|reference| self.inputs.get(reference.input.unwrap_or(0))?.get(reference.item));
        if let Some(origin) = origin {
            let own = std::mem::replace(&mut item.json, origin.json.clone());
            item.json.extend(own);
        }
        item
    }

    fn fill_pairs(&self, outputs: &mut [Vec<Item>]) {
        let single_input = (self.counts.len() == 1).then(|| self.counts[0]);
        let same_count = outputs.len() == 1 && single_input == Some(outputs[0].len());
        for output in outputs {
            for (index, item) in output.iter_mut().enumerate() {
                if item.paired_item.is_some() {
                    continue;
                }
                match single_input {
                    Some(1) => item.paired_item = Some(PairedItem::index(0)),
                    Some(_) if same_count => item.paired_item = Some(PairedItem::index(index)),
                    _ => return,
                }
            }
        }
    }

    fn always_some(&self, mut given: Given) -> Given {
        let nothing = given.outputs.first().is_none_or(|items| items.is_empty());
        if nothing && self.node().always_output_data {
            let pairs = self
                .counts
                .iter()
                .enumerate()
                .flat_map(|(input, count)| (0..*count).map(move |item| PairedItem::of(item, input)));
            let item = Item { paired_item: Some(PairedItem::Many(pairs.collect())), ..Item::default() };
            if given.outputs.is_empty() {
                given.outputs.push(Items::default());
            }
            given.outputs[0] = Arc::new(vec![item]);
        }
        given
    }
}

/// What expressions read of the execution.
fn execution_info(machine: &Machine, surroundings: &Surroundings) -> ExecutionInfo {
    ExecutionInfo {
        id: surroundings.execution_id.clone(),
        mode: match machine.start().mode {
            ExecutionMode::Manual => "test".to_owned(),
            ExecutionMode::Production => "production".to_owned(),
        },
        resume_url: surroundings.resume_url.clone(),
    }
}

/// How many executions are above one that was started so.
fn depth(trigger: Option<&TriggerFacts>) -> u32 {
    match trigger {
        Some(TriggerFacts::SubWorkflow { depth, .. }) => *depth,
        _ => 0,
    }
}

/// The failure of a node whose code panicked: it fails like any other node, and the execution goes on or ends in order.
pub(crate) fn broke_down(panic: &(dyn Any + Send)) -> NodeError {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    NodeError::operation(format!("the node broke down: {}", said.unwrap_or("it gave no reason")))
        .described("This is a fault in the node's own code: report it with the node's type and this message.")
}

/// The output of a trigger on which the items of its request go on: one with several methods has an output for each.
fn way_through(node: &Node, start: &StartFacts) -> usize {
    let Some(TriggerFacts::Webhook { method, .. }) = &start.trigger else { return 0 };
    let methods = node.parameters.get("httpMethod").and_then(Value::as_array).filter(|_| node.name == start.start_node);
    let is_method = |candidate: &Value| candidate.as_str().is_some_and(|name| name.eq_ignore_ascii_case(method));
    methods.and_then(|methods| methods.iter().position(is_method)).unwrap_or(0)
}

/// As JavaScript sees it.
fn is_truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(truth)) => *truth,
        Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(_) | Value::Object(_)) => true,
    }
}

/// Whether an item says that it failed: it has an error, or nothing but `error`, or `error` and `message`.
fn is_error_item(item: &Item) -> bool {
    let only = |count: usize| item.json.len() == count;
    let truthy =
        |name: &str| item.json.get(name).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)));
    item.error.is_some() || (truthy("error") && (only(1) || (only(2) && truthy("message"))))
}

/// The same in every attempt at this node run, after a crash too.
pub(crate) fn idempotency_key(execution_id: &str, execution_index: usize) -> String {
    format!("{execution_id}-{execution_index}")
}

/// Inputs as a node gets them: each item names its own place, and `executeOnce` keeps the first of each.
fn ready_inputs(node: &Node, inputs: &[Option<Items>]) -> Vec<Items> {
    let ready = |(input, items): (usize, &Option<Items>)| {
        let items = items.clone().unwrap_or_default();
        let count = if node.execute_once { items.len().min(1) } else { items.len() };
        let own_place = |(index, item): (usize, &Item)| is_pair(item, index, input);
        if count == items.len() && items.iter().enumerate().all(own_place) {
            return items;
        }
        let placed = items
            .iter()
            .take(count)
            .enumerate()
            .map(|(index, item)| Item { paired_item: Some(PairedItem::of(index, input)), ..item.clone() });
        Arc::new(placed.collect())
    };
    inputs.iter().enumerate().map(ready).collect()
}

/// Makes inputs name their own places where they are, as [`ready_inputs`] would in a copy of them.
pub(crate) fn place_inputs(inputs: &mut [Option<Items>]) {
    for (input, items) in inputs.iter_mut().enumerate() {
        let Some(items) = items else { continue };
        if items.iter().enumerate().all(|(index, item)| is_pair(item, index, input)) {
            continue;
        }
        for (index, item) in Arc::make_mut(items).iter_mut().enumerate() {
            item.paired_item = Some(PairedItem::of(index, input));
        }
    }
}

fn is_pair(item: &Item, index: usize, input: usize) -> bool {
    match &item.paired_item {
        Some(PairedItem::One(reference)) => {
            reference.item == index && reference.input.unwrap_or(0) == input && reference.source_overwrite.is_none()
        }
        _ => false,
    }
}

fn previous_node(sources: &[Option<Source>]) -> Option<PreviousNode> {
    let source = sources.iter().flatten().next()?;
    Some(PreviousNode {
        name: source.previous_node.clone(),
        output_index: source.previous_node_output,
        run_index: source.previous_node_run,
    })
}

/// Chance for one node run out of the execution's seed.
fn mix(seed: u64, index: u64) -> u64 {
    chance::mixed(seed.wrapping_add(index.wrapping_mul(chance::STEP)))
}
