//! The checker of whole logs against rows that are wrong in one way each.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::spill::PayloadReference;
use timeloom_store::stored::StoredAppend;
use timeloom_store::verify::{VerifyReport, verify};
use timeloom_store::{
    BlobStore, LogError, LogIdentity, LogTransfer, MemoryBlobs, Metadata, Position, Revision, StoredEvent, StreamKey,
};
use uuid::Uuid;

struct Rows(Vec<StoredEvent>);

#[async_trait]
impl LogTransfer for Rows {
    async fn identity(&self) -> Result<LogIdentity, LogError> {
        let head = self.0.last().map_or(Position::START, |last| last.position);
        Ok(LogIdentity { log_id: Uuid::nil(), head })
    }

    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        Ok(self.0.iter().filter(|row| row.position > after).take(limit.min(7)).cloned().collect())
    }
}

/// Appends of three events each to three streams in turn; every fifth event is in a blob.
async fn rows(blobs: &MemoryBlobs) -> Vec<StoredEvent> {
    let content = r#"{"large":true}"#;
    blobs.put(Bytes::from_static(content.as_bytes())).await.unwrap();
    let raw = serde_json::value::RawValue::from_string(content.to_owned()).unwrap();
    let reference = PayloadReference::to(&raw).to_string();
    let row = |number: u64| {
        let append = number.div_ceil(3);
        let command_id = CommandId(Uuid::from_u128(u128::from(append)));
        let metadata = Metadata {
            actor: Actor::System("test".to_owned()),
            command_id,
            causation_id: None,
            correlation_id: None,
            request: None,
        };
        let payload = if number.is_multiple_of(5) { reference.clone() } else { format!(r#"{{"n":{number}}}"#) };
        StoredEvent {
            position: Position(number),
            stream: StreamKey::new(TenantId(1), "order", format!("s{}", append % 3)),
            revision: Revision((append - 1) / 3 * 3 + (number - 1) % 3 + 1),
            id: EventId(Uuid::from_u128(u128::from(1_000 + number))),
            event_type: "Happened".into(),
            event_version: "1".to_owned(),
            payload,
            metadata: serde_json::to_string(&metadata).unwrap(),
            recorded_at_us: 1_000_000 + number.cast_signed(),
            leaf: [0; 32],
            append: number.is_multiple_of(3).then_some(StoredAppend { events: 3, command_id }),
        }
    };
    let mut rows: Vec<StoredEvent> = (1..=45).map(row).collect();
    rows.iter_mut().for_each(seal);
    rows
}

fn seal(row: &mut StoredEvent) {
    row.leaf = row.computed_leaf(&mut Vec::new());
}

async fn report_of(change: impl FnOnce(&mut Vec<StoredEvent>)) -> VerifyReport {
    let blobs = MemoryBlobs::new();
    let mut rows = rows(&blobs).await;
    change(&mut rows);
    let mut told = Vec::new();
    let report = verify(&Rows(rows), &*blobs, |position| told.push(position)).await.unwrap();
    assert!(told.is_sorted() && told.len() > 3, "{told:?}");
    report
}

#[tokio::test]
async fn a_whole_log_has_no_faults() {
    let report = report_of(|_| {}).await;
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.events, report.streams, report.blobs, report.head), (45, 3, 1, Position(45)));
}

/// A change of the rows, the position of the first fault, and what is said there.
type Case = (fn(&mut Vec<StoredEvent>), u64, &'static str);

#[tokio::test]
async fn each_kind_of_fault_is_told_where_it_is() {
    let cases: [Case; 9] = [
        (|rows| drop(rows.remove(19)), 21, "the event before it is at 19"),
        (|rows| rows[19].payload = r#"{"n":0}"#.to_owned(), 20, "its hash differs"),
        (|rows| rows[19].event_type = "Else".into(), 20, "its hash differs"),
        (|rows| rows[19].metadata = rows[20].metadata.replace("test", "tess"), 20, "its hash differs"),
        (|rows| rows[19].recorded_at_us = rows[18].recorded_at_us, 20, "it is not later than the event before it"),
        (|rows| rows[21].revision = Revision(9), 22, "revision 9 of order/s2 follows 6"),
        (|rows| rows[20].append = None, 24, "its append has 6 events, not 3"),
        (|rows| rows.truncate(44), 44, "the last append has no end"),
        (
            |rows| rows[19].payload = rows[19].payload.replace("\"hash\":\"", "\"hash\":\"0").replace("0\",", "\","),
            20,
            "hash",
        ),
    ];
    for (number, (change, position, said)) in cases.into_iter().enumerate() {
        let report = report_of(change).await;
        let found = report.first_faults.iter().find(|fault| fault.detail.contains(said));
        let found = found.unwrap_or_else(|| panic!("case {number}: '{said}' is not in {report:?}"));
        assert_eq!(found.position, Position(position), "case {number}");
    }
}

#[tokio::test]
async fn a_blob_that_is_lost_is_told_at_every_event_that_names_it() {
    let blobs = MemoryBlobs::new();
    let rows = rows(&blobs).await;
    let empty: Arc<MemoryBlobs> = MemoryBlobs::new();
    let report = verify(&Rows(rows), &*empty, |_| {}).await.unwrap();
    let positions: Vec<u64> = report.first_faults.iter().map(|fault| fault.position.0).collect();
    assert_eq!(positions, [5, 10, 15, 20, 25, 30, 35, 40, 45]);
    assert!(report.first_faults.iter().all(|fault| fault.detail.contains("is not in the store")));
}
