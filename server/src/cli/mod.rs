//! The command line: one module a noun. Every verb takes `--json` for programs.

mod access;
mod agent;
mod archive;
mod asof;
mod audit;
mod bisect;
mod bisect_models;
mod bisect_plugins;
mod bisect_record;
mod capsule;
mod client;
mod control;
mod credential;
mod debug;
mod draft;
mod erasure;
mod eval;
mod events;
mod execution;
mod explain;
mod expression;
mod external;
mod fork;
mod gateway;
mod inference;
mod inference_verify;
mod log;
mod mcp;
mod model;
mod model_drift;
mod model_file;
mod model_rollout;
mod moment;
pub mod output;
mod packages;
mod progress;
mod projections;
mod replay;
mod retention;
mod rollout;
mod run;
mod service;
mod service_nodes;
mod side_by_side;
mod state;
mod table;
mod template;
mod test_case;
mod trigger;
mod watch;
mod why;
mod workers;
mod workflow;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, LogFormat, ServeConfig};
use crate::documents::READ_VERB;
use crate::models::TRIAL_VERB;
use crate::serve;

/// Timeloom: workflow automation whose whole history can be read, rewound and verified.
#[derive(Debug, Parser)]
#[command(name = "timeloom", version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub config: Config,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb that talks to a store or server takes.
#[derive(Debug, Clone, Args)]
pub struct Access {
    /// A running server, such as http://127.0.0.1:8080; without it the verb opens the data folder itself.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve the API and run workflows
    Serve(ServeConfig),
    /// Import, list, export and run workflows
    #[command(subcommand)]
    Workflow(workflow::WorkflowVerb),
    /// List and show executions; pause, resume, cancel and retry them
    #[command(subcommand)]
    Execution(execution::ExecutionVerb),
    /// List triggers that listen for messages, and what they left out
    #[command(subcommand)]
    Trigger(trigger::TriggerVerb),
    /// List the events of the log, or follow them
    #[command(subcommand)]
    Events(events::EventsVerb),
    /// The state of anything at any moment
    #[command(subcommand)]
    State(state::StateVerb),
    /// Run executions again without touching the world; exits with 3 when one does something else
    Replay(replay::ReplayArguments),
    /// Evaluate expressions
    #[command(subcommand)]
    Expression(expression::ExpressionVerb),
    /// Workflows and agents to begin with
    #[command(subcommand)]
    Template(template::TemplateVerb),
    /// List the services whose nodes are offered as HTTP Requests, and check files that describe more
    #[command(subcommand)]
    Service(service::ServiceVerb),
    /// Copy, back up, restore, verify and archive the log
    #[command(subcommand)]
    Log(log::LogVerb),
    /// Prove the log to others, and erase what is about a subject: checkpoints, exports and their check; requests, holds, keys
    #[command(subcommand)]
    Audit(audit::AuditVerb),
    /// Tell from where a value comes, through called workflows and agents, up to the first trigger
    Explain(explain::ExplainArguments),
    /// Tell what was in force at a moment: workflows, models, agents, routes, flags, credentials, accounts
    Asof(asof::AsofArguments),
    /// Find the change of a workflow that made a run bad, between a good run and a bad one
    Bisect(bisect::BisectArguments),
    /// Look at an execution in the terminal, event by event, as it was right after each of them
    Debug(debug::DebugArguments),
    /// Let programs that work with language models use Timeloom: the Model Context Protocol on standard input and output
    Mcp(mcp::McpArguments),
    /// An execution as one file: make it, show it, prove it, run it again, and keep it as a test
    #[command(subcommand)]
    Capsule(capsule::CapsuleVerb),
    /// Save, list and delete credentials, and seal them under new keys
    #[command(subcommand)]
    Credential(credential::CredentialVerb),
    /// Data tables: make them, look at their rows at any moment, put rows in, change and delete them
    #[command(subcommand)]
    Table(table::TableVerb),
    /// List, show and change models: their versions, and which of them answers
    #[command(subcommand)]
    Model(model::ModelVerb),
    /// Set up how language models are asked; list what was asked, and what it cost
    #[command(subcommand)]
    Gateway(gateway::GatewayVerb),
    /// Agents: publish them, run them, approve what they do, fork their runs
    #[command(subcommand)]
    Agent(agent::AgentVerb),
    /// List what models answered, trace answers back to their bytes, show who computes
    #[command(subcommand)]
    Inference(inference::InferenceVerb),
    /// Try versions of models on recorded inferences; nothing of it is served
    #[command(subcommand)]
    Eval(eval::EvalVerb),
    /// Work on the read models
    #[command(subcommand)]
    Projections(projections::ProjectionsVerb),
    /// The processes that work on a log
    #[command(subcommand)]
    Workers(workers::WorkersVerb),
    /// List, make and change accounts: who has access
    #[command(subcommand)]
    Account(access::AccountVerb),
    /// List, make and revoke keys of accounts
    #[command(subcommand)]
    Key(access::KeyVerb),
    /// List and end sessions
    #[command(subcommand)]
    Session(access::SessionVerb),
    /// List, make and suspend tenants
    #[command(subcommand)]
    Tenant(access::TenantVerb),
    /// Say for which tenants a feature is on, and roll that back
    #[command(subcommand)]
    Flag(access::FlagVerb),
    /// Review who could do what at a moment
    #[command(subcommand)]
    Access(access::AccessVerb),
    /// Load a model's file on trial, in a process of its own; the server starts this by itself
    #[command(hide = true, name = TRIAL_VERB)]
    ModelTrial {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Read a document in a process of its own; the server starts this by itself
    #[command(hide = true, name = READ_VERB)]
    DocumentRead {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Tell as whom you are let in, and what you may do
    Whoami {
        #[command(flatten)]
        access: Access,
    },
}

/// Why a verb ended without success.
#[derive(Debug)]
pub enum Failure {
    /// It did what it was asked, and the answer is a failure: status 1.
    Failed,
    /// The input was refused; the message was told: status 2.
    Refused,
    /// What was compared differs; that was told: status 3.
    Differs,
    /// Anything else: status 1 with a message.
    Error(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Cli {
    /// Runs the verb.
    pub async fn run(self) -> ExitCode {
        if let Err(error) = init_logging(&self.config) {
            return fail(&error);
        }
        let config = &self.config;
        let is_child = matches!(self.verb, Verb::ModelTrial { .. } | Verb::DocumentRead { .. });
        if !is_child && let Err(error) = service::take(config) {
            return fail(&error);
        }
        let result = match self.verb {
            Verb::Serve(options) => serve::serve(config, &options).await.map_err(Failure::Error),
            Verb::Workflow(verb) => verb.run(config).await,
            Verb::Execution(verb) => verb.run(config).await,
            Verb::Trigger(verb) => verb.run(config).await,
            Verb::Events(verb) => verb.run(config).await,
            Verb::State(verb) => verb.run(config).await,
            Verb::Replay(arguments) => arguments.run(config).await,
            Verb::Expression(verb) => verb.run(config),
            Verb::Template(verb) => verb.run(config).await,
            Verb::Service(verb) => verb.run(),
            Verb::Log(verb) => verb.run(config).await,
            Verb::Audit(verb) => verb.run(config).await,
            Verb::Explain(arguments) => arguments.run(config).await,
            Verb::Asof(arguments) => arguments.run(config).await,
            Verb::Bisect(arguments) => arguments.run(config).await,
            Verb::Debug(arguments) => arguments.run(config).await,
            Verb::Mcp(arguments) => arguments.run(config).await,
            Verb::Capsule(verb) => verb.run(config).await,
            Verb::Credential(verb) => verb.run(config).await,
            Verb::Table(verb) => verb.run(config).await,
            Verb::Model(verb) => verb.run(config).await,
            Verb::Gateway(verb) => verb.run(config).await,
            Verb::Agent(verb) => verb.run(config).await,
            Verb::Inference(verb) => verb.run(config).await,
            Verb::Eval(verb) => verb.run(config).await,
            Verb::Projections(verb) => verb.run(config).await,
            Verb::Workers(verb) => verb.run(config).await,
            Verb::Account(verb) => verb.run(config).await,
            Verb::Key(verb) => verb.run(config).await,
            Verb::Session(verb) => verb.run(config).await,
            Verb::Tenant(verb) => verb.run(config).await,
            Verb::Flag(verb) => verb.run(config).await,
            Verb::Access(verb) => verb.run(config).await,
            Verb::ModelTrial { arguments } => {
                return ExitCode::from(timeloom_inference::validate::child_main(&arguments));
            }
            Verb::DocumentRead { arguments } => return ExitCode::from(timeloom_documents::child_main(&arguments)),
            Verb::Whoami { access } => access::whoami(&access, config).await,
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure::Failed) => ExitCode::from(1),
            Err(Failure::Refused) => ExitCode::from(2),
            Err(Failure::Differs) => ExitCode::from(3),
            Err(Failure::Error(error)) if error.is::<client::Refused>() => {
                output::error(&error.to_string());
                ExitCode::from(2)
            }
            Err(Failure::Error(error)) => fail(&error),
        }
    }
}

/// Tells the error with its causes; status 1.
pub fn fail(error: &anyhow::Error) -> ExitCode {
    output::error(&format!("{error:#}"));
    ExitCode::from(1)
}

fn init_logging(config: &Config) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log)
        .map_err(|error| anyhow::anyhow!("--log '{}' is not a filter: {error}", config.log))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn no_two_arguments_of_any_verb_are_in_each_others_way() {
        Cli::command().debug_assert();
    }
}
