//! `timeloom gateway`: providers of language models, routes to them, limits, prices; what was asked of them and what it took.

mod calls;
mod limit;
mod price;
mod provider;
mod route;

use clap::Subcommand;
use serde_json::Value;

use self::calls::{CallArguments, CallsArguments, SpendArguments};
use self::limit::LimitVerb;
use self::price::PriceVerb;
use self::provider::ProviderVerb;
use self::route::RouteVerb;
use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum GatewayVerb {
    /// Set, list and remove providers of language models
    #[command(subcommand)]
    Provider(ProviderVerb),
    /// Set, list and remove routes: callers give their names as the model
    #[command(subcommand)]
    Route(RouteVerb),
    /// Set, list and remove limits of what may be asked for
    #[command(subcommand)]
    Limit(LimitVerb),
    /// Set, list and remove prices of models
    #[command(subcommand)]
    Price(PriceVerb),
    /// List calls to language models, newest first
    Calls(CallsArguments),
    /// Show a call: who was asked, what was said, what it took
    Call(CallArguments),
    /// Sum up what calls took
    Spend(SpendArguments),
}

impl GatewayVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Provider(verb) => verb.run(config).await,
            Self::Route(verb) => verb.run(config).await,
            Self::Limit(verb) => verb.run(config).await,
            Self::Price(verb) => verb.run(config).await,
            Self::Calls(arguments) => Ok(arguments.run(config).await?),
            Self::Call(arguments) => Ok(arguments.run(config).await?),
            Self::Spend(arguments) => Ok(arguments.run(config).await?),
        }
    }
}

/// Sends a change and says what was done.
async fn change(
    access: &Access,
    config: &Config,
    (field, input_type): (&str, &str),
    input: Value,
    done: &str,
) -> Result<(), Failure> {
    let query = format!(
        "mutation($input: {input_type}!) {{ {field}(input: $input) {{ name position revision repeated
         errors {{ code message path }} }} }}"
    );
    let client = Client::open(access, config).await?;
    let changed = client.change(field, &query, input, access.json).await;
    client.close().await;
    let payload = changed?;
    if access.json {
        output::json(&payload);
    } else {
        let position = output::text(&payload, "/position");
        output::line(&format!("{done} at position {position}"));
    }
    Ok(())
}

/// What a question finds under its field.
async fn ask(access: &Access, config: &Config, query: &str, variables: Value, field: &str) -> anyhow::Result<Value> {
    let client = Client::open(access, config).await?;
    let found = client.ask(query, variables).await;
    client.close().await;
    Ok(found?.get(field).cloned().unwrap_or_default())
}

/// Prints rows, or the list as it is for programs.
fn show(access: &Access, found: &Value, headings: &[&str], cells: impl Fn(&Value) -> Vec<String>) {
    if access.json {
        return output::json(found);
    }
    let rows: Vec<Vec<String>> = found.as_array().map(|list| list.iter().map(cells).collect()).unwrap_or_default();
    output::table(headings, &rows);
}

/// A target as it is written on the command line: `PROVIDER=MODEL`.
fn target(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(provider, model)| !provider.is_empty() && !model.is_empty());
    let wrong = || format!("'{text}' names no model of a provider: write PROVIDER=MODEL");
    parts.map(|(provider, model)| (provider.to_owned(), model.to_owned())).ok_or_else(wrong)
}
