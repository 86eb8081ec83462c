//! An execution that is always the same, and the program that shows it: this test program itself, started once more.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};
use timeloom_debugger::{About, EventRow, Options, Source, SourceError, run};

/// The variable that makes this test program the debugger; its value says what goes wrong on the way.
pub const SAMPLE: &str = "TIMELOOM_DEBUGGER_SAMPLE";
/// What a source says that breaks down.
pub const FAULT: &str = "the sample broke down";

/// An order that is checked, priced in two rounds, and refused by a service.
struct Sample {
    breaks_down: bool,
}

fn run_of(node: &str, run_index: u64, status: &str, items: &[Value]) -> Value {
    let items: Vec<Value> = items.iter().map(|item| json!({ "json": item })).collect();
    let outputs = if status == "completed" { json!([items]) } else { Value::Null };
    json!({ "node": node, "run_index": run_index, "status": status, "outputs": outputs, "error": null })
}

/// The node runs after each event.
fn node_runs(revision: u64) -> Vec<Value> {
    let order = json!({ "customer": "Ada", "total": 12.5, "lines": [1, 2, 3] });
    let priced = json!({ "customer": "Ada", "total": 15.0, "currency": "EUR" });
    let mut runs = Vec::new();
    if revision >= 2 {
        runs.push(run_of("Order", 0, "completed", std::slice::from_ref(&order)));
    }
    if revision >= 3 {
        runs.push(run_of("Price", 0, "completed", std::slice::from_ref(&priced)));
    }
    if revision >= 4 {
        runs.push(run_of("Price", 1, "completed", &[priced.clone(), priced]));
    }
    if revision >= 5 {
        let mut asked =
            run_of("Ask the service for its answer", 0, if revision >= 6 { "failed" } else { "running" }, &[]);
        if revision >= 6 {
            asked["error"] = json!({ "name": "NodeApiError", "message": "503: try later" });
        }
        runs.push(asked);
    }
    runs
}

impl Source for Sample {
    fn about(&mut self) -> Result<About, SourceError> {
        let nodes = ["Order", "Price", "Ask the service for its answer", "Send"].map(str::to_owned).to_vec();
        Ok(About {
            execution: "01900000-0000-7000-8000-000000000001".to_owned(),
            workflow: "Orders".to_owned(),
            place: "capsule sample".to_owned(),
            nodes,
        })
    }

    fn events(&mut self, after: u64) -> Result<Vec<EventRow>, SourceError> {
        let types = [
            ("ExecutionStarted", None),
            ("NodeCompleted", Some("Order")),
            ("NodeCompleted", Some("Price")),
            ("NodeCompleted", Some("Price")),
            ("NodeStarted", Some("Ask the service for its answer")),
            ("NodeFailed", Some("Ask the service for its answer")),
            ("ExecutionFailed", Some("Ask the service for its answer")),
        ];
        let row = |(revision, (event_type, node)): (u64, (&str, Option<&str>))| EventRow {
            revision,
            position: 100 + 3 * revision,
            recorded_at: format!("2026-01-31T12:00:0{revision}.250000Z"),
            event_type: event_type.to_owned(),
            node: node.map(str::to_owned),
        };
        Ok((1..).zip(types).map(row).filter(|row| row.revision > after).collect())
    }

    #[expect(clippy::panic, reason = "the sample is to break down")]
    fn state(&mut self, revision: u64) -> Result<Value, SourceError> {
        if self.breaks_down && revision < 3 {
            panic!("{FAULT}");
        }
        let status = if revision >= 7 { "failed" } else { "running" };
        Ok(json!({ "status": status, "node_runs": node_runs(revision), "data": {} }))
    }

    fn payload(&mut self, revision: u64) -> Result<Value, SourceError> {
        Ok(
            json!({ "type": "sample", "number": revision, "says": if revision == 3 { "fifteen euros" } else { "something" } }),
        )
    }

    fn is_live(&self) -> bool {
        false
    }
}

/// Not a test by itself: with the variable, it is the program that the tests look at.
#[test]
#[expect(clippy::disallowed_methods, reason = "the variable makes this the program")]
fn the_sample_is_shown_where_the_variable_says_so() {
    let Some(wish) = std::env::var_os(SAMPLE) else { return };
    let mut source = Sample { breaks_down: wish == "breaks down" };
    let options = Options { has_colours: std::env::var_os("NO_COLOR").is_none() };
    let stop = Arc::new(AtomicBool::new(false));
    run(&mut source, options, &stop).unwrap();
}
