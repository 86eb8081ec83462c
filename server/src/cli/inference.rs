//! `timeloom inference`: what models answered, each answer back to the bytes that it came of, and who computes.

use std::str::FromStr;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::moment::Moment;
use super::workflow::all_pages;
use super::{Access, Failure, output};
use crate::config::Config;

/// Inferences that are listed when nobody says how many.
const LIMIT_DEFAULT: usize = 50;
/// Most inferences of one page.
const PAGE_MAX: usize = 100;

const LIST: &str = "query($first: Int!, $after: String, $filter: InferenceFilterInput!, $asOf: AsOf) {
  inferences(first: $first, after: $after, filter: $filter, asOf: $asOf) {
  nodes { id asked modelName version status problem queueUs computeUs batchRows provider askedAt executionId node
    fingerprint requestPosition }
  pageInfo { hasNextPage endCursor } } }";
const SHOW: &str = "query($id: UUID!, $asOf: AsOf) { inference(id: $id, asOf: $asOf) {
  id status problem reason retryAfterMs asked modelName version digest askedAt deadline
  modelVersion { format file { bytes producer source licence } withdrawnReason }
  queueUs computeUs batchRows bucket provider fingerprint
  inputs { name element shape digest kept path } outputs { name element shape digest kept path }
  load { id options machine runtime provider gpu placement { provider nodes } onCpu threads instances fellBack }
  workerId executionId node requestPosition endedPosition } }";
const WORKERS: &str = "query($first: Int!, $after: String, $stopped: Boolean) {
  inferenceWorkers(first: $first, after: $after, stopped: $stopped) {
  nodes { id stopped lost draining machine { runtime runtimeMissing architecture cores gpus gpuMissing }
    loads(first: 20) { nodes { id modelName version provider instances threads rowsMax machine } }
    loadFailed { modelName version code reason } history { createdAt } }
  pageInfo { hasNextPage endCursor } } }";

/// How far an inference is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Status {
    Requested,
    Computing,
    Completed,
    Failed,
    Rejected,
    Cancelled,
}

/// A model's name and perhaps the number of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfModel {
    name: String,
    version: Option<u32>,
}

impl FromStr for OfModel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, version)) = text.split_once('@') else {
            return Ok(Self { name: text.to_owned(), version: None });
        };
        // What an alias means changes, so that it lists nothing.
        let number = version.parse().map_err(|_| {
            format!("'{version}' is no version's number: what an alias means changes, so name the version")
        })?;
        Ok(Self { name: name.to_owned(), version: Some(number) })
    }
}

#[derive(Debug, Subcommand)]
pub enum InferenceVerb {
    /// List what models answered, newest first
    List {
        /// Of this model only: NAME, or NAME@VERSION for a version by its number.
        #[arg(long, value_name = "NAME")]
        model: Option<OfModel>,
        /// Only those that are so far.
        #[arg(long, value_enum)]
        status: Option<Status>,
        /// Only those for which this execution asked.
        #[arg(long, value_name = "ID")]
        execution: Option<Uuid>,
        /// Only those with this fingerprint: computed from the same bytes in the same way.
        #[arg(long, value_name = "DIGEST")]
        fingerprint: Option<String>,
        /// Most that are listed.
        #[arg(long, value_name = "NUMBER", default_value_t = LIMIT_DEFAULT)]
        limit: usize,
        /// As it was at this moment: a position, a time or a day; absent = now.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Show where an answer comes from: the model's bytes, the inputs, how and where it was computed, who asked
    Show {
        /// Its id.
        id: Uuid,
        /// As it was at this moment: a position, a time or a day; absent = now.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// List who computes models, on what, and what they have in memory
    Workers {
        /// Those that ended, too.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Compute recorded answers again and compare them bit by bit; exits with 3 when one is another
    Verify(super::inference_verify::VerifyArguments),
}

impl InferenceVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List { model, status, execution, fingerprint, limit, at, access } => {
                let (model, version) = model.map_or((None, None), |of| (Some(of.name), of.version));
                let status = status.map(|status| format!("{status:?}").to_uppercase());
                let filter = json!({ "model": model, "version": version, "status": status, "execution": execution,
                    "fingerprint": fingerprint });
                Ok(list(&access, config, filter, limit, at).await?)
            }
            Self::Show { id, at, access } => Ok(show(&access, config, id, at).await?),
            Self::Workers { all, access } => Ok(workers(&access, config, all).await?),
            Self::Verify(arguments) => super::inference_verify::verify(arguments, config).await,
        }
    }
}

async fn list(access: &Access, config: &Config, filter: Value, limit: usize, at: Option<Moment>) -> anyhow::Result<()> {
    let client = Client::open(access, config).await?;
    let found = first_of(&client, filter, limit, at).await;
    client.close().await;
    let found = found?;
    if access.json {
        output::json(&Value::Array(found));
        return Ok(());
    }
    let cells = |inference: &Value| {
        let [id, asked, version, status, problem] =
            ["/id", "/asked", "/version", "/status", "/problem"].map(|path| output::text(inference, path));
        let status = if problem == "-" { status } else { format!("{status} ({problem})") };
        let [queue, compute, rows, provider, node, execution] =
            ["/queueUs", "/computeUs", "/batchRows", "/provider", "/node", "/executionId"]
                .map(|path| output::text(inference, path));
        vec![id, asked, version, status.to_lowercase(), queue, compute, rows, provider.to_lowercase(), node, execution]
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    let headings = ["ID", "ASKED", "VERSION", "STATUS", "QUEUE_US", "COMPUTE_US", "BATCH", "BY", "NODE", "EXECUTION"];
    output::table(&headings, &rows);
    Ok(())
}

/// The newest inferences, page by page up to a limit.
async fn first_of(client: &Client, filter: Value, limit: usize, at: Option<Moment>) -> anyhow::Result<Vec<Value>> {
    let mut variables = json!({ "filter": filter, "asOf": at.map(Moment::as_of) });
    let mut found: Vec<Value> = Vec::new();
    while found.len() < limit {
        variables["first"] = (limit - found.len()).min(PAGE_MAX).into();
        let data = client.ask(LIST, variables.clone()).await?;
        found.extend(data.pointer("/inferences/nodes").and_then(Value::as_array).cloned().unwrap_or_default());
        if data.pointer("/inferences/pageInfo/hasNextPage") != Some(&Value::Bool(true)) {
            break;
        }
        variables["after"] = data.pointer("/inferences/pageInfo/endCursor").cloned().unwrap_or_default();
    }
    Ok(found)
}

async fn show(access: &Access, config: &Config, id: Uuid, at: Option<Moment>) -> anyhow::Result<()> {
    let client = Client::open(access, config).await?;
    let found = client.ask(SHOW, json!({ "id": id, "asOf": at.map(Moment::as_of) })).await;
    client.close().await;
    let found = found?;
    let Some(inference) = found.get("inference").filter(|inference| !inference.is_null()) else {
        anyhow::bail!(
            "no inference {id} was written down here: 'timeloom inference list' shows those that were, and of a model \
             that is sampled the others are in sums only"
        );
    };
    if access.json {
        output::json(inference);
    } else {
        trace(inference);
    }
    Ok(())
}

/// Prints an inference as the way from its answer back to what it came of.
fn trace(inference: &Value) {
    let text = |path: &str| output::text(inference, path);
    let said = |path: &str| inference.pointer(path).is_some_and(|value| !value.is_null());
    let mut told = vec![("inference", text("/id")), ("status", text("/status").to_lowercase())];
    if said("/problem") {
        told.push(("problem", text("/problem").to_lowercase()));
    }
    if said("/reason") {
        told.push(("reason", text("/reason")));
    }
    told.push(("asked", format!("{} at {}", text("/asked"), text("/askedAt"))));
    told.push(("model", format!("{} version {}", text("/modelName"), text("/version"))));
    told.push(("file", format!("sha256 {}", text("/digest"))));
    if said("/modelVersion/file/source") {
        told.push(("source", text("/modelVersion/file/source")));
    }
    tensors(inference, "/inputs", "input", &mut told);
    if said("/load/id") {
        told.push(("options", text("/load/options")));
        told.push(("runtime", text("/load/runtime")));
        told.push(("machine", text("/load/machine")));
        told.push(("placement", placement(inference)));
    }
    if said("/provider") {
        told.push(("computed", computed(inference)));
        tensors(inference, "/outputs", "output", &mut told);
        told.push(("fingerprint", text("/fingerprint")));
    }
    told.push(("worker", text("/workerId")));
    if said("/executionId") {
        told.push(("execution", format!("{}, node {}", text("/executionId"), text("/node"))));
    }
    told.push(("events", format!("positions {} to {}", text("/requestPosition"), text("/endedPosition"))));
    let width = told.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in told {
        output::line(&format!("{name:<width$}  {value}"));
    }
}

fn tensors(inference: &Value, path: &str, name: &'static str, told: &mut Vec<(&'static str, String)>) {
    for tensor in inference.pointer(path).and_then(Value::as_array).into_iter().flatten() {
        let [tensor_name, element, shape, digest, kept] =
            ["/name", "/element", "/shape", "/digest", "/kept"].map(|path| output::text(tensor, path));
        let kept = match kept.as_str() {
            "DIGEST_ONLY" => "; only its digest was written down",
            _ => "",
        };
        told.push((name, format!("{tensor_name} {element} {shape} sha256 {digest}{kept}")));
    }
}

fn computed(inference: &Value) -> String {
    let [provider, compute, queue, rows, bucket] =
        ["/provider", "/computeUs", "/queueUs", "/batchRows", "/bucket"].map(|path| output::text(inference, path));
    let provider = provider.to_lowercase();
    format!("by {provider} in {compute} us after {queue} us of waiting, {rows} rows of {bucket} together")
}

fn placement(inference: &Value) -> String {
    let parts = inference.pointer("/load/placement").and_then(Value::as_array).cloned().unwrap_or_default();
    let word = |part: &Value| format!("{} on {}", output::text(part, "/nodes"), output::text(part, "/provider"));
    let mut words: Vec<String> = parts.iter().map(word).collect();
    let fell_back = output::text(inference, "/load/fellBack");
    if fell_back != "-" {
        words.push(format!("fell back: {fell_back}"));
    }
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

async fn workers(access: &Access, config: &Config, all: bool) -> anyhow::Result<()> {
    let client = Client::open(access, config).await?;
    let stopped = if all { Value::Null } else { Value::Bool(false) };
    let found = all_pages(&client, WORKERS, "inferenceWorkers", json!({ "first": 20, "stopped": stopped })).await;
    client.close().await;
    let found = found?;
    if access.json {
        output::json(&Value::Array(found));
        return Ok(());
    }
    let cells = |worker: &Value| {
        let is = |what: &str| worker.get(what) == Some(&Value::Bool(true));
        let status = match (is("stopped"), is("lost"), is("draining")) {
            (true, ..) => "stopped",
            (false, true, _) => "lost",
            (false, false, true) => "draining",
            (false, false, false) => "working",
        };
        let [id, since, architecture, cores, runtime, missing] = [
            "/id",
            "/history/createdAt",
            "/machine/architecture",
            "/machine/cores",
            "/machine/runtime",
            "/machine/runtimeMissing",
        ]
        .map(|path| output::text(worker, path));
        let runtime = if runtime == "-" { missing } else { runtime };
        vec![id, status.to_owned(), since, format!("{architecture} x{cores}"), runtime, in_memory(worker)]
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    output::table(&["ID", "STATUS", "SINCE", "MACHINE", "RUNTIME", "IN MEMORY"], &rows);
    Ok(())
}

/// What a worker has in memory, in words.
fn in_memory(worker: &Value) -> String {
    let loads = worker.pointer("/loads/nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    let word = |load: &Value| {
        let [model, version, provider, instances] =
            ["/modelName", "/version", "/provider", "/instances"].map(|path| output::text(load, path));
        format!("{model}@{version} ({instances} on {})", provider.to_lowercase())
    };
    let words: Vec<String> = loads.iter().map(word).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::OfModel;

    #[test]
    fn a_list_is_of_a_model_or_of_a_version_by_its_number() {
        let of = |text: &str| text.parse::<OfModel>().map(|of| (of.name, of.version)).ok();
        assert_eq!(of("mood"), Some(("mood".to_owned(), None)));
        assert_eq!(of("acme/mood@3"), Some(("acme/mood".to_owned(), Some(3))));
        assert_eq!(of("mood@prod"), None);
    }
}
