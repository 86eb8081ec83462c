//! `timeloom state get`: the state of anything at any moment.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;

const STATE: &str = "query($entity: EntityInput!, $asOf: AsOf) { stateAt(entity: $entity, asOf: $asOf) {
  kind id position revision recordedAt lastEventType status state } }";

#[derive(Debug, Subcommand)]
pub enum StateVerb {
    /// Print the exact state of a workflow, execution, plugin or model
    Get {
        /// What: KIND/ID, such as execution/0192… or plugin/acme/tools.
        entity: String,
        /// The moment: a position, or a time such as 2026-01-31T12:00:00Z; now when absent.
        #[arg(long, value_name = "POSITION|TIME")]
        at: Option<String>,
        #[command(flatten)]
        access: Access,
    },
}

impl StateVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let Self::Get { entity, at, access } = self;
        let Some((kind, id)) = entity.split_once('/') else {
            output::error(&format!("'{entity}' must be KIND/ID, such as execution/0192…"));
            return Err(Failure::Refused);
        };
        let as_of = match at.as_deref() {
            None => Value::Null,
            Some(at) if at.bytes().all(|digit| digit.is_ascii_digit()) => json!({ "position": at }),
            Some(at) => json!({ "time": at }),
        };
        let client = Client::open(&access, config).await?;
        let variables = json!({ "entity": { "kind": kind.to_uppercase(), "id": id }, "asOf": as_of });
        let data = client.ask(STATE, variables).await;
        client.close().await;
        let view = data?.get("stateAt").cloned().unwrap_or_default();
        if view.is_null() {
            output::error(&format!("{entity} had not come to be at that moment"));
            return Err(Failure::Refused);
        }
        if access.json {
            output::json(&view);
            return Ok(());
        }
        output::line(&format!(
            "{entity} is {} at position {} ({}, {})",
            output::text(&view, "/status"),
            output::text(&view, "/position"),
            output::text(&view, "/lastEventType"),
            output::text(&view, "/recordedAt"),
        ));
        output::line(&serde_json::to_string_pretty(view.get("state").unwrap_or(&Value::Null))?);
        Ok(())
    }
}
