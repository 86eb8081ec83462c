//! A fold that panics: nothing in this crate does, so one is made for it.

use chrono::DateTime;
use serde_json::value::RawValue;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::{Metadata, Revision};
use uuid::Uuid;

use super::*;
use crate::builds::begin;
use crate::checkpoints::Stage;
use crate::database::{Cells, Query, Table, Value, text};
use crate::read_model::{Folded, ReadModel, Said};

static TABLE: Table = Table {
    name: "fragile",
    key: &[text("name")],
    classed: false,
    columns: &[text("payload")],
    indexes: &[],
    kept: None,
};

/// Keeps the newest payload of a stream; panics at two of them.
struct Fragile;

impl ReadModel for Fragile {
    const NAME: &'static str = "fragile";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = "thing";
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, String);
    type Row = (Position, String);
    type Fact = String;

    fn read(event: &RecordedEvent) -> Said<Self::Key, String> {
        let payload = event.payload.get().to_owned();
        assert_ne!(payload, "\"read\"", "at reading");
        Ok(Some(((event.stream.tenant, event.stream.id.to_string()), payload)))
    }

    fn fold(_current: Option<&Self::Row>, fact: String, event: &RecordedEvent) -> Folded<Self::Row> {
        assert_ne!(fact, "\"fold\"", "at folding");
        Folded::Version((event.position, fact))
    }

    fn from(row: &Self::Row) -> Position {
        row.0
    }

    fn key<'a>((tenant, name): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), name.into()]);
    }

    fn values<'a>((_, payload): &'a Self::Row, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.push(payload.into());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<Self::Row, StorageError> {
        let (_, from): (String, Position) = (cells.take()?, cells.take()?);
        Ok((from, cells.take()?))
    }
}

fn event(position: u64, stream: &str, payload: &str) -> Arc<RecordedEvent> {
    Arc::new(RecordedEvent {
        position: Position(position),
        stream: timeloom_store::StreamKey::new(TenantId(1), "thing", stream),
        revision: Revision(position),
        id: EventId(Uuid::from_u128(position.into())),
        event_type: "ThingHappened".into(),
        event_version: 1,
        payload: Arc::from(RawValue::from_string(format!("\"{payload}\"")).unwrap()),
        metadata: Arc::new(Metadata {
            actor: Actor::System("test".to_owned()),
            command_id: CommandId(Uuid::nil()),
            causation_id: None,
            correlation_id: None,
            request: None,
        }),
        recorded_at: DateTime::UNIX_EPOCH,
    })
}

#[test]
fn an_event_at_which_a_fold_panics_is_parked_and_the_thread_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let layout = [checkpoints::SCHEMA, parked::SCHEMA].concat();
    let mut database: Box<dyn Database> = Box::new(Sqlite::open(folder.path(), &layout).unwrap());
    let state = begin(&mut *database, &Fragile, Stage::Live, &[]).unwrap();
    let texts = TextIndex::open(&mut *database, Position(7)).unwrap();
    let mut writer = Writer { database, live: vec![state], building: Vec::new(), texts };
    let events = [
        event(1, "one", "a"),
        event(2, "two", "a"),
        event(3, "one", "fold"),
        event(4, "two", "b"),
        event(5, "three", "read"),
        event(6, "one", "c"),
        event(7, "two", "c"),
    ];
    writer.apply(Builds::Live, &events, Position(7)).unwrap();

    let state = &writer.live[0];
    assert_eq!((state.position, state.parked.events), (Position(7), 3));
    assert!(state.parked.first.as_ref().unwrap().reason().contains("at folding"));
    let sql = "SELECT name, payload FROM \"fragile@1\" WHERE to_position IS NULL ORDER BY name".to_owned();
    let mut newest: Vec<(String, String)> = Vec::new();
    let query = Query::new(Dialect::Sqlite, sql, Vec::new());
    writer
        .database
        .query(&query, &mut |cells| {
            newest.push((cells.take()?, cells.take()?));
            Ok(())
        })
        .unwrap();
    let pair = |name: &str, payload: &str| (name.to_owned(), format!("\"{payload}\""));
    assert_eq!(newest, [pair("one", "a"), pair("two", "c")]);
    writer.close().unwrap();
}
