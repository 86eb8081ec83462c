//! Triggers that start by the clock: Schedule Trigger, and the older Cron and Interval.
//!
//! When they are due is said by `timeloom_engine::schedule`; here is what they give when they are.

use timeloom_domain::catalogue::{NodeDefinition, NodeRole, ParameterDefinition, ParameterKind};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};
use timeloom_engine::schedule::{CRON, INTERVAL, SCHEDULE_TRIGGER, Schedule, firing_item};

use crate::describe::{TRIGGER, optional};

const RULE: &[ParameterDefinition] = &[optional(
    "rule",
    ParameterKind::Structure,
    "When: a list of intervals in seconds, minutes, hours, days, weeks or months, or cron expressions.",
)];
const TRIGGER_TIMES: &[ParameterDefinition] =
    &[optional("triggerTimes", ParameterKind::Structure, "When: a list of modes with their hour, minute and day.")];
const INTERVAL_PARAMETERS: &[ParameterDefinition] = &[
    optional("interval", ParameterKind::Number, "How many of the unit; 1 when absent."),
    optional("unit", ParameterKind::Options(&["seconds", "minutes", "hours"]), "The unit; seconds when absent."),
];

/// What keeps a schedule from being one.
fn schedule_problems(node: &Node) -> Vec<Problem> {
    let failed = Schedule::parse(&node.node_type, &node.parameters).err();
    let problem = |error: timeloom_engine::schedule::ScheduleError| Problem {
        node: Some(node.name.clone()),
        field: error.field,
        message: error.message,
    };
    failed.map(problem).into_iter().collect()
}

/// Schedule Trigger.
pub(crate) struct ScheduleTrigger;

impl NodeType for ScheduleTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: SCHEDULE_TRIGGER,
            display_name: "Schedule Trigger",
            description: "Starts an execution at the times of a schedule.",
            versions: &[1.0, 1.1, 1.2, 1.3],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: RULE,
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        schedule_problems(node)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for ScheduleTrigger {
    /// A schedule brings the item that tells when it was due; a person who tries the workflow out brings an empty one.
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        if items.iter().any(|item| !item.json.is_empty() || item.binary.is_some()) {
            return Ok(NodeOutput::single(items.to_vec()));
        }
        Ok(NodeOutput::single(vec![Item::new(firing_item(run.scope.now_ms, run.scope.timezone))]))
    }
}

/// Cron, the predecessor of the Schedule Trigger.
pub(crate) struct Cron;

impl NodeType for Cron {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: CRON,
            display_name: "Cron",
            description: "Starts an execution at given times. Newer workflows use the Schedule Trigger.",
            versions: &[1.0],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: TRIGGER_TIMES,
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        schedule_problems(node)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

/// Interval.
pub(crate) struct Interval;

impl NodeType for Interval {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: INTERVAL,
            display_name: "Interval",
            description: "Starts an execution again and again. Newer workflows use the Schedule Trigger.",
            versions: &[1.0],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: INTERVAL_PARAMETERS,
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        schedule_problems(node)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn tried_out_it_tells_the_present() {
        for version in [1.0, 1.1, 1.2, 1.3] {
            let mut bench = Bench::new(&ScheduleTrigger, version, json!({})).input(json!([{}]));
            let output = bench.output();
            assert_eq!(output[0]["timestamp"], json!("2024-05-17T12:30:45.678+00:00"));
            assert_eq!(output[0]["Readable date"], json!("May 17th 2024, 12:30:45 pm"));
        }
    }

    #[test]
    fn what_a_schedule_brings_goes_on_as_it_is() {
        let due = json!([{ "timestamp": "2020-01-01T00:00:00.000+00:00" }]);
        let mut bench = Bench::new(&ScheduleTrigger, 1.2, json!({})).input(due.clone());
        assert_eq!(bench.output(), due);
    }

    #[test]
    fn a_wrong_time_is_told_with_node_and_field() {
        let told = |node_type: &dyn NodeType, parameters| {
            let bench = Bench::new(node_type, 1.0, parameters);
            node_type.problems(&bench.node)
        };
        let wrong = json!({ "rule": { "interval": [{ "field": "cronExpression", "expression": "a b" }] } });
        let problems = told(&ScheduleTrigger, wrong);
        assert_eq!(problems[0].field, "parameters.rule.interval[0].expression");
        assert!(problems[0].node.is_some());
        assert_eq!(told(&Cron, json!({}))[0].field, "parameters.triggerTimes");
        assert_eq!(told(&Interval, json!({ "interval": -1 }))[0].field, "parameters.interval");
        assert!(told(&Interval, json!({})).is_empty() && told(&ScheduleTrigger, json!({})).is_empty());
    }
}
