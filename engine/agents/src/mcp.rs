//! Tools on servers of the Model Context Protocol: the list that a run begins with, and the calls.
//!
//! Servers are asked by the node that does it for workflows too. Whatever comes back is data: a list is checked before it is
//! written down, and what a tool gives is checked against what its server said that it gives.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use timeloom_commands::agent::schema::{check_schema, check_value};
use timeloom_domain::agent::{AgentTool, ListedTool, MCP_NODE, McpTool, McpTools, ToolCredential, mcp_tool};
use timeloom_domain::agent_run::{AgentRun, AgentRunEvent};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::NodeError;

use crate::drive::{Driver, Taken};
use crate::tools::{Call, Site, told};

/// The node's version whose parameters are written here.
const MCP_NODE_VERSION: f64 = 1.0;
/// How often a server is asked for its tools that does not answer.
const LIST_TRIES_MAX: u32 = 3;
/// Pause before it is asked again; twice as long each time.
const LIST_PAUSE: Duration = Duration::from_millis(500);
/// How much longer than the tool's limit the node would wait, in milliseconds.
const TIME_MS_MORE: u64 = 1_000;
/// Longest name, version and revision that a server gives itself, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// What the node gives for a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    protocol_version: String,
    server: Named,
    tools: Vec<Told>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
    version: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    name: String,
    #[serde(default)]
    description: String,
    input_schema: Value,
    #[serde(default)]
    output_schema: Option<Value>,
}

impl Driver {
    /// Asks a server for its tools, and writes the list down. A run whose server has no such tools, or does not answer, fails.
    pub(crate) async fn list_tools(&self, run: &AgentRun, grant: String) -> Taken {
        let Some((tool, mcp)) = run.grant(&grant) else { return Taken::Look };
        let asked = self.unless_over(tokio::time::timeout(self.time_left(run), self.listing(run, tool, mcp)));
        let found = match asked.await {
            None => return Taken::Look,
            Some(Ok(found)) => found,
            // The limit of time is what the run fails with.
            Some(Err(_)) => return Taken::Look,
        };
        let at_ms = self.now_ms();
        let event = found.and_then(|listing| listed(run, (&grant, mcp), listing, at_ms)).unwrap_or_else(|why| {
            let message = format!("the tools of '{grant}' cannot be used: {why}");
            AgentRunEvent::AgentRunFailed { code: "TOOLS_NOT_LISTED".to_owned(), message, at_ms }
        });
        self.take(event).await
    }

    async fn listing(&self, run: &AgentRun, tool: &AgentTool, mcp: &McpTools) -> Result<Listing, String> {
        let Some(facts) = run.facts.as_deref() else { return Err("the run has not begun".to_owned()) };
        let (key, site) = (format!("{}/tools/{}", self.run, tool.name), self.site());
        let (mut pause, mut why) = (LIST_PAUSE, String::new());
        for attempt in 1..=LIST_TRIES_MAX {
            if attempt > 1 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            let call = Call { facts, tool, arguments: JsonObject::new(), call: "0.0", attempt, key: &key };
            let time_max = Duration::from_millis(tool.time_ms_max);
            let parameters = json!({"operation": "list"});
            let asking = site.ask_mcp(&mcp.server, mcp.credential.as_ref(), parameters, call);
            why = match tokio::time::timeout(time_max, asking).await {
                Ok(Ok(json)) => return serde_json::from_value(json).map_err(|error| format!("its list: {error}")),
                Ok(Err(error)) => told(&error),
                Err(_) => format!("it did not list them within {} ms", time_max.as_millis()),
            };
        }
        Err(why)
    }
}

/// The event that a list is.
fn listed(
    run: &AgentRun,
    (grant, mcp): (&str, &McpTools),
    listing: Listing,
    at_ms: i64,
) -> Result<AgentRunEvent, String> {
    let tool = |told: Told| {
        let Told { name, description, input_schema: parameters, output_schema: output } = told;
        ListedTool { name, description, parameters, output }
    };
    let tools = mcp.chosen(listing.tools.into_iter().map(tool).collect())?;
    for tool in &tools {
        for schema in std::iter::once(&tool.parameters).chain(&tool.output) {
            check_schema(schema).map_err(|why| format!("its tool '{}': {why}", tool.name))?;
        }
    }
    run.tools_of(grant, &tools)?;
    let short = |text: String| text.chars().take(NAME_CHARACTERS_MAX).collect::<String>();
    Ok(AgentRunEvent::AgentToolsListed {
        tool: grant.to_owned(),
        server: mcp.server.clone(),
        name: short(listing.server.name),
        version: short(listing.server.version),
        protocol: short(listing.protocol_version),
        digest: mcp_tool::digest(&tools),
        tools,
        at_ms,
    })
}

impl Site {
    /// Calls a tool of a server.
    pub(crate) async fn call_mcp(&self, mcp: &McpTool, call: Call<'_>) -> Result<Vec<Item>, NodeError> {
        let parameters = json!({
            "operation": "call",
            "tool": mcp.tool,
            "arguments": call.arguments,
            // What it gives is held to the list with which the run began, not to one of now.
            "checkOutput": false,
            "attachments": false,
        });
        let mut gave = self.ask_mcp(&mcp.server, mcp.credential.as_ref(), parameters, call).await?;
        let structured = gave.get_mut("structuredContent").map(Value::take).filter(|content| !content.is_null());
        if let Some(schema) = &mcp.output {
            let fits = structured.as_ref().ok_or_else(|| "there is no structured content in it".to_owned());
            fits.and_then(|content| check_value(schema, content)).map_err(|why| {
                let message = format!("what '{}' gave is not what its server said that it gives: {why}", mcp.tool);
                NodeError::api(message.chars().take(1_000).collect::<String>())
            })?;
        }
        let text = gave.get("text").and_then(Value::as_str).unwrap_or_default();
        let mut told = JsonObject::new();
        // Servers say what is structured once more as text, for clients that read nothing else.
        let is_repeated = structured.is_some() && serde_json::from_str::<Value>(text).ok() == structured;
        if !text.is_empty() && !is_repeated {
            told.insert("text".to_owned(), json!(text));
        }
        if let Some(structured) = structured {
            told.insert("structuredContent".to_owned(), structured);
        }
        Ok(vec![Item::new(told)])
    }

    /// What the node gives that asks a server.
    async fn ask_mcp(
        &self,
        server: &str,
        credential: Option<&ToolCredential>,
        mut parameters: Value,
        call: Call<'_>,
    ) -> Result<Value, NodeError> {
        parameters["server"] = json!(server);
        // The limit of the tool is over before: its end is told as that.
        parameters["options"] = json!({"timeout": call.tool.time_ms_max.saturating_add(TIME_MS_MORE)});
        if let Some(credential) = credential {
            parameters["authentication"] = json!(credential.credential_type);
        }
        let given = self.run_one(MCP_NODE, MCP_NODE_VERSION, parameters, credential, &call).await?;
        let first = given.into_iter().next().ok_or_else(|| NodeError::api("the server gave nothing"))?;
        Ok(Value::Object((*first.json).clone()))
    }
}
