//! Servers of the Model Context Protocol as a client sees them: which tools they have, and calls of those.
//!
//! A server is somebody else. It is reached as the outbound policy lets nodes reach anything, or it is a program that the operator
//! named; it is offered nothing (no model to sample, no files, no people to ask); and whatever it says is data, bounded in bytes,
//! messages and time. A session lasts no longer than the node run that began it.

mod discovery;
mod error;
mod events;
mod http;
mod message;
mod older;
mod outcome;
mod session;
mod stdio;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod transport_tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use timeloom_domain::agent::MCP_NODE;
use timeloom_domain::catalogue::{
    Condition, CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition,
};
use timeloom_domain::item::{BinaryData, Item, JsonObject};
use timeloom_egress::OutboundPolicy;
use timeloom_engine::node::{
    Behaviour, Binaries, EffectNode, NodeError, NodeOutput, NodeRun, NodeType, SharedNodeType,
};
use timeloom_nodes::describe::{
    ONE_TO_ONE, choice, collection, is, json, needs, number, options, palette, switch, text,
};
use timeloom_nodes::{Bearers, OAuth2};
use tokio::sync::Semaphore;

pub use self::discovery::{Discovered, discover, register};
use self::error::McpError;
use self::http::Http;
use self::outcome::{File, Outcome};
use self::session::{About, Session, Wire};
pub use self::stdio::McpCommands;
use self::stdio::{PROGRAMS_MAX, Program};
use crate::Settings;

/// Most bytes of one answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Most messages that come in place of one answer.
const MESSAGES_MAX: usize = 10_000;
/// Longest that it takes where the node says nothing, in milliseconds.
const TIME_MS: f64 = 60_000.0;
/// Longest that a node may say, in milliseconds.
const TIME_MS_MAX: f64 = 3_600_000.0;

const CALL: &[Condition] = &[is("operation", &["call"])];

const CREDENTIALS: &[CredentialDefinition] = &[
    needs("httpBearerAuth", &[is("authentication", &["httpBearerAuth"])]),
    needs("httpHeaderAuth", &[is("authentication", &["httpHeaderAuth"])]),
    needs("oAuth2Api", &[is("authentication", &["oAuth2Api"])]),
    needs("mcpOAuth2Api", &[is("authentication", &["mcpOAuth2Api"])]),
];

const PARAMETERS: &[ParameterDefinition] = &[
    options("operation", &[choice("call", "Call a tool"), choice("list", "List tools")], "What is done.")
        .or_text("call"),
    text("server", "The server's address, or the name of a command of this deployment.")
        .like("https://mcp.example.org/mcp")
        .needed(),
    options(
        "authentication",
        &[
            choice("none", "None"),
            choice("httpBearerAuth", "Bearer Auth"),
            choice("httpHeaderAuth", "Header Auth"),
            choice("oAuth2Api", "OAuth2"),
            choice("mcpOAuth2Api", "OAuth2 of a workflow file"),
        ],
        "By what the server lets this client in.",
    )
    .or_text("none"),
    text("tool", "The tool's name, as the server has it.").needed().when(CALL),
    json("arguments", "The arguments of the tool, an object; the item's data when absent.").when(CALL),
    switch("checkOutput", "Whether the server's list is asked for first, and what the tool gives held to it.")
        .or_true()
        .when(CALL),
    switch("attachments", "Whether pictures, sounds and files that the tool gives are kept.").or_true().when(CALL),
    collection(
        "options",
        &[number("timeout", "Longest time for an item, in milliseconds.").or_number(TIME_MS)],
        "What else to decide.",
    ),
];

/// The node types of this group.
pub(crate) fn node_types(settings: &Settings) -> Vec<SharedNodeType> {
    vec![Arc::new(Mcp::new(settings.mcp_commands.clone()))]
}

/// The tools of a server, as [`list`] finds them.
#[derive(Debug, Clone, PartialEq)]
pub struct McpListing {
    /// What the server calls itself, with its version.
    pub server: String,
    /// The revision of the protocol that is spoken.
    pub protocol: &'static str,
    /// The tools: `name`, `inputSchema`, and where the server says so `title`, `description`, `outputSchema` and `annotations`.
    pub tools: Vec<Value>,
}

/// Asks a server for its tools. `token` is sent as a bearer token.
///
/// # Errors
/// [`NodeError`] where it cannot be reached, or is no such server.
pub async fn list(
    commands: &McpCommands,
    server: &str,
    token: Option<&str>,
    policy: &OutboundPolicy,
) -> Result<McpListing, NodeError> {
    let headers = token.map_or_else(|| Ok(HeaderMap::new()), bearer)?;
    let node = Mcp::new(commands.clone());
    let time_max = Duration::from_millis(TIME_MS as u64).min(policy.request_time_max);
    let asking = async {
        let mut session = Session::begin(node.reach(server, headers, policy).await?).await?;
        let listed = session.tools().await;
        let about = session.about.clone();
        session.end().await;
        let server = format!("{} {}", about.name, about.version).trim().to_owned();
        Ok(McpListing { server, protocol: about.protocol, tools: listed? })
    };
    let listed = tokio::time::timeout(time_max, asking).await;
    listed.unwrap_or(Err(McpError::TooSlow(time_max))).map_err(NodeError::from)
}

/// MCP.
struct Mcp {
    commands: McpCommands,
    /// Places of programs that run.
    places: Arc<Semaphore>,
    /// What gives tokens, and renews them.
    bearers: Bearers,
}

/// What is asked for one item.
struct Ask {
    server: String,
    headers: HeaderMap,
    /// The credential whose token is in the headers, where it can be renewed.
    oauth: Option<OAuth2>,
    does: Does,
}

enum Does {
    List,
    Call { tool: String, arguments: Value, checks: bool, key: String },
}

/// What came of it.
enum Gave {
    Tools(Vec<Value>),
    Outcome(Box<Outcome>),
}

/// A session that the next item may go on with.
struct Kept {
    server: String,
    headers: HeaderMap,
    session: Session,
}

impl Mcp {
    fn new(commands: McpCommands) -> Self {
        Self { commands, places: Arc::new(Semaphore::new(PROGRAMS_MAX)), bearers: Bearers::default() }
    }

    /// How a server is reached: at an address, or by the command of that name.
    async fn reach(&self, server: &str, headers: HeaderMap, policy: &OutboundPolicy) -> Result<Wire, McpError> {
        let server = server.trim();
        if server.contains("://") {
            return Http::try_new(server, headers, policy)
                .map(Wire::Http)
                .map_err(|error| McpError::NotReached(Box::new(error)));
        }
        let refused = |message: String, advice: &str| {
            McpError::NotReached(Box::new(NodeError::operation(message).described(advice)))
        };
        let Some(command) = self.commands.get(server) else {
            let advice = "give the server's address with https://, or let the operator of this deployment name the command: \
                          `timeloom serve --mcp-commands FILE`";
            return Err(refused(format!("there is no command '{server}' of a server here"), advice));
        };
        if !headers.is_empty() {
            let advice = "let the operator put what it needs into its environment";
            return Err(refused(format!("the command '{server}' takes no credential"), advice));
        }
        Program::start(command, &self.places).await.map(Wire::Program)
    }

    /// Does what is asked; once more with another token where the server does not take the one that there is.
    async fn carry_out(
        &self,
        kept: &mut Option<Kept>,
        mut ask: Ask,
        policy: &OutboundPolicy,
    ) -> Result<(Gave, About), McpError> {
        let told = |error: NodeError| McpError::NotReached(Box::new(error));
        let mut token = String::new();
        if let Some(oauth) = &ask.oauth {
            token = self.bearers.current(oauth, policy).await.map_err(told)?;
            ask.headers = bearer(&token).map_err(told)?;
        }
        match (self.carry_out_as(kept, &ask, policy).await, &ask.oauth) {
            (Err(refused), Some(oauth)) if refused.is_unauthorized() => {
                let renewed = self.bearers.renewed(oauth, &token, policy).await.map_err(told)?;
                ask.headers = bearer(&renewed.ok_or(refused)?).map_err(told)?;
                self.carry_out_as(kept, &ask, policy).await
            }
            (done, _) => done,
        }
    }

    /// Does what is asked, in the session of the item before where that is the same server.
    async fn carry_out_as(
        &self,
        kept: &mut Option<Kept>,
        ask: &Ask,
        policy: &OutboundPolicy,
    ) -> Result<(Gave, About), McpError> {
        let mut session = match kept.take() {
            Some(before) if before.server == ask.server && before.headers == ask.headers => before.session,
            other => {
                if let Some(other) = other {
                    other.session.end().await;
                }
                Session::begin(self.reach(&ask.server, ask.headers.clone(), policy).await?).await?
            }
        };
        let about = session.about.clone();
        match done(&mut session, &ask.does).await {
            Ok(gave) => {
                *kept = Some(Kept { server: ask.server.clone(), headers: ask.headers.clone(), session });
                Ok((gave, about))
            }
            Err(error) => {
                session.end().await;
                Err(error)
            }
        }
    }

    async fn item(&self, run: &mut NodeRun<'_>, kept: &mut Option<Kept>, index: usize) -> Result<Item, NodeError> {
        let ask = read(run, index).await?;
        let keeps_files = run.boolean("attachments", index, true)?;
        let asked = run.number("options.timeout", index, TIME_MS)?.clamp(1.0, TIME_MS_MAX);
        let time_max = Duration::from_millis(asked as u64).min(run.services.outbound.request_time_max);
        let doing = self.carry_out(kept, ask, &run.services.outbound);
        let done = tokio::time::timeout(time_max, doing).await.unwrap_or(Err(McpError::TooSlow(time_max)));
        let (gave, about) = done?;
        match gave {
            Gave::Tools(tools) => {
                let mut fields = about.json();
                fields.insert("tools".to_owned(), json!(tools));
                Ok(Item::new(fields).paired_with(index))
            }
            Gave::Outcome(outcome) => {
                let item = Item::new(outcome.json(&about)).paired_with(index);
                let files = if keeps_files {
                    attached(run.binaries(), run.services.outbound.file_bytes_max, outcome.files).await?
                } else {
                    BTreeMap::new()
                };
                Ok(Item { binary: (!files.is_empty()).then_some(files), ..item })
            }
        }
    }
}

impl NodeType for Mcp {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: MCP_NODE,
            display_name: "MCP",
            description: "Calls a tool of a server of the Model Context Protocol, or lists its tools.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "plug", &["model context protocol", "tool", "agent"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for Mcp {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let count = run.items().len();
        let (mut given, mut kept) = (Vec::with_capacity(count), None);
        for index in 0..count {
            match self.item(run, &mut kept, index).await {
                Ok(item) => given.push(item),
                Err(error) if run.continues_on_fail() => given.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        if let Some(Kept { session, .. }) = kept {
            session.end().await;
        }
        Ok(NodeOutput::single(given))
    }
}

async fn done(session: &mut Session, does: &Does) -> Result<Gave, McpError> {
    let Does::Call { tool, arguments, checks, key } = does else {
        return session.tools().await.map(Gave::Tools);
    };
    let mut promised = None;
    if *checks {
        let listed = session.tools().await?;
        let found = listed.into_iter().find(|listed| listed.get("name").and_then(Value::as_str) == Some(tool));
        let mut found = found.ok_or_else(|| McpError::NoTool(tool.clone()))?;
        promised = found.get_mut("outputSchema").map(Value::take);
    }
    let outcome = Outcome::read(&session.call(tool, arguments, key).await?)?;
    if let Some(schema) = promised {
        outcome.check(&schema)?;
    }
    Ok(Gave::Outcome(Box::new(outcome)))
}

/// What the node asks for an item.
async fn read(run: &mut NodeRun<'_>, index: usize) -> Result<Ask, NodeError> {
    let server = run.text("server", index, "")?;
    if server.trim().is_empty() {
        return Err(NodeError::operation("there is no server").described("give its address, or the name of a command"));
    }
    let does = match run.text("operation", index, "call")?.as_str() {
        "list" => Does::List,
        "call" => {
            let tool = run.text("tool", index, "")?;
            if tool.trim().is_empty() {
                return Err(NodeError::operation("there is no tool to call").described("list the tools of the server"));
            }
            let (arguments, checks) = (arguments(run, index)?, run.boolean("checkOutput", index, true)?);
            Does::Call { tool, arguments, checks, key: format!("{}-{index}", run.idempotency_key) }
        }
        other => return Err(NodeError::operation(format!("the operation '{other}' is not known: use call or list"))),
    };
    let (headers, oauth) = access(run, index).await?;
    Ok(Ask { server, headers, oauth, does })
}

/// The arguments of a call: what the node says, else the item's data.
fn arguments(run: &mut NodeRun<'_>, index: usize) -> Result<Value, NodeError> {
    let given = match run.parameter("arguments", index)? {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => Some(serde_json::from_str(&text).unwrap_or(Value::String(text))),
        Some(value) => Some(value),
    };
    match given {
        None => {
            let item = run.scope.items.get(index).map(|item| (*item.json).clone());
            Ok(Value::Object(item.unwrap_or_default()))
        }
        Some(object @ Value::Object(_)) => Ok(object),
        Some(_) => {
            let message = "the arguments are no JSON object";
            Err(NodeError::operation(message).described("write them as {\"name\": value}"))
        }
    }
}

/// What proves who asks: headers, or a credential that gives tokens.
async fn access(run: &mut NodeRun<'_>, index: usize) -> Result<(HeaderMap, Option<OAuth2>), NodeError> {
    let chosen = run.text("authentication", index, "none")?;
    if matches!(chosen.as_str(), "none" | "") {
        return Ok((HeaderMap::new(), None));
    }
    if !matches!(chosen.as_str(), "httpBearerAuth" | "httpHeaderAuth" | "oAuth2Api" | "mcpOAuth2Api") {
        return Err(NodeError::operation(format!("credentials of type '{chosen}' cannot be used here"))
            .described("use Bearer Auth, Header Auth or OAuth2"));
    }
    let fields = named(run.credential(&chosen).await?, &chosen)?;
    match chosen.as_str() {
        "httpBearerAuth" => Ok((bearer(&field(&fields, &chosen, "token")?)?, None)),
        "httpHeaderAuth" => {
            let name = field(&fields, &chosen, "name")?;
            let name = HeaderName::from_bytes(name.trim().as_bytes());
            let name = name.map_err(|_| NodeError::operation("the name of the credential's header is none"))?;
            Ok((HeaderMap::from_iter([(name, secret(&field(&fields, &chosen, "value")?)?)]), None))
        }
        _ => {
            let (secrets, called) = (run.secrets.shared(), run.credential_name(&chosen));
            Ok((HeaderMap::new(), Some(OAuth2::read(&fields, secrets, called))))
        }
    }
}

fn bearer(token: &str) -> Result<HeaderMap, NodeError> {
    Ok(HeaderMap::from_iter([(AUTHORIZATION, secret(&format!("Bearer {}", token.trim()))?)]))
}

fn named(opened: Option<JsonObject>, credential_type: &str) -> Result<JsonObject, NodeError> {
    let missing = format!("the node names no credential of type '{credential_type}': choose one in the node");
    opened.ok_or_else(|| NodeError::operation(missing))
}

fn field(fields: &JsonObject, credential_type: &str, name: &str) -> Result<String, NodeError> {
    let value = fields.get(name).and_then(Value::as_str).filter(|value| !value.trim().is_empty());
    value.map(str::to_owned).ok_or_else(|| {
        NodeError::operation(format!("the credential of type '{credential_type}' lacks the field '{name}'"))
            .described("save the credential again with all its fields")
    })
}

/// A value that no log shows.
fn secret(value: &str) -> Result<HeaderValue, NodeError> {
    let value = HeaderValue::from_str(value);
    let mut value = value.map_err(|_| NodeError::operation("the credential has characters that no header may have"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Files as attachments of at most so many bytes in all: `data`, `data_1`, `data_2` and so on.
async fn attached(
    binaries: Binaries,
    bytes_max: usize,
    files: Vec<File>,
) -> Result<BTreeMap<String, BinaryData>, NodeError> {
    let (mut kept, mut left) = (BTreeMap::new(), bytes_max);
    for (place, File { mime_type, bytes }) in files.into_iter().enumerate() {
        left = left.checked_sub(bytes.len()).ok_or_else(|| {
            NodeError::api("the files that the tool gave are larger than attachments may be").described("ask for less")
        })?;
        let name = if place == 0 { "data".to_owned() } else { format!("data_{place}") };
        let about = BinaryData { mime_type, ..BinaryData::default() };
        kept.insert(name, binaries.keep(bytes, about).await?);
    }
    Ok(kept)
}

impl About {
    /// As fields of an item.
    fn json(&self) -> JsonObject {
        JsonObject::from_iter([
            ("protocolVersion".to_owned(), json!(self.protocol)),
            ("server".to_owned(), json!({"name": self.name, "version": self.version})),
        ])
    }
}
