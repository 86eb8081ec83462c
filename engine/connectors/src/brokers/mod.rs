//! Brokers: node types that send messages, and triggers that listen for them.
//!
//! The protocols are spoken here, over connections of `timeloom-egress`, so that what a broker may send is bounded and where it
//! may send us is decided in one place. Each trigger tells its broker that it has a message when the execution is durable.

mod content;
mod kafka;
mod mqtt;
mod nats;
mod rabbitmq;
mod redis;
mod tools;

use std::sync::Arc;

use timeloom_engine::node::SharedNodeType;

use crate::Settings;

/// The node types of this group.
pub(crate) fn node_types(_settings: &Settings) -> Vec<SharedNodeType> {
    let nodes: Vec<SharedNodeType> = vec![
        Arc::new(kafka::Kafka),
        Arc::new(kafka::KafkaTrigger),
        Arc::new(mqtt::Mqtt),
        Arc::new(mqtt::MqttTrigger),
        Arc::new(nats::Nats),
        Arc::new(nats::NatsTrigger),
        Arc::new(rabbitmq::RabbitMq),
        Arc::new(rabbitmq::RabbitMqTrigger),
        Arc::new(redis::RedisStreamTrigger),
        Arc::new(redis::RedisTrigger),
    ];
    nodes.into_iter().chain(tools::node_types()).collect()
}
