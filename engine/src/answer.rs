//! What an execution answers at its end to the request that started it: what its last node gave, as the webhook's node says.

use std::sync::Arc;

use timeloom_domain::chat_trigger::response_mode;
use timeloom_domain::execution::{AnswerSettings, NodeFacts, Response, TriggerFacts};
use timeloom_domain::form::FORM_TRIGGER_TYPE;
use timeloom_domain::item::Items;
use timeloom_expressions::evaluator::Session;

use crate::attempt::{Attempt, Surroundings};
use crate::machine::{Machine, Task};

/// The answer, where the execution was started by a request that waits for its end.
pub(crate) fn at_end(
    machine: &Machine,
    surroundings: &Arc<Surroundings>,
    session: &mut Session,
    now_ms: i64,
) -> Option<Response> {
    let start = machine.start();
    let Some(TriggerFacts::Webhook { .. }) = start.trigger else { return None };
    let trigger = machine.plan().graph.index(&start.start_node)?;
    let node = machine.plan().node(trigger);
    let parameters = &node.parameters;
    // Who filled in a form is shown a page, not what the last node gave.
    if node.node_type == FORM_TRIGGER_TYPE || response_mode(&node.node_type, parameters) != Some("lastNode") {
        return None;
    }
    let facts = NodeFacts { node: start.start_node.clone(), run_index: 0, execution_index: 0, sources: Vec::new() };
    let inputs = vec![Some(Arc::new(start.items.clone()))];
    let task = Task { node: trigger, facts, inputs, attempts: 0 };
    let attempt = Attempt::prepare(machine, task, surroundings, now_ms);
    let settings = AnswerSettings::read(|name| attempt.resolve(session, parameters.get(name)?));
    Some(settings.answer(&last_items(machine)))
}

/// The items of the last node's first output that has any.
fn last_items(machine: &Machine) -> Items {
    let outputs = machine.last_run().and_then(|(node, run)| machine.data().outputs(node, run));
    // What cannot be read any more answers as what gave nothing: the run itself has ended well.
    let outputs = outputs.and_then(Result::ok).unwrap_or_default();
    outputs.iter().find(|items| !items.is_empty()).cloned().unwrap_or_default()
}
