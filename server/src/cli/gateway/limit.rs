//! `timeloom gateway limit`.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{ask, change, show};
use crate::cli::moment::Moment;
use crate::cli::{Access, Failure, output};
use crate::config::Config;

const LIST: &str = "query($asOf: AsOf) { gatewayLimits(asOf: $asOf) {
    name holder id of most money windowMs used left usedBy resetsAt } }";

/// For whom a limit is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Holder {
    /// A key of the API
    Key,
    /// The whole tenant
    Tenant,
    /// A workflow
    Workflow,
    /// An agent
    Agent,
}

/// How long a window of a budget is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Window {
    Hour,
    Day,
    Week,
    /// 30 days
    Month,
}

impl Window {
    fn milliseconds(self) -> u64 {
        const HOUR: u64 = 60 * 60 * 1000;
        match self {
            Self::Hour => HOUR,
            Self::Day => 24 * HOUR,
            Self::Week => 7 * 24 * HOUR,
            Self::Month => 30 * 24 * HOUR,
        }
    }
}

/// A limit to set.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["requests", "tokens", "at_once", "money"])))]
pub struct SetArguments {
    /// Its name.
    name: String,
    /// For whom: each of that kind by itself where no --id is given.
    #[arg(long, value_enum)]
    holder: Holder,
    /// For which one: the id of a key or workflow, the name of an agent.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Most requests in any 60 seconds.
    #[arg(long, value_name = "NUMBER")]
    requests: Option<u64>,
    /// Most tokens in any 60 seconds, read and written.
    #[arg(long, value_name = "NUMBER")]
    tokens: Option<u64>,
    /// Most calls at once.
    #[arg(long, value_name = "NUMBER")]
    at_once: Option<u64>,
    /// Most money in each window, in the currency of the prices, such as 2.50.
    #[arg(long, value_name = "AMOUNT", requires = "every")]
    money: Option<String>,
    /// How long a window is.
    #[arg(long, value_enum, requires = "money")]
    every: Option<Window>,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Subcommand)]
pub enum LimitVerb {
    /// Take a limit in, or another one in its place
    Set(Box<SetArguments>),
    /// List the limits, and what is taken of each where a server counts it
    List {
        /// As they were at this moment: a position, a time or a day; absent = now.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Let a limit hold no more
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        access: Access,
    },
}

impl LimitVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Set(arguments) => {
                let SetArguments { name, holder, id, requests, tokens, at_once, money, every, access } = *arguments;
                let of = match (requests, tokens, at_once) {
                    (Some(_), ..) => "REQUESTS_PER_MINUTE",
                    (_, Some(_), _) => "TOKENS_PER_MINUTE",
                    (_, _, Some(_)) => "CALLS_AT_ONCE",
                    _ => "MONEY",
                };
                let input = json!({
                    "name": name,
                    "holder": format!("{holder:?}").to_uppercase(),
                    "id": id,
                    "of": of,
                    "most": requests.or(tokens).or(at_once),
                    "money": money,
                    "windowMs": every.map(Window::milliseconds),
                });
                let done = format!("set limit {name}");
                change(&access, config, ("setGatewayLimit", "SetGatewayLimitInput"), input, &done).await
            }
            Self::Remove { name, access } => {
                let done = format!("removed limit {name}");
                let names = ("removeGatewayLimit", "RemoveGatewayInput");
                change(&access, config, names, json!({ "name": name }), &done).await
            }
            Self::List { at, access } => {
                let as_of = at.map(Moment::as_of);
                let found = ask(&access, config, LIST, json!({ "asOf": as_of }), "gatewayLimits").await?;
                show(&access, &found, &["NAME", "HOLDER", "ID", "OF", "MOST", "WINDOW MS", "USED", "LEFT"], |limit| {
                    let most = if limit.get("most").is_some_and(Value::is_u64) { "/most" } else { "/money" };
                    let [name, holder, id, of] =
                        ["/name", "/holder", "/id", "/of"].map(|path| output::text(limit, path));
                    let of = of.to_lowercase().replace('_', " ");
                    vec![
                        name,
                        holder.to_lowercase(),
                        id,
                        of,
                        output::text(limit, most),
                        output::text(limit, "/windowMs"),
                        output::text(limit, "/used"),
                        output::text(limit, "/left"),
                    ]
                });
                Ok(())
            }
        }
    }
}
