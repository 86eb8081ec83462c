//! Triggers that start by the clock: Schedule Trigger, and the older Cron and Interval.
//!
//! When they are due is said by `timeloom_engine::schedule`; here is what they give when they are.

use timeloom_domain::catalogue::{Choice, Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};
use timeloom_engine::schedule::{CRON, INTERVAL, SCHEDULE_TRIGGER, Schedule, firing_item};

use crate::describe::{TRIGGER, choice, is, list, many, number, numbered, options, palette, several, text};

const RULE: &[ParameterDefinition] = &[list(
    "rule",
    &[many("interval", "Trigger interval", INTERVAL_RULE)],
    "When: every rule starts executions; without any it is every day at midnight.",
)
.called("Trigger rules")];

const INTERVAL_RULE: &[ParameterDefinition] = &[
    options(
        "field",
        &[
            choice("seconds", "Seconds"),
            choice("minutes", "Minutes"),
            choice("hours", "Hours"),
            choice("days", "Days"),
            choice("weeks", "Weeks"),
            choice("months", "Months"),
            choice("cronExpression", "Custom (cron)"),
        ],
        "The unit.",
    )
    .called("Trigger interval")
    .or_text("days"),
    number("secondsInterval", "From 1 to 59.")
        .called("Seconds between triggers")
        .or_number(30.0)
        .when(&[is("field", &["seconds"])]),
    number("minutesInterval", "From 1 to 59.")
        .called("Minutes between triggers")
        .or_number(5.0)
        .when(&[is("field", &["minutes"])]),
    number("hoursInterval", "From 1 to 8,760.")
        .called("Hours between triggers")
        .or_number(1.0)
        .when(&[is("field", &["hours"])]),
    number("daysInterval", "From 1 to 366.")
        .called("Days between triggers")
        .or_number(1.0)
        .when(&[is("field", &["days"])]),
    number("weeksInterval", "From 1 to 520.")
        .called("Weeks between triggers")
        .or_number(1.0)
        .when(&[is("field", &["weeks"])]),
    number("monthsInterval", "From 1 to 120.")
        .called("Months between triggers")
        .or_number(1.0)
        .when(&[is("field", &["months"])]),
    number("triggerAtDayOfMonth", "From 1 to 31; months without that day are left out.")
        .called("Trigger at day of month")
        .or_number(1.0)
        .when(&[is("field", &["months"])]),
    several("triggerAtDay", WEEKDAYS, "On which days.")
        .called("Trigger on weekdays")
        .or_json("[0]")
        .when(&[is("field", &["weeks"])]),
    number("triggerAtHour", "From 0 to 23.")
        .called("Trigger at hour")
        .or_number(0.0)
        .when(&[is("field", &["days", "weeks", "months"])]),
    number("triggerAtMinute", "From 0 to 59.")
        .called("Trigger at minute")
        .or_number(0.0)
        .when(&[is("field", &["hours", "days", "weeks", "months"])]),
    text("expression", "Minute, hour, day, month and day of the week; seconds may stand before.")
        .called("Expression")
        .like("0 9 * * 1-5")
        .when(&[is("field", &["cronExpression"])]),
];

const WEEKDAYS: &[Choice] = &[
    numbered(1.0, "Monday"),
    numbered(2.0, "Tuesday"),
    numbered(3.0, "Wednesday"),
    numbered(4.0, "Thursday"),
    numbered(5.0, "Friday"),
    numbered(6.0, "Saturday"),
    numbered(0.0, "Sunday"),
];

const EVERY_X: &[Condition] = &[is("mode", &["everyX"])];
const TRIGGER_TIMES: &[ParameterDefinition] =
    &[list("triggerTimes", &[many("item", "Cron time", TRIGGER_TIME)], "When: each starts executions.")];

/// When a trigger that has to look does so.
pub(crate) const POLL_TIMES: ParameterDefinition =
    list("pollTimes", &[many("item", "Poll time", TRIGGER_TIME)], "When it looks: every minute where nothing is said.");

const TRIGGER_TIME: &[ParameterDefinition] = &[
    options(
        "mode",
        &[
            choice("everyMinute", "Every minute"),
            choice("everyHour", "Every hour"),
            choice("everyDay", "Every day"),
            choice("everyWeek", "Every week"),
            choice("everyMonth", "Every month"),
            choice("everyX", "Every X"),
            choice("custom", "Custom"),
        ],
        "How often.",
    )
    .or_text("everyDay"),
    number("hour", "From 0 to 23.").or_number(14.0).when(&[is("mode", &["everyDay", "everyWeek", "everyMonth"])]),
    number("minute", "From 0 to 59.")
        .or_number(0.0)
        .when(&[is("mode", &["everyHour", "everyDay", "everyWeek", "everyMonth"])]),
    number("dayOfMonth", "From 1 to 31.").called("Day of month").or_number(1.0).when(&[is("mode", &["everyMonth"])]),
    options("weekday", WEEKDAYS, "On which day.").or_number(1.0).when(&[is("mode", &["everyWeek"])]),
    text("cronExpression", "The expression.").or_text("* * * * * *").when(&[is("mode", &["custom"])]),
    number("value", "How many of the unit.").or_number(2.0).when(EVERY_X),
    options("unit", &[choice("minutes", "Minutes"), choice("hours", "Hours")], "The unit.")
        .or_text("hours")
        .when(EVERY_X),
];
const INTERVAL_PARAMETERS: &[ParameterDefinition] = &[
    number("interval", "How many of the unit.").or_number(1.0),
    options(
        "unit",
        &[choice("seconds", "Seconds"), choice("minutes", "Minutes"), choice("hours", "Hours")],
        "The unit.",
    )
    .or_text("seconds"),
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
            palette: palette(NodeGroup::Triggers, "clock", &["cron", "timer", "interval", "daily", "hourly"]),
            ..NodeDefinition::BLANK
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
            palette: palette(NodeGroup::Older, "clock", &["schedule", "timer"]),
            ..NodeDefinition::BLANK
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
            palette: palette(NodeGroup::Older, "timer", &["schedule", "every"]),
            ..NodeDefinition::BLANK
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
