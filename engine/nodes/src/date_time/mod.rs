//! Date & Time: formats, calculates, rounds and compares dates.
//!
//! Never reads a clock: the present is the run's. Version 1 writes formats as moment.js does, version 2 as Luxon does.

mod moment;
mod parameters;
mod version_1;
mod version_2;

use chrono::DateTime;
use chrono_tz::Tz;
use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};
use timeloom_expressions::time::{Unit, plus};

pub(crate) use self::parameters::PARAMETERS;
use crate::describe::{ONE_TO_ONE, palette};

/// Date & Time.
pub(crate) struct DateAndTime;

impl NodeType for DateAndTime {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.dateTime",
            display_name: "Date & Time",
            description: "Formats, calculates, rounds and compares dates.",
            versions: &[1.0, 2.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "calendar-clock", &["date", "time", "timestamp", "format", "timezone"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for DateAndTime {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let mut made = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            // Version 2 gives the result alone: attachments do not come along.
            let (result, binary) = if run.version() < 2.0 {
                (version_1::convert(run, item, index), item.binary.clone())
            } else {
                (version_2::convert(run, item, index), None)
            };
            made.push(match result {
                Ok(None) => continue,
                Ok(Some(json)) => Item { binary, ..Item::new(json) }.paired_with(index),
                Err(error) if run.continues_on_fail() => run.failed_item(index, &error),
                Err(error) => return Err(error.at_item(index)),
            });
        }
        Ok(NodeOutput::single(made))
    }
}

/// The zone of that name.
fn zone(name: &str) -> Result<Tz, NodeError> {
    name.parse().map_err(|_| {
        NodeError::operation(format!("'{name}' is not a time zone"))
            .described("use the name of a zone such as Europe/Berlin")
    })
}

/// The unit of that name.
fn unit(name: &str) -> Result<Unit, NodeError> {
    name.parse().map_err(|error: timeloom_expressions::time::UnknownUnit| NodeError::operation(error.to_string()))
}

fn added(moment: &DateTime<Tz>, amount: f64, unit: Unit) -> Result<DateTime<Tz>, NodeError> {
    plus(moment, amount, unit)
        .ok_or_else(|| NodeError::operation("the date is beyond the years that can be told: check the amount"))
}

/// The value as an author sees it in a message.
fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "undefined".to_owned(), crate::values::text)
}
