//! `timeloom agent`: agents, their versions, and their runs.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Client, Refused};
use super::moment::Moment;
use super::workflow::all_pages;
use super::{Access, Failure, output};
use crate::config::Config;

const LIST: &str = "query($first: Int!, $after: String) { agents(first: $first, after: $after) {
  nodes { name state description newestVersion { version kind model tools } }
  pageInfo { hasNextPage endCursor } } }";
const SHOW: &str = "query($name: String!, $asOf: AsOf) { agent(name: $name, asOf: $asOf) {
  name description owner state deprecatedReason replacement config
  versions { version digest kind capabilities model tools record } } }";
const RUNS: &str = "query($first: Int!, $after: String, $filter: AgentRunFilterInput!) {
  agentRuns(first: $first, after: $after, filter: $filter) {
  nodes { id agentName version status turn toolCalls inputTokens outputTokens cost startedAt failureCode
    lineage { runId turn } }
  pageInfo { hasNextPage endCursor } } }";
const RUN: &str = "query($id: UUID!, $asOf: AsOf) { agentRun(id: $id, asOf: $asOf) {
  id agentName version model status turn toolCalls refusedCalls inputTokens outputTokens cost session
  failureCode failureMessage input output startedAt endedAt lineage { runId originId revision turn }
  waitsFor { call tool arguments reason expiresAt } } }";
const EVENTS: &str = "query($id: UUID!, $first: Int!, $after: Int!, $asOf: AsOf) { agentRun(id: $id, asOf: $asOf) {
  events(first: $first, afterRevision: $after) { revision position type recordedAt payload } } }";
const REPLAY: &str = "query($id: UUID!) { agentRunReplay(id: $id) {
  same events questions deviation { revision eventType message } } }";
const RESULT: &str = "runId position run { status turn output failureCode failureMessage
  waitsFor { call tool arguments reason } } errors { code message }";
/// Events that are asked for at a time.
const EVENTS_PAGE: u64 = 100;

#[derive(Debug, Subcommand)]
pub enum AgentVerb {
    /// Publish an agent's file as a version; its name is taken where it is new
    Add {
        /// The agent's name.
        name: String,
        /// The file: JSON, see docs/agents.md; - reads standard input.
        file: PathBuf,
        /// What the agent is for, where it is new.
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
        #[command(flatten)]
        access: Access,
    },
    /// List the agents
    List {
        #[command(flatten)]
        access: Access,
    },
    /// Show an agent with its versions
    Show {
        /// The agent's name.
        name: String,
        /// As it was at this moment: a position, a revision (r3), a time or a day; absent = now.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Let runs begin with another configuration
    Configure {
        /// The agent's name.
        name: String,
        /// All of the configuration: a JSON object.
        config: String,
        #[command(flatten)]
        access: Access,
    },
    /// Say that an agent should not be used any more
    Deprecate {
        /// The agent's name.
        name: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The agent to use instead.
        #[arg(long, value_name = "NAME")]
        replacement: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Put an agent away for good
    Retire {
        /// The agent's name.
        name: String,
        #[command(flatten)]
        access: Access,
    },
    /// Let an agent forget what was said in a session
    Forget {
        /// The agent's name.
        name: String,
        /// The session.
        session: String,
        #[command(flatten)]
        access: Access,
    },
    /// Run an agent on a server, and wait for its answer
    Run {
        /// The agent's name.
        name: String,
        /// What it is given: JSON, or else a text.
        input: String,
        /// Run this version; absent = the newest.
        #[arg(long, value_name = "NUMBER")]
        agent_version: Option<u32>,
        /// The session whose earlier runs are remembered.
        #[arg(long, value_name = "NAME")]
        session: Option<String>,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        access: Access,
    },
    /// List runs
    Runs {
        /// Only those of this agent.
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        /// Only those that are so far: running, waiting_for_approval, paused, completed, failed, cancelled.
        #[arg(long, value_name = "STATUS")]
        status: Option<String>,
        /// Only the forks of this run.
        #[arg(long, value_name = "RUN")]
        forks_of: Option<Uuid>,
        #[command(flatten)]
        access: Access,
    },
    /// Show a run with its events
    Transcript {
        /// The run's id.
        id: Uuid,
        /// As it was at this moment; absent = now.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Let a call of a tool happen that waits for approval
    Approve {
        /// The run's id.
        id: Uuid,
        /// The call that is meant; absent = the one that waits.
        #[arg(long, value_name = "CALL")]
        call: Option<String>,
        /// What is said of it.
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
        #[command(flatten)]
        access: Access,
    },
    /// Let a call of a tool not happen; the model is told why
    Deny {
        /// The run's id.
        id: Uuid,
        /// The call that is meant; absent = the one that waits.
        #[arg(long, value_name = "CALL")]
        call: Option<String>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    /// Let a run stand still
    Pause(Reasoned),
    /// Let a paused run go on
    Resume {
        /// The run's id.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
    /// End a run
    Cancel(Reasoned),
    /// Go on from a turn of a run, with something changed
    Fork(ForkArguments),
    /// Do a run again from its records, and tell whether they are what would have come; nobody is asked
    Replay {
        /// The run's id.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
}

/// How long to wait for the answer.
#[derive(Debug, Args)]
pub struct Waiting {
    /// How long to wait, in seconds; 0 = not at all. The run goes on after that.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait: u64,
}

impl Waiting {
    fn add_to(&self, mut input: Value) -> Value {
        input["waitFor"] = json!(if self.wait == 0 { "STARTED" } else { "COMPLETED" });
        input["timeoutMs"] = json!(self.wait.saturating_mul(1_000).min(300_000));
        input
    }
}

/// A run, and why something is done to it.
#[derive(Debug, Args)]
pub struct Reasoned {
    /// The run's id.
    id: Uuid,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    access: Access,
}

/// Where a fork begins, and what is other in it.
#[derive(Debug, Args)]
pub struct ForkArguments {
    /// The run's id.
    id: Uuid,
    /// The turn that it begins with; absent = the one after the changed calls, else the first.
    #[arg(long, value_name = "NUMBER")]
    turn: Option<u32>,
    /// What the model is told to be and do.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// The route by which the model is asked.
    #[arg(long, value_name = "ROUTE")]
    model: Option<String>,
    /// How far it may go: limits as in an agent's file, as JSON.
    #[arg(long, value_name = "JSON", value_parser = json_of)]
    limits: Option<Value>,
    /// What a call of a tool is to have given: CALL=TEXT, such as 1.0=nothing found; may be given several times.
    #[arg(long, value_name = "CALL=TEXT", value_parser = tool_result)]
    tool_result: Vec<Value>,
    /// Why, for those who read its history.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    access: Access,
}

fn json_of(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("this is no JSON: {error}"))
}

fn tool_result(text: &str) -> Result<Value, String> {
    let (call, content) = text.split_once('=').ok_or("write CALL=TEXT, such as 1.0=nothing found")?;
    Ok(json!({ "call": call, "content": content }))
}

impl AgentVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Add { name, file, description, access } => add(&name, &file, &description, &access, config).await,
            Self::List { access } => list(&access, config).await,
            Self::Show { name, at, access } => {
                let variables = json!({ "name": name, "asOf": at.map(Moment::as_of) });
                let missing = format!("there is no agent {name}");
                show(SHOW, "agent", variables, &missing, &access, config).await
            }
            Self::Configure { name, config: text, access } => {
                let input =
                    json!({ "name": name, "config": json_of(&text).map_err(Refused).map_err(anyhow::Error::from)? });
                change_agent("configureAgent", "ConfigureAgentInput", input, &access, config).await
            }
            Self::Deprecate { name, reason, replacement, access } => {
                let input = json!({ "name": name, "reason": reason, "replacement": replacement });
                change_agent("deprecateAgent", "DeprecateAgentInput", input, &access, config).await
            }
            Self::Retire { name, access } => {
                change_agent("retireAgent", "RetireAgentInput", json!({ "name": name }), &access, config).await
            }
            Self::Forget { name, session, access } => {
                let input = json!({ "name": name, "session": session });
                change_agent("clearAgentMemory", "ClearAgentMemoryInput", input, &access, config).await
            }
            Self::Run { name, input, agent_version, session, waiting, access } => {
                let given = serde_json::from_str(&input).unwrap_or(Value::String(input));
                let input = json!({ "agent": name, "version": agent_version, "input": given, "session": session });
                begin("startAgentRun", "StartAgentRunInput", waiting.add_to(input), &access, config).await
            }
            Self::Fork(fork) => {
                let input = json!({
                    "runId": fork.id, "turn": fork.turn, "prompt": fork.prompt, "model": fork.model,
                    "limits": fork.limits, "toolResults": fork.tool_result, "reason": fork.reason,
                });
                begin("forkAgentRun", "ForkAgentRunInput", fork.waiting.add_to(input), &fork.access, config).await
            }
            Self::Runs { agent, status, forks_of, access } => {
                let status = status.map(|status| status.to_uppercase().replace('-', "_"));
                let filter = json!({ "agent": agent, "status": status, "forksOf": forks_of });
                runs(filter, &access, config).await
            }
            Self::Transcript { id, at, access } => transcript(id, at, &access, config).await,
            Self::Approve { id, call, note, access } => {
                let input = json!({ "runId": id, "call": call, "approves": true, "note": note });
                change_run("giveApproval", "GiveApprovalInput", input, &access, config).await
            }
            Self::Deny { id, call, reason, access } => {
                let input = json!({ "runId": id, "call": call, "approves": false, "note": reason });
                change_run("giveApproval", "GiveApprovalInput", input, &access, config).await
            }
            Self::Pause(Reasoned { id, reason, access }) => {
                let input = json!({ "runId": id, "reason": reason });
                change_run("pauseAgentRun", "AgentRunReasonInput", input, &access, config).await
            }
            Self::Resume { id, access } => {
                change_run("resumeAgentRun", "ResumeAgentRunInput", json!({ "runId": id }), &access, config).await
            }
            Self::Cancel(Reasoned { id, reason, access }) => {
                let input = json!({ "runId": id, "reason": reason });
                change_run("cancelAgentRun", "AgentRunReasonInput", input, &access, config).await
            }
            Self::Replay { id, access } => replay(id, &access, config).await,
        }
    }
}

async fn add(name: &str, file: &PathBuf, description: &str, access: &Access, config: &Config) -> Result<(), Failure> {
    let text = match file.as_os_str() == "-" {
        true => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
            text
        }
        false => std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?,
    };
    let record: Value = serde_json::from_str(&text)
        .map_err(|error| Refused(format!("{} is no JSON: {error}", file.display())))
        .map_err(anyhow::Error::from)?;
    publish(name, &record, description, access, config).await
}

/// Publishes a record as a version of an agent, whose name is taken where it is new.
///
/// # Errors
/// When the record is refused.
pub(super) async fn publish(
    name: &str,
    record: &Value,
    description: &str,
    access: &Access,
    config: &Config,
) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let published = async {
        let known =
            client.ask("query($name: String!) { agent(name: $name) { name } }", json!({ "name": name })).await?;
        if known.get("agent").is_none_or(Value::is_null) {
            let register = mutation("registerAgent", "RegisterAgentInput", "name position errors { code message }");
            let input = json!({ "name": name, "description": description });
            client.change("registerAgent", &register, input, access.json).await?;
        }
        let fields = "name position repeated agent { newestVersion { version } } errors { code message }";
        let publish = mutation("publishAgentVersion", "PublishAgentVersionInput", fields);
        client.change("publishAgentVersion", &publish, json!({ "name": name, "record": record }), access.json).await
    };
    let published: Result<Value, Failure> = published.await;
    client.close().await;
    let published = published?;
    if access.json {
        output::json(&published);
    } else {
        let version = output::text(&published, "/agent/newestVersion/version");
        let done = if published["repeated"] == true { "is already" } else { "published as" };
        output::line(&format!("agent {name} {done} version {version}"));
    }
    Ok(())
}

fn mutation(field: &str, kind: &str, fields: &str) -> String {
    format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ {fields} }} }}")
}

async fn change_agent(field: &str, kind: &str, input: Value, access: &Access, config: &Config) -> Result<(), Failure> {
    let query = mutation(field, kind, "name position errors { code message }");
    let payload = sent(field, &query, input, access, config).await?;
    if access.json {
        output::json(&payload);
    } else {
        let [name, position] = ["/name", "/position"].map(|path| output::text(&payload, path));
        output::line(&format!("changed agent {name} at position {position}"));
    }
    Ok(())
}

async fn change_run(field: &str, kind: &str, input: Value, access: &Access, config: &Config) -> Result<(), Failure> {
    let query = mutation(field, kind, "runId position errors { code message }");
    let payload = sent(field, &query, input, access, config).await?;
    if access.json {
        output::json(&payload);
    } else {
        let [run, position] = ["/runId", "/position"].map(|path| output::text(&payload, path));
        output::line(&format!("changed run {run} at position {position}"));
    }
    Ok(())
}

async fn sent(field: &str, query: &str, input: Value, access: &Access, config: &Config) -> Result<Value, Failure> {
    let client = Client::open(access, config).await?;
    let payload = client.change(field, query, input, access.json).await;
    client.close().await;
    payload
}

/// Begins a run and tells what it came to.
async fn begin(field: &str, kind: &str, input: Value, access: &Access, config: &Config) -> Result<(), Failure> {
    if access.server.is_none() {
        let message = "agents run on a server: start one with `timeloom serve`, and name it with --server";
        return Err(anyhow::Error::from(Refused(message.to_owned())).into());
    }
    let payload = sent(field, &mutation(field, kind, RESULT), input, access, config).await?;
    if access.json {
        output::json(&payload);
    } else {
        let [run, status] = ["/runId", "/run/status"].map(|path| output::text(&payload, path));
        output::notice(&format!("run {run} is {}", status.to_lowercase()));
        match payload.pointer("/run/output") {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => output::line(text),
            Some(other) => output::line(&other.to_string()),
        }
        if let Some(waits) = payload.pointer("/run/waitsFor").filter(|waits| !waits.is_null()) {
            let [tool, arguments] = ["/tool", "/arguments"].map(|path| output::text(waits, path));
            output::notice(&format!("it waits for approval to call {tool} with {arguments}"));
        }
    }
    match payload.pointer("/run/failureMessage").and_then(Value::as_str) {
        None => Ok(()),
        Some(message) => {
            output::error(&format!("{}: {message}", output::text(&payload, "/run/failureCode")));
            Err(Failure::Refused)
        }
    }
}

async fn list(access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let agents = all_pages(&client, LIST, "agents", json!({ "first": 100 })).await;
    client.close().await;
    let agents = agents?;
    if access.json {
        output::json(&Value::Array(agents));
        return Ok(());
    }
    let paths = ["/name", "/state", "/newestVersion/version", "/newestVersion/model", "/description"];
    let rows = agents.iter().map(|agent| paths.map(|path| output::text(agent, path)).to_vec());
    output::table(&["NAME", "STATE", "VERSION", "MODEL", "DESCRIPTION"], &rows.collect::<Vec<_>>());
    Ok(())
}

async fn runs(filter: Value, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let runs = all_pages(&client, RUNS, "agentRuns", json!({ "first": 100, "filter": filter })).await;
    client.close().await;
    let runs = runs?;
    if access.json {
        output::json(&Value::Array(runs));
        return Ok(());
    }
    let paths = ["/id", "/agentName", "/status", "/turn", "/toolCalls", "/outputTokens", "/cost", "/lineage/runId"];
    let rows = runs.iter().map(|run| paths.map(|path| output::text(run, path)).to_vec());
    let headings = ["ID", "AGENT", "STATUS", "TURN", "TOOL CALLS", "TOKENS OUT", "COST", "FORK OF"];
    output::table(&headings, &rows.collect::<Vec<_>>());
    Ok(())
}

async fn show(
    query: &str,
    field: &str,
    variables: Value,
    missing: &str,
    access: &Access,
    config: &Config,
) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let found = client.ask(query, variables).await;
    client.close().await;
    let found = found?.get(field).cloned().unwrap_or_default();
    if found.is_null() {
        return Err(anyhow::Error::from(Refused(missing.to_owned())).into());
    }
    if access.json {
        output::json(&found);
    } else {
        output::line(&serde_json::to_string_pretty(&found).unwrap_or_default());
    }
    Ok(())
}

async fn transcript(id: Uuid, at: Option<Moment>, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let as_of = at.map(Moment::as_of);
    let read = async {
        let found = client.ask(RUN, json!({ "id": id, "asOf": as_of })).await?;
        let mut run = found.get("agentRun").cloned().unwrap_or_default();
        if run.is_null() {
            return Err(anyhow::Error::from(Refused(format!("there is no run {id}"))));
        }
        let (mut events, mut after) = (Vec::new(), 0);
        loop {
            let page = json!({ "id": id, "first": EVENTS_PAGE, "after": after, "asOf": as_of });
            let found = client.ask(EVENTS, page).await?;
            let page = found.pointer("/agentRun/events").and_then(Value::as_array).cloned().unwrap_or_default();
            let last = page.last().and_then(|event| event["revision"].as_u64());
            let is_full = page.len() as u64 == EVENTS_PAGE;
            events.extend(page);
            match last.filter(|_| is_full) {
                Some(last) => after = last,
                None => break,
            }
        }
        run["events"] = Value::Array(events);
        Ok(run)
    };
    let run = read.await;
    client.close().await;
    let run = run?;
    if access.json {
        output::json(&run);
        return Ok(());
    }
    let [agent, version, status] = ["/agentName", "/version", "/status"].map(|path| output::text(&run, path));
    output::line(&format!("run {id} of {agent}, version {version}: {}", status.to_lowercase()));
    for event in run["events"].as_array().into_iter().flatten() {
        let [revision, kind] = ["/revision", "/type"].map(|path| output::text(event, path));
        output::line(&format!("{revision:>4}  {kind}  {}", told(&event["payload"])));
    }
    Ok(())
}

/// An event's payload in a line.
fn told(payload: &Value) -> String {
    let Some(fields) = payload.as_object() else { return String::new() };
    let shown = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "type" | "at_ms" | "plan" | "carried"));
    let text: Vec<String> = shown.map(|(name, value)| format!("{name}={value}")).collect();
    text.join(" ").chars().take(300).collect()
}

async fn replay(id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let found = client.ask(REPLAY, json!({ "id": id })).await;
    client.close().await;
    let replay = found?.get("agentRunReplay").cloned().unwrap_or_default();
    if replay.is_null() {
        return Err(anyhow::Error::from(Refused(format!("there is no run {id}"))).into());
    }
    if access.json {
        output::json(&replay);
    } else {
        let [events, questions] = ["/events", "/questions"].map(|path| output::text(&replay, path));
        output::line(&format!("looked at {events} events and {questions} questions; nobody was asked"));
    }
    if replay["same"] == true {
        return Ok(());
    }
    let [revision, message] = ["/deviation/revision", "/deviation/message"].map(|path| output::text(&replay, path));
    output::error(&format!("event {revision} is not what would have come: {message}"));
    Err(Failure::Refused)
}
