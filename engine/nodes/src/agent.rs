//! Run an Agent: a run of a registered agent for each item, and its answer.

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{AgentAsk, Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use crate::describe::{ONE_TO_ONE, number, palette, structure, text};
use crate::models::Gathered;

const PARAMETERS: &[ParameterDefinition] = &[
    text("agent", "Name of the agent.").like("support").naming("agent").needed(),
    number("version", "Its version; the newest when absent."),
    structure("input", "What it is given; the item's data when absent."),
    text("session", "The session whose earlier runs are remembered.").or_text(""),
];

/// Run an Agent.
pub(crate) struct RunAgent;

impl NodeType for RunAgent {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.agent",
            display_name: "Run an Agent",
            description: "Runs a registered agent for each item and gives its answer.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "bot", &["agent", "assistant", "run"]),
            ..NodeDefinition::BLANK
        }
    }

    fn waits_for_others(&self) -> bool {
        true
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for RunAgent {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let mut given = Gathered::default();
        for (index, item) in items.iter().enumerate() {
            let made = answered(run, item, index).await.map(Item::new);
            given.take(run, index, made)?;
        }
        Ok(NodeOutput::single(given.items()))
    }
}

async fn answered(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<JsonObject, NodeError> {
    let agent = run.text("agent", index, "")?;
    if agent.is_empty() {
        return Err(NodeError::operation("there is no name of an agent").described("write one into 'agent'"));
    }
    let version = version_of(run.parameter("version", index)?.as_ref())?;
    let input = run.parameter("input", index)?.filter(|input| !input.is_null());
    let session = run.text("session", index, "")?;
    let ask = AgentAsk {
        node: run.node.name.clone(),
        agent,
        version,
        record: None,
        input: input.unwrap_or_else(|| Value::Object((*item.json).clone())),
        session: Some(session).filter(|session| !session.is_empty()),
        number: index,
    };
    let answer = run.services.agents.run(&run.caller, ask).await?;
    let fields = [("output", answer.output), ("runId", json!(answer.run))];
    Ok(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Which version is meant; none is the newest. What is no version is never taken for none.
fn version_of(value: Option<&Value>) -> Result<Option<u32>, NodeError> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(number) => number.as_f64(),
    };
    let whole = number.filter(|number| number.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(number));
    let wrong = || NodeError::operation("the version of the agent is no whole number from 1 on");
    whole.map(|number| Some(number as u32)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::version_of;

    #[test]
    fn a_version_is_a_number_however_it_is_written_and_anything_else_is_refused() {
        for (value, version) in [(json!(null), None), (json!(""), None), (json!(2), Some(2)), (json!(" 3 "), Some(3))] {
            assert_eq!(version_of(Some(&value)).unwrap(), version, "{value}");
        }
        for value in [json!("v2"), json!(-1), json!(0), json!(1.5), json!([1])] {
            assert!(version_of(Some(&value)).is_err(), "{value}");
        }
    }
}
