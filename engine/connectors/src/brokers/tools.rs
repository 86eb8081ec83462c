//! Brokers as tools of agents.

use std::sync::Arc;

use timeloom_domain::catalogue::ParameterDefinition;
use timeloom_engine::node::SharedNodeType;
use timeloom_nodes::describe::joined;

use super::{kafka, mqtt, rabbitmq};
use crate::tool::{TOLD, Tool};

const KAFKA: [ParameterDefinition; kafka::PARAMETERS.len() + 1] = joined([TOLD], kafka::PARAMETERS, []);
const MQTT: [ParameterDefinition; mqtt::PARAMETERS.len() + 1] = joined([TOLD], mqtt::PARAMETERS, []);
const RABBITMQ: [ParameterDefinition; rabbitmq::PARAMETERS.len() + 1] = joined([TOLD], rabbitmq::PARAMETERS, []);

/// The node types.
pub(super) fn node_types() -> Vec<SharedNodeType> {
    vec![
        Arc::new(Tool {
            node: kafka::Kafka,
            node_type: "n8n-nodes-base.kafkaTool",
            display_name: "Kafka Tool",
            description: "Serves as a tool of an agent: does what Kafka does, filled in by $fromAI.",
            parameters: &KAFKA,
        }),
        Arc::new(Tool {
            node: mqtt::Mqtt,
            node_type: "n8n-nodes-base.mqttTool",
            display_name: "MQTT Tool",
            description: "Serves as a tool of an agent: does what MQTT does, filled in by $fromAI.",
            parameters: &MQTT,
        }),
        Arc::new(Tool {
            node: rabbitmq::RabbitMq,
            node_type: "n8n-nodes-base.rabbitmqTool",
            display_name: "RabbitMQ Tool",
            description: "Serves as a tool of an agent: does what RabbitMQ does, filled in by $fromAI.",
            parameters: &RABBITMQ,
        }),
    ]
}
