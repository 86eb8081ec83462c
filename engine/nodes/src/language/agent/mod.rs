//! AI Agent: a run of an agent for each item. What the agent is, the node and those that are attached to it say: its model, its
//! tools, its memory, the parser of its answer.
//!
//! The run is one like any other, with events of its own: every question to the model and every call of a tool is among them.

mod from_ai;
mod inline;
mod mcp;
mod request;
mod tools;

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::agent::{AgentFallback, AgentLimits, AgentMemorySettings, AgentRecord};
use timeloom_domain::catalogue::{Condition, HelperPorts, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::chat::ChatRequest;
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{AgentAnswer, AgentAsk, Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use super::asking::models_of;
use super::{LANGUAGE_MODEL, OUTPUT_PARSER, PROMPT_TYPE, schema};
use crate::describe::{ONE_TO_ONE, choice, collection, is, long_text, number, options, palette, switch};

const DEFINED: &[Condition] = &[is("promptType", &["define"])];

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "agent",
        &[
            choice("toolsAgent", "Tools Agent"),
            choice("conversationalAgent", "Conversational Agent"),
            choice("openAiFunctionsAgent", "OpenAI Functions Agent"),
            choice("planAndExecuteAgent", "Plan and Execute Agent"),
            choice("reActAgent", "ReAct Agent"),
        ],
        "The kind of agent; all of them are the same here.",
    )
    .until(1.9),
    options("promptType", PROMPT_TYPE, "Where the task is.").called("Source for prompt").or_text("auto").since(1.3),
    long_text("text", "The task; the item's own field when absent.").called("Prompt").until(1.2),
    long_text("text", "The task; the item's field chatInput when absent.")
        .called("Prompt (user message)")
        .like("Hello, how can you help me?")
        .when(DEFINED)
        .since(1.3),
    switch("hasOutputParser", "Whether the attached output parser says what is to be given.")
        .called("Require specific output format")
        .or_false(),
    switch("needsFallback", "Whether a second attached model is asked when the first cannot answer.")
        .called("Enable fallback model")
        .or_false()
        .since(FALLBACKS_SINCE),
    collection(
        "options",
        &[
            long_text("systemMessage", "What the model is told first.").or_text(SYSTEM_MESSAGE),
            number("maxIterations", "Most questions to the model, 1 to 256.").or_number(ITERATIONS),
            switch("returnIntermediateSteps", "Whether the calls of tools are given as well.").or_false(),
        ],
        "What else to decide.",
    ),
];

/// The kind of connection of memories.
const MEMORY: &str = "ai_memory";
/// The kind of connection of tools.
const TOOL: &str = "ai_tool";
/// The first version that may have a second model.
const FALLBACKS_SINCE: f64 = 2.1;
/// What the model is told where the node says nothing.
const SYSTEM_MESSAGE: &str = "You are a helpful assistant";
/// Questions to the model where the node says nothing.
const ITERATIONS: f64 = 10.0;
/// Exchanges that are remembered where the memory says nothing.
const EXCHANGES: f64 = 5.0;

/// AI Agent.
pub(crate) struct AiAgent;

impl NodeType for AiAgent {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "@n8n/n8n-nodes-langchain.agent",
            display_name: "AI Agent",
            description: "Runs an agent for each item: the attached model does the task with the attached tools.",
            versions: &[1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.2, 3.0, 3.1],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "bot", &["agent", "llm", "gpt", "chatbot", "assistant", "tools"]),
            ..NodeDefinition::BLANK
        }
    }

    fn helper_ports(&self, node: &Node) -> HelperPorts {
        let ports = HelperPorts::default().requiring(LANGUAGE_MODEL).taking(MEMORY).taking(TOOL);
        let has_parser = node.parameters.get("hasOutputParser").and_then(Value::as_bool) == Some(true);
        if has_parser { ports.requiring(OUTPUT_PARSER) } else { ports.taking(OUTPUT_PARSER) }
    }

    fn waits_for_others(&self) -> bool {
        true
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for AiAgent {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let count = run.items().len();
        let mut given = Vec::with_capacity(count);
        for index in 0..count {
            match answered(run, index).await {
                Ok(json) => given.push(Item::new(json).paired_with(index)),
                Err(error) if run.continues_on_fail() => given.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::single(given))
    }
}

async fn answered(run: &mut NodeRun<'_>, index: usize) -> Result<JsonObject, NodeError> {
    let input = Value::String(task(run, index)?);
    let (memory, session) = memory(run, index)?;
    let record = AgentRecord { memory, ..record(run, index)? };
    let ask = AgentAsk {
        node: run.node.name.clone(),
        // Memories of one workflow are those of all its agents.
        agent: format!("workflow/{}", run.caller.workflow_id),
        version: None,
        record: Some(Box::new(record)),
        input,
        session,
        number: index,
    };
    let shows_steps = run.boolean("options.returnIntermediateSteps", index, false)?;
    let AgentAnswer { run: id, output, steps } = run.services.agents.run(&run.caller, ask).await?;
    let mut fields = JsonObject::from_iter([("output".to_owned(), output), ("runId".to_owned(), json!(id))]);
    if shows_steps {
        let steps = steps.into_iter().map(|step| {
            let input = serde_json::from_str(&step.arguments).unwrap_or(Value::String(step.arguments));
            json!({
                "action": {"tool": step.tool, "toolInput": input, "toolCallId": step.id},
                "observation": step.observation,
            })
        });
        fields.insert("intermediateSteps".to_owned(), steps.collect());
    }
    Ok(fields)
}

/// What the agent is to do with an item.
fn task(run: &mut NodeRun<'_>, index: usize) -> Result<String, NodeError> {
    let version = run.version();
    let is_defined = version < 1.3 || run.text("promptType", index, "auto")? == "define";
    let field = match version {
        version if version < 1.1 => "input",
        version if version < 1.2 => "chat_input",
        _ => "chatInput",
    };
    let own = if is_defined { run.text("text", index, "")? } else { String::new() };
    let of_item = || run.scope.items.get(index).and_then(|item| item.json.get(field).cloned());
    let takes_field = own.is_empty() && (!is_defined || run.raw_parameter("text").is_none());
    let text = match takes_field {
        true => of_item().as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
        false => own,
    };
    if text.trim().is_empty() {
        let advice = match takes_field {
            true => format!("give the item a field {field}, or choose to define the prompt"),
            false => "write one, or an expression that is not empty for this item".to_owned(),
        };
        return Err(NodeError::operation("there is no prompt").described(advice));
    }
    Ok(text)
}

/// What the agent is, but for its memory.
fn record(run: &mut NodeRun<'_>, index: usize) -> Result<AgentRecord, NodeError> {
    if run.version() < 2.0 && run.text("agent", index, "")? == "sqlAgent" {
        let message = "agents that ask a database by themselves do not run here";
        return Err(
            NodeError::operation(message).described("choose the tools agent, with a tool that asks the database")
        );
    }
    let mut models = models_of(run, index)?.into_iter();
    let model = models.next().unwrap_or_default();
    let fallback = fallback(run, models.next(), index)?;
    let attached = run.attached(TOOL);
    let tools = attached.into_iter().map(|tool| tools::tool_of(run, tool, index)).collect::<Result<_, _>>()?;
    let has_parser = run.boolean("hasOutputParser", index, false)?;
    let parser = run.attached(OUTPUT_PARSER).into_iter().next().filter(|_| has_parser);
    let output_schema = parser.map(|parser| schema::of_parser(run, parser, index)).transpose()?;
    let turns = run.number("options.maxIterations", index, ITERATIONS)?.clamp(1.0, 256.0) as u32;
    Ok(AgentRecord {
        model: model.model,
        fallback,
        sampling: model.sampling,
        prompt: run.text("options.systemMessage", index, SYSTEM_MESSAGE)?,
        tools,
        output_schema,
        limits: AgentLimits { turns, ..AgentLimits::default() },
        ..AgentRecord::default()
    })
}

/// The second model, where the node says that it stands in for the first.
fn fallback(
    run: &mut NodeRun<'_>,
    second: Option<ChatRequest>,
    index: usize,
) -> Result<Option<Box<AgentFallback>>, NodeError> {
    if run.version() < FALLBACKS_SINCE || !run.boolean("needsFallback", index, false)? {
        return Ok(None);
    }
    let missing = || {
        NodeError::operation("there is no second language model to stand in for the first")
            .described("attach one, or switch the fallback model off")
    };
    let ChatRequest { model, sampling, .. } = second.ok_or_else(missing)?;
    Ok(Some(Box::new(AgentFallback { model, sampling })))
}

/// How much is remembered, and of which session.
fn memory(run: &mut NodeRun<'_>, index: usize) -> Result<(Option<AgentMemorySettings>, Option<String>), NodeError> {
    let Some(memory) = run.attached(MEMORY).into_iter().next() else { return Ok((None, None)) };
    let kept = run.number_of(memory, "contextWindowLength", index)?.unwrap_or(EXCHANGES);
    let is_own = run.text_of(memory, "sessionIdType", index, "fromInput")? == "customKey";
    let own = run.text_of(memory, "sessionKey", index, "")?;
    let of_item = run.scope.items.get(index).and_then(|item| item.json.get("sessionId").cloned());
    let session = match of_item {
        _ if is_own || !own.is_empty() => own,
        Some(Value::String(session)) => session,
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    if session.trim().is_empty() {
        let message = format!("the memory '{}' has no session", memory.name);
        return Err(NodeError::operation(message).described("give the item a field sessionId, or the memory a key"));
    }
    let exchanges_max = kept.clamp(1.0, 100.0) as u32;
    Ok((Some(AgentMemorySettings { exchanges_max }), Some(session)))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use timeloom_domain::agent::ToolAction;
    use timeloom_domain::ids::AgentRunId;
    use timeloom_engine::node::{Agents, Caller};
    use uuid::Uuid;

    use super::*;
    use crate::language::testing::given;
    use crate::testing::Bench;

    /// Keeps what it is asked.
    #[derive(Debug, Clone, Default)]
    struct Kept(Arc<Mutex<Vec<AgentAsk>>>);

    #[async_trait]
    impl Agents for Kept {
        async fn run(&self, _: &Caller, ask: AgentAsk) -> Result<AgentAnswer, NodeError> {
            self.0.lock().unwrap().push(ask);
            Ok(AgentAnswer { run: AgentRunId(Uuid::nil()), output: json!("done"), steps: Vec::new() })
        }
    }

    fn agent(version: f64, parameters: Value) -> Bench<'static> {
        Bench::new(&AiAgent, version, parameters).input(json!([{"chatInput": "Do it.", "host": "{{ 1 }}"}])).helper(
            LANGUAGE_MODEL,
            "@n8n/n8n-nodes-langchain.lmChatOpenAi",
            json!({"model": "m"}),
        )
    }

    async fn record_with(tool: &'static str, parameters: Value) -> Result<AgentRecord, NodeError> {
        record_of(agent(2.2, json!({})).helper(TOOL, tool, parameters)).await
    }

    async fn record_of(mut bench: Bench<'_>) -> Result<AgentRecord, NodeError> {
        let kept = Kept::default();
        bench.services.agents = Arc::new(kept.clone());
        given(&mut bench).await?;
        let ask = kept.0.lock().unwrap().pop().unwrap();
        assert_eq!(ask.input, "Do it.");
        Ok(*ask.record.unwrap())
    }

    fn parameters(record: &AgentRecord) -> Value {
        let ToolAction::Inline { source } = &record.tools[0].does else { panic!("{record:?}") };
        serde_json::from_str::<Value>(source).unwrap()["nodes"][1]["parameters"].clone()
    }

    #[tokio::test]
    async fn a_second_model_stands_in_where_the_node_says_so_and_must_be_there_then() {
        let second = |bench: Bench<'static>| {
            let parameters = json!({"model": {"value": "other"}, "options": {"temperature": 0.5}});
            bench.helper(LANGUAGE_MODEL, "@n8n/n8n-nodes-langchain.lmChatAnthropic", parameters)
        };
        let wanted = json!({"needsFallback": true});
        let record = record_of(second(agent(2.1, wanted.clone()))).await.unwrap();
        let fallback = record.fallback.unwrap();
        assert_eq!((record.model.as_str(), fallback.model.as_str()), ("m", "other"));
        assert_eq!((record.sampling.temperature, fallback.sampling.temperature), (None, Some(0.5)));
        assert_eq!(record_of(second(agent(2.1, json!({})))).await.unwrap().fallback, None);
        assert_eq!(
            record_of(second(agent(2.0, wanted.clone()))).await.unwrap().fallback,
            None,
            "it is of later versions"
        );
        let error = record_of(agent(3.1, wanted)).await.unwrap_err();
        assert!(error.message.contains("no second language model"), "{error}");
    }

    #[tokio::test]
    async fn a_request_has_arguments_for_its_placeholders_and_nothing_is_evaluated_twice() {
        let tool = json!({"method": "POST", "url": "=https://x.example/{id}", "sendBody": true, "specifyBody": "json",
            "jsonBody": "={\"of\": \"{{ $json.host }}\", \"text\": \"{text}\"}",
            "placeholderDefinitions": {"values": [{"name": "id", "type": "number", "description": "which"}]}});
        let record = record_with("@n8n/n8n-nodes-langchain.toolHttpRequest", tool).await.unwrap();
        let tool = &record.tools[0];
        assert_eq!(tool.parameters["properties"]["id"], json!({"type": "number", "description": "which"}));
        assert_eq!(tool.parameters["required"], json!(["id", "text"]));
        let made = parameters(&record);
        assert!(made["url"].as_str().unwrap().contains("encodeURIComponent($json[\"id\"])"), "{made}");
        assert!(!made["jsonBody"].as_str().unwrap().contains("{{ 1 }}"), "{made}");
        assert!(Value::Object(tool.fixed.clone()).to_string().contains("{{ 1 }}"), "{:?}", tool.fixed);
    }

    #[tokio::test]
    async fn the_tools_of_a_server_are_granted_as_the_node_says() {
        let client = "@n8n/n8n-nodes-langchain.mcpClientTool";
        let with = |version: f64, parameters: Value| {
            let mut bench = agent(2.2, json!({})).helper(TOOL, client, parameters);
            let tool = bench.helper_node(TOOL);
            tool.type_version = version;
            let credential = json!({"httpHeaderAuth": {"id": "1", "name": "Shop"}});
            tool.credentials = Some(credential);
            record_of(bench)
        };
        let parameters = json!({
            "endpointUrl": "https://mcp.example/mcp", "serverTransport": "httpStreamable", "authentication": "headerAuth",
            "include": "selected", "includeTools": ["find", "order"], "options": {"timeout": 5000},
        });
        let record = with(1.2, parameters).await.unwrap();
        let ToolAction::Mcp(mcp) = &record.tools[0].does else { panic!("{record:?}") };
        let wanted = json!({
            "server": "https://mcp.example/mcp", "credential": {"credential_type": "httpHeaderAuth", "name": "Shop"},
            "tools": ["find", "order"], "pin": false,
        });
        assert_eq!(serde_json::to_value(mcp).unwrap(), wanted);
        assert_eq!(record.tools[0].time_ms_max, 5_000);
        record.check().unwrap();
        let all =
            with(1.2, json!({"endpointUrl": "files", "include": "except", "excludeTools": ["drop"]})).await.unwrap();
        let ToolAction::Mcp(mcp) = &all.tools[0].does else { panic!("{all:?}") };
        assert_eq!(serde_json::to_value(&mcp.tools).unwrap(), json!({"except": ["drop"]}));
        let by_events = json!({"endpointUrl": "https://mcp.example/sse", "serverTransport": "sse"});
        for (version, parameters) in [(1.0, json!({"sseEndpoint": "https://mcp.example/sse"})), (1.1, by_events)] {
            let older = with(version, parameters).await.unwrap();
            let ToolAction::Mcp(mcp) = &older.tools[0].does else { panic!("{older:?}") };
            assert_eq!(mcp.server, "https://mcp.example/sse");
        }
        for (version, parameters, why) in [
            (1.0, json!({"endpointUrl": "https://mcp.example/mcp"}), "names no server"),
            (1.2, json!({"endpointUrl": ""}), "names no server"),
            (
                1.2,
                json!({"endpointUrl": "https://a/mcp", "authentication": "mcpOAuth2Api"}),
                "no credential of type 'mcpOAuth2Api'",
            ),
            (1.2, json!({"endpointUrl": "https://a/mcp", "authentication": "basicAuth"}), "'basicAuth'"),
            (1.2, json!({"endpointUrl": "https://a/mcp", "include": "selected"}), "no tools are selected"),
        ] {
            let error = with(version, parameters).await.unwrap_err();
            assert!(error.message.contains(why), "{error}");
        }
    }

    #[tokio::test]
    async fn a_node_as_a_tool_is_filled_by_the_model_and_refused_where_that_cannot_be() {
        let tool = json!({"toolDescription": "Gets it.", "url": "=https://x.example/{{ $fromAI('id') }}",
            "sendQuery": "={{ $json.host }}"});
        let record = record_with("n8n-nodes-base.httpRequestTool", tool).await.unwrap();
        assert_eq!(record.tools[0].description, "Gets it.");
        let made = parameters(&record);
        assert!(made["url"].as_str().unwrap().contains("encodeURIComponent($json[\"id\"])"), "{made}");
        assert_eq!(record.tools[0].fixed["$given"], json!(["{{ 1 }}"]));
        let mixed = json!({"url": "={{ $json.host + $fromAI('id') }}"});
        let error = record_with("n8n-nodes-base.httpRequestTool", mixed).await.unwrap_err();
        assert!(error.message.contains("it mixes $fromAI with $json"), "{error}");
    }
}
