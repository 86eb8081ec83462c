//! The typed configuration: every setting is a flag with an environment name beside it. Nothing else reads the
//! environment.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use chrono_tz::Tz;
use clap::{Args, ValueEnum};
use serde_json::Value;
use timeloom_connectors::McpCommands;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeRegistry, OutboundPolicy};
use timeloom_read_api::{RateLimits, SignIn, SignInOptions, WebhookOptions};
use timeloom_store::leases::{Role, Roles};
use timeloom_store::{BLOB_BYTES_MAX, DurabilityChoice};
use zeroize::Zeroizing;

use crate::graphql_config::GraphqlConfig;
use crate::models::ModelConfig;
use crate::oidc_config::OidcConfig;
use crate::trace_config::TraceConfig;

/// Settings of every verb that opens a data folder or runs workflows.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Folder of the embedded store.
    #[arg(long, global = true, env = "TIMELOOM_DATA", default_value = "./data", help_heading = "Settings")]
    pub data: PathBuf,
    /// A PostgreSQL database that keeps everything in place of the data folder: postgres://user:password@host/database.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_DATABASE",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Settings"
    )]
    pub database: Option<String>,
    /// A server that speaks the protocol of EventStoreDB and keeps the log in place of the data folder, which follows it then:
    /// esdb://user:password@host:port?tls=true. Needs a build with the feature `esdb`.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_STORE",
        hide_env_values = true,
        value_name = "URL",
        conflicts_with = "database",
        help_heading = "Settings"
    )]
    pub store: Option<String>,
    /// What an acknowledged event survives: `strict` = the loss of power; `relaxed` = the end of the process, and the loss
    /// of power but for the last moments, which docs/durability.md states.
    #[arg(long, global = true, env = "TIMELOOM_DURABILITY", default_value = "strict", help_heading = "Settings")]
    pub durability: DurabilityLevel,
    /// A file with the keys of credentials, one a line in base64, of which the last one seals. A data folder makes its own
    /// when there is none; a database needs one before a credential can be saved.
    #[arg(long, global = true, env = "TIMELOOM_CREDENTIAL_KEY_FILE", value_name = "FILE", help_heading = "Settings")]
    pub credential_key_file: Option<PathBuf>,
    /// A file with the keys that sign checkpoints of the log, as `timeloom audit keys new` writes it. A data folder makes its
    /// own; with a database, nothing is signed without one.
    #[arg(long, global = true, env = "TIMELOOM_AUDIT_KEY_FILE", value_name = "FILE", help_heading = "Settings")]
    pub audit_key_file: Option<PathBuf>,
    /// Seal the names, addresses and identities of accounts under a key of each, so that they can be erased. It holds for what
    /// is written from then on; the file keys/subjects.db is needed to read it.
    #[arg(long, global = true, env = "TIMELOOM_SEAL_ACCOUNTS", help_heading = "Settings")]
    pub seal_accounts: bool,
    /// A file with the key to show to the server that `--server` names. The variable TIMELOOM_TOKEN may have the key itself.
    #[arg(long, global = true, env = "TIMELOOM_TOKEN_FILE", value_name = "FILE", help_heading = "Settings")]
    pub token_file: Option<PathBuf>,
    #[command(flatten)]
    pub model: ModelConfig,
    /// Time zone of workflows that name none. The default is the one that n8n has, so that its files give the same.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_TIMEZONE",
        default_value = "America/New_York",
        help_heading = "Settings"
    )]
    pub timezone: Tz,
    /// Address at which this deployment is reached from outside: what webhooks and waiting executions give as their own.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_PUBLIC_URL",
        value_name = "URL",
        default_value = "http://localhost:8080",
        help_heading = "Settings"
    )]
    pub public_url: String,
    /// Private or loopback hosts that nodes may connect to, comma-separated (`host` or `host:port`); `*` allows all.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_ALLOW_PRIVATE_HOSTS",
        value_delimiter = ',',
        value_name = "HOST",
        help_heading = "Settings"
    )]
    pub allow_private_hosts: Vec<String>,
    /// Folder in which nodes may read and write files; without it they are refused.
    #[arg(long, global = true, env = "TIMELOOM_FILES_ROOT", value_name = "FOLDER", help_heading = "Settings")]
    pub files_root: Option<PathBuf>,
    /// Folder with files that describe services: nodes of theirs in workflow files are offered as HTTP Requests.
    #[arg(long, global = true, env = "TIMELOOM_SERVICES", value_name = "FOLDER", help_heading = "Settings")]
    pub services: Option<PathBuf>,
    /// Let nodes run commands, on this machine and by SSH on others: whoever may run workflows may then do what this program may.
    #[arg(long, global = true, env = "TIMELOOM_ALLOW_COMMANDS", help_heading = "Settings")]
    pub allow_commands: bool,
    /// A file with the commands that start servers of the Model Context Protocol on this machine, by name, as clients commonly write
    /// them down: {"mcpServers": {"files": {"command": "…", "args": […], "env": {…}}}}. Nodes and agents name them; whoever may
    /// write those may then use what these programs offer.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_MCP_COMMANDS",
        value_name = "FILE",
        value_parser = mcp_commands,
        default_value = "",
        hide_default_value = true,
        help_heading = "Settings"
    )]
    pub mcp_commands: McpCommands,
    /// Names of environment variables that expressions may read as `$env`, comma-separated.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_EXPRESSION_ENV",
        value_delimiter = ',',
        value_name = "NAME",
        help_heading = "Settings"
    )]
    pub expression_env: Vec<String>,
    /// Largest body of a request to a webhook, in MiB.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_WEBHOOK_BODY_MAX_MIB",
        value_name = "MIB",
        default_value_t = 16,
        help_heading = "Settings"
    )]
    pub webhook_body_max_mib: usize,
    /// Longest time that a caller of a webhook waits for its answer, in seconds.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_WEBHOOK_ANSWER_SECONDS_MAX",
        value_name = "SECONDS",
        default_value_t = 300,
        help_heading = "Settings"
    )]
    pub webhook_answer_seconds_max: u64,
    /// Own proxies before this server, which say in X-Forwarded-For who calls.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_PROXY_HOPS",
        value_name = "NUMBER",
        default_value_t = 0,
        help_heading = "Settings"
    )]
    pub proxy_hops: usize,
    /// Threads that answer requests and compute; the number of processors when absent.
    #[arg(long, global = true, env = "TIMELOOM_WORKERS", help_heading = "Settings")]
    pub workers: Option<usize>,
    /// Executions under way at once in this process; more wait for a place.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_EXECUTIONS_MAX",
        default_value_t = 4_096,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Settings"
    )]
    pub executions_max: u32,
    /// The same for one tenant, so that places are left for others.
    #[arg(
        long,
        global = true,
        env = "TIMELOOM_TENANT_EXECUTIONS_MAX",
        default_value_t = 3_584,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Settings"
    )]
    pub tenant_executions_max: u32,
    /// What to log: `error`, `warn`, `info`, `debug`, or a filter such as `timeloom_engine=debug`.
    #[arg(long, global = true, env = "TIMELOOM_LOG", default_value = "warn", help_heading = "Settings")]
    pub log: String,
    /// How to log.
    #[arg(long, global = true, env = "TIMELOOM_LOG_FORMAT", default_value = "text", help_heading = "Settings")]
    pub log_format: LogFormat,
    /// How GraphQL is served.
    #[command(flatten)]
    pub graphql: GraphqlConfig,
}

/// What an acknowledged event survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DurabilityLevel {
    /// The loss of power.
    Strict,
    /// The end of the process; of the loss of power all but the last moments.
    Relaxed,
}

/// Milliseconds after which the embedded store has a relaxed append on the disk.
const RELAXED_FLUSH_MS: u32 = 50;

impl DurabilityLevel {
    /// The same, as the store takes it.
    pub fn choice(self) -> DurabilityChoice {
        match self {
            Self::Strict => DurabilityChoice::Strict,
            Self::Relaxed => DurabilityChoice::Relaxed { flush_ms: RELAXED_FLUSH_MS },
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: a JSON object a line.
    Json,
}

/// Settings of `serve` alone.
#[derive(Debug, Clone, Args)]
pub struct ServeConfig {
    /// Address to listen on.
    #[arg(long, env = "TIMELOOM_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Whether people and programs have to show who they are. With `off`, whoever reaches the port may do everything: only
    /// addresses of this machine can be listened on then.
    #[arg(long, env = "TIMELOOM_SIGN_IN", default_value = "required")]
    pub sign_in: SignInChoice,
    /// More names under which browsers reach this deployment, comma-separated (`host` or `host:port`), beside its public
    /// address and those of this machine.
    #[arg(long, env = "TIMELOOM_ALLOWED_HOSTS", value_delimiter = ',', value_name = "HOST")]
    pub allowed_hosts: Vec<String>,
    /// Requests that an account may send in a minute; 0 = as many as it likes.
    #[arg(long, env = "TIMELOOM_RATE_LIMIT", value_name = "NUMBER", default_value_t = 6_000)]
    pub rate_limit: u32,
    /// Points that the requests of an account may cost in a minute; 0 = as many as it likes.
    #[arg(long, env = "TIMELOOM_RATE_LIMIT_COST", value_name = "POINTS", default_value_t = 2_000_000)]
    pub rate_limit_cost: u32,
    /// The identity provider at which people may sign in.
    #[command(flatten)]
    pub oidc: OidcConfig,
    /// Serve the protocol of EventStoreDB as well, on this port of the same address; 0 takes a free one. See
    /// docs/eventstoredb.md.
    #[arg(long, env = "TIMELOOM_ESDB_PORT", value_name = "PORT")]
    pub esdb_port: Option<u16>,
    /// Calls that an account may make to that port in a minute, each append of a batch among them; 0 = as many as it likes.
    #[arg(long, env = "TIMELOOM_ESDB_RATE_LIMIT", value_name = "NUMBER", default_value_t = 120_000)]
    pub esdb_rate_limit: u32,
    /// A PEM file with the certificate that this port shows, and those that vouch for it. Without one it speaks without TLS.
    #[arg(long, env = "TIMELOOM_ESDB_TLS_CERTIFICATE", value_name = "FILE", requires_all = ["esdb_port", "esdb_tls_key"])]
    pub esdb_tls_certificate: Option<PathBuf>,
    /// A PEM file with the private key of that certificate.
    #[arg(long, env = "TIMELOOM_ESDB_TLS_KEY", value_name = "FILE", requires = "esdb_tls_certificate")]
    pub esdb_tls_key: Option<PathBuf>,
    /// What this process does: `api` answers requests, `engine` drives executions, `projector` folds read models, `scheduler`
    /// fires schedules. Processes of one database may share the work; a data folder has one process, which does all of it.
    #[arg(
        long,
        env = "TIMELOOM_ROLES",
        value_delimiter = ',',
        default_value = "api,engine,projector,scheduler",
        value_name = "ROLE"
    )]
    pub roles: Vec<Role>,
    /// Start although credentials are kept and no key that was given opens any of them, or the keys of subjects are gone. For
    /// when they are lost: each credential has to be saved again then, and what is about subjects cannot be read.
    #[arg(long, env = "TIMELOOM_ACCEPT_LOST_KEYS")]
    pub accept_lost_keys: bool,
    /// Who is told every signed checkpoint of the log, comma-separated: folders, in which each becomes a file, and http:// or
    /// https:// addresses, to which each is sent. What a witness answers is kept with the checkpoint.
    #[arg(long, env = "TIMELOOM_WITNESSES", value_delimiter = ',', value_name = "FOLDER|URL")]
    pub witnesses: Vec<String>,
    /// Longest time from an event to the checkpoint that covers it, in seconds.
    #[arg(
        long,
        env = "TIMELOOM_CHECKPOINT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub checkpoint_seconds: u32,
    /// Events after which a checkpoint is made before its time.
    #[arg(
        long,
        env = "TIMELOOM_CHECKPOINT_EVENTS",
        value_name = "NUMBER",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub checkpoint_events: u32,
    /// Where traces go.
    #[command(flatten)]
    pub traces: TraceConfig,
    /// Days after which events go into the archive, once a day; absent = never by themselves.
    #[arg(long, env = "TIMELOOM_ARCHIVE_AFTER_DAYS", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub archive_after_days: Option<u32>,
    /// Where they go: a folder, within the data folder where it does not begin with /, or s3://BUCKET/PREFIX, whose
    /// credentials are in the environment.
    #[arg(long, env = "TIMELOOM_ARCHIVE_TO", value_name = "PLACE", default_value = "archive")]
    pub archive_to: String,
    /// Keep the log in memory: everything is gone when the server stops. For trying out and for measurements.
    #[arg(long)]
    pub in_memory: bool,
}

/// Whether people and programs have to show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignInChoice {
    /// They have to.
    Required,
    /// They need not: for one person on their own machine.
    Off,
}

impl ServeConfig {
    /// Who is let in.
    ///
    /// # Errors
    /// When what is said about the identity provider is not whole.
    pub fn sign_in(&self) -> anyhow::Result<SignIn> {
        Ok(match self.sign_in {
            SignInChoice::Off => SignIn::Off,
            SignInChoice::Required => SignIn::Required(SignInOptions {
                allowed_hosts: self.allowed_hosts.clone(),
                limits: RateLimits { requests_per_minute: self.rate_limit, points_per_minute: self.rate_limit_cost },
                oidc: self.oidc.options()?,
            }),
        })
    }

    /// What this process does.
    pub fn roles(&self) -> Roles {
        self.roles.iter().copied().collect()
    }
}

/// Longest time for one request of an HTTP Request node, its answer included.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(300);
/// Largest answer to such a request, in bytes.
const RESPONSE_BYTES_MAX: usize = 64 << 20;
/// Largest answer to such a request that becomes an attachment, in bytes; no blob may be larger.
const FILE_BYTES_MAX: usize = BLOB_BYTES_MAX;

/// Longest name of whoever has the machine, in bytes.
const LOCAL_NAME_BYTES_MAX: usize = 100;

/// The commands in a file; none without one.
fn mcp_commands(file: &str) -> Result<McpCommands, String> {
    if file.is_empty() {
        return Ok(McpCommands::default());
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("it cannot be read: {error}"))?;
    McpCommands::read(&text)
}

impl Config {
    /// The folder of the files of models.
    pub fn models_folder(&self) -> PathBuf {
        self.model.models.clone().unwrap_or_else(|| self.data.join("models"))
    }

    /// Threads that answer requests and compute.
    pub fn worker_threads(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        self.workers.unwrap_or(processors).clamp(1, 256)
    }

    /// How webhooks are served.
    pub fn webhooks(&self) -> WebhookOptions {
        WebhookOptions {
            public_url: self.public_url().to_owned(),
            body_bytes_max: self.webhook_body_max_mib.saturating_mul(1 << 20),
            answer_time_max: Duration::from_secs(self.webhook_answer_seconds_max),
            proxy_hops: self.proxy_hops,
            timezone: self.timezone,
        }
    }

    /// Where this deployment is reached when nothing is said about it.
    const PUBLIC_URL: &str = "http://localhost:8080";

    /// Where this deployment is reached by whoever has its machine, when it listens on `port`.
    pub fn url_for_owner(&self, port: u16) -> String {
        match self.public_url() {
            Self::PUBLIC_URL => format!("http://localhost:{port}"),
            url => url.to_owned(),
        }
    }

    /// Where this deployment is reached from outside, without a slash at the end.
    pub fn public_url(&self) -> &str {
        self.public_url.trim_end_matches('/')
    }

    /// Whether a terminal may show colours: nobody asked for none, see <https://no-color.org>.
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    #[expect(clippy::unused_self, reason = "it is a setting like the others")]
    pub fn has_colours(&self) -> bool {
        std::env::var_os("NO_COLOR").is_none_or(|wish| wish.is_empty())
    }

    /// The node types of this build, as the operator lets them be.
    pub fn node_types(&self) -> NodeRegistry {
        let settings = timeloom_connectors::Settings {
            files_root: self.files_root.clone(),
            commands: self.allow_commands,
            mcp_commands: self.mcp_commands.clone(),
        };
        timeloom_connectors::registry(&settings)
    }

    /// Which addresses nodes may reach.
    pub fn outbound(&self) -> OutboundPolicy {
        OutboundPolicy {
            allow_private: self.allow_private_hosts.iter().any(|host| host == "*"),
            allowed_hosts: self.allow_private_hosts.iter().cloned().collect::<BTreeSet<_>>(),
            request_time_max: REQUEST_TIME_MAX,
            response_bytes_max: RESPONSE_BYTES_MAX,
            file_bytes_max: FILE_BYTES_MAX,
        }
    }

    /// The variable with the keys of credentials. It is no flag: everybody on a machine sees the flags of its programs.
    pub const CREDENTIAL_KEY: &str = "TIMELOOM_CREDENTIAL_KEY";

    /// The variable with the address of the database.
    const DATABASE: &str = "TIMELOOM_DATABASE";
    /// The variable with the address of the log's server.
    const STORE: &str = "TIMELOOM_STORE";

    /// The keys of credentials that the environment has.
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    #[expect(clippy::unused_self, reason = "it is a setting like the others")]
    pub fn credential_key(&self) -> Option<Zeroizing<String>> {
        std::env::var(Self::CREDENTIAL_KEY).ok().filter(|text| !text.trim().is_empty()).map(Zeroizing::new)
    }

    /// Whether somebody gives the keys of credentials, so that they are not those of the data folder.
    pub fn gives_credential_keys(&self) -> bool {
        self.credential_key_file.is_some() || self.credential_key().is_some()
    }

    /// Name of whoever has the machine: what commands on a data folder are recorded under.
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    #[expect(clippy::unused_self, reason = "it is a setting like the others")]
    pub fn local_name(&self) -> String {
        let named = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
        let fits =
            |name: &String| (1..=LOCAL_NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
        named.filter(fits).unwrap_or_else(|| "owner".to_owned())
    }

    /// The variable with the key to show to a server. It is no flag either.
    pub const TOKEN: &str = "TIMELOOM_TOKEN";

    /// The key to show to a server: of the file, or else of the environment.
    ///
    /// # Errors
    /// When the file cannot be read.
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    pub fn token(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        let text = match &self.token_file {
            Some(path) => {
                let text = std::fs::read_to_string(path);
                Some(text.with_context(|| format!("the key file {} cannot be read", path.display()))?)
            }
            None => std::env::var(Self::TOKEN).ok(),
        };
        let text = text.map(Zeroizing::new).map(|text| Zeroizing::new(text.trim().to_owned()));
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// `$env`: the allowed names that are set. The keys of credentials, of servers and of the collector of traces, and the
    /// database's address, which may have a password in it, are for no expression.
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    pub fn expression_environment(&self) -> JsonObject {
        let value = |name: &String| std::env::var(name).ok().map(|value| (name.clone(), Value::String(value)));
        let secret = [Self::CREDENTIAL_KEY, Self::TOKEN, Self::DATABASE, Self::STORE, TraceConfig::HEADERS];
        let is_secret = |name: &&String| secret.contains(&name.as_str());
        self.expression_env.iter().filter(|name| !is_secret(name)).filter_map(value).collect()
    }
}
