//! `timeloom gateway route`.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{ask, change, show, target};
use crate::cli::moment::Moment;
use crate::cli::{Access, Failure, output};
use crate::config::Config;

const LIST: &str = "query($asOf: AsOf) { gatewayRoutes(asOf: $asOf) { name tiers { balance targets { provider model
  weight } } attemptsMax retriesMax retryBudgetPercent fallBackOn failuresInARowMax leftAloneMs cache cacheAgeMsMax
  repair content } }";

/// Which answers are kept, to be given again.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum CacheName {
    /// None
    Never,
    /// Those that the request decides: at temperature 0, and vectors
    Deterministic,
    /// All
    Always,
}

/// A target and how much it can bear.
#[derive(Debug, Clone)]
struct Weighted {
    provider: String,
    model: String,
    weight: u32,
}

fn weighted(text: &str) -> Result<Weighted, String> {
    let (named, weight) = match text.rsplit_once('*') {
        Some((named, weight)) => {
            let number = weight.parse().map_err(|_| format!("'{weight}' is no weight: write PROVIDER=MODEL*3"))?;
            (named, number)
        }
        None => (text, 1),
    };
    let (provider, model) = target(named)?;
    Ok(Weighted { provider, model, weight })
}

/// A route to set.
#[derive(Debug, Args)]
pub struct SetArguments {
    /// Its name, which callers give as the model.
    name: String,
    /// A model at a provider, as PROVIDER=MODEL or PROVIDER=MODEL*WEIGHT; several share the calls.
    #[arg(long = "target", value_name = "TARGET", required = true, value_parser = weighted)]
    targets: Vec<Weighted>,
    /// A model that is asked when those before it cannot be; several are asked in their order.
    #[arg(long = "then", value_name = "TARGET", value_parser = weighted)]
    then: Vec<Weighted>,
    /// Share the calls by their keys, in the proportion of the weights; absent = by load.
    #[arg(long)]
    split: bool,
    /// Most attempts of a call; absent = 4.
    #[arg(long, value_name = "NUMBER")]
    attempts: Option<u32>,
    /// Most times that a target is asked again in a call; absent = once.
    #[arg(long, value_name = "NUMBER")]
    retries: Option<u32>,
    /// Which answers are kept, to be given again; absent = never.
    #[arg(long, value_enum)]
    cache: Option<CacheName>,
    /// For how long, in milliseconds; absent = a day.
    #[arg(long, value_name = "MS", requires = "cache")]
    cache_age_ms: Option<u64>,
    /// Do not ask a model again whose answer does not fit the schema.
    #[arg(long)]
    no_repair: bool,
    /// Write down only the digests of what is asked and answered.
    #[arg(long)]
    digests: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Subcommand)]
pub enum RouteVerb {
    /// Take a route in, or let it lead elsewhere
    Set(Box<SetArguments>),
    /// List the routes
    List {
        /// As they were at this moment: a position, a time or a day; absent = now.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Let a route lead nowhere any more
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        access: Access,
    },
}

impl RouteVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Set(arguments) => set(*arguments, config).await,
            Self::Remove { name, access } => {
                let done = format!("removed route {name}");
                let names = ("removeGatewayRoute", "RemoveGatewayInput");
                change(&access, config, names, json!({ "name": name }), &done).await
            }
            Self::List { at, access } => {
                let as_of = at.map(Moment::as_of);
                let found = ask(&access, config, LIST, json!({ "asOf": as_of }), "gatewayRoutes").await?;
                show(&access, &found, &["NAME", "TARGETS", "CACHE", "CONTENT"], |route| {
                    let [name, cache, content] = ["/name", "/cache", "/content"].map(|path| output::text(route, path));
                    vec![name, targets_of(route), cache.to_lowercase(), content.to_lowercase()]
                });
                Ok(())
            }
        }
    }
}

/// The targets of a route in an answer, those of a tier together.
fn targets_of(route: &Value) -> String {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let tiers = list(route.get("tiers")).into_iter().map(|tier| {
        let targets = list(tier.get("targets")).into_iter().map(|target| {
            let [provider, model, weight] = ["/provider", "/model", "/weight"].map(|path| output::text(&target, path));
            if weight == "1" { format!("{provider}={model}") } else { format!("{provider}={model}*{weight}") }
        });
        targets.collect::<Vec<_>>().join(", ")
    });
    tiers.collect::<Vec<_>>().join(" then ")
}

async fn set(arguments: SetArguments, config: &Config) -> Result<(), Failure> {
    let SetArguments { name, targets, then, access, .. } = arguments;
    let of = |Weighted { provider, model, weight }: &Weighted| json!({ "provider": provider, "model": model, "weight": weight });
    let balance = if arguments.split { "SPLIT" } else { "LOAD" };
    let mut tiers = vec![json!({ "balance": balance, "targets": targets.iter().map(of).collect::<Vec<_>>() })];
    tiers.extend(then.iter().map(|target| json!({ "targets": [of(target)] })));
    let input = json!({
        "name": name,
        "tiers": tiers,
        "attemptsMax": arguments.attempts,
        "retriesMax": arguments.retries,
        "cache": arguments.cache.map(|cache| format!("{cache:?}").to_uppercase()),
        "cacheAgeMsMax": arguments.cache_age_ms,
        "repair": !arguments.no_repair,
        "content": if arguments.digests { "DIGESTS" } else { "RECORDED" },
    });
    let done = format!("set route {name}");
    change(&access, config, ("setGatewayRoute", "SetGatewayRouteInput"), input, &done).await
}
