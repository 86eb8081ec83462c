//! The rules from version 3: conditions of the shared model, each with its own output.

use serde_json::Value;
use timeloom_engine::node::{NodeError, NodeRun};

use super::{Route, index_of};
use crate::conditions::Conditions;
use crate::values;

/// Where each item goes.
pub(super) fn routes(run: &mut NodeRun<'_>, outputs: usize) -> Vec<Route> {
    let rules = run.raw_parameter("rules.values").and_then(Value::as_array).cloned().unwrap_or_default();
    let options = run.parameter_for_items("options");
    let mut routes: Vec<Routing> = options
        .into_iter()
        .map(|options| Routing { done: rules.is_empty(), ..Routing::default() }.with(options))
        .collect();
    let mut conditions = Conditions::new(run.scope.timezone);
    for (position, rule) in rules.iter().enumerate() {
        if routes.iter().all(|route| route.done) {
            break;
        }
        // Resolved rule by rule: an expression in a rule that an item never reaches must not fail that item.
        let filter = rule.get("conditions").cloned().unwrap_or_default();
        let filters = run.resolve_for_items(&filter);
        for (item, (routing, filter)) in routes.iter_mut().zip(filters).enumerate() {
            if routing.done {
                continue;
            }
            match filter.and_then(|filter| conditions.pass(filter.as_ref(), item)) {
                Ok(true) => {
                    routing.found.push(position);
                    routing.done = !routing.all;
                }
                Ok(false) => {}
                Err(error) => {
                    routing.failed = Some(error);
                    routing.done = true;
                }
            }
        }
    }
    routes.into_iter().map(|routing| routing.route(outputs, rules.is_empty())).collect()
}

/// How far the routing of one item has come.
#[derive(Default)]
struct Routing {
    all: bool,
    fallback: Option<Value>,
    found: Vec<usize>,
    done: bool,
    failed: Option<NodeError>,
}

impl Routing {
    fn with(mut self, options: Result<Option<Value>, NodeError>) -> Self {
        match options {
            Ok(options) => {
                let option = |key: &str| options.as_ref().and_then(|options| options.get(key));
                self.all = option("allMatchingOutputs").is_some_and(values::truthy);
                self.fallback = option("fallbackOutput").cloned();
            }
            Err(error) => {
                self.failed = Some(error);
                self.done = true;
            }
        }
        self
    }

    fn route(self, outputs: usize, no_rules: bool) -> Route {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if no_rules || !self.found.is_empty() {
            return Ok(self.found);
        }
        match self.fallback.as_ref() {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(word)) if word == "none" => Ok(Vec::new()),
            Some(Value::String(word)) if word == "extra" => Ok(vec![outputs.saturating_sub(1)]),
            output => Ok(vec![index_of(output, outputs)?]),
        }
    }
}
