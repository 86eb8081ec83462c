//! `timeloom execution compare`: two executions side by side.

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::moment::Moment;
use super::state::tell_change;
use super::{Access, Failure, output};
use crate::config::Config;

const COMPARE: &str = "query($left: UUID!, $right: UUID!, $leftAsOf: AsOf, $rightAsOf: AsOf, $differing: Boolean!,
  $after: String) { compareExecutions(left: $left, leftAsOf: $leftAsOf, right: $right, rightAsOf: $rightAsOf) {
    same leftStatus rightStatus sameCount changedCount onlyLeftCount onlyRightCount
    firstDivergence { node runIndex outcome
      outputChanges { op path before after } inputChanges { op path before after } nodeChanges { op path before after } }
    cause { reason step { node runIndex } }
    steps(first: 100, after: $after, differing: $differing) {
      nodes { node runIndex outcome inputsDiffer nodeDiffers durationDeltaMs
        left { status attempts durationMs itemCounts } right { status attempts durationMs itemCounts } }
      pageInfo { hasNextPage endCursor } } } }";

/// How two executions are compared.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// List the steps that are the same, too.
    #[arg(long)]
    all: bool,
    /// The moment of the one; now when absent.
    #[arg(long, value_name = "MOMENT")]
    left_at: Option<Moment>,
    /// The moment of the other; now when absent.
    #[arg(long, value_name = "MOMENT")]
    right_at: Option<Moment>,
    /// Go on after this cursor.
    #[arg(long)]
    after: Option<String>,
}

impl CompareArguments {
    pub async fn run(self, [left, right]: [Uuid; 2], access: &Access, config: &Config) -> Result<(), Failure> {
        let [left_as_of, right_as_of] = [self.left_at, self.right_at].map(|moment| moment.map(Moment::as_of));
        let variables = json!({
            "left": left, "right": right, "leftAsOf": left_as_of, "rightAsOf": right_as_of,
            "differing": !self.all, "after": self.after,
        });
        let client = Client::open(access, config).await?;
        let data = client.ask(COMPARE, variables).await;
        client.close().await;
        let found = data?.get("compareExecutions").cloned().unwrap_or_default();
        if access.json {
            output::json(&found);
        } else {
            tell(&found);
        }
        Ok(())
    }
}

fn tell(found: &Value) {
    let text = |path: &str| output::text(found, path);
    output::line(&format!(
        "{} same, {} changed, {} only in the one, {} only in the other; {} and {}",
        text("/sameCount"),
        text("/changedCount"),
        text("/onlyLeftCount"),
        text("/onlyRightCount"),
        text("/leftStatus").to_lowercase(),
        text("/rightStatus").to_lowercase(),
    ));
    if let Some(first) = found.get("firstDivergence").filter(|first| !first.is_null()) {
        output::line(&format!(
            "they part at '{}' run {}",
            output::text(first, "/node"),
            output::text(first, "/runIndex")
        ));
        for (what, field) in [("was given", "inputChanges"), ("gave", "outputChanges"), ("is written", "nodeChanges")] {
            let changes = first.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
            if !changes.is_empty() {
                output::line(&format!("what it {what}:"));
                changes.iter().for_each(|change| tell_change(change, false));
            }
        }
    }
    if found.get("cause").is_some_and(|cause| !cause.is_null()) {
        let (node, run) = (text("/cause/step/node"), text("/cause/step/runIndex"));
        output::line(&format!("because of '{node}' run {run}: {}", reason(&text("/cause/reason"))));
    }
    let steps = found.pointer("/steps/nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = ["/node", "/runIndex", "/outcome", "/left/itemCounts", "/right/itemCounts", "/durationDeltaMs"];
    let rows: Vec<Vec<String>> =
        steps.iter().map(|step| fields.map(|path| output::text(step, path)).to_vec()).collect();
    if !rows.is_empty() {
        output::line("");
        output::table(&["NODE", "RUN", "OUTCOME", "ITEMS", "ITEMS", "MILLISECONDS MORE"], &rows);
    }
    if found.pointer("/steps/pageInfo/hasNextPage") == Some(&Value::Bool(true)) {
        output::notice(&format!("more: --after {}", text("/steps/pageInfo/endCursor")));
    }
}

fn reason(word: &str) -> &'static str {
    match word {
        "GIVEN_ITEMS" => "the executions were given other items",
        "NODE" => "the node is written down otherwise",
        "WAY" => "the way to it is another",
        "NOT_REACHED" => "one of them did not come so far",
        _ => "from the same input it gave something else",
    }
}
