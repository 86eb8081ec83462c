//! The format of a segment is frozen; what is damaged is refused.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use timeloom_archive::{SealedSegment, SegmentIndex, SegmentWriter, read_segment};
use timeloom_domain::ids::{CommandId, EventId, TenantId};
use timeloom_store::{Position, Revision, StoredAppend, StoredEvent, StreamKey};
use uuid::Uuid;

fn row(position: u64, seed: u64) -> StoredEvent {
    let (stream, of_append) = (seed % 3, position % 4);
    let id = Uuid::from_u128(0x0199_f3a0_0000_7000_8000_0000_0000_0000 + u128::from(position) * 1_000_003);
    let command = Uuid::from_u128(0x0199_f3a0_0000_7000_9000_0000_0000_0000 + u128::from(position / 4) * 999_983);
    let mut event = StoredEvent {
        position: Position(position),
        stream: StreamKey::new(TenantId(u32::try_from(stream).unwrap()), "order", format!("o-{stream}")),
        revision: Revision(position * 2 + seed % 2),
        id: EventId(id),
        event_type: Arc::from(if seed.is_multiple_of(2) { "OrderPlaced" } else { "OrderPaid" }),
        event_version: if seed.is_multiple_of(5) { "1.0" } else { "2" }.to_owned(),
        payload: format!(r#"{{"order":{position},"customer":"Zoë","caused_by":"{id}","seed":{seed}}}"#),
        metadata: format!(r#"{{"actor":"system:engine","command_id":"{command}"}}"#),
        recorded_at_us: 1_764_136_800_000_000 + i64::try_from(position).unwrap() * 250,
        leaf: [0; 32],
        append: (of_append == 3).then_some(StoredAppend { events: 4, command_id: CommandId(command) }),
    };
    event.leaf = event.computed_leaf(&mut Vec::new());
    event
}

fn seal(rows: &[StoredEvent]) -> SealedSegment {
    let mut writer = SegmentWriter::new(Uuid::from_u128(7), rows[0].position);
    rows.iter().for_each(|row| writer.add(row).unwrap());
    writer.seal().unwrap()
}

fn read(bytes: &Bytes) -> Result<(SegmentIndex, Vec<StoredEvent>), String> {
    let mut rows = Vec::new();
    let index = read_segment(bytes, |block| {
        rows.extend(block);
        Ok::<(), String>(())
    })?;
    Ok((index, rows))
}

#[test]
fn the_form_of_a_segment_is_frozen() {
    let rows: Vec<StoredEvent> = (5..25).map(|position| row(position, position * 7)).collect();
    let golden = include_bytes!("../golden/segment-01.segment");
    let (index, read) = read(&Bytes::from_static(golden)).unwrap();
    assert_eq!(read, rows);
    assert_eq!((index.first, index.last, index.events()), (Position(5), Position(24), 20));
    let levels: Vec<u8> = index.subtrees.iter().map(|subtree| subtree.level).collect();
    assert_eq!(levels, [2, 3, 3], "leaves 4 to 7, 8 to 15 and 16 to 23 of the tree");
}

/// Writes the golden file anew: only for a new version of the format.
#[test]
#[ignore = "writes a file of the repository"]
fn write_the_golden_segment() {
    let rows: Vec<StoredEvent> = (5..25).map(|position| row(position, position * 7)).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/segment-01.segment");
    std::fs::write(path, seal(&rows).bytes).unwrap();
}

#[test]
fn the_same_rows_give_the_same_bytes_and_come_back_from_many_blocks() {
    let rows: Vec<StoredEvent> = (1..12_000).map(|position| row(position, position)).collect();
    let sealed = seal(&rows);
    assert_eq!(sealed.bytes, seal(&rows).bytes);
    let (index, read) = read(&sealed.bytes.clone().into()).unwrap();
    assert!(read == rows && index == sealed.index);
}

#[test]
fn a_row_that_is_not_next_or_not_what_was_recorded_is_refused() {
    let mut writer = SegmentWriter::new(Uuid::from_u128(7), Position(4));
    assert!(writer.add(&row(5, 5)).unwrap_err().to_string().contains("4 is next"));
    let forged = StoredEvent { payload: "{}".to_owned(), ..row(4, 4) };
    assert!(writer.add(&forged).unwrap_err().to_string().contains("its hash differs"));
    let long = StoredEvent { event_type: "x".repeat(5_000).into(), ..row(4, 4) };
    assert!(writer.add(&long).unwrap_err().to_string().contains("too large"));
    assert!(SegmentWriter::new(Uuid::from_u128(7), Position(4)).seal().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_row_comes_back(
        first in 1..1_000_000_u64,
        texts in prop::collection::vec((".{0,30}", ".{0,30}", ".{0,12}", any::<u64>(), any::<u128>(), any::<i64>()), 1..40),
    ) {
        let rows: Vec<StoredEvent> = (first..).zip(texts).map(|(position, (payload, metadata, name, revision, id, time))| {
            let mut event = StoredEvent {
                position: Position(position),
                stream: StreamKey::new(TenantId(u32::try_from(id % 4).unwrap()), name.as_str(), name.as_str()),
                revision: Revision(revision),
                id: EventId(Uuid::from_u128(id)),
                event_type: name.as_str().into(),
                event_version: name,
                payload: format!("{payload}{}", Uuid::from_u128(id / 2)),
                metadata,
                recorded_at_us: time,
                leaf: [0; 32],
                append: revision.is_multiple_of(2).then_some(StoredAppend {
                    events: u32::try_from(revision % 7).unwrap(),
                    command_id: CommandId(Uuid::from_u128(id ^ 1)),
                }),
            };
            event.leaf = event.computed_leaf(&mut Vec::new());
            event
        }).collect();
        let sealed = seal(&rows);
        let (index, read) = read(&sealed.bytes.into()).unwrap();
        prop_assert_eq!(read, rows);
        prop_assert_eq!(index, sealed.index);
    }

    #[test]
    fn a_segment_that_was_cut_or_changed_is_refused(at in any::<prop::sample::Index>(), bit in 0..8_u32, cut in any::<bool>()) {
        let rows: Vec<StoredEvent> = (5..60).map(|position| row(position, position * 7)).collect();
        let mut bytes = seal(&rows).bytes;
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        prop_assert!(read(&bytes.into()).is_err());
    }

    #[test]
    fn bytes_that_never_were_a_segment_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes.into()).is_err());
    }
}
