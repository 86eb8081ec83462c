//! `timeloom workers`: the processes of a log, and what each does.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;

const LIST: &str = "{ workers { id roles address shards startedAt heartbeatAt live } }";

#[derive(Debug, Subcommand)]
pub enum WorkersVerb {
    /// List the processes of a log: which are alive, and how much of the executions each drives
    List {
        #[command(flatten)]
        access: Access,
    },
}

impl WorkersVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let Self::List { access } = self;
        let client = Client::open(&access, config).await?;
        let data = client.ask(LIST, json!({})).await;
        client.close().await;
        let workers = data?.get("workers").and_then(Value::as_array).cloned().unwrap_or_default();
        if access.json {
            output::json(&Value::Array(workers));
            return Ok(());
        }
        let rows: Vec<Vec<String>> = workers.iter().map(cells).collect();
        output::table(&["ID", "ROLES", "ADDRESS", "SHARDS", "STATE", "HEARD OF"], &rows);
        Ok(())
    }
}

fn cells(worker: &Value) -> Vec<String> {
    let list = |name: &str| worker.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let roles: Vec<String> = list("roles").iter().filter_map(Value::as_str).map(str::to_lowercase).collect();
    let state = if worker.get("live") == Some(&Value::Bool(true)) { "alive" } else { "dead" };
    let [id, address, heard] = ["/id", "/address", "/heartbeatAt"].map(|path| output::text(worker, path));
    vec![id, roles.join(","), address, list("shards").len().to_string(), state.to_owned(), heard]
}
