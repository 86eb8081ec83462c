//! `timeloom flag`: for which tenants a feature is on.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Why, asked, change, print};
use crate::cli::{Access, Failure, output};
use crate::config::Config;

const LIST: &str =
    "{ featureFlags { feature rollout { percent onFor offFor } changedAt changedBy { kind name } reason } }";

#[derive(Debug, Subcommand)]
pub enum FlagVerb {
    /// List the flags; a feature without one is on for all tenants
    List {
        #[command(flatten)]
        access: Access,
    },
    /// Say for whom a feature is on
    Set {
        /// The feature: agents, gateway, or node: and the name of a node type.
        feature: String,
        /// For how many of a hundred of the tenants that are not named.
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
        /// Numbers of tenants for which it is on, with commas between them.
        #[arg(long, value_name = "TENANTS", value_delimiter = ',')]
        on: Vec<u32>,
        /// Numbers of tenants for which it is off, with commas between them.
        #[arg(long, value_name = "TENANTS", value_delimiter = ',')]
        off: Vec<u32>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Go back to how a flag was before it was set last; again, and it goes back further
    RollBack {
        /// The feature.
        feature: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
    /// Remove a flag: the feature is on for all tenants
    Remove {
        /// The feature.
        feature: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        access: Access,
    },
}

impl FlagVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let (field, input_type, input, done, access) = match self {
            Self::List { access } => return list(&access, config).await,
            Self::Set { feature, percent, on, off, why, access } => {
                let input = json!({
                    "feature": feature, "percent": percent, "onFor": on, "offFor": off, "reason": why.reason
                });
                ("setFeatureFlag", "SetFeatureFlagInput", input, "set", access)
            }
            Self::RollBack { feature, why, access } => {
                let input = json!({ "feature": feature, "reason": why.reason });
                ("rollBackFeatureFlag", "FeatureFlagInput", input, "rolled back", access)
            }
            Self::Remove { feature, why, access } => {
                let input = json!({ "feature": feature, "reason": why.reason });
                ("removeFeatureFlag", "FeatureFlagInput", input, "removed", access)
            }
        };
        let shown = "feature position flag { rollout { percent onFor offFor } } errors { code message }";
        let query = format!("mutation($input: {input_type}!) {{ {field}(input: $input) {{ {shown} }} }}");
        let payload = change(&access, config, field, &query, input).await?;
        if access.json {
            output::json(&payload);
            return Ok(());
        }
        let [feature, position] = ["/feature", "/position"].map(|path| output::text(&payload, path));
        let now = payload.pointer("/flag/rollout").filter(|rollout| !rollout.is_null());
        let now = now.map_or_else(|| "for all tenants".to_owned(), told);
        output::line(&format!("{done} {feature} at position {position}: on {now}"));
        Ok(())
    }
}

async fn list(access: &Access, config: &Config) -> Result<(), Failure> {
    let data = asked(access, config, LIST, json!({})).await?;
    let found = data.get("featureFlags").and_then(Value::as_array).cloned().unwrap_or_default();
    let cells = |flag: &Value| {
        let rollout = flag.get("rollout").filter(|rollout| !rollout.is_null());
        let on = rollout.map_or_else(|| "for nobody: this version does not know the flag".to_owned(), told);
        let [feature, at, kind, name, reason] =
            ["/feature", "/changedAt", "/changedBy/kind", "/changedBy/name", "/reason"]
                .map(|path| output::text(flag, path));
        vec![feature, on, at, format!("{kind}:{name}"), reason]
    };
    print(found, access.json, &["FEATURE", "ON", "CHANGED", "BY", "REASON"], cells);
    Ok(())
}

/// For whom a feature is on, in words.
fn told(rollout: &Value) -> String {
    let numbers = |field: &str| -> Vec<String> {
        let tenants = rollout.get(field).and_then(Value::as_array).into_iter().flatten();
        tenants.map(Value::to_string).collect()
    };
    let percent = rollout.get("percent").and_then(Value::as_u64).unwrap_or_default();
    let words = match percent {
        0 => "for no tenant".to_owned(),
        100 => "for all tenants".to_owned(),
        percent => format!("for {percent} % of the tenants"),
    };
    let named = [("onFor", " and "), ("offFor", " but not ")].map(|(field, word)| match numbers(field) {
        tenants if tenants.is_empty() => String::new(),
        tenants => format!("{word}{}", tenants.join(", ")),
    });
    format!("{words}{}", named.concat())
}
