//! `timeloom audit retention`: how long data of each category is kept.
//!
//! Who asks and who approves are two: see docs/erasure.md.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::Client;
use super::erasure::asked;
use super::{Access, Failure, output};
use crate::config::Config;

const RETENTION: &str = "category days reason since lastDay appliedAt streams events request { days reason by }
  holds { name reason by release { reason by } }";
/// What a category is kept for that has no retention.
const FOR_EVER: &str = "forever";

#[derive(Debug, Subcommand)]
pub enum RetentionVerb {
    /// Keep data of a category for so many days; what keeps it less long, another user approves
    Set {
        /// The category of streams, such as `execution`.
        category: String,
        /// For how many days, or `forever`.
        #[arg(value_parser = days)]
        days: Days,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    /// Approve that a category is kept less long, as another one asked for: what goes cannot be brought back
    Approve {
        /// The category.
        category: String,
        #[command(flatten)]
        access: Access,
    },
    /// Take such a request back
    Withdraw {
        /// The category.
        category: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    /// List for how long each category is kept, what is asked for, and what went
    List {
        #[command(flatten)]
        access: Access,
    },
    /// Hold all data of a category: none of it goes because of its age before the hold is released
    Hold {
        /// The category.
        category: String,
        /// What the hold is called.
        hold: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    /// Ask for the end of such a hold; another user approves it
    ReleaseHold {
        /// The category.
        category: String,
        /// What the hold is called.
        hold: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    /// Approve the end of such a hold that another one asked for
    ApproveRelease {
        /// The category.
        category: String,
        /// What the hold is called.
        hold: String,
        #[command(flatten)]
        access: Access,
    },
}

/// A time for which data is kept; without a number for ever.
#[derive(Debug, Clone, Copy)]
pub struct Days(Option<u32>);

fn days(text: &str) -> Result<Days, String> {
    if text == FOR_EVER {
        return Ok(Days(None));
    }
    let number = text.parse().map_err(|_| format!("give a number of days, or '{FOR_EVER}'"))?;
    Ok(Days(Some(number)))
}

impl RetentionVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let (field, kind, input, access) = match self {
            Self::List { access } => return list(&access, config).await,
            Self::Set { category, days: Days(days), reason, access } => {
                let input = json!({ "category": category, "days": days, "reason": reason });
                ("setRetention", "SetRetentionInput", input, access)
            }
            Self::Approve { category, access } => {
                ("approveRetention", "RetentionInput", json!({ "category": category }), access)
            }
            Self::Withdraw { category, reason, access } => {
                let input = json!({ "category": category, "reason": reason });
                ("withdrawRetention", "RetentionInput", input, access)
            }
            Self::Hold { category, hold, reason, access } => {
                let input = json!({ "category": category, "hold": hold, "reason": reason });
                ("placeRetentionHold", "RetentionHoldInput", input, access)
            }
            Self::ReleaseHold { category, hold, reason, access } => {
                let input = json!({ "category": category, "hold": hold, "reason": reason });
                ("requestRetentionHoldRelease", "RetentionHoldInput", input, access)
            }
            Self::ApproveRelease { category, hold, access } => {
                let input = json!({ "category": category, "hold": hold });
                ("approveRetentionHoldRelease", "RetentionHoldInput", input, access)
            }
        };
        let shown = format!("category position retention {{ {RETENTION} }} errors {{ code message }}");
        let query = format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ {shown} }} }}");
        let client = Client::open(&access, config).await?;
        let payload = client.change(field, &query, input, access.json).await;
        client.close().await;
        let payload = payload?;
        if access.json {
            output::json(&payload);
        } else {
            tell(&payload);
        }
        Ok(())
    }
}

/// How a category is kept now, in a sentence.
fn tell(payload: &Value) {
    let retention = payload.get("retention").cloned().unwrap_or_default();
    output::line(&format!("{} is kept {}", output::text(&retention, "/category"), kept_for(&retention)));
    if let Some(asked) = retention.pointer("/request/days").and_then(Value::as_u64) {
        output::notice(&format!("asked for: {asked} days; another user approves it"));
    }
    for hold in retention.get("holds").and_then(Value::as_array).into_iter().flatten() {
        output::notice(&format!("the hold '{}' is on it: nothing goes", output::text(hold, "/name")));
    }
}

fn kept_for(retention: &Value) -> String {
    match retention.get("days").and_then(Value::as_u64) {
        Some(days) => format!("{days} days"),
        None => FOR_EVER.to_owned(),
    }
}

async fn list(access: &Access, config: &Config) -> Result<(), Failure> {
    let data = asked(access, config, &format!("{{ retentions {{ {RETENTION} }} }}"), json!({})).await?;
    let found = data.get("retentions").and_then(Value::as_array).cloned().unwrap_or_default();
    if access.json {
        output::json(&Value::Array(found));
        return Ok(());
    }
    let cells = |row: &Value| {
        let holds = row.get("holds").and_then(Value::as_array).map_or(0, Vec::len);
        let [category, asked, gone, events] =
            ["/category", "/request/days", "/lastDay", "/events"].map(|path| output::text(row, path));
        vec![category, kept_for(row), asked, holds.to_string(), gone, events]
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    output::table(&["CATEGORY", "KEPT FOR", "ASKED FOR (DAYS)", "HOLDS", "GONE UP TO", "EVENTS GONE"], &rows);
    Ok(())
}
