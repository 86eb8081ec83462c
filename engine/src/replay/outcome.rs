//! What an execution came to, and how that differs when it is run again.

use std::collections::HashMap;

use serde_json::{Value, json};
use timeloom_domain::execution::{ExecutionEvent, NodeFacts};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::{Item, Outputs};
use timeloom_domain::replay::{REPORTED_CHANGES_MAX, REPORTED_CHARACTERS_MAX, ReplayDifference, ReplayedChange};

use super::once::{Came, CameRun, Failure};
use crate::stub::NOT_ANSWERED;

/// How an execution compares that was run again.
pub(super) enum Compared {
    Same,
    Differs(Box<ReplayDifference>),
    /// It cannot be run again.
    Skipped,
}

/// What an execution came to.
#[derive(Default)]
pub(super) struct Outcome {
    order: Vec<(String, usize)>,
    runs: HashMap<(String, usize), Given>,
    pub(super) end: Option<End>,
}

/// What one node run gave.
#[derive(PartialEq)]
struct Given {
    outputs: Option<Outputs>,
    error: Option<Value>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum End {
    Completed,
    Failed { node: Option<String>, error: Value },
    Cancelled,
}

impl Outcome {
    /// Takes in what an event says.
    pub(super) fn take(&mut self, event: &ExecutionEvent) {
        match event {
            ExecutionEvent::NodeCompleted { run, outputs, .. } => {
                self.add(run, Given { outputs: Some(outputs.clone()), error: None });
            }
            ExecutionEvent::NodeFailed { run, outputs, error, .. } => {
                self.add(run, Given { outputs: outputs.clone(), error: Some(error.clone()) });
            }
            ExecutionEvent::ExecutionCompleted { .. } => self.end = Some(End::Completed),
            ExecutionEvent::ExecutionFailed { node, error, .. } => {
                self.end = Some(End::Failed { node: node.clone(), error: error.clone() });
            }
            ExecutionEvent::ExecutionCancelled { .. } => self.end = Some(End::Cancelled),
            _ => {}
        }
    }

    fn add(&mut self, run: &NodeFacts, given: Given) {
        let key = (run.node.clone(), run.run_index);
        if self.runs.insert(key.clone(), given).is_none() {
            self.order.push(key);
        }
    }

    /// Whether it can be held against what comes of it now: nobody cancelled it, and it is not under way.
    pub(super) fn is_comparable(&self) -> bool {
        matches!(self.end, Some(End::Completed | End::Failed { .. })) && !(self.is_cut() && self.order.is_empty())
    }

    /// Whether a time limit or a restart ended it, so that it is comparable as far as it came.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self.end, Some(End::Failed { node: None, .. }))
    }

    /// How many node runs ended.
    pub(super) fn runs(&self) -> usize {
        self.order.len()
    }

    /// The same for whoever asked for one run.
    pub(super) fn came(&self) -> Came {
        let run = |key: &(String, usize)| {
            let outputs = self.runs.get(key).and_then(|given| given.outputs.clone());
            CameRun { node: key.0.clone(), run_index: key.1, outputs }
        };
        let failure = match &self.end {
            Some(End::Failed { node, error }) => Some(Failure { node: node.clone(), error: error.clone() }),
            _ => None,
        };
        Came { runs: self.order.iter().map(run).collect(), failure }
    }

    /// The first node whose effect was not answered, because it reads something else or is written down otherwise: whatever
    /// follows from it says nothing of what the execution would have done.
    pub(super) fn not_answered(&self) -> Option<&str> {
        let is_not_answered = |given: &Given| given.error.as_ref().is_some_and(|error| error["name"] == NOT_ANSWERED);
        self.order.iter().find(|key| self.runs.get(*key).is_some_and(is_not_answered)).map(|(node, _)| node.as_str())
    }

    /// Whether what differs is that something fails now which did not.
    pub(super) fn fails_now(&self, now: &Self, difference: &ReplayDifference) -> bool {
        let run = difference.run_index.and_then(|index| usize::try_from(index).ok());
        match difference.node.clone().zip(run) {
            Some(key) => {
                let failed = |outcome: &Self| outcome.runs.get(&key).map(|given| given.error.is_some());
                failed(self) == Some(false) && failed(now) == Some(true)
            }
            None => self.end == Some(End::Completed) && matches!(now.end, Some(End::Failed { .. })),
        }
    }

    /// How another outcome differs from this one.
    pub(super) fn compared(&self, execution: ExecutionId, now: &Self) -> Compared {
        self.compared_up_to(execution, now, None)
    }

    /// The same, of the first node runs alone where so many are given.
    pub(super) fn compared_up_to(&self, execution: ExecutionId, now: &Self, most: Option<usize>) -> Compared {
        for key in self.order.iter().take(most.unwrap_or(usize::MAX)) {
            let before = &self.runs[key];
            let Some(after) = now.runs.get(key) else {
                return differs(execution, key, format!("'{}' does not run", key.0), Vec::new());
            };
            if before != after {
                let changes = changes(&before.shown(), &after.shown());
                return differs(execution, key, summary(&key.0, before, after), changes);
            }
        }
        if self.is_cut() || most.is_some() {
            return Compared::Same;
        }
        if let Some(key) = now.order.iter().find(|key| !self.runs.contains_key(*key)) {
            return differs(execution, key, format!("'{}' runs, which did not before", key.0), Vec::new());
        }
        if self.end == now.end {
            return Compared::Same;
        }
        let summary = format!("it {}, where it {}", ended(now.end.as_ref()), ended(self.end.as_ref()));
        let (node, run_index, changes) = (None, None, Vec::new());
        Compared::Differs(Box::new(ReplayDifference { execution, node, run_index, summary, changes }))
    }
}

impl Given {
    fn shown(&self) -> Value {
        let item = |item: &Item| match &item.binary {
            Some(binary) => json!({ "json": item.json, "binary": binary }),
            None => json!({ "json": item.json }),
        };
        match (&self.outputs, &self.error) {
            (Some(outputs), None) => outputs.iter().map(|items| items.iter().map(item).collect::<Vec<_>>()).collect(),
            (_, error) => json!({ "error": error }),
        }
    }
}

fn differs(execution: ExecutionId, key: &(String, usize), summary: String, changes: Vec<ReplayedChange>) -> Compared {
    let (node, run_index) = (Some(key.0.clone()), u32::try_from(key.1).ok());
    Compared::Differs(Box::new(ReplayDifference { execution, node, run_index, summary, changes }))
}

fn summary(node: &str, before: &Given, after: &Given) -> String {
    match (&before.error, &after.error) {
        (None, Some(error)) => {
            let message = error.get("message").and_then(Value::as_str).unwrap_or("no message");
            format!("'{node}' fails: {}", shortened(message))
        }
        (Some(_), None) => format!("'{node}' does not fail any more"),
        (Some(_), Some(_)) => format!("'{node}' fails otherwise"),
        (None, None) => format!("'{node}' gives something else"),
    }
}

fn ended(end: Option<&End>) -> &'static str {
    match end {
        None => "does not end",
        Some(End::Completed) => "completes",
        Some(End::Failed { .. }) => "fails",
        Some(End::Cancelled) => "is cancelled",
    }
}

fn changes(before: &Value, after: &Value) -> Vec<ReplayedChange> {
    let patch = json_patch::diff(before, after);
    let told = patch.0.iter().take(REPORTED_CHANGES_MAX).map(|operation| {
        let path = operation.path().to_string();
        let of = |value: &Value| value.pointer(&path).map(|value| shortened(&value.to_string()));
        ReplayedChange { before: of(before), after: of(after), path }
    });
    told.collect()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(REPORTED_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use timeloom_domain::item::JsonObject;
    use uuid::Uuid;

    use super::*;

    /// An outcome of nodes that gave a number, or failed where there is none.
    fn outcome(runs: &[(&str, Option<u32>)], end: End) -> Outcome {
        let mut outcome = Outcome { end: Some(end), ..Outcome::default() };
        for (node, number) in runs {
            let item = |number: u32| Item::new(JsonObject::from_iter([("n".to_owned(), json!(number))]));
            let outputs = number.map(|number| vec![Arc::new(vec![item(number)])]);
            let error = number.is_none().then(|| json!({ "message": "no" }));
            let key = ((*node).to_owned(), 0);
            outcome.runs.insert(key.clone(), Given { outputs, error });
            outcome.order.push(key);
        }
        outcome
    }

    fn difference(compared: Compared) -> Option<Box<ReplayDifference>> {
        match compared {
            Compared::Differs(difference) => Some(difference),
            Compared::Same | Compared::Skipped => None,
        }
    }

    #[test]
    fn only_the_first_node_runs_count_where_so_many_are_given() {
        let id = ExecutionId(Uuid::nil());
        let before = outcome(&[("A", Some(1)), ("B", Some(2))], End::Completed);
        let now = outcome(&[("A", Some(1)), ("B", Some(3)), ("C", Some(4))], End::Completed);
        assert_eq!(difference(before.compared(id, &now)).unwrap().node.as_deref(), Some("B"));
        assert!(difference(before.compared_up_to(id, &now, Some(1))).is_none());
        assert!(difference(before.compared_up_to(id, &now, Some(2))).is_some());
    }

    #[test]
    fn a_failure_that_was_none_is_told_from_another_answer() {
        let id = ExecutionId(Uuid::nil());
        let before = outcome(&[("A", Some(1))], End::Completed);
        let other = outcome(&[("A", Some(2))], End::Completed);
        let fails = outcome(&[("A", None)], End::Failed { node: Some("A".to_owned()), error: json!({}) });
        let ends = outcome(&[("A", Some(1))], End::Failed { node: None, error: json!({}) });
        for (now, is_failure) in [(&other, false), (&fails, true), (&ends, true)] {
            let difference = difference(before.compared(id, now)).unwrap();
            assert_eq!(before.fails_now(now, &difference), is_failure, "{difference:?}");
        }
        let failed = outcome(&[("A", None)], End::Failed { node: Some("A".to_owned()), error: json!({}) });
        let difference = difference(failed.compared(id, &before)).unwrap();
        assert!(!failed.fails_now(&before, &difference), "it does not fail any more");
    }
}
