//! `timeloom execution`: list, show, cancel, and what is asked of executions under way and of failures.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::control::{self, BreakpointChange, Change, How, RedriveChoice};
use super::fork::ForkArguments;
use super::side_by_side::CompareArguments;
use super::watch::WatchArguments;
use super::{Access, Failure, moment, output};
use crate::config::Config;

const LIST: &str = "query($first: Int!, $after: String, $workflow: UUID, $status: ExecutionStatus,
  $trigger: ExecutionTrigger, $unresolved: Boolean!, $saved: SavedFactInput, $fingerprint: String, $from: DateTime,
  $to: DateTime, $text: String, $order: ExecutionOrder!) {
  executions(first: $first, after: $after, workflowId: $workflow, status: $status, trigger: $trigger,
    unresolved: $unresolved, saved: $saved, errorFingerprint: $fingerprint, startedFrom: $from, startedTo: $to,
    text: $text, order: $order) {
    nodes { id workflowId status trigger startedAt endedAt errorMessage } pageInfo { hasNextPage endCursor } } }";
const GROUPS: &str = "query($first: Int!, $after: String, $workflow: UUID, $unresolved: Boolean!) {
  executionGroups(first: $first, after: $after, workflowId: $workflow, unresolved: $unresolved) {
    nodes { fingerprint executionCount workflowCount errorNode errorMessage newest { id startedAt } }
    pageInfo { hasNextPage endCursor } } }";
const SHOW: &str = "query($id: UUID!) { execution(id: $id) {
  id workflowId status mode startNode startedAt endedAt errorMessage errorNode cancelReason traceId
  trigger causedBy retryOf forkedFrom { executionId position reason actor { name } unusedOutputs { node runIndex } } retriedAs dismissed priority worker continuedFrom continuedAs
  waiting { node until resumeUrl } paused { kind node reason } breakpoints { node condition }
  response { status headers { name value } bodyKind body } savedData { name value }
  createdPosition updatedPosition
  nodeRuns(first: 100) { nodes { node runIndex executionIndex status attempts durationMs itemCounts errorMessage }
    pageInfo { hasNextPage endCursor } } } }";
const CANCEL: &str = "mutation($input: CancelExecutionInput!) { cancelExecution(input: $input) {
  executionId position errors { code message } } }";

#[derive(Debug, Subcommand)]
pub enum ExecutionVerb {
    /// List executions, newest first where nothing else is said
    List {
        /// Only those of this workflow.
        #[arg(long, value_name = "ID")]
        workflow: Option<Uuid>,
        /// Only those with this status: running, waiting, paused, completed, failed, cancelled or continued.
        #[arg(long)]
        status: Option<String>,
        /// Only those started by this: webhook, schedule, sub-workflow, failure, retry or fork.
        #[arg(long, value_parser = control::trigger)]
        trigger: Option<String>,
        /// Only dead letters: failures of production runs that were neither retried nor dismissed.
        #[arg(long)]
        unresolved: bool,
        /// Only those about which a node saved this.
        #[arg(long, value_name = "NAME=VALUE", value_parser = control::saved)]
        saved: Option<Value>,
        /// Only failures of this cause, as `execution groups` tells it.
        #[arg(long, value_name = "FINGERPRINT")]
        fingerprint: Option<String>,
        /// Only those that began at or after this time.
        #[arg(long, value_name = "TIME", value_parser = moment::time)]
        from: Option<DateTime<Utc>>,
        /// Only those that began before this time.
        #[arg(long, value_name = "TIME", value_parser = moment::time)]
        to: Option<DateTime<Utc>>,
        /// Only those with this in their workflow's name, in their error or in the name of the node to blame.
        #[arg(long)]
        text: Option<String>,
        /// In which order: newest, or unresolved-first, which has dead letters before all others.
        #[arg(long, default_value = "newest", value_parser = ["newest", "unresolved-first"])]
        order: String,
        /// How many, at most 100.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// Go on after this cursor.
        #[arg(long)]
        after: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Group failures by their cause, those with the newest failure first
    Groups {
        /// Only those of this workflow.
        #[arg(long, value_name = "ID")]
        workflow: Option<Uuid>,
        /// Only dead letters: failures of production runs that were neither retried nor dismissed.
        #[arg(long)]
        unresolved: bool,
        /// How many, at most 100.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// Go on after this cursor.
        #[arg(long)]
        after: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Show one execution with its node runs
    Show {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
    /// Stop an execution
    Cancel {
        /// Its id.
        id: Uuid,
        /// Why, for those who read its history.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    #[command(flatten)]
    Control(ControlVerb),
}

/// What is asked of executions under way and of failures.
#[derive(Debug, Subcommand)]
pub enum ControlVerb {
    /// Let an execution stand still before its next node
    Pause {
        /// Its id.
        id: Uuid,
        /// Why, for those who read its history.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    /// Let an execution go on that stands still
    Unpause {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
    /// Let an execution that stands still go on for one node
    Step {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
    /// Change before which nodes an execution pauses, or tell it
    Breakpoints {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        breakpoints: BreakpointChange,
        #[command(flatten)]
        access: Access,
    },
    /// End the wait of a node
    Resume {
        /// Its id.
        id: Uuid,
        /// What the node gives, in JSON; without it, its input.
        #[arg(long, value_name = "JSON")]
        items: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Try an execution again that failed or was cancelled
    Retry {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        how: How,
        #[command(flatten)]
        access: Access,
    },
    /// Take down that a failure needs no attention any more
    Dismiss {
        /// Its id.
        id: Uuid,
        /// Why, for those who read its history.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    /// Let a new execution go on from an event of another one, with something changed or nothing
    Fork {
        /// The execution's id.
        id: Uuid,
        #[command(flatten)]
        fork: ForkArguments,
        #[command(flatten)]
        access: Access,
    },
    /// Print how two executions differ, node run by node run, and because of what
    Compare {
        /// The one.
        left: Uuid,
        /// The other.
        right: Uuid,
        #[command(flatten)]
        how: CompareArguments,
        #[command(flatten)]
        access: Access,
    },
    /// Evaluate an expression over executions of the past: where it was true, or what it gave
    Watch(WatchArguments),
    /// Try many dead letters again, the newest first
    Redrive {
        #[command(flatten)]
        redrive: RedriveChoice,
        #[command(flatten)]
        access: Access,
    },
}

impl ControlVerb {
    async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Pause { id, reason, access } => Change::pause(reason).ask(id, &access, config).await,
            Self::Unpause { id, access } => Change::unpause().ask(id, &access, config).await,
            Self::Step { id, access } => Change::step().ask(id, &access, config).await,
            Self::Breakpoints { id, breakpoints, access } => breakpoints.ask(id, &access, config).await,
            Self::Resume { id, items, access } => Change::resume(items.as_deref())?.ask(id, &access, config).await,
            Self::Retry { id, how, access } => control::retry(id, &how, &access, config).await,
            Self::Dismiss { id, reason, access } => Change::dismiss(reason).ask(id, &access, config).await,
            Self::Fork { id, fork, access } => fork.run(id, &access, config).await,
            Self::Compare { left, right, how, access } => how.run([left, right], &access, config).await,
            Self::Watch(watch) => watch.run(config).await,
            Self::Redrive { redrive, access } => redrive.ask(&access, config).await,
        }
    }
}

impl ExecutionVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List {
                workflow,
                status,
                trigger,
                unresolved,
                saved,
                fingerprint,
                from,
                to,
                text,
                order,
                limit,
                after,
                access,
            } => {
                let status = status.map(|status| status.to_uppercase());
                let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
                let variables = json!({
                    "first": limit, "after": after, "workflow": workflow, "status": status,
                    "trigger": trigger, "unresolved": unresolved, "saved": saved, "fingerprint": fingerprint,
                    "from": from.map(time), "to": to.map(time), "text": text,
                    "order": order.to_uppercase().replace('-', "_"),
                });
                list(variables, &access, config).await
            }
            Self::Groups { workflow, unresolved, limit, after, access } => {
                let variables =
                    json!({ "first": limit, "after": after, "workflow": workflow, "unresolved": unresolved });
                groups(variables, &access, config).await
            }
            Self::Show { id, access } => show(id, &access, config).await,
            Self::Cancel { id, reason, access } => cancel(id, &reason, &access, config).await,
            Self::Control(verb) => verb.run(config).await,
        }
    }
}

async fn list(variables: Value, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let data = client.ask(LIST, variables).await;
    client.close().await;
    let list = data?.get("executions").cloned().unwrap_or_default();
    if access.json {
        output::json(&list);
        return Ok(());
    }
    let executions = list.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = ["/id", "/workflowId", "/status", "/trigger", "/startedAt", "/endedAt", "/errorMessage"];
    let rows: Vec<Vec<String>> =
        executions.iter().map(|execution| fields.map(|path| output::text(execution, path)).to_vec()).collect();
    output::table(&["ID", "WORKFLOW", "STATUS", "TRIGGER", "STARTED", "ENDED", "ERROR"], &rows);
    if list.pointer("/pageInfo/hasNextPage") == Some(&Value::Bool(true)) {
        output::notice(&format!("more: --after {}", output::text(&list, "/pageInfo/endCursor")));
    }
    Ok(())
}

async fn groups(variables: Value, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let data = client.ask(GROUPS, variables).await;
    client.close().await;
    let list = data?.get("executionGroups").cloned().unwrap_or_default();
    if access.json {
        output::json(&list);
        return Ok(());
    }
    let groups = list.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = ["/fingerprint", "/executionCount", "/workflowCount", "/newest/id", "/errorNode", "/errorMessage"];
    let rows: Vec<Vec<String>> =
        groups.iter().map(|group| fields.map(|path| output::text(group, path)).to_vec()).collect();
    output::table(&["CAUSE", "FAILURES", "WORKFLOWS", "NEWEST", "NODE", "ERROR"], &rows);
    if list.pointer("/pageInfo/hasNextPage") == Some(&Value::Bool(true)) {
        output::notice(&format!("more: --after {}", output::text(&list, "/pageInfo/endCursor")));
    }
    Ok(())
}

async fn show(id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let data = client.ask(SHOW, json!({ "id": id })).await;
    client.close().await;
    let execution = data?.get("execution").cloned().unwrap_or_default();
    if execution.is_null() {
        output::error(&format!("there is no execution {id}: `timeloom execution list` shows those that are"));
        return Err(Failure::Refused);
    }
    if access.json {
        output::json(&execution);
        return Ok(());
    }
    for (label, path) in [
        ("execution", "/id"),
        ("workflow", "/workflowId"),
        ("status", "/status"),
        ("started", "/startedAt"),
        ("ended", "/endedAt"),
        ("error", "/errorMessage"),
        ("trace", "/traceId"),
    ] {
        output::line(&format!("{label:<10} {}", output::text(&execution, path)));
    }
    for (label, text) in circumstances(&execution) {
        output::line(&format!("{label:<10} {text}"));
    }
    output::line("");
    let runs = execution.pointer("/nodeRuns/nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = ["/executionIndex", "/node", "/runIndex", "/status", "/attempts", "/itemCounts", "/durationMs"];
    let rows: Vec<Vec<String>> = runs.iter().map(|run| fields.map(|path| output::text(run, path)).to_vec()).collect();
    output::table(&["#", "NODE", "RUN", "STATUS", "ATTEMPTS", "ITEMS", "MILLISECONDS"], &rows);
    Ok(())
}

/// What there is to tell of an execution besides what every one has.
fn circumstances(execution: &Value) -> Vec<(&'static str, String)> {
    let text = |path: &str| output::text(execution, path);
    let there = |path: &str| execution.pointer(path).is_some_and(|value| !value.is_null());
    let mut told = Vec::new();
    for (label, path) in [
        ("trigger", "/trigger"),
        ("caused by", "/causedBy"),
        ("forked at", "/forkedFrom/position"),
        ("fork why", "/forkedFrom/reason"),
        ("retried as", "/retriedAs"),
        ("dismissed", "/dismissed"),
        ("cancelled", "/cancelReason"),
        ("goes on as", "/continuedAs"),
        ("worker", "/worker"),
    ] {
        if there(path) {
            told.push((label, text(path)));
        }
    }
    for unused in execution.pointer("/forkedFrom/unusedOutputs").and_then(Value::as_array).into_iter().flatten() {
        let (node, run) = (output::text(unused, "/node"), output::text(unused, "/runIndex"));
        told.push(("not used", format!("the changed output of '{node}', run {run}: the fork has not come to it")));
    }
    if there("/waiting") {
        let until = if there("/waiting/until") { format!(" until {}", text("/waiting/until")) } else { String::new() };
        told.push(("waits", format!("at '{}'{until}", text("/waiting/node"))));
        if there("/waiting/resumeUrl") {
            told.push(("resume at", text("/waiting/resumeUrl")));
        }
    }
    if there("/paused") {
        let why = ["/paused/node", "/paused/reason"].into_iter().find(|path| there(path)).map(text);
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        told.push(("paused", format!("{}{why}", text("/paused/kind").to_lowercase())));
    }
    for breakpoint in execution.get("breakpoints").and_then(Value::as_array).into_iter().flatten() {
        let condition = breakpoint.get("condition").and_then(Value::as_str);
        let condition = condition.map(|condition| format!(" if {condition}")).unwrap_or_default();
        told.push(("breakpoint", format!("before '{}'{condition}", output::text(breakpoint, "/node"))));
    }
    if there("/response") {
        told.push(("answered", format!("{} {}", text("/response/status"), text("/response/body"))));
    }
    for fact in execution.get("savedData").and_then(Value::as_array).into_iter().flatten() {
        told.push(("saved", format!("{} = {}", output::text(fact, "/name"), output::text(fact, "/value"))));
    }
    told
}

async fn cancel(id: Uuid, reason: &str, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let input = json!({ "executionId": id, "reason": reason });
    let result = client.change("cancelExecution", CANCEL, input, access.json).await;
    client.close().await;
    let payload = result?;
    if access.json {
        output::json(&payload);
    } else {
        output::line(&format!("cancelled execution {id} at position {}", output::text(&payload, "/position")));
    }
    Ok(())
}
