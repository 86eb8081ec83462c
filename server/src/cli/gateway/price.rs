//! `timeloom gateway price`.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{ask, change, show, target};
use crate::cli::moment::Moment;
use crate::cli::{Access, Failure, output};
use crate::config::Config;

const LIST: &str =
    "query($asOf: AsOf) { gatewayPrices(asOf: $asOf) { currency models { provider model input cachedInput
  cacheWrite output } } }";

/// The price of a model to set.
#[derive(Debug, Args)]
pub struct SetArguments {
    /// The model, as PROVIDER=MODEL.
    #[arg(value_name = "TARGET", value_parser = target)]
    of: (String, String),
    /// What a million tokens cost that it reads, such as 0.15.
    #[arg(long, value_name = "AMOUNT")]
    input: String,
    /// What a million tokens cost that it writes.
    #[arg(long, value_name = "AMOUNT")]
    output: String,
    /// What a million tokens cost that it reads from the provider's cache; absent = as others.
    #[arg(long, value_name = "AMOUNT")]
    cached_input: Option<String>,
    /// What a million tokens cost that the provider puts into its cache; absent = as others.
    #[arg(long, value_name = "AMOUNT")]
    cache_write: Option<String>,
    /// What amounts are in; absent = as they are, or USD. It holds for all prices.
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Subcommand)]
pub enum PriceVerb {
    /// Say what a model costs from now on
    Set(Box<SetArguments>),
    /// Take all prices from a file, in place of those that there are: see docs/gateway.md
    Load {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        access: Access,
    },
    /// List the prices, for a million tokens each
    List {
        /// As they were at this moment: a position, a time or a day; absent = now.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Let a model have no price any more
    Remove {
        /// The model, as PROVIDER=MODEL.
        #[arg(value_name = "TARGET", value_parser = target)]
        of: (String, String),
        #[command(flatten)]
        access: Access,
    },
}

impl PriceVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Set(arguments) => set(*arguments, config).await,
            Self::Load { file, access } => {
                let read = std::fs::read_to_string(&file);
                let text = read.with_context(|| format!("{} cannot be read", file.display()))?;
                let prices = written(&text).with_context(|| format!("{} holds no prices", file.display()))?;
                let done = format!("set the prices of {}", file.display());
                change(&access, config, ("setGatewayPrices", "SetGatewayPricesInput"), prices, &done).await
            }
            Self::List { at, access } => {
                let as_of = at.map(Moment::as_of);
                let found = ask(&access, config, LIST, json!({ "asOf": as_of }), "gatewayPrices").await?;
                if access.json {
                    output::json(&found);
                    return Ok(());
                }
                let currency = output::text(&found, "/currency");
                let models = found.get("models").cloned().unwrap_or_default();
                show(&access, &models, &["PROVIDER", "MODEL", "INPUT", "CACHED", "OUTPUT", "CURRENCY"], |price| {
                    let mut cells = ["/provider", "/model", "/input", "/cachedInput", "/output"]
                        .map(|path| output::text(price, path))
                        .to_vec();
                    cells.push(currency.clone());
                    cells
                });
                Ok(())
            }
            Self::Remove { of, access } => {
                let mut prices = present(&access, config).await?;
                let mut models = models_of(&mut prices);
                let before = models.len();
                models.retain(|price| !is_of(price, &of));
                if models.len() == before {
                    return Err(anyhow::anyhow!(
                        "{}={} has no price: 'timeloom gateway price list' shows all",
                        of.0,
                        of.1
                    )
                    .into());
                }
                prices["models"] = models.into();
                let done = format!("removed the price of {}={}", of.0, of.1);
                change(&access, config, ("setGatewayPrices", "SetGatewayPricesInput"), prices, &done).await
            }
        }
    }
}

async fn set(arguments: SetArguments, config: &Config) -> Result<(), Failure> {
    let SetArguments { of, input, output, cached_input, cache_write, currency, access } = arguments;
    let mut prices = present(&access, config).await?;
    if let Some(currency) = currency {
        prices["currency"] = currency.into();
    }
    let mut models = models_of(&mut prices);
    models.retain(|price| !is_of(price, &of));
    models.push(json!({ "provider": of.0, "model": of.1, "input": input, "cachedInput": cached_input,
        "cacheWrite": cache_write, "output": output }));
    prices["models"] = models.into();
    let done = format!("set the price of {}={}", of.0, of.1);
    change(&access, config, ("setGatewayPrices", "SetGatewayPricesInput"), prices, &done).await
}

/// The prices that there are, as a change takes them.
async fn present(access: &Access, config: &Config) -> anyhow::Result<Value> {
    let mut found = ask(access, config, LIST, json!({}), "gatewayPrices").await?;
    if found.get("currency").and_then(Value::as_str).is_none_or(str::is_empty) {
        found["currency"] = "USD".into();
    }
    Ok(found)
}

/// The list of prices; what is no list becomes an empty one.
fn models_of(prices: &mut Value) -> Vec<Value> {
    prices.get_mut("models").map(Value::take).and_then(|models| models.as_array().cloned()).unwrap_or_default()
}

fn is_of(price: &Value, (provider, model): &(String, String)) -> bool {
    output::text(price, "/provider") == *provider && output::text(price, "/model") == *model
}

/// Prices as a file has them: numbers are taken as they are written.
fn written(text: &str) -> anyhow::Result<Value> {
    let read: Value = serde_json::from_str(text).context("it is no JSON")?;
    let Some(models) = read.get("models").and_then(Value::as_array) else {
        bail!("it has no list 'models'");
    };
    let amount = |price: &Value, name: &str| match price.get(name) {
        Some(Value::String(text)) => Value::from(text.as_str()),
        Some(Value::Number(number)) => Value::from(number.to_string()),
        _ => Value::Null,
    };
    let models = models.iter().map(|price| {
        json!({
            "provider": price.get("provider"),
            "model": price.get("model"),
            "input": amount(price, "input"),
            "cachedInput": amount(price, "cached_input"),
            "cacheWrite": amount(price, "cache_write"),
            "output": amount(price, "output"),
        })
    });
    Ok(json!({ "currency": read.get("currency"), "models": models.collect::<Vec<_>>() }))
}
