//! `timeloom state why`: from where a value comes.

use serde_json::{Value, json};

use super::client::Client;
use super::moment::Moment;
use super::state::shortened;
use super::{Access, Failure, output};
use crate::config::Config;

const WHY: &str = "query($stream: StreamInput!, $asOf: AsOf, $path: String!) {
  stateAt(stream: $stream, asOf: $asOf) { provenance(path: $path) {
    value isCut writtenBy { position revision type }
    steps { executionId node runIndex output item path value origin parameters expression inputs
      writtenBy { position revision type } } } } }";

/// Prints from where the value at `path` of the state of `stream` comes.
pub async fn tell(
    stream: Value,
    path: &str,
    moment: Option<Moment>,
    access: &Access,
    config: &Config,
) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let variables = json!({ "stream": stream, "path": path, "asOf": moment.map(Moment::as_of) });
    let data = client.ask(WHY, variables).await;
    client.close().await;
    let data = data?;
    let Some(found) = data.pointer("/stateAt/provenance").filter(|found| !found.is_null()) else {
        output::error("there was nothing of that name then: `timeloom state get` says since when there is");
        return Err(Failure::Refused);
    };
    if access.json {
        output::json(found);
        return Ok(());
    }
    let text = |path: &str| output::text(found, path);
    output::line(&format!("{path} is {}", shortened(found.get("value").unwrap_or(&Value::Null))));
    output::line(&format!(
        "written by {} at position {} (revision {})",
        text("/writtenBy/type"),
        text("/writtenBy/position"),
        text("/writtenBy/revision")
    ));
    for (place, step) in found.get("steps").and_then(Value::as_array).into_iter().flatten().enumerate() {
        output::line(&line(place, step));
    }
    if found.get("isCut") == Some(&Value::Bool(true)) {
        output::notice("there are more steps than are told");
    }
    Ok(())
}

/// One step, with the steps that it was made from.
pub(super) fn line(place: usize, step: &Value) -> String {
    let text = |path: &str| output::text(step, path);
    let item =
        step.get("item").and_then(Value::as_u64).map_or_else(|| "all items".to_owned(), |item| format!("item {item}"));
    let how = match text("/origin").as_str() {
        "GIVEN" => "given to the execution".to_owned(),
        "PINNED" => "pinned".to_owned(),
        "PASSED_ON" => "passed on".to_owned(),
        "WRITTEN" => format!("written at {}", text("/parameters/0")),
        "EXPRESSION" => format!("{} at {}", text("/expression"), text("/parameters/0")),
        _ => "computed".to_owned(),
    };
    let inputs: Vec<String> =
        step.get("inputs").and_then(Value::as_array).into_iter().flatten().map(|input| format!("#{input}")).collect();
    let from = if inputs.is_empty() { String::new() } else { format!(", from {}", inputs.join(" ")) };
    format!(
        "#{place} '{}' run {}, output {}, {item}{}: {how}{from} (position {})",
        text("/node"),
        text("/runIndex"),
        text("/output"),
        step.get("path").and_then(Value::as_str).unwrap_or_default(),
        text("/writtenBy/position"),
    )
}
