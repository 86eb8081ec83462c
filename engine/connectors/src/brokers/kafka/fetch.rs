//! Asking a leader for records, and what it answers. Pure.
//!
//! The oldest version that every broker answers is asked first. A broker with records that are packed by zstd does not give them to
//! who asks like that, and says so: it knows the newer version.

use std::time::Duration;

use timeloom_engine::node::NodeError;

use super::batch::{self, Aborted, Fetched};
use super::client::{UNSUPPORTED_COMPRESSION, check};
use super::words::{Reader, Writer};

/// The key of the question.
pub(super) const KEY: i16 = 1;
/// The versions in which it is asked: that of Kafka 0.11, and the first that knows of zstd, of Kafka 2.1.
pub(super) const VERSIONS: [i16; 2] = [4, 10];
/// Most bytes that are fetched of one partition at once, where one batch is not larger.
const PARTITION_BYTES_MAX: i32 = 1 << 20;
/// Most bytes of all partitions of one answer.
const BYTES_MAX: i32 = PARTITION_BYTES_MAX * 8;
/// Records alone that are committed: nothing of a transaction that was given up, or is not at its end.
const COMMITTED: i8 = 1;
/// The partition has no such offset any more.
const OFFSET_OUT_OF_RANGE: i16 = 1;

/// A partition, and the offset from which it is read.
pub(super) type Wanted = (i32, i64);

/// What came of a fetch from a partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    Records(Fetched),
    /// What was asked for is gone.
    OutOfRange,
}

/// The question in that version, for a broker that waits so long at most for something to come.
pub(super) fn question(version: i16, topic: &str, wanted: &[Wanted], wait: Duration) -> Vec<u8> {
    let is_newer = version >= 10;
    let mut question = Writer::default();
    question.i32(-1).i32(i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)).i32(1).i32(BYTES_MAX).i8(COMMITTED);
    if is_newer {
        // No session: each question is whole.
        question.i32(0).i32(-1);
    }
    question.i32(1).text(topic).i32(i32::try_from(wanted.len()).unwrap_or_default());
    for (index, offset) in wanted {
        question.i32(*index);
        if is_newer {
            // Whatever epoch the leader has.
            question.i32(-1);
        }
        question.i64(*offset);
        if is_newer {
            // Where the log begins: copies tell that, and we are none.
            question.i64(-1);
        }
        question.i32(PARTITION_BYTES_MAX);
    }
    if is_newer {
        // Partitions that a session forgets.
        question.i32(0);
    }
    question.0
}

/// What came of each partition; `None` where something is packed so that it is given in the newer version alone.
///
/// # Errors
/// [`NodeError`] where the broker refuses, or what it says is not of the protocol.
pub(super) fn answered(
    version: i16,
    topic: &str,
    wanted: &[Wanted],
    answer: &[u8],
) -> Result<Option<Vec<(i32, Came)>>, NodeError> {
    let is_newer = version >= 10;
    let mut reader = Reader::new(answer);
    let _throttled_ms = reader.i32()?;
    if is_newer {
        check(reader.i16()?, topic)?;
        let _session = reader.i32()?;
    }
    let mut came = Vec::new();
    for _ in 0..reader.count()? {
        reader.text()?;
        for _ in 0..reader.count()? {
            let (index, code) = (reader.i32()?, reader.i16()?);
            let (_high, _stable) = (reader.i64()?, reader.i64()?);
            if is_newer {
                let _begin = reader.i64()?;
            }
            let mut aborted = Vec::new();
            for _ in 0..reader.count()? {
                aborted.push(Aborted { producer: reader.i64()?, first_offset: reader.i64()? });
            }
            let records = reader.bytes()?;
            match code {
                OFFSET_OUT_OF_RANGE => came.push((index, Came::OutOfRange)),
                UNSUPPORTED_COMPRESSION if !is_newer => return Ok(None),
                code => {
                    check(code, topic)?;
                    let from = wanted.iter().find(|(known, _)| *known == index).map_or(0, |(_, offset)| *offset);
                    came.push((index, Came::Records(batch::read(records, from, &aborted)?)));
                }
            }
        }
    }
    Ok(Some(came))
}

#[cfg(test)]
mod tests {
    use super::super::batch::Record;
    use super::super::packing::Packing;
    use super::*;

    /// An answer about one partition.
    fn answer(is_newer: bool, code: i16, records: &[u8]) -> Vec<u8> {
        let mut answer = Writer::default();
        answer.i32(0);
        if is_newer {
            answer.i16(0).i32(0);
        }
        answer.i32(1).text("orders").i32(1).i32(2).i16(code).i64(9).i64(9);
        if is_newer {
            answer.i64(0);
        }
        answer.i32(-1).bytes(records);
        answer.0
    }

    #[test]
    fn what_is_packed_by_zstd_is_asked_for_once_more_and_read() {
        let record = Record { value: Some(b"seven".to_vec()), timestamp_ms: 7, ..Record::default() };
        let batch = batch::write(&record, Packing::Zstd, 7).unwrap();
        let wanted = [(2, 0)];
        let older = answered(4, "orders", &wanted, &answer(false, UNSUPPORTED_COMPRESSION, b"")).unwrap();
        assert_eq!(older, None);
        let newer = answered(10, "orders", &wanted, &answer(true, 0, &batch)).unwrap();
        let fetched = Fetched { records: vec![record], next_offset: Some(1) };
        assert_eq!(newer, Some(vec![(2, Came::Records(fetched))]));
        let still = answered(10, "orders", &wanted, &answer(true, UNSUPPORTED_COMPRESSION, b"")).unwrap_err();
        assert!(still.message.contains("packed") && still.message.contains("76"), "{still}");
    }

    #[test]
    fn what_is_gone_and_what_is_refused_are_told_apart() {
        let gone = answered(4, "orders", &[(2, 0)], &answer(false, OFFSET_OUT_OF_RANGE, b"")).unwrap();
        assert_eq!(gone, Some(vec![(2, Came::OutOfRange)]));
        let refused = answered(4, "orders", &[(2, 0)], &answer(false, 29, b"")).unwrap_err();
        assert!(refused.message.contains("may not do that"), "{refused}");
    }

    #[test]
    fn the_newer_question_has_the_fields_that_came_in_between() {
        let wait = Duration::from_millis(250);
        let [older, newer] = VERSIONS.map(|version| question(version, "t", &[(1, 5), (2, 6)], wait));
        // A session, an epoch and a beginning for each partition, and what is forgotten.
        assert_eq!(newer.len() - older.len(), 8 + 2 * (4 + 8) + 4);
        let partition = |bytes: &[u8]| bytes.windows(8).any(|window| window == 5_i64.to_be_bytes());
        assert!(partition(&older) && partition(&newer));
    }
}
