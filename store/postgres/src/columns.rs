//! Rows of `events` on their way into the database: a list for each column, written by one statement.

use chrono::{DateTime, Utc};
use timeloom_store::leaf::Leaf;
use timeloom_store::{NewEvent, RecordedEvent, StoredEvent, StreamKey};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::recorded::{JsonText, signed};

/// Writes rows; its parameters are the lists of [`Rows`].
pub(crate) const INSERT_EVENTS: &str = "
    INSERT INTO events (position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type, event_version,
        payload, metadata, recorded_at, leaf, append_events, command_id)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::uuid[], $7::text[],
        $8::text[], $9::json[], $10::json[], $11::timestamptz[], $12::bytea[], $13::integer[], $14::uuid[])";

/// Rows of `events`, a list for each column.
#[derive(Debug, Default)]
pub(crate) struct Rows<'batch> {
    positions: Vec<i64>,
    tenants: Vec<i64>,
    categories: Vec<&'batch str>,
    ids: Vec<&'batch str>,
    revisions: Vec<i64>,
    event_ids: Vec<Uuid>,
    event_types: Vec<&'batch str>,
    event_versions: Vec<String>,
    payloads: Vec<JsonText<'batch>>,
    metadata: Vec<JsonText<'batch>>,
    times: Vec<DateTime<Utc>>,
    leaves: Vec<Leaf>,
    append_events: Vec<Option<i32>>,
    command_ids: Vec<Option<Uuid>>,
}

impl<'batch> Rows<'batch> {
    #[expect(clippy::too_many_arguments, reason = "a row has many columns, and this is where they come together")]
    /// Takes a row of an append; `ends` is the number of events and the command of the append that it is the last of.
    pub(crate) fn push(
        &mut self,
        stream: &'batch StreamKey,
        event: &'batch NewEvent,
        recorded: &RecordedEvent,
        payload: JsonText<'batch>,
        metadata: JsonText<'batch>,
        leaf: Leaf,
        ends: Option<(i32, Uuid)>,
    ) {
        self.positions.push(signed(recorded.position.0));
        self.tenants.push(i64::from(stream.tenant.0));
        self.categories.push(&stream.category);
        self.ids.push(&stream.id);
        self.revisions.push(signed(recorded.revision.0));
        self.event_ids.push(event.id.0);
        self.event_types.push(&event.event_type);
        self.event_versions.push(event.event_version.to_string());
        self.payloads.push(payload);
        self.metadata.push(metadata);
        self.times.push(recorded.recorded_at);
        self.leaves.push(leaf);
        self.append_events.push(ends.map(|(added, _)| added));
        self.command_ids.push(ends.map(|(_, command_id)| command_id));
    }

    /// Takes a row of another log as it is.
    pub(crate) fn push_stored(&mut self, event: &'batch StoredEvent, recorded_at: DateTime<Utc>) {
        self.positions.push(signed(event.position.0));
        self.tenants.push(i64::from(event.stream.tenant.0));
        self.categories.push(&event.stream.category);
        self.ids.push(&event.stream.id);
        self.revisions.push(signed(event.revision.0));
        self.event_ids.push(event.id.0);
        self.event_types.push(&event.event_type);
        self.event_versions.push(event.event_version.clone());
        self.payloads.push(JsonText(&event.payload));
        self.metadata.push(JsonText(&event.metadata));
        self.times.push(recorded_at);
        self.leaves.push(event.leaf);
        self.append_events.push(event.append.map(|append| i32::try_from(append.events).unwrap_or(i32::MAX)));
        self.command_ids.push(event.append.map(|append| append.command_id.0));
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.positions.len()
    }

    /// The leaves as a parameter takes them.
    pub(crate) fn leaves(&self) -> Leaves<'_> {
        Leaves(self.leaves.iter().map(Leaf::as_slice).collect())
    }

    /// The parameters of [`INSERT_EVENTS`]; `leaves` are [`Self::leaves`].
    pub(crate) fn parameters<'rows>(&'rows self, leaves: &'rows Leaves<'rows>) -> [&'rows (dyn ToSql + Sync); 14] {
        [
            &self.positions,
            &self.tenants,
            &self.categories,
            &self.ids,
            &self.revisions,
            &self.event_ids,
            &self.event_types,
            &self.event_versions,
            &self.payloads,
            &self.metadata,
            &self.times,
            &leaves.0,
            &self.append_events,
            &self.command_ids,
        ]
    }
}

/// The leaves of rows as a parameter.
pub(crate) struct Leaves<'rows>(Vec<&'rows [u8]>);
