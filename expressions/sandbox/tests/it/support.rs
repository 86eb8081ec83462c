//! A small world for scripts: items, other nodes, a fixed clock.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use timeloom_domain::item::{Item, Items};
use timeloom_expressions::port::{Evaluated, ExpressionError, Job, Limits, ScriptEngine, ScriptSession};
use timeloom_expressions::scope::{
    ExecutionInfo, Found, Lookup, LookupError, NoNodes, NodeInfo, NodeLookup, PreviousNode, Scope, WorkflowInfo,
};
use timeloom_sandbox::SandboxEngine;

/// 2026-03-14T15:09:26.535Z, a Saturday.
pub const NOW_MS: i64 = 1_773_500_966_535;

/// One engine for all tests, as a server has one.
pub fn engine() -> &'static SandboxEngine {
    static ENGINE: OnceLock<SandboxEngine> = OnceLock::new();
    ENGINE.get_or_init(|| SandboxEngine::new(7).unwrap())
}

/// A fresh session.
pub fn session() -> Box<dyn ScriptSession> {
    engine().session().unwrap()
}

/// Items from an array of their JSON.
pub fn items(json: Value) -> Items {
    let objects: Vec<Value> = serde_json::from_value(json).unwrap();
    Arc::new(objects.into_iter().map(|object| Item::new(object.as_object().unwrap().clone())).collect())
}

/// A scope with these items and no other nodes.
pub fn scope(json: Value) -> Scope {
    let items = items(json);
    Scope {
        inputs: Arc::new(vec![Arc::clone(&items)]),
        items,
        run_index: 0,
        now_ms: NOW_MS,
        timezone: chrono_tz::America::New_York,
        node: NodeInfo {
            name: "Current".to_owned(),
            id: "node-1".to_owned(),
            type_version: 2.0,
            parameters: json!({ "greeting": "=Hello {{ $json.name }}", "limit": 5 }),
            webhook_id: None,
        },
        previous: Some(PreviousNode { name: "Source".to_owned(), output_index: 0, run_index: 0 }),
        workflow: WorkflowInfo { id: "w1".to_owned(), name: "Orders".to_owned(), active: true },
        execution: ExecutionInfo {
            id: "e1".to_owned(),
            mode: "test".to_owned(),
            resume_url: "http://h/wait".to_owned(),
        },
        vars: Arc::new(json!({ "region": "eu" }).as_object().unwrap().clone()),
        env: Arc::new(json!({ "STAGE": "dev" }).as_object().unwrap().clone()),
        additional: Arc::default(),
        nodes: Arc::new(NoNodes),
    }
}

/// Nodes `Source` (two items in run 0, one in run 1) and `Idle` (not run).
pub struct Nodes;

impl NodeLookup for Nodes {
    fn look_up(&self, lookup: &Lookup) -> Result<Found, LookupError> {
        let node = match lookup {
            Lookup::Items { node, .. }
            | Lookup::PairedItem { node, .. }
            | Lookup::IsExecuted { node }
            | Lookup::Parameters { node }
            | Lookup::Context { node } => node.as_str(),
        };
        match (node, lookup) {
            ("Current", Lookup::Context { .. }) => Ok(Found::Value(json!({}))),
            ("Idle", Lookup::IsExecuted { .. }) => Ok(Found::Value(json!(false))),
            ("Idle", _) => Err(LookupError::NotExecuted(node.to_owned())),
            ("Source", Lookup::Items { run: None | Some(0), .. }) => {
                Ok(Found::Items(items(json!([{ "n": 1 }, { "n": 2 }]))))
            }
            ("Source", Lookup::Items { run: Some(1), .. }) => Ok(Found::Items(items(json!([{ "n": 3 }])))),
            ("Source", Lookup::Items { .. }) => Err(LookupError::NotExecuted(node.to_owned())),
            ("Source", Lookup::PairedItem { item_index, .. }) => {
                let item = Item::new(json!({ "pair": item_index }).as_object().unwrap().clone());
                Ok(Found::Item(Box::new(item)))
            }
            ("Source", Lookup::IsExecuted { .. }) => Ok(Found::Value(json!(true))),
            ("Source", Lookup::Parameters { .. }) => Ok(Found::Value(json!({ "url": "http://x" }))),
            ("Source", Lookup::Context { .. }) => Ok(Found::Value(json!({ "noItemsLeft": true }))),
            _ => Err(LookupError::UnknownNode(node.to_owned())),
        }
    }
}

/// What `=template` is for the first of these items.
pub fn evaluate(template: &str, json: Value) -> Result<Evaluated, ExpressionError> {
    evaluate_in(&scope(json), template)
}

/// What `=template` is in a scope, for its first item.
pub fn evaluate_in(scope: &Scope, template: &str) -> Result<Evaluated, ExpressionError> {
    session().evaluate(scope, &[Job { template, item_index: 0 }], Limits::EXPRESSION).remove(0)
}

/// The JSON of a template's value.
pub fn value(template: &str) -> Value {
    match evaluate(template, json!([{ "name": "Ada", "list": [3, 1, 2] }])).unwrap() {
        Evaluated::Json(value) => value,
        other => panic!("{template}: {other:?}"),
    }
}
