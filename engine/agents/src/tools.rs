//! Calls tools. What a call may do was decided before; what comes back is bounded, and secrets in it are hidden.

use std::time::Duration;

use serde_json::{Value, json};
use timeloom_commands::agent::schema::check_value;
use timeloom_domain::agent::{AgentTool, GIVEN_ARGUMENT, HttpTool, NodeTool, ToolAction, ToolCredential};
use timeloom_domain::agent_run::{AgentRun, AgentRunEvent, AgentRunFacts};
use timeloom_domain::chance::mixed;
use timeloom_domain::definition::Node;
use timeloom_domain::execution::{ExecutionMode, set_parameter};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_domain::trace::ExecutionTrace;
use timeloom_engine::alone::{Alone, run_alone};
use timeloom_engine::node::{CallTarget, Caller, NodeError, SubWorkflowCall};
use tokio::sync::SemaphorePermit;
use uuid::Uuid;

use crate::drive::{Driver, Taken, tool_of};

/// The node that sends requests.
const HTTP_NODE: &str = "n8n-nodes-base.httpRequest";
/// Its version whose parameters are written here.
const HTTP_NODE_VERSION: f64 = 4.2;
/// Longest reason that is told, in characters.
const MESSAGE_CHARACTERS_MAX: usize = 2_000;
/// Places of calls in one turn, to tell them apart.
const PLACES: usize = 1_000;

/// One call of a tool.
pub(crate) struct Call<'a> {
    pub(crate) facts: &'a AgentRunFacts,
    pub(crate) tool: &'a AgentTool,
    pub(crate) arguments: JsonObject,
    pub(crate) call: &'a str,
    pub(crate) attempt: u32,
    pub(crate) key: &'a str,
}

impl Driver {
    /// Why what the model filled in does not fit the tool's parameters.
    pub(crate) fn misfit(&self, run: &AgentRun, call: &str) -> Option<String> {
        let open = run.call(call).filter(|open| !open.is_about_tools())?;
        let tool = run.tool(&open.tool)?;
        let text = if open.arguments.trim().is_empty() { "{}" } else { &open.arguments };
        let filled: Value = serde_json::from_str(text).ok()?;
        let why = check_value(&tool.parameters, &filled).err()?;
        Some(format!("the arguments of '{}' do not fit: {why}", tool.name))
    }

    /// Calls a tool. One that mostly waits for other runs or executions gives its place up: those need places, too.
    pub(crate) async fn call(
        &self,
        run: &AgentRun,
        call: String,
        arguments: JsonObject,
        attempt: u32,
        place: SemaphorePermit<'_>,
    ) -> Taken {
        let Some(facts) = run.facts.as_deref() else { return Taken::Look };
        let Some(tool) = run.tool(&tool_of(run, &call)) else { return Taken::Look };
        let idempotency_key = format!("{}/{call}", self.run);
        let called = AgentRunEvent::AgentToolCalled {
            call: call.clone(),
            tool: tool.name.clone(),
            arguments: arguments.clone(),
            idempotency_key: idempotency_key.clone(),
            attempt,
            at_ms: self.now_ms(),
        };
        match self.take(called).await {
            Taken::Look => {}
            not_begun => return not_begun,
        }
        let time_max = Duration::from_millis(tool.time_ms_max).min(self.time_left(run));
        let doing = Call { facts, tool, arguments, call: &call, attempt, key: &idempotency_key };
        let _place = (!self.waits_for_others(tool)).then_some(place);
        let site = self.site();
        let ran = self.unless_over(tokio::time::timeout(time_max, site.carry_out(doing))).await;
        let Some(ran) = ran else { return Taken::Look };
        let at_ms = self.now_ms();
        let event = match ran {
            Ok(Ok(items)) => {
                let (content, cut_off_from_bytes) = bounded(content(&items), tool.result_bytes_max as usize);
                AgentRunEvent::AgentToolAnswered { call, content, cut_off_from_bytes, at_ms }
            }
            Ok(Err(error)) => {
                let (code, message) = ("TOOL_FAILED".to_owned(), told(&error));
                AgentRunEvent::AgentToolFailed { call, code, message, at_ms }
            }
            Err(_) => {
                let message = format!("it did not end within {} ms", time_max.as_millis());
                AgentRunEvent::AgentToolFailed { call, code: "TOOL_TIMEOUT".to_owned(), message, at_ms }
            }
        };
        self.take(event).await
    }

    fn waits_for_others(&self, tool: &AgentTool) -> bool {
        match &tool.does {
            ToolAction::Http(_) | ToolAction::Mcp(_) | ToolAction::McpTool(_) => false,
            ToolAction::Workflow { .. } | ToolAction::Inline { .. } => true,
            ToolAction::Node(node) => {
                let known = self.runs.inner.parts.registry.get(&node.node_type);
                known.is_some_and(|known| known.waits_for_others())
            }
        }
    }

    /// What calls need of it, apart from it: it hears meanwhile what people say.
    pub(crate) fn site(&self) -> Site {
        Site { runs: self.runs.clone(), tenant: self.tenant, run: self.run.0, now_ms: self.now_ms() }
    }
}

/// Where calls are made.
pub(crate) struct Site {
    runs: crate::AgentRuns,
    tenant: timeloom_domain::ids::TenantId,
    run: Uuid,
    now_ms: i64,
}

impl Site {
    async fn carry_out(&self, call: Call<'_>) -> Result<Vec<Item>, NodeError> {
        match &call.tool.does {
            ToolAction::Http(http) => self.send(http, call).await,
            ToolAction::Node(node) => self.run_node(node, call).await,
            ToolAction::McpTool(mcp) => self.call_mcp(mcp, call).await,
            // The run has its tools in its place.
            ToolAction::Mcp(_) => Err(NodeError::operation("a server is no tool: call one of its tools")),
            ToolAction::Workflow { workflow } => {
                self.run_workflow(CallTarget::Named { reference: workflow.clone(), name: None }, &call).await
            }
            ToolAction::Inline { source } => {
                self.run_workflow(CallTarget::Inline { source: source.clone() }, &call).await
            }
        }
    }

    async fn run_workflow(&self, target: CallTarget, call: &Call<'_>) -> Result<Vec<Item>, NodeError> {
        let asked = SubWorkflowCall {
            node: format!("{}: {}", call.facts.agent, call.tool.name),
            target,
            items: vec![Item::new(call.arguments.clone())],
            number: 0,
            waits: true,
        };
        let services = &self.runs.inner.parts.services;
        Ok(services.sub_workflows.call(&self.caller(call), asked).await?.unwrap_or_default())
    }

    async fn send(&self, http: &HttpTool, call: Call<'_>) -> Result<Vec<Item>, NodeError> {
        let request = http.request(&call.arguments).map_err(NodeError::operation)?;
        let pairs = |pairs: Vec<(String, String)>| -> Value {
            pairs.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
        };
        let headers = http.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut parameters = json!({
            "method": http.method,
            "url": request.url,
            "sendHeaders": true,
            "headerParameters": {"parameters": pairs(headers)},
            "options": {"redirect": {"redirect": {"followRedirects": false}}},
        });
        if !request.query.is_empty() {
            parameters["sendQuery"] = json!(true);
            parameters["queryParameters"] = json!({"parameters": pairs(request.query)});
        }
        if let Some(body) = request.body {
            parameters["sendBody"] = json!(true);
            parameters["specifyBody"] = json!("json");
            parameters["jsonBody"] = Value::String(Value::Object(body).to_string());
        }
        if let Some(credential) = &http.credential {
            let generic = credential.credential_type.starts_with("http") || credential.credential_type == "oAuth2Api";
            let (kind, field) = match generic {
                true => ("genericCredentialType", "genericAuthType"),
                false => ("predefinedCredentialType", "nodeCredentialType"),
            };
            parameters["authentication"] = json!(kind);
            parameters[field] = json!(credential.credential_type);
        }
        self.run_one(HTTP_NODE, HTTP_NODE_VERSION, parameters, http.credential.as_ref(), &call).await
    }

    async fn run_node(&self, node: &NodeTool, call: Call<'_>) -> Result<Vec<Item>, NodeError> {
        let mut parameters = Value::Object(node.parameters.clone());
        for (argument, place) in &node.fills {
            let Some(value) = call.arguments.get(argument) else { continue };
            if !set_parameter(&mut parameters, place, value.clone()) {
                return Err(NodeError::operation(format!("'{argument}' cannot be filled in at {place}"))
                    .described("Give the parameter a value in the tool's record, so that there is a place for it."));
            }
        }
        self.run_one(&node.node_type, node.version, parameters, node.credential.as_ref(), &call).await
    }

    pub(crate) async fn run_one(
        &self,
        node_type: &str,
        version: f64,
        parameters: Value,
        credential: Option<&ToolCredential>,
        call: &Call<'_>,
    ) -> Result<Vec<Item>, NodeError> {
        let parts = &self.runs.inner.parts;
        let known = parts.registry.get(node_type);
        let known = known.ok_or_else(|| NodeError::operation(format!("there is no node of type {node_type} here")))?;
        let mut node = json!({
            "id": call.call, "name": call.tool.name, "type": node_type, "typeVersion": version, "parameters": parameters,
        });
        if let Some(ToolCredential { credential_type, name }) = credential {
            node["credentials"] = json!({credential_type: {"name": name}});
        }
        let node: Node = serde_json::from_value(node)
            .map_err(|error| NodeError::operation(format!("the tool's node cannot be read: {error}")))?;
        let alone = Alone {
            node,
            items: vec![Item::new(call.arguments.clone())],
            caller: self.caller(call),
            idempotency_key: call.key,
            seed: mixed(call.facts.seed ^ place_of(call.call) as u64),
            now_ms: self.now_ms,
        };
        run_alone(known, &parts.services, alone).await
    }

    /// A call, as nodes know it: an execution of its own, with the run's id.
    fn caller(&self, call: &Call<'_>) -> Caller {
        let asked_by = call.facts.caller.as_ref();
        let (id, place) = (ExecutionId(self.run), place_of(call.call));
        let trace = ExecutionTrace::of(id, None);
        Caller {
            tenant: self.tenant,
            workflow_id: asked_by.map_or(WorkflowId(Uuid::nil()), |caller| caller.workflow),
            execution_id: id,
            execution_index: place,
            attempt: call.attempt,
            attempts_max: 1,
            mode: ExecutionMode::Production,
            depth: asked_by.map_or(0, |caller| caller.depth),
            span: trace.within(trace.node_run(place), self.runs.inner.parts.services.tracing.sampling),
        }
    }
}

/// The place of a call among all of a run.
fn place_of(call: &str) -> usize {
    let mut numbers = call.split('.').map(|number| number.parse::<usize>().unwrap_or_default());
    numbers.next().unwrap_or_default() * PLACES + numbers.next().unwrap_or_default()
}

/// What a tool gave, as text.
fn content(items: &[Item]) -> String {
    let told = |item: &Item| {
        let mut json = (*item.json).clone();
        json.retain(|name, _| name != GIVEN_ARGUMENT);
        Value::Object(json)
    };
    match items {
        [] => "nothing".to_owned(),
        [one] => told(one).to_string(),
        many => many.iter().map(told).collect::<Value>().to_string(),
    }
}

fn bounded(mut content: String, bytes_max: usize) -> (String, Option<u64>) {
    let bytes = content.len();
    if bytes <= bytes_max {
        return (content, None);
    }
    content.truncate(content.floor_char_boundary(bytes_max));
    (content, Some(bytes as u64))
}

pub(crate) fn told(error: &NodeError) -> String {
    let description = error.description.as_deref().map(|description| format!(" {description}")).unwrap_or_default();
    format!("{error}{description}").chars().take(MESSAGE_CHARACTERS_MAX).collect()
}
