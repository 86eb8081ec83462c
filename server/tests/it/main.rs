//! The command line without a server: expressions, help, and what is refused before anything is opened.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn timeloom(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_timeloom"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

#[test]
fn an_expression_is_evaluated_over_an_item() {
    let output = timeloom(&["expression", "eval", "{{ $json.price * 2 }}", "--item", r#"{"price": 21}"#], "");
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(0), "42"));
    let bare = timeloom(&["expression", "eval", "'a'.toUpperCase()"], "");
    assert_eq!(text(&bare), "A");
    let mixed = timeloom(&["expression", "eval", "=n is {{ $json.n }}", "--item", r#"{"n": 7}"#, "--json"], "");
    assert_eq!(serde_json::from_str::<Value>(&text(&mixed)).unwrap(), json!({ "value": "n is 7" }));
}

#[test]
fn expressions_come_a_line_and_answers_go_a_line() {
    let lines = [
        json!({"id": "sum", "expression": "={{ $json.a + 1 }}", "items": [{"json": {"a": 1}}, {"json": {"a": 41}}], "item_index": 1}),
        json!({"id": "clock", "expression": "={{ $now.toMillis() }}", "items": [], "clock_ms": 1_700_000_000_000_u64}),
        json!({"id": "undefined", "expression": "={{ $json.nothing }}", "items": [{"json": {}}]}),
        json!({"id": "throws", "expression": "={{ $('No such node').item.json }}", "items": [{"json": {}}]}),
        json!({"id": "text", "expression": "no expression", "items": []}),
    ];
    let input = lines.map(|line| format!("{line}\n")).concat();
    let output = timeloom(&["expression", "eval", "--jsonl"], &input);
    assert!(output.status.success(), "{output:?}");
    let answers: Vec<Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[0], json!({"id": "sum", "value": 42}));
    assert_eq!(answers[1], json!({"id": "clock", "value": 1_700_000_000_000_u64}));
    assert_eq!(answers[2], json!({"id": "undefined", "value": {"$undefined": true}}));
    assert!(answers[3]["error"]["message"].as_str().unwrap().contains("No such node"), "{}", answers[3]);
    assert_eq!(answers[4], json!({"id": "text", "value": "no expression"}));
}

#[test]
fn every_noun_is_in_the_help_and_a_wrong_verb_is_refused() {
    let help = text(&timeloom(&["--help"], ""));
    for noun in ["serve", "workflow", "execution", "events", "state", "log", "expression", "projections"] {
        assert!(help.contains(noun), "{noun} is not in:\n{help}");
    }
    let wrong = timeloom(&["workflow", "fly"], "");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("fly"));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let output = timeloom(&["workflow", "list", "--server", "http://127.0.0.1:1"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("http://127.0.0.1:1/graphql cannot be reached"));
    let no_url = timeloom(&["workflow", "list", "--server", "localhost"], "");
    assert!(String::from_utf8_lossy(&no_url.stderr).contains("must begin with http"), "{no_url:?}");
}
