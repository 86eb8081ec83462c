//! `timeloom workflow run`: runs a workflow file in a throw-away embedded store, or on a server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::{Value, json};
use timeloom_commands::{CommandContext, CommandError, Ids as _, ImportWorkflow, Outcome, StartExecution, SystemIds};
use timeloom_domain::definition::wrap_item;
use timeloom_domain::event::{Aggregate as _, Event};
use timeloom_domain::execution::{Execution, ExecutionEvent};
use timeloom_domain::ids::{CommandId, ExecutionId};
use timeloom_domain::item::Item;
use timeloom_engine::node::{FixedCredentials, NodeRegistry};
use timeloom_store::{EventLog, Filter, Position, StreamKey, Subscription, SubscriptionMessage, TenantScope};

use super::client::Client;
use super::workflow::read_file;
use super::{Access, Failure, output};
use crate::app::{App, TENANT, actor};
use crate::config::Config;
use crate::fixture::Fixture;
use crate::run_data::run_data;

const IMPORT: &str = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) {
  workflowId errors { code message ... on Refused { problems { node field message } } } } }";
const START: &str = "mutation($input: StartExecutionInput!) { startExecution(input: $input) {
  executionId position status errors { code message ... on Refused { problems { node field message } } } } }";
const STATE: &str = "query($id: ID!, $position: Position) {
  stateAt(entity: { kind: EXECUTION, id: $id }, waitFor: $position) { state } }";

/// How often a person who waits is told how far the run is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Events of a run that may queue up before they are folded.
const QUEUE_EVENTS_MAX: usize = 65_536;

/// What `workflow run` takes.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The workflow file (n8n's export format); `-` reads standard input.
    file: PathBuf,
    /// A file with the item for the start node: `{"json": {…}}` or a bare object.
    #[arg(long, value_name = "FILE")]
    trigger_item: Option<PathBuf>,
    /// Whom the data of the run is about, by which a server can erase it.
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Let the records of a JSON file stand in for a node type.
    #[arg(long, value_name = "TYPE=FILE")]
    fixture_node: Vec<String>,
    /// A JSON file with the credentials of the run: `{"TYPE": {fields}}`. They are kept nowhere.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Longest time for the run, in seconds.
    #[arg(long, default_value_t = 300, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    #[command(flatten)]
    access: Access,
}

impl RunArguments {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let source = match read_file(&self.file) {
            Ok(source) => source,
            Err(error) => {
                output::error(&format!("{error:#}"));
                return Err(Failure::Refused);
            }
        };
        let items = self.trigger_items()?;
        let execution = match &self.access.server {
            Some(url) => self.run_remote(url, config, source, items).await?,
            None => self.run_embedded(config, source, items).await?,
        };
        let result = run_data(&execution);
        if self.access.json {
            output::json(&result);
        } else {
            show(&result);
        }
        if result.get("status") == Some(&json!("success")) { Ok(()) } else { Err(Failure::Failed) }
    }

    fn trigger_items(&self) -> anyhow::Result<Option<Vec<Item>>> {
        let Some(file) = &self.trigger_item else { return Ok(None) };
        let value: Value =
            serde_json::from_slice(&read_file(file)?).with_context(|| format!("{} is not JSON", file.display()))?;
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        let items = values.into_iter().map(wrap_item).collect::<Result<_, _>>();
        Ok(Some(items.with_context(|| format!("{} is not an item", file.display()))?))
    }

    fn credentials(&self) -> anyhow::Result<FixedCredentials> {
        let Some(file) = &self.credentials else { return Ok(FixedCredentials::default()) };
        // What is wrong is told by its place alone: the file holds secrets.
        let by_type = serde_json::from_slice(&read_file(file)?).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            anyhow!("{} is not of the form {{\"TYPE\": {{…}}}}: line {line}, column {column}", file.display())
        })?;
        Ok(FixedCredentials::new(by_type))
    }

    fn registry(&self, config: &Config) -> anyhow::Result<NodeRegistry> {
        let mut registry = config.node_types();
        for fixture in &self.fixture_node {
            let (node_type, file) =
                fixture.split_once('=').ok_or_else(|| anyhow!("--fixture-node '{fixture}' must be TYPE=FILE"))?;
            let text = String::from_utf8(read_file(std::path::Path::new(file))?)
                .with_context(|| format!("{file} is not UTF-8 text"))?;
            let full_name =
                if node_type.contains('.') { node_type.to_owned() } else { format!("n8n-nodes-base.{node_type}") };
            registry.insert(Arc::new(Fixture::try_new(&full_name, &text)?));
        }
        Ok(registry)
    }

    async fn run_embedded(
        &self,
        config: &Config,
        source: Vec<u8>,
        items: Option<Vec<Item>>,
    ) -> Result<Execution, Failure> {
        let folder = tempfile::Builder::new().prefix("timeloom-run-").tempdir().context("no temporary folder")?;
        let config = Config { data: folder.path().to_owned(), database: None, ..config.clone() };
        let app = App::open_with(&config, self.registry(&config)?, self.credentials()?).await?;
        let result = self.run_in(&app, source, items).await;
        app.close().await;
        result
    }

    async fn run_in(&self, app: &App, source: Vec<u8>, items: Option<Vec<Item>>) -> Result<Execution, Failure> {
        let import = ImportWorkflow { workflow_id: None, source };
        let workflow_id = self.told(app.commands.import_workflow(&context(), import).await)?.value;
        let execution_id = ExecutionId(SystemIds.uuid());
        let events = subscribe(&app.log, execution_id, Position::START);
        app.commands.flags().caught_up().await?;
        app.engine.start().await?;
        let subject = self.subject.clone();
        let start =
            StartExecution { execution_id: Some(execution_id), items, subject, ..StartExecution::by_hand(workflow_id) };
        self.told(app.commands.start_execution(&context(), start).await)?;
        let followed = follow(&app.log, events);
        match tokio::time::timeout(Duration::from_secs(self.timeout), followed).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(anyhow!("the run did not end within {} s: see --timeout", self.timeout).into()),
        }
    }

    /// What a command came to; a refusal is told to the person, piece by piece.
    fn told<T>(&self, result: Result<Outcome<T>, CommandError>) -> Result<Outcome<T>, Failure> {
        match result {
            Ok(outcome) => Ok(outcome),
            Err(CommandError::Refused(refusal)) => {
                if self.access.json {
                    let problems = serde_json::to_value(&refusal.problems)?;
                    let error = json!({"code": refusal.code, "message": refusal.message, "problems": problems});
                    output::json(&json!({"status": "refused", "error": error}));
                }
                if refusal.problems.is_empty() {
                    output::error(&refusal.message);
                }
                refusal.problems.iter().for_each(|problem| output::error(&problem.to_string()));
                Err(Failure::Refused)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn run_remote(
        &self,
        url: &str,
        config: &Config,
        source: Vec<u8>,
        items: Option<Vec<Item>>,
    ) -> Result<Execution, Failure> {
        if self.credentials.is_some() {
            return Err(anyhow!("--credentials works without --server only: a server has its own").into());
        }
        if !self.fixture_node.is_empty() {
            return Err(anyhow!("--fixture-node works without --server only: a server has its own nodes").into());
        }
        let client = Client::remote(url, config)?;
        let source = String::from_utf8(source).context("the file is not UTF-8 text")?;
        let json = self.access.json;
        let imported = client.change("importWorkflow", IMPORT, json!({ "source": source }), json).await?;
        let input = json!({
            "workflowId": imported["workflowId"],
            "mode": "MANUAL",
            "items": items,
            "subject": self.subject,
            "waitFor": "COMPLETED",
            "timeoutMs": (self.timeout * 1_000).min(300_000),
        });
        let started = client.change("startExecution", START, input, json).await?;
        let (mut id, position) = (started["executionId"].clone(), &started["position"]);
        let mut links = Vec::new();
        loop {
            let data = client.ask(STATE, json!({ "id": id, "position": position })).await?;
            let state = data.pointer("/stateAt/state").cloned().unwrap_or_default();
            let link: Execution = serde_json::from_value(state).context("the server's answer is not an execution")?;
            let next = link.continued_as;
            links.push(link);
            match next {
                Some(next) => id = json!(next),
                None => return Ok(links.into_iter().reduce(Execution::joined).unwrap_or_default()),
            }
        }
    }
}

fn subscribe(log: &Arc<dyn EventLog>, id: ExecutionId, after: Position) -> Subscription {
    let stream = StreamKey::new(TENANT, ExecutionEvent::CATEGORY, id.to_string());
    let filter = Filter { stream: Some(stream), ..Filter::default() };
    log.subscribe(TenantScope::One(TENANT), after, filter, QUEUE_EVENTS_MAX)
}

/// Folds the events of a run as they come, through as many streams as it takes, until it has ended; tells the person that
/// it goes on.
async fn follow(log: &Arc<dyn EventLog>, mut events: Subscription) -> anyhow::Result<Execution> {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + PROGRESS_INTERVAL, PROGRESS_INTERVAL);
    let (mut links, mut execution) = (Vec::new(), Execution::default());
    loop {
        let message = tokio::select! {
            message = events.next() => message,
            _ = ticks.tick() => {
                let runs = execution.earlier_runs + execution.node_runs.len();
                output::notice(&format!("running: {runs} node runs so far"));
                continue;
            }
        };
        match message {
            Some(SubscriptionMessage::Event(recorded)) => {
                execution.apply(&timeloom_store::codec::decode::<ExecutionEvent>(&recorded)?);
                if let Some(next) = execution.continued_as {
                    events = subscribe(log, next, recorded.position);
                }
                if execution.status.has_ended() {
                    let has_next = execution.continued_as.is_some();
                    links.push(std::mem::take(&mut execution));
                    if !has_next {
                        return Ok(links.into_iter().reduce(Execution::joined).unwrap_or_default());
                    }
                }
            }
            Some(SubscriptionMessage::Failed(error)) => return Err(error.into()),
            Some(SubscriptionMessage::FellBehind(_)) => return Err(anyhow!("the run gave more events than fit")),
            Some(SubscriptionMessage::Checkpoint(_) | SubscriptionMessage::CaughtUp(_)) => {}
            None => return Err(anyhow!("the log was closed before the run ended")),
        }
    }
}

fn context() -> CommandContext {
    CommandContext::trusted(TENANT, actor(), CommandId(SystemIds.uuid()))
}

/// The result for people: a line for each node run, and the items of the last one.
fn show(result: &Value) {
    let mut rows = Vec::new();
    let by_node = result.get("runData").and_then(Value::as_object).cloned().unwrap_or_default();
    for (node, runs) in &by_node {
        for run in runs.as_array().into_iter().flatten() {
            let outputs = run.pointer("/data/main").and_then(Value::as_array).cloned().unwrap_or_default();
            let counts: Vec<String> =
                outputs.iter().map(|items| items.as_array().map_or(0, Vec::len).to_string()).collect();
            let index = run.get("executionIndex").and_then(Value::as_u64).unwrap_or_default();
            rows.push((index, node.clone(), counts.join(" / "), run.clone()));
        }
    }
    rows.sort_by_key(|(index, ..)| *index);
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(index, node, counts, run)| {
            vec![index.to_string(), node.clone(), counts.clone(), output::text(run, "/executionStatus")]
        })
        .collect();
    output::table(&["#", "NODE", "ITEMS", "STATUS"], &cells);
    if let Some((_, node, _, run)) = rows.last() {
        let items = run.pointer("/data/main/0").and_then(Value::as_array).cloned().unwrap_or_default();
        output::line(&format!("\n{node} gave:"));
        for item in items.iter().take(20) {
            output::line(&format!("  {}", item.get("json").unwrap_or(item)));
        }
        if items.len() > 20 {
            output::line(&format!("  … and {} more (--json shows all)", items.len() - 20));
        }
    }
    if let Some(error) = result.get("error") {
        output::error(&output::text(error, "/message"));
    }
}
