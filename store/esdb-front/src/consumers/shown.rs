//! What is told of a group.

use timeloom_store::Position;

use super::event::{Settings, Source};
use super::group::{Group, GroupKey};
use crate::wire::persistent_subscriptions::SubscriptionInfo;
use crate::wire::persistent_subscriptions::subscription_info::ConnectionInfo;

/// What the work of a group is at.
#[derive(Debug)]
pub(crate) struct Statistics {
    pub(crate) settled: Position,
    pub(crate) in_hand: usize,
    pub(crate) in_flight: usize,
    pub(crate) given: i64,
    pub(crate) connections: Vec<Connection>,
}

/// One of its consumers.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) name: String,
    pub(crate) given: i64,
    pub(crate) slots: usize,
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A group as the protocol tells of it; `settled` is how far it came, where that is known.
pub(crate) fn info(
    key: &GroupKey,
    group: &Group,
    settled: Option<String>,
    head: String,
    statistics: Option<Statistics>,
) -> SubscriptionInfo {
    let Settings {
        resolve_links,
        extra_statistics,
        max_retry_count,
        message_timeout_ms,
        checkpoint_after_ms,
        min_checkpoint_count,
        max_checkpoint_count,
        max_subscriber_count,
        live_buffer_size,
        read_batch_size,
        history_buffer_size,
        strategy,
    } = group.settings.clone();
    let statistics = statistics.as_ref();
    let connections = statistics.map(|known| known.connections.as_slice()).unwrap_or_default();
    SubscriptionInfo {
        event_source: match &group.source {
            Source::Stream { name } => name.clone(),
            Source::All { .. } => key.over.clone(),
        },
        group_name: group.name.clone(),
        status: if statistics.is_some() { "Live" } else { "NotReady" }.to_owned(),
        connections: connections.iter().map(connection).collect(),
        average_per_second: 0,
        total_items: statistics.map_or(0, |known| known.given),
        count_since_last_measurement: 0,
        last_checkpointed_event_position: settled.unwrap_or_default(),
        last_known_event_position: head,
        resolve_link_tos: resolve_links,
        start_from: group.start_from.clone(),
        message_timeout_milliseconds: message_timeout_ms,
        extra_statistics,
        max_retry_count,
        live_buffer_size,
        buffer_size: history_buffer_size,
        read_batch_size,
        check_point_after_milliseconds: checkpoint_after_ms,
        min_check_point_count: min_checkpoint_count,
        max_check_point_count: max_checkpoint_count,
        read_buffer_count: 0,
        live_buffer_count: statistics.map_or(0, |known| known.in_hand as i64),
        retry_buffer_count: 0,
        total_in_flight_messages: count(statistics.map_or(0, |known| known.in_flight)),
        outstanding_messages_count: count(statistics.map_or(0, |known| known.in_flight)),
        named_consumer_strategy: strategy,
        max_subscriber_count,
        parked_message_count: group.parked.values().filter(|again| !**again).count() as i64,
    }
}

fn connection(known: &Connection) -> ConnectionInfo {
    ConnectionInfo {
        from: String::new(),
        username: known.name.clone(),
        average_items_per_second: 0,
        total_items: known.given,
        count_since_last_measurement: 0,
        observed_measurements: Vec::new(),
        available_slots: count(known.slots),
        in_flight_messages: 0,
        connection_name: String::new(),
    }
}
