//! An event exactly as a backend stores it, and what its texts mean. Backends that agree on this agree on every leaf, so
//! that a log can be moved between them and still be proved.
//!
//! Rows of foreign writers (stock programs that append to external categories) are read here too: their version may be
//! any text, and their metadata is a flat object of texts to which the database added who wrote it.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use timeloom_domain::ids::{Actor, CommandId, EventId};
use uuid::Uuid;

use crate::envelope::{Metadata, Position, RecordedEvent, Revision, StreamKey};
use crate::leaf::{Leaf, leaf_of};
use crate::log::{APPEND_EVENTS_MAX, LogError};

/// The key that the database adds to the metadata of a foreign row: the role that wrote it.
pub const EXTERNAL_ROLE_KEY: &str = "timeloom_role";

/// One row of `events`. Its serialized form is that of exported logs and frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamKey,
    /// Its place in the stream.
    pub revision: Revision,
    /// Its id.
    pub id: EventId,
    /// Name of its type.
    pub event_type: Arc<str>,
    /// Version of the payload's shape, as text.
    pub event_version: String,
    /// The payload as it is stored: JSON text, or the reference to a blob.
    pub payload: String,
    /// The metadata as it is stored: JSON text.
    pub metadata: String,
    /// When the log took it, in microseconds since 1970.
    pub recorded_at_us: i64,
    /// Its leaf, 64 hexadecimal digits when serialized.
    #[serde(with = "hexadecimal")]
    pub leaf: Leaf,
    /// On the last event of an append: the append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append: Option<StoredAppend>,
}

/// The append that an event is the last of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredAppend {
    /// How many events it has.
    pub events: u32,
    /// Its command.
    pub command_id: CommandId,
}

impl StoredEvent {
    /// The leaf that the event should have.
    pub fn computed_leaf(&self, buffer: &mut Vec<u8>) -> Leaf {
        leaf_of(self, buffer)
    }

    /// Bytes of its texts as they are stored.
    pub fn text_bytes(&self) -> usize {
        self.payload.len() + self.metadata.len()
    }

    /// The event as readers get it; a payload in a blob is still its reference.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] when a text does not have its form.
    pub fn into_recorded(self) -> Result<RecordedEvent, LogError> {
        let position = self.position;
        let corrupt = |detail: String| LogError::Corrupt { position, detail };
        let metadata = read_metadata(&self.metadata, self.id).map_err(corrupt)?;
        let payload = RawValue::from_string(self.payload)
            .map_err(|error| corrupt(format!("the payload is not JSON: {error}")))?;
        Ok(RecordedEvent {
            position,
            stream: self.stream,
            revision: self.revision,
            id: self.id,
            event_version: read_version(&self.event_version),
            event_type: self.event_type,
            payload: Arc::from(payload),
            metadata: Arc::new(metadata),
            recorded_at: DateTime::from_timestamp_micros(self.recorded_at_us)
                .ok_or_else(|| corrupt("the time is out of range".to_owned()))?,
        })
    }
}

/// Most digits of a version.
const VERSION_DIGITS_MAX: usize = 5;

/// The number of a stored version: its leading digits, so that `1.0` of a foreign writer is 1; 0 when they are none, or
/// no version that we would write.
pub fn read_version(text: &str) -> u16 {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let digits = text.get(..digits).filter(|digits| digits.len() <= VERSION_DIGITS_MAX);
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Reads stored metadata, which of a foreign row says only who wrote it: its command is the event itself.
///
/// # Errors
/// What is wrong with it.
pub fn read_metadata(text: &str, id: EventId) -> Result<Metadata, String> {
    // Looked for first: whatever else a foreign row says of itself is not believed.
    if text.contains(EXTERNAL_ROLE_KEY)
        && let Ok(External { role }) = serde_json::from_str::<External>(text)
    {
        return Ok(Metadata {
            actor: Actor::External(role),
            command_id: CommandId(id.0),
            causation_id: None,
            correlation_id: None,
            request: None,
        });
    }
    serde_json::from_str(text).map_err(|error| format!("the metadata cannot be read: {error}"))
}

#[derive(Deserialize)]
struct External {
    #[serde(rename = "timeloom_role")]
    role: String,
}

/// Bytes of texts as stored after which a page of rows ends. More than one append may have, so that a page that begins
/// where an append begins has the whole of it.
pub const EXPORT_BYTES_MAX: usize = 8 << 20;
/// Most rows of one page, as many as one append may have.
pub const EXPORT_EVENTS_MAX: usize = APPEND_EVENTS_MAX;

/// What a log says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogIdentity {
    /// Its id. A copy of a log has the id of the log.
    pub log_id: Uuid,
    /// Position of its newest event.
    pub head: Position,
}

/// Rows out of a log: what copies, backups and checks are made from.
#[async_trait]
pub trait LogTransfer: Send + Sync + 'static {
    /// Which log it is, and how far.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn identity(&self) -> Result<LogIdentity, LogError>;

    /// Rows after `after` in order: at most `limit`, itself at most [`EXPORT_EVENTS_MAX`], and fewer once their texts
    /// have [`EXPORT_BYTES_MAX`] bytes. None only when nothing is behind `after`. An event that is an append of its own
    /// says so in [`StoredEvent::append`], whoever wrote it.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError>;

    /// The leaves of rows after `after` in order, without their texts: at most `limit`, itself at most
    /// [`EXPORT_EVENTS_MAX`], and possibly fewer. None only when nothing is behind `after`.
    ///
    /// What is given here reads the texts as well: a backend leaves them where they are.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn leaves(&self, after: Position, limit: usize) -> Result<Vec<StoredLeaf>, LogError> {
        let rows = self.export(after, limit).await?;
        Ok(rows.iter().map(StoredLeaf::from).collect())
    }
}

/// The leaf of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredLeaf {
    /// Its place in the log.
    pub position: Position,
    /// When the log took it, in microseconds since 1970.
    pub recorded_at_us: i64,
    /// Its leaf, as it was stored with it.
    pub leaf: Leaf,
}

impl From<&StoredEvent> for StoredLeaf {
    fn from(row: &StoredEvent) -> Self {
        Self { position: row.position, recorded_at_us: row.recorded_at_us, leaf: row.leaf }
    }
}

/// Why stored events were not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ImportError {
    /// Another log is there.
    #[error("the target holds another log ({found}, not {wanted}): give an empty one")]
    OtherLog {
        /// Id of the log that is there.
        found: Uuid,
        /// Id of the log that was to be copied.
        wanted: Uuid,
    },
    /// They do not follow what is there.
    #[error("the events from position {found} on do not follow the head {head}: begin again at the head")]
    NotNext {
        /// Where the log ends.
        head: Position,
        /// Where the events begin.
        found: Position,
    },
    /// An event does not have the leaf that its content gives.
    #[error("the event at position {0} is not what was recorded: its hash differs; the source is damaged")]
    WrongLeaf(Position),
    /// The events end in the middle of an append.
    #[error("the event at position {0} is not the end of an append: give whole appends")]
    AppendNotEnded(Position),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Where a copy stands when it is begun or begun again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Position of the newest event that is there; 0 in a new copy.
    pub head: Position,
    /// Up to where an earlier run compared both sides; 0 when the copy was never finished.
    pub verified: Position,
}

/// Rows into a log that nobody appends to: how copies and backups are written and restored.
///
/// A copy is marked as unfinished from its begin to its first finish, and is refused for any other use until then. What
/// is added to a finished copy later comes in whole appends, so that it is a log at every moment.
#[async_trait]
pub trait LogImport: LogTransfer {
    /// Makes the target ready for the rows of the log with this id: an empty target becomes an unfinished copy of it.
    ///
    /// # Errors
    /// [`ImportError::OtherLog`] when another log is there; it is left as it is.
    async fn begin(&self, log_id: Uuid) -> Result<Begun, ImportError>;

    /// Writes rows that follow the head, durably and all or none, after each was checked against its leaf. They are
    /// whole appends. Positions, revisions, ids, times, texts and leaves stay as they are.
    ///
    /// # Errors
    /// [`ImportError`]; nothing was written then.
    async fn import(&self, events: Vec<StoredEvent>) -> Result<(), ImportError>;

    /// Both sides are equal up to `verified`: the copy is finished and may be used.
    ///
    /// # Errors
    /// [`ImportError`] when the storage fails.
    async fn finish(&self, verified: Position) -> Result<(), ImportError>;
}

/// Checks what every import demands of a page: it follows `head`, each event has its leaf, and it ends with an append.
///
/// # Errors
/// [`ImportError`] about the first event that is wrong.
pub fn check_page(head: Position, events: &[StoredEvent], buffer: &mut Vec<u8>) -> Result<(), ImportError> {
    for (event, next) in events.iter().zip(head.0.saturating_add(1)..) {
        if event.position.0 != next {
            return Err(ImportError::NotNext { head: Position(next - 1), found: event.position });
        }
        if event.computed_leaf(buffer) != event.leaf {
            return Err(ImportError::WrongLeaf(event.position));
        }
    }
    match events.last() {
        Some(last) if last.append.is_none() => Err(ImportError::AppendNotEnded(last.position)),
        _ => Ok(()),
    }
}

mod hexadecimal {
    //! A leaf as text.

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Leaf;

    pub fn serialize<S: Serializer>(leaf: &Leaf, serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = leaf.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Leaf, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom("a leaf is 64 hexadecimal digits");
        let mut leaf = Leaf::default();
        if text.len() != 2 * leaf.len() || !text.is_ascii() {
            return Err(wrong());
        }
        for (byte, digits) in leaf.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_foreign_writers_are_read_as_far_as_they_are_numbers() {
        let read = ["3", "1.0", "65535", "65536", "000001", "", "beta", "v2"].map(read_version);
        assert_eq!(read, [3, 1, 65_535, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn foreign_metadata_says_who_wrote_and_ours_is_read_as_it_is() {
        let id = EventId(Uuid::from_u128(5));
        let foreign = read_metadata(r#"{"request":"7","timeloom_role":"billing"}"#, id).unwrap();
        assert_eq!(foreign.actor, Actor::External("billing".to_owned()));
        assert_eq!(foreign.command_id.0, id.0);
        let forged = format!(r#"{{"actor":"local:owner","command_id":"{}","timeloom_role":"billing"}}"#, Uuid::nil());
        assert_eq!(read_metadata(&forged, id).unwrap(), foreign, "only who wrote it counts");
        let ours = Metadata { actor: Actor::System("engine".to_owned()), ..foreign };
        assert_eq!(read_metadata(&serde_json::to_string(&ours).unwrap(), id).unwrap(), ours);
        assert!(read_metadata("{}", id).unwrap_err().contains("actor"));
    }

    #[test]
    fn the_form_of_an_exported_row_is_frozen() {
        let text = r#"{"position":7,"stream":{"tenant":2,"category":"order","id":"o-1"},"revision":3,"id":"00000000-0000-0000-0000-000000000005","event_type":"OrderPlaced","event_version":"1.0","payload":"{ \"total\": 12.50 }","metadata":"{\"timeloom_role\":\"billing\"}","recorded_at_us":1764136800000000,"leaf":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f","append":{"events":2,"command_id":"00000000-0000-0000-0000-000000000006"}}"#;
        let event: StoredEvent = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        assert_eq!((event.payload.as_str(), event.leaf[31]), (r#"{ "total": 12.50 }"#, 31));
        let (row, _) = text.split_once(r#","append""#).unwrap();
        let inside: StoredEvent = serde_json::from_str(&format!("{row}}}")).unwrap();
        assert_eq!((inside.append, serde_json::to_string(&inside).unwrap()), (None, format!("{row}}}")));
        for wrong in [
            text.replace("1c1d1e1f", "1c1d1e1"),
            text.replace("1c1d1e1f", "1c1d1e1g"),
            text.replace("revision", "version"),
        ] {
            assert!(serde_json::from_str::<StoredEvent>(&wrong).is_err(), "{wrong}");
        }
    }
}
