//! Scopes, an engine that records what it was asked, and short ways to evaluate.

use std::sync::{Arc, Mutex};

use chrono_tz::Tz;
use serde_json::{Value, json};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_expressions::evaluator::{Evaluator, Session};
use timeloom_expressions::port::{
    CodeMode, CodeOutput, Evaluated, ExpressionError, Job, Limits, ScriptEngine, ScriptSession,
};
use timeloom_expressions::scope::{
    ExecutionInfo, Found, Lookup, LookupError, NoNodes, NodeInfo, NodeLookup, PreviousNode, Scope, WorkflowInfo,
};

/// An object, from JSON that is one.
pub fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

/// A scope whose input items hold `items`.
pub fn scope(items: Vec<Value>) -> Scope {
    let items: Vec<Item> = items.into_iter().map(|json| Item::new(object(json))).collect();
    let items = Arc::new(items);
    Scope {
        items: items.clone(),
        inputs: Arc::new(vec![items]),
        run_index: 2,
        now_ms: 0,
        timezone: Tz::UTC,
        node: NodeInfo::default(),
        previous: Some(PreviousNode { name: "Before".into(), output_index: 1, run_index: 0 }),
        workflow: WorkflowInfo { id: "w1".into(), name: "Orders".into(), active: true },
        execution: ExecutionInfo { id: "e1".into(), mode: "test".into(), resume_url: "http://resume".into() },
        vars: Arc::new(object(json!({ "region": "eu" }))),
        env: Arc::new(object(json!({ "HOME_PAGE": "http://home" }))),
        additional: Arc::default(),
        nodes: Arc::new(NoNodes),
    }
}

/// Evaluates one template for item 0 of `scope` without an engine.
pub fn evaluate_in(scope: &Scope, template: &str) -> Result<Evaluated, ExpressionError> {
    Evaluator::new(None).session().resolve_template(scope, template, 0)
}

/// The JSON value of `code` over one item that holds `json`; null when it has none.
pub fn value_of(code: &str, json: Value) -> Value {
    let template = format!("{{{{ {code} }}}}");
    evaluate_in(&scope(vec![json]), &template).expect(code).into_json().unwrap_or(Value::Null)
}

/// Whether `code` is left to the engine.
pub fn is_foreign(code: &str, json: Value) -> bool {
    let template = format!("{{{{ {code} }}}}");
    match evaluate_in(&scope(vec![json]), &template) {
        Ok(_) => false,
        Err(ExpressionError::Fault(_)) => true,
        Err(other) => panic!("{code}: {other}"),
    }
}

/// Answers for one other node, `Orders`, and counts the questions.
#[derive(Default)]
pub struct OneNode {
    pub items: Vec<Value>,
    pub asked: Mutex<Vec<Lookup>>,
}

impl NodeLookup for OneNode {
    fn look_up(&self, lookup: &Lookup) -> Result<Found, LookupError> {
        self.asked.lock().unwrap().push(lookup.clone());
        let items = || self.items.iter().map(|json| Item::new(object(json.clone()))).collect::<Vec<_>>();
        match lookup {
            Lookup::Items { node, .. } if node == "Orders" => Ok(Found::Items(Arc::new(items()))),
            Lookup::PairedItem { node, item_index } if node == "Orders" => {
                Ok(Found::Item(Box::new(items().swap_remove(*item_index))))
            }
            other => Err(LookupError::UnknownNode(format!("{other:?}"))),
        }
    }
}

/// An engine that answers every job with its template in capitals, and notes each crossing.
#[derive(Default)]
pub struct Recorder {
    pub crossings: Mutex<Vec<Vec<(String, usize)>>>,
    pub sessions: Mutex<usize>,
    pub fails: bool,
}

pub struct RecorderSession(Arc<Recorder>);

/// A session of an evaluator with `recorder` as its engine.
pub fn recorded(recorder: &Arc<Recorder>) -> Session {
    Evaluator::new(Some(Arc::new(Handle(recorder.clone())))).session()
}

struct Handle(Arc<Recorder>);

impl ScriptEngine for Handle {
    fn session(&self) -> Result<Box<dyn ScriptSession>, ExpressionError> {
        *self.0.sessions.lock().unwrap() += 1;
        Ok(Box::new(RecorderSession(self.0.clone())))
    }
}

impl ScriptSession for RecorderSession {
    fn evaluate(&mut self, _: &Scope, jobs: &[Job<'_>], _: Limits) -> Vec<Result<Evaluated, ExpressionError>> {
        let noted = jobs.iter().map(|job| (job.template.to_owned(), job.item_index)).collect();
        self.0.crossings.lock().unwrap().push(noted);
        let answer = |job: &Job<'_>| {
            if self.0.fails {
                return Err(ExpressionError::Fault("it broke".into()));
            }
            Ok(Evaluated::Json(Value::from(format!("{}#{}", job.template.to_uppercase(), job.item_index))))
        };
        jobs.iter().map(answer).collect()
    }

    fn run_code(&mut self, _: &Scope, _: CodeMode, code: &str, _: Limits) -> Result<CodeOutput, ExpressionError> {
        let items = vec![Item::new(object(json!({ "code": code })))];
        Ok(CodeOutput { items, console: Vec::new(), context: None })
    }

    fn evaluate_tagged(&mut self, _: &Scope, _: Job<'_>, _: Limits) -> Result<Value, ExpressionError> {
        Ok(Value::Null)
    }
}
