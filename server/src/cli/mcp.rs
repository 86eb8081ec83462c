//! `timeloom mcp`: the Model Context Protocol on standard input and output, over a data folder or a running server; and
//! `timeloom mcp tools`: what a server of somebody else's offers, and `timeloom mcp discover`: how it lets clients in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use clap::{Args, Subcommand};
use reqwest::Response;
use serde_json::{Value, json};
use timeloom_connectors::McpListing;
use timeloom_domain::agent::{ListedTool, McpChange, McpChoice, McpPin, McpTools, ToolAction, mcp_tool};
use timeloom_engine::node::NodeError;
use timeloom_mcp::{Api, Offer, Question, Server, Unreachable, stdio};
use timeloom_read_api::{ApiState, CREDENTIAL_CALLBACK, LocalApi};
use url::Url;

use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;
use crate::mcp::answered;

/// By which a server knows a change when it is sent again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest time that a server takes to answer: more than a run is waited for.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);
/// Longest line of what a server says of itself, in characters.
const LINE_CHARACTERS_MAX: usize = 160;
/// Largest answer of a server, in bytes: it has less than that of the data of events, and as much again around it.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// What `mcp` takes.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct McpArguments {
    #[command(subcommand)]
    verb: Option<McpVerb>,
    /// A running server, such as http://127.0.0.1:8080; without it the data folder is opened, and kept until the end.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Offer those tools alone that change nothing; in a data folder nothing runs then.
    #[arg(long)]
    read_only: bool,
}

#[derive(Debug, Subcommand)]
enum McpVerb {
    /// List the tools of a server of somebody else's, and print the grant of them for an agent's file.
    Tools(ToolsArguments),
    /// Find out how a server of somebody else's lets clients in by OAuth, and print the credential to enter.
    Discover(DiscoverArguments),
}

/// What `mcp discover` takes.
#[derive(Debug, Args)]
struct DiscoverArguments {
    /// The server's address.
    #[arg(value_name = "URL")]
    of: String,
    /// Make a client known there, whose browser comes back to this deployment's --public-url.
    #[arg(long)]
    register: bool,
    /// The credential as JSON: `type`, `fields`, `issuer`, `registrationEndpoint` and the `callback` of clients.
    #[arg(long)]
    json: bool,
}

/// What `mcp tools` takes.
#[derive(Debug, Args)]
struct ToolsArguments {
    /// The server's address, or the name of a command of `--mcp-commands`.
    #[arg(value_name = "SERVER")]
    of: String,
    /// The name of the grant, with which the names of its tools begin.
    #[arg(long, default_value = "server", value_name = "NAME")]
    name: String,
    /// Only these of its tools.
    #[arg(long = "tool", value_name = "NAME")]
    tools: Vec<String>,
    /// A file with the token that the server wants.
    #[arg(long, value_name = "FILE")]
    bearer_file: Option<PathBuf>,
    /// The list as JSON: `server`, `protocol`, `tools` as the server describes them, and the `grant`.
    #[arg(long)]
    json: bool,
}

impl ToolsArguments {
    async fn run(self, config: &Config) -> Result<(), Failure> {
        let token = self.bearer_file.as_deref().map(token).transpose()?;
        let (commands, policy) = (&config.mcp_commands, config.outbound());
        let found = timeloom_connectors::list_mcp_tools(commands, &self.of, token.as_deref(), &policy).await;
        let listing = found.map_err(|error| {
            let advice = error.description.as_deref().map(|advice| format!(" ({advice})")).unwrap_or_default();
            anyhow::anyhow!("the tools of {} cannot be listed: {error}{advice}", self.of)
        })?;
        let grant = self.grant(&listing)?;
        if self.json {
            let McpListing { server, protocol, tools } = listing;
            output::json(&json!({"server": server, "protocol": protocol, "tools": tools, "grant": grant}));
            return Ok(());
        }
        output::line(&format!("{}, protocol {}", printable(&listing.server), listing.protocol));
        for tool in &listing.tools {
            let text = |field: &str| tool.get(field).and_then(Value::as_str).unwrap_or_default();
            let told = text("description").lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            output::line(&format!("  {}: {}", printable(text("name")), printable(told)));
        }
        output::line("for an agent's file:");
        output::line(&serde_json::to_string_pretty(&grant)?);
        Ok(())
    }

    /// The grant of the tools, pinned to what they are now.
    fn grant(&self, listing: &McpListing) -> Result<Value, Failure> {
        let choice = match self.tools.is_empty() {
            true => McpChoice::All,
            false => McpChoice::Named(self.tools.iter().cloned().collect()),
        };
        let (server, on_change) = (self.of.clone(), McpChange::default());
        let mut granted = McpTools { server, credential: None, tools: choice, pin: McpPin::Off, on_change };
        let listed = |tool: &Value| {
            let text = |field: &str| tool.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (parameters, output) = (tool["inputSchema"].clone(), tool.get("outputSchema").cloned());
            ListedTool { name: text("name"), description: text("description"), parameters, output }
        };
        let chosen = granted.chosen(listing.tools.iter().map(listed).collect());
        let chosen = chosen.map_err(|why| anyhow::anyhow!("the tools of {} cannot be granted: {why}", self.of))?;
        granted.pin = McpPin::Digest(mcp_tool::digest(&chosen));
        let does = serde_json::to_value(ToolAction::Mcp(granted))?;
        Ok(json!({"name": self.name, "does": does}))
    }
}

impl DiscoverArguments {
    async fn run(self, config: &Config) -> Result<(), Failure> {
        let callback = format!("{}{CREDENTIAL_CALLBACK}", config.public_url());
        if self.register && Url::parse(&callback).is_err() {
            let message = "say with --public-url where browsers reach the deployment that the client is for";
            return Err(anyhow::anyhow!("{message}").into());
        }
        let failed = |error: NodeError| {
            let advice = error.description.as_deref().map(|advice| format!(" ({advice})")).unwrap_or_default();
            anyhow::anyhow!("{error}{advice}")
        };
        let policy = config.outbound();
        let mut found = timeloom_connectors::discover_mcp(&self.of, &policy).await.map_err(failed)?;
        if self.register {
            found = timeloom_connectors::register_mcp(found, &callback, &policy).await.map_err(failed)?;
        }
        let fields = found.fields();
        if self.json {
            output::json(&json!({
                "type": "oAuth2Api", "fields": fields, "issuer": found.issuer,
                "registrationEndpoint": found.registration_endpoint, "callback": callback,
            }));
            return Ok(());
        }
        output::line(&format!("tokens are given out by {}", printable(&found.issuer)));
        output::line("a credential of type oAuth2Api:");
        output::line(&serde_json::to_string_pretty(&fields)?);
        if found.client.is_none() {
            let how = if found.registration_endpoint.is_some() { ", or run this again with --register" } else { "" };
            output::line(&format!("register a client there with the callback {callback}, and enter its id{how}"));
        }
        Ok(())
    }
}

fn token(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(text.trim().to_owned())
}

/// A server's words for a terminal: what would change how it shows what follows is left out.
fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(LINE_CHARACTERS_MAX).collect()
}

impl McpArguments {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self.verb {
            Some(McpVerb::Tools(arguments)) => return arguments.run(config).await,
            Some(McpVerb::Discover(arguments)) => return arguments.run(config).await,
            None => {}
        }
        let offer = if self.read_only { Offer::Reading } else { Offer::Everything };
        let server = Server::try_new(offer)?;
        let client = Client::open(&Access { server: self.server, json: false }, config).await?;
        let served = serve(&server, &client, offer).await;
        client.close().await;
        Ok(served?)
    }
}

async fn serve(server: &Server, client: &Client, offer: Offer) -> anyhow::Result<()> {
    let reached = match client {
        Client::Local { app, api } => {
            if offer == Offer::Everything {
                // What is held back from a tenant must not run in the first moment.
                app.commands.flags().caught_up().await?;
                app.engine.start().await?;
            }
            Reached::Local { api, asking: app.api.clone() }
        }
        Client::Remote { url, http } => Reached::Remote { url, http },
    };
    output::notice("timeloom speaks MCP on standard input and output, until its input ends");
    match stdio::serve(server, &reached, std::io::stdin(), std::io::stdout()).await {
        // Whoever asked has gone, as they may.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        served => Ok(served?),
    }
}

/// What was reached.
enum Reached<'a> {
    /// The API in this process, for who has the machine.
    Local { api: &'a LocalApi, asking: ApiState },
    /// That of a server, which knows whoever asks by their key.
    Remote { url: &'a str, http: &'a reqwest::Client },
}

#[async_trait]
impl Api for Reached<'_> {
    async fn ask(&self, question: Question) -> Result<Value, Unreachable> {
        match self {
            Self::Local { api, asking } => answered(api, asking.clone(), question).await,
            Self::Remote { url, http } => remote(url, http, question).await,
        }
    }
}

/// What a server answers.
async fn remote(url: &str, http: &reqwest::Client, question: Question) -> Result<Value, Unreachable> {
    let body = json!({ "query": question.document, "variables": question.variables });
    let mut request = http.post(url).timeout(ANSWER_TIME_MAX).json(&body);
    if let Some(key) = question.key {
        request = request.header(IDEMPOTENCY_KEY, key);
    }
    let sent = request.send().await;
    // What the library says of it has the address in it once more.
    let response =
        sent.map_err(|error| Unreachable(format!("the server at {url} cannot be reached: {}", error.without_url())))?;
    let status = response.status();
    let text = whole(response).await.map_err(|why| Unreachable(format!("the answer of the server at {url} {why}")))?;
    serde_json::from_slice(&text)
        .map_err(|_| Unreachable(format!("the server at {url} answered {status}, not GraphQL: is it Timeloom?")))
}

/// All of an answer; what is wrong with it otherwise.
async fn whole(mut response: Response) -> Result<Vec<u8>, String> {
    let mut taken = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if taken.len() + chunk.len() > ANSWER_BYTES_MAX => {
                return Err(format!("has more than {ANSWER_BYTES_MAX} bytes"));
            }
            Ok(Some(chunk)) => taken.extend_from_slice(&chunk),
            Ok(None) => return Ok(taken),
            Err(error) => return Err(format!("broke off: {}", error.without_url())),
        }
    }
}
