//! An expression evaluated over the node runs of one execution of the past, as far as its events tell what it reads.
//!
//! Never: the clock, chance or the outside world. `$now` is the time at which the node run began.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::execution::ExecutionMode;
use timeloom_domain::item::{Item, Items};
use timeloom_expressions::evaluator::{Resolved, Session};
use timeloom_expressions::scope::{
    ExecutionInfo, Found, Lookup, LookupError, NodeInfo, NodeLookup, PreviousNode, Scope, WorkflowInfo,
};
use timeloom_history::{Story, ancestor, inputs};
use timeloom_store::Position;

use super::watch::WatchOver;

/// What is asked of each node run.
pub(super) struct Question {
    template: Value,
    node: Option<String>,
    over: WatchOver,
    all: bool,
}

/// What an expression gave at one node run.
pub(super) struct Answer {
    pub(super) node: String,
    pub(super) run_index: usize,
    pub(super) position: Option<Position>,
    pub(super) value: Option<Value>,
    pub(super) error: Option<String>,
}

impl Question {
    pub(super) fn of(expression: &str, node: Option<String>, over: WatchOver, all: bool) -> Self {
        let text = expression.strip_prefix('=').unwrap_or(expression);
        let text = if text.contains("{{") { format!("={text}") } else { format!("={{{{ {text} }}}}") };
        Self { template: Value::String(text), node, over, all }
    }

    /// What is evaluated, without the leading `=`.
    pub(super) fn template(&self) -> &str {
        self.template.as_str().and_then(|text| text.strip_prefix('=')).unwrap_or_default()
    }
}

/// The answers of the node runs of an execution, at most `hits_max`.
pub(super) fn answers(
    mut session: Session,
    story: Story,
    execution_id: &str,
    question: &Question,
    hits_max: usize,
) -> Vec<Answer> {
    let story = Arc::new(story);
    let mut found = Vec::new();
    for (place, run) in story.runs.iter().enumerate() {
        if found.len() >= hits_max {
            break;
        }
        if question.node.as_ref().is_some_and(|node| *node != run.state.node) {
            continue;
        }
        let scope = scope(&story, execution_id, &Seen { place, over: question.over, branch: None });
        let result = session.resolve_evaluated_for_items(&scope, &question.template, 0..1).pop();
        let (value, error) = match result {
            Some(Ok(resolved)) => (resolved.into_json(), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        let is_hit = question.all || is_true(value.as_ref());
        if is_hit {
            let (node, run_index) = (run.state.node.clone(), run.state.run_index);
            let position = run.written.as_ref().map(|written| written.position);
            found.push(Answer { node, run_index, position, value, error });
        }
    }
    found
}

/// What an expression sees: a run of a node, and what of it.
pub(super) struct Seen {
    pub(super) place: usize,
    pub(super) over: WatchOver,
    /// Over which input or output; absent = the first that has items.
    pub(super) branch: Option<usize>,
}

/// How many items are seen, and what a template gives for one of them.
pub(super) fn preview(
    mut session: Session,
    story: Story,
    execution_id: &str,
    seen: &Seen,
    template: &Value,
    item: usize,
) -> (usize, Result<Option<Value>, String>) {
    let scope = scope(&Arc::new(story), execution_id, seen);
    let count = scope.items.len();
    if item >= count {
        return (count, Err(format!("there is no item {item}: {count} are there")));
    }
    let result = session.resolve_evaluated_for_items(&scope, template, item..item + 1).pop();
    let value = result.transpose().map_err(|error| error.to_string());
    (count, value.map(|resolved| resolved.and_then(Resolved::into_json)))
}

fn scope(story: &Arc<Story>, execution_id: &str, &Seen { place, over, branch }: &Seen) -> Scope {
    let run = &story.runs[place];
    let given =
        || inputs(story, place).into_iter().map(|items| Arc::new(items.into_iter().cloned().collect())).collect();
    let all: Vec<Items> = match over {
        WatchOver::Input => given(),
        WatchOver::Output => run.state.outputs.clone().unwrap_or_default(),
    };
    // As expressions read their input: the first that has any.
    let output = branch.or_else(|| all.iter().position(|items| !items.is_empty())).unwrap_or(0);
    let items = all.get(output).cloned().unwrap_or_default();
    let node = story.node(place);
    let start = story.start_of(place).unwrap_or(&story.start);
    let source = run.state.sources.iter().flatten().next();
    Scope {
        items,
        inputs: Arc::new(all),
        run_index: run.state.run_index,
        now_ms: run.state.started_at_ms.unwrap_or(start.at_ms),
        timezone: chrono_tz::UTC,
        node: NodeInfo {
            name: run.state.node.clone(),
            id: node.map(|node| node.id.clone()).unwrap_or_default(),
            type_version: node.map_or(1.0, |node| node.type_version),
            parameters: node.map(|node| node.parameters.clone()).unwrap_or_default(),
            webhook_id: None,
        },
        previous: source.map(|source| PreviousNode {
            name: source.previous_node.clone(),
            output_index: source.previous_node_output,
            run_index: source.previous_node_run,
        }),
        workflow: WorkflowInfo {
            id: start.workflow_id.to_string(),
            name: String::new(),
            active: start.workflow_version.is_some(),
        },
        execution: ExecutionInfo {
            id: execution_id.to_owned(),
            mode: match start.mode {
                ExecutionMode::Manual => "test".to_owned(),
                ExecutionMode::Production => "production".to_owned(),
            },
            resume_url: String::new(),
        },
        vars: Arc::default(),
        env: Arc::default(),
        additional: Arc::default(),
        nodes: Arc::new(StoryNodes { story: Arc::clone(story), place, output, over }),
    }
}

/// The other nodes of an execution of the past, as they were when a node had run.
struct StoryNodes {
    story: Arc<Story>,
    place: usize,
    output: usize,
    over: WatchOver,
}

impl StoryNodes {
    fn newest(&self, node: &str) -> Result<usize, LookupError> {
        let to = match self.over {
            WatchOver::Input => self.place,
            WatchOver::Output => self.place + 1,
        };
        self.story.newest_before(node, to).ok_or_else(|| LookupError::NotExecuted(node.to_owned()))
    }

    fn paired(&self, node: &str, item_index: usize) -> Option<&Item> {
        match self.over {
            WatchOver::Output => ancestor(&self.story, self.place, self.output, item_index, node),
            WatchOver::Input => {
                let source = self.story.runs[self.place].state.sources.iter().flatten().next()?;
                let run = self.story.find(&source.previous_node, source.previous_node_run)?;
                if source.previous_node == node {
                    return self.story.outputs(run)?.get(source.previous_node_output)?.get(item_index);
                }
                ancestor(&self.story, run, source.previous_node_output, item_index, node)
            }
        }
    }
}

impl NodeLookup for StoryNodes {
    fn look_up(&self, lookup: &Lookup) -> Result<Found, LookupError> {
        match lookup {
            Lookup::Items { node, output, run } => {
                let place = match run {
                    Some(run) => self.story.find(node, *run).ok_or_else(|| LookupError::NotExecuted(node.clone()))?,
                    None => self.newest(node)?,
                };
                let outputs = self.story.outputs(place);
                Ok(Found::Items(
                    outputs.and_then(|outputs| outputs.get(output.unwrap_or(0))).cloned().unwrap_or_default(),
                ))
            }
            Lookup::PairedItem { node, item_index } => {
                self.newest(node)?;
                let why = || LookupError::NoPairedItem(format!("from which item of '{node}' it was made is not told"));
                self.paired(node, *item_index).map(|item| Found::Item(Box::new(item.clone()))).ok_or_else(why)
            }
            Lookup::IsExecuted { node } => Ok(Found::Value(json!(self.newest(node).is_ok()))),
            Lookup::Parameters { node } => {
                let place = self.newest(node)?;
                Ok(Found::Value(self.story.node(place).map(|node| node.parameters.clone()).unwrap_or_default()))
            }
            Lookup::Context { .. } => Ok(Found::Value(json!({}))),
        }
    }
}

/// As JavaScript sees it.
fn is_true(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(truth)) => *truth,
        Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(_) | Value::Object(_)) => true,
    }
}
