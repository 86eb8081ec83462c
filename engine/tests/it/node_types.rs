//! Node types for tests: what they do is said by their parameters.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, Ports};
use timeloom_domain::definition::Node;
use timeloom_domain::execution::{ExecutionEvent, Response, ResponseBody, ResumeKind, ResumeRule};
use timeloom_domain::item::{BinaryData, Item, JsonObject, PairedItem};
use timeloom_engine::node::{
    Behaviour, CallTarget, EffectNode, NodeError, NodeOutput, NodeRegistry, NodeResponse, NodeRun, NodeShape, NodeType,
    NodeWait, PureNode, RequiredInputs, SharedNodeType, SubWorkflowCall, WaitNode,
};
use timeloom_expressions::scope::{Found, Lookup};
use timeloom_store::{Direction, EventLog, Filter, MemoryLog, RecordedEvent, Revision, TenantScope, codec};
use tokio::sync::watch;

/// What the nodes did, as the world outside saw it.
#[derive(Default)]
pub(crate) struct Calls {
    made: Mutex<Vec<String>>,
    failed: Mutex<HashMap<String, usize>>,
    /// Whether calls that wait for it are answered.
    opened: watch::Sender<bool>,
}

impl Calls {
    /// Idempotency keys of the effects that were called, in order.
    pub(crate) fn made(&self) -> Vec<String> {
        self.made.lock().unwrap().clone()
    }

    /// Answers the calls with `gated`, those that wait and those to come.
    pub(crate) fn open(&self) {
        self.opened.send_replace(true);
    }

    /// Lets the world remember that attempts with that key failed before.
    pub(crate) fn remember_failures(&self, key: &str, count: usize) {
        self.failed.lock().unwrap().insert(key.to_owned(), count);
    }

    /// Whether this attempt is one of the first `failures` with its key.
    fn fails(&self, key: &str, failures: u64) -> bool {
        let mut failed = self.failed.lock().unwrap();
        let count = failed.entry(key.to_owned()).or_default();
        let fails = (*count as u64) < failures;
        *count += usize::from(fails);
        fails
    }
}

type Run = Box<dyn Fn(&mut NodeRun<'_>) -> Result<NodeOutput, NodeError> + Send + Sync>;

/// A type whose node computes by a function.
struct Pure {
    name: &'static str,
    closes_loops: bool,
    run: Run,
}

/// A type that passes its input on.
struct Pass(&'static str, NodeRole);

/// A type that waits as long as `for_ms` says, or until it is resumed.
struct Wait;

/// A type that calls the world.
struct Effect {
    calls: Arc<Calls>,
    log: Weak<MemoryLog>,
}

fn definition(name: &'static str, role: NodeRole, closes_loops: bool) -> NodeDefinition {
    let inputs = usize::from(!matches!(role, NodeRole::Trigger | NodeRole::ManualTrigger));
    NodeDefinition {
        node_type: name,
        display_name: "Sample",
        description: "A node for tests.",
        versions: &[1.0],
        role,
        ports: Ports { inputs, outputs: 1, closes_loops },
        ..NodeDefinition::BLANK
    }
}

/// Inputs and outputs as the parameters `inputs`, `outputs` and `required` say.
fn shape(node: &Node) -> NodeShape {
    let number = |name: &str| node.parameters.get(name).and_then(Value::as_u64).map(|count| count as usize);
    let required_inputs = match node.parameters.get("required") {
        Some(Value::String(_)) => RequiredInputs::All,
        Some(count) => RequiredInputs::AtLeast(count.as_u64().unwrap() as usize),
        None => RequiredInputs::Any,
    };
    NodeShape { inputs: number("inputs").unwrap_or(1), outputs: number("outputs").unwrap_or(1), required_inputs }
}

impl NodeType for Pure {
    fn definition(&self) -> NodeDefinition {
        definition(self.name, NodeRole::Pure, self.closes_loops)
    }

    fn shape(&self, node: &Node) -> NodeShape {
        shape(node)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Pure {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        (self.run)(run)
    }
}

impl NodeType for Pass {
    fn definition(&self) -> NodeDefinition {
        definition(self.0, self.1, false)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

/// A type that runs another workflow.
struct Call;

impl NodeType for Call {
    fn definition(&self) -> NodeDefinition {
        definition("test.call", NodeRole::Effect, false)
    }

    fn waits_for_others(&self) -> bool {
        true
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for Call {
    /// Calls the workflow `workflow`, or the one that `inline` holds, once for each item.
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let target = called(run);
        let waits = run.raw_parameter("forget").is_none();
        let mut given = Vec::new();
        for (number, item) in run.items().iter().enumerate() {
            let (node, target, items) = (run.node.name.clone(), target.clone(), vec![item.clone()]);
            let call = SubWorkflowCall { node, target, items, number, waits };
            let items = run.services.sub_workflows.call(&run.caller, call).await?;
            given.extend(items.into_iter().flatten().map(|item| item.paired_with(number)));
        }
        Ok(NodeOutput::single(given))
    }
}

/// The workflow that the parameters name or hold.
fn called(run: &NodeRun<'_>) -> CallTarget {
    let text = |name: &str| run.raw_parameter(name).and_then(Value::as_str).map(str::to_owned);
    match (text("workflow"), text("inline")) {
        (Some(reference), _) => CallTarget::Named { reference, name: None },
        (None, source) => CallTarget::Inline { source: source.unwrap() },
    }
}

impl NodeType for Effect {
    fn definition(&self) -> NodeDefinition {
        definition("test.effect", NodeRole::Effect, false)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

impl Effect {
    /// Whether the log shows that this very attempt was announced, and where effects do not overlap nothing of its stream
    /// after that.
    async fn is_announced(&self, key: &str, overlaps: bool) -> bool {
        let Some(log) = self.log.upgrade() else { return false };
        let starts = Filter { event_types: vec!["NodeStarted".into()], ..Filter::default() };
        let starts = log.read_all(TenantScope::All, log.head(), Direction::Backward, &starts, 1_000).await.unwrap();
        let announces = |event: &RecordedEvent| {
            let event: ExecutionEvent = codec::decode(event).unwrap();
            matches!(event, ExecutionEvent::NodeStarted { idempotency_key, .. } if idempotency_key == key)
        };
        let Some(start) = starts.iter().find(|event| announces(event)) else { return false };
        let newest = log.read_stream(&start.stream, Revision(u64::MAX), Direction::Backward, 1).await.unwrap();
        overlaps || newest[0].revision == start.revision
    }
}

#[async_trait]
impl EffectNode for Effect {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let key = run.idempotency_key.to_owned();
        let [stuck, sleep_ms, failures, gated] = ["stuck", "sleep_ms", "failures", "gated"]
            .map(|name| run.raw_parameter(name).and_then(Value::as_u64).unwrap_or(0));
        let overlaps = run.raw_parameter("overlaps").is_some();
        assert!(self.is_announced(&key, overlaps).await, "the effect {key} began before the log said so");
        self.calls.made.lock().unwrap().push(key.clone());
        if (self.calls.made().iter().filter(|made| **made == key).count() as u64) <= stuck {
            std::future::pending::<()>().await;
        }
        if gated > 0 {
            self.calls.opened.subscribe().wait_for(|opened| *opened).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(sleep_ms)).await;
        if self.calls.fails(&key, failures) {
            return Err(NodeError::api("the world said no"));
        }
        assert!(run.raw_parameter("panics").is_none(), "a fault in an effect");
        if run.raw_parameter("credential").is_some() {
            let fields = run.credential("httpBasicAuth").await?;
            return Ok(NodeOutput::single(vec![signed(fields)]));
        }
        let calls = run.memory.get("calls").and_then(Value::as_u64).unwrap_or(0) + 1;
        run.memory.insert("calls".to_owned(), json!(calls));
        Ok(NodeOutput::single(run.items().iter().map(|item| marked(item, &run.node.name)).collect()))
    }
}

/// The item without its origin, and with the name of the node that it passed.
fn marked(item: &Item, by: &str) -> Item {
    let mut json = item.json.clone();
    json.insert("by".to_owned(), json!(by));
    Item::new(json)
}

fn object(value: &Value) -> JsonObject {
    value.as_object().cloned().unwrap()
}

/// Gives the items that its parameter `give` lists by output; items with `json` are taken as they are.
fn give(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let outputs: Vec<Vec<Value>> = serde_json::from_value(run.raw_parameter("give").unwrap().clone()).unwrap();
    let item = |value: &Value| match value.get("json") {
        Some(_) => serde_json::from_value(value.clone()).unwrap(),
        None => Item::new(object(value)),
    };
    Ok(NodeOutput::many(outputs.iter().map(|items| items.iter().map(item).collect()).collect()))
}

fn mark(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    Ok(NodeOutput::single(run.items().iter().map(|item| marked(item, &run.node.name)).collect()))
}

/// All inputs, one after the other, each item paired with where it came from.
fn append(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let place = |input: usize| {
        move |(index, item): (usize, &Item)| Item { paired_item: Some(PairedItem::of(index, input)), ..item.clone() }
    };
    let items = run.inputs.iter().enumerate().flat_map(|(input, items)| items.iter().enumerate().map(place(input)));
    Ok(NodeOutput::single(items.collect()))
}

/// Counts its runs in its memory: output 0 until there were `rounds`, then output 1.
fn rounds(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let before = run.memory.get("count").and_then(Value::as_u64).unwrap_or(0);
    let more = before < run.raw_parameter("rounds").and_then(Value::as_u64).unwrap();
    run.memory.insert("count".to_owned(), json!(before + 1));
    let items: Vec<Item> = run.items().iter().map(|item| marked(item, &format!("round {before}"))).collect();
    Ok(NodeOutput::many(if more { vec![items, Vec::new()] } else { vec![Vec::new(), items] }))
}

/// One item for each of the input's: what of node `of` it was made from, as expressions would learn it.
fn trace(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let of = run.raw_parameter("of").and_then(Value::as_str).unwrap().to_owned();
    let found = |item_index| match run.scope.nodes.look_up(&Lookup::PairedItem { node: of.clone(), item_index }) {
        Ok(Found::Item(item)) => json!({"found": item.json}),
        Ok(_) => json!({"found": null}),
        Err(error) => json!({"problem": error.to_string()}),
    };
    Ok(NodeOutput::single((0..run.items().len()).map(|index| Item::new(object(&found(index)))).collect()))
}

/// Who the credential is of, and how long its secret is.
fn signed(fields: Option<JsonObject>) -> Item {
    let fields = fields.unwrap_or_default();
    let length = fields.get("password").and_then(Value::as_str).map(str::len);
    Item::new(object(&json!({"user": fields.get("user"), "length": length})))
}

/// Tells its credential in every way that a node has; where it has `fails`, in its failure.
fn tell(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let fields = run.credential_now("httpBasicAuth")?.unwrap_or_default();
    let secret = fields.get("password").and_then(Value::as_str).unwrap_or_default().to_owned();
    run.memory.insert("kept".to_owned(), json!(secret));
    if run.raw_parameter("fails").is_some() {
        let mut error = NodeError::api(format!("{secret} was refused")).described(STANDARD.encode(&secret));
        error.data = Some(json!({"sent": [secret]}));
        return Err(error);
    }
    assert!(run.raw_parameter("panics").is_none(), "it breaks with {secret}");
    let about = || BinaryData { mime_type: "text/plain".to_owned(), ..BinaryData::default() };
    let long = secret.repeat(2_000);
    let blob = run.binaries().keep_blocking(long.clone(), BinaryData { file_name: Some(secret.clone()), ..about() })?;
    let left = BinaryData { data: STANDARD.encode(&long), ..about() };
    let short = BinaryData { data: STANDARD.encode(&secret), ..about() };
    let mut item = Item::new(object(&json!({"text": format!("a {secret} b"), secret.clone(): fields})));
    item.binary =
        Some([("blob", blob), ("left", left), ("short", short)].map(|(name, file)| (name.into(), file)).into());
    let body = ResponseBody::Text { text: secret.clone() };
    let response = Response { status: 200, headers: vec![("x-echo".to_owned(), secret.clone())], body };
    Ok(NodeOutput {
        hints: vec![secret.clone()],
        saved: [("fact".to_owned(), secret)].into(),
        response: Some(NodeResponse { response, more: false }),
        ..NodeOutput::single(vec![item])
    })
}

fn sign(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    Ok(NodeOutput::single(vec![signed(run.credential_now("httpBasicAuth")?)]))
}

/// Answers the request with its first item, and notes its name.
fn respond(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let value = run.items().first().map_or_else(|| json!({}), |item| item.json.to_value());
    let response = Response { status: 201, headers: Vec::new(), body: ResponseBody::Json { value } };
    let saved = [("by".to_owned(), run.node.name.clone())].into();
    let response = Some(NodeResponse { response, more: false });
    Ok(NodeOutput { response, saved, ..mark(run)? })
}

impl NodeType for Wait {
    fn definition(&self) -> NodeDefinition {
        definition("test.wait", NodeRole::Effect, false)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Wait(self)
    }
}

impl WaitNode for Wait {
    fn wait(&self, run: &mut NodeRun<'_>) -> Result<Option<NodeWait>, NodeError> {
        let until_ms = run.raw_parameter("for_ms").and_then(Value::as_i64).map(|for_ms| run.scope.now_ms + for_ms);
        let resume = Some(ResumeRule { kind: ResumeKind::Webhook, method: None, suffix: None, form: None });
        Ok(Some(NodeWait { until_ms, resume }))
    }
}

/// All node types of these tests.
pub(crate) fn registry(calls: &Arc<Calls>, log: &Arc<MemoryLog>) -> NodeRegistry {
    let pure = |name, closes_loops, run: Run| Arc::new(Pure { name, closes_loops, run }) as SharedNodeType;
    let failing = Arc::clone(calls);
    let flaky = move |run: &mut NodeRun<'_>| {
        let failures = run.raw_parameter("failures").and_then(Value::as_u64).unwrap_or(u64::MAX);
        if failing.fails(run.idempotency_key, failures) {
            Err(NodeError::operation("it does not work"))
        } else {
            mark(run)
        }
    };
    let large = |run: &mut NodeRun<'_>| {
        let bytes = run.raw_parameter("bytes").and_then(Value::as_u64).unwrap() as usize;
        Ok(NodeOutput::single(vec![Item::new(object(&json!({"text": "x".repeat(bytes)})))]))
    };
    NodeRegistry::new([
        Arc::new(Pass("test.trigger", NodeRole::Trigger)) as SharedNodeType,
        Arc::new(Pass("test.pass", NodeRole::Pure)),
        Arc::new(Pass("n8n-nodes-base.executeWorkflowTrigger", NodeRole::Trigger)),
        Arc::new(Pass("n8n-nodes-base.errorTrigger", NodeRole::Trigger)),
        Arc::new(Call),
        Arc::new(Effect { calls: Arc::clone(calls), log: Arc::downgrade(log) }),
        Arc::new(Wait),
        pure("test.give", false, Box::new(give)),
        pure("test.respond", false, Box::new(respond)),
        pure("test.mark", false, Box::new(mark)),
        pure("test.append", false, Box::new(append)),
        pure("test.rounds", true, Box::new(rounds)),
        pure("test.sign", false, Box::new(sign)),
        pure("test.tell", false, Box::new(tell)),
        pure("test.trace", false, Box::new(trace)),
        pure("test.flaky", false, Box::new(flaky)),
        pure("test.large", false, Box::new(large)),
        pure("test.panics", false, Box::new(|_| panic!("a fault in a node"))),
    ])
}
