//! An MCP Client Tool: the tools of a server of the Model Context Protocol, which the run asks for when it begins.
//!
//! A workflow's file holds no list that the tools were granted for: what the server lists is what the agent gets.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use timeloom_domain::agent::{McpChange, McpChoice, McpPin, McpTools, ToolAction, ToolCredential};
use timeloom_domain::definition::Node;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun};

use super::tools::Does;

/// The first version whose field for the address is not named after its transport.
const ENDPOINT_SINCE: f64 = 1.1;
/// Longest call where the node says nothing, and longest that it may say, in milliseconds.
const TIME_MS: (f64, f64) = (60_000.0, 3_600_000.0);

/// The tools that an attached node grants.
///
/// # Errors
/// [`NodeError`] where it names no server, or one that cannot be spoken with.
pub(super) fn tools(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<Does, NodeError> {
    // Which transport a server speaks is found out when it is asked, so it need not be said.
    let address = if of.type_version < ENDPOINT_SINCE { "sseEndpoint" } else { "endpointUrl" };
    let server = run.text_of(of, address, index, "")?;
    if server.trim().is_empty() {
        return Err(NodeError::operation(format!("the tool '{}' names no server: give its address", of.name)));
    }
    let tools = match run.text_of(of, "include", index, "all")?.as_str() {
        "selected" => match names(run, of, "includeTools", index)? {
            names if names.is_empty() => {
                return Err(NodeError::operation(format!("no tools are selected in '{}': select some", of.name)));
            }
            names => McpChoice::Named(names),
        },
        "except" => McpChoice::Except(names(run, of, "excludeTools", index)?),
        _ => McpChoice::All,
    };
    let credential = credential(run, of, index)?;
    let (pin, on_change) = (McpPin::Off, McpChange::default());
    let action = ToolAction::Mcp(McpTools { server: server.trim().to_owned(), credential, tools, pin, on_change });
    // The server says what its tools take.
    Ok(Does { action, schema: json!({"type": "object", "properties": {}}), fixed: JsonObject::new() })
}

/// Longest call of one of the tools, in milliseconds.
pub(super) fn time_ms(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<u64, NodeError> {
    let given = run.parameter_of(of, "options.timeout", index)?.as_ref().and_then(Value::as_f64);
    Ok(given.unwrap_or(TIME_MS.0).clamp(1.0, TIME_MS.1) as u64)
}

fn names(run: &mut NodeRun<'_>, of: &Node, parameter: &str, index: usize) -> Result<BTreeSet<String>, NodeError> {
    let given = run.parameter_of(of, parameter, index)?;
    let names = given.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    Ok(names.map(str::to_owned).collect())
}

fn credential(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<Option<ToolCredential>, NodeError> {
    let credential_type = match run.text_of(of, "authentication", index, "none")?.as_str() {
        "none" | "" => return Ok(None),
        "bearerAuth" => "httpBearerAuth",
        "headerAuth" => "httpHeaderAuth",
        "mcpOAuth2Api" => "mcpOAuth2Api",
        other => {
            let message = format!("the tool '{}' is let in by '{other}', which cannot be used here", of.name);
            return Err(NodeError::operation(message).described("use Bearer Auth, Header Auth or OAuth2"));
        }
    };
    let named = of.credentials.as_ref().and_then(|all| all.get(credential_type));
    let name = match named {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(named) => named.get("name").and_then(Value::as_str),
        None => None,
    };
    let missing = || {
        NodeError::operation(format!("the tool '{}' names no credential of type '{credential_type}'", of.name))
            .described("choose one in the node")
    };
    let name = name.filter(|name| !name.is_empty()).ok_or_else(missing)?.to_owned();
    Ok(Some(ToolCredential { credential_type: credential_type.to_owned(), name }))
}
