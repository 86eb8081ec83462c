//! Events as Apache Parquet, for programs that compute over many of them. What is written here cannot be proved again; the
//! leaf of each event stands beside it, so that it can be found in an export that can.
//!
//! Invariant: the same events give the same bytes.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use timeloom_store::StoredEvent;
use timeloom_verify::hexadecimal;
use timeloom_verify::leaf::Record;

/// Bytes of text after which rows are written: what is in memory at once.
const GROUP_BYTES: usize = 16 << 20;
/// The columns, as this format describes them. A version has few values, so one width serves all numbers.
const SCHEMA: &str = "message event {
    required int64 position;
    required int64 tenant;
    required binary category (STRING);
    required binary stream (STRING);
    required int64 revision;
    required binary id (STRING);
    required binary type (STRING);
    required int64 version;
    required int64 recorded_at (TIMESTAMP(MICROS, true));
    required binary payload (STRING);
    required binary metadata (STRING);
    required binary leaf (STRING);
}";
/// Columns of which every value is another: a list of values would be as long as they are.
const UNIQUE: [&str; 5] = ["position", "id", "payload", "metadata", "leaf"];

/// The values of a column that are not written yet.
enum Column {
    Numbers(Vec<i64>),
    Texts(Vec<ByteArray>),
}

/// A file that is being written.
pub(super) struct ParquetPart<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Column>,
    /// How much text waits in the columns.
    bytes: usize,
}

impl<W: Write + Send> ParquetPart<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn begin(into: W) -> io::Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(io_error)?);
        let mut properties = WriterProperties::builder()
            // The library's name and version would change bytes that mean the same.
            .set_created_by("timeloom".to_owned())
            .set_compression(Compression::LZ4_RAW);
        for name in UNIQUE {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
        }
        for name in ["payload", "metadata"] {
            properties = properties.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::None);
        }
        let writer = SerializedFileWriter::new(into, schema, Arc::new(properties.build())).map_err(io_error)?;
        Ok(Self { writer, columns: Vec::new(), bytes: 0 })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn add(&mut self, event: &StoredEvent, record: &Record<'_>) -> io::Result<()> {
        // Positions and revisions are rows of a database, which counts with 63 bits.
        let number = |number: u64| Value::Number(number.cast_signed());
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        let row = [
            number(record.position),
            number(record.tenant.into()),
            text(record.category),
            text(record.stream),
            number(record.revision),
            Value::Text(event.id.0.to_string().into_bytes()),
            text(record.event_type),
            number(record.event_version.into()),
            Value::Number(record.recorded_at_us),
            text(record.payload),
            text(record.metadata),
            Value::Text(hexadecimal::encode(&event.leaf).into_bytes()),
        ];
        if self.columns.is_empty() {
            self.columns = row.iter().map(Value::column).collect();
        }
        for (column, value) in self.columns.iter_mut().zip(row) {
            match (column, value) {
                (Column::Numbers(numbers), Value::Number(number)) => numbers.push(number),
                (Column::Texts(texts), Value::Text(text)) => {
                    self.bytes += text.len();
                    texts.push(text.into());
                }
                // A column begins as its first value is.
                (Column::Numbers(_), Value::Text(_)) | (Column::Texts(_), Value::Number(_)) => {}
            }
        }
        if self.bytes >= GROUP_BYTES { self.write_group() } else { Ok(()) }
    }

    fn write_group(&mut self) -> io::Result<()> {
        let mut group = self.writer.next_row_group().map_err(io_error)?;
        for column in self.columns.drain(..) {
            let Some(mut writer) = group.next_column().map_err(io_error)? else { break };
            match column {
                Column::Numbers(numbers) => writer.typed::<Int64Type>().write_batch(&numbers, None, None),
                Column::Texts(texts) => writer.typed::<ByteArrayType>().write_batch(&texts, None, None),
            }
            .map_err(io_error)?;
            writer.close().map_err(io_error)?;
        }
        self.bytes = 0;
        group.close().map_err(io_error)?;
        Ok(())
    }

    /// Writes what is left, and gives back what was written into.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn end(mut self) -> io::Result<W> {
        if !self.columns.is_empty() {
            self.write_group()?;
        }
        self.writer.into_inner().map_err(io_error)
    }
}

/// A value of a row.
enum Value {
    Number(i64),
    Text(Vec<u8>),
}

impl Value {
    /// A column for values like this one.
    fn column(&self) -> Column {
        match self {
            Self::Number(_) => Column::Numbers(Vec::new()),
            Self::Text(_) => Column::Texts(Vec::new()),
        }
    }
}

fn io_error(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::RowAccessor as _;
    use timeloom_domain::ids::{EventId, TenantId};
    use timeloom_store::leaf::record_of;
    use timeloom_store::{Position, Revision, StreamKey};
    use uuid::Uuid;

    use super::*;

    fn event(position: u64, payload: String) -> StoredEvent {
        StoredEvent {
            position: Position(position),
            stream: StreamKey::new(TenantId(2), "order", "o-1"),
            revision: Revision(3),
            id: EventId(Uuid::from_u128(position.into())),
            event_type: "OrderPlaced".into(),
            event_version: "1".to_owned(),
            payload,
            metadata: "{}".to_owned(),
            recorded_at_us: 1_764_136_800_000_000,
            leaf: [1; 32],
            append: None,
        }
    }

    fn written(events: &[StoredEvent]) -> Vec<u8> {
        let mut part = ParquetPart::begin(Vec::new()).unwrap();
        events.iter().for_each(|event| part.add(event, &record_of(event)).unwrap());
        part.end().unwrap()
    }

    #[test]
    fn every_event_is_a_row_and_the_same_events_are_the_same_bytes() {
        let large = GROUP_BYTES / 3;
        let payload = |number| format!("{{\"n\":{number},\"text\":\"{}\"}}", "x".repeat(large));
        let events: Vec<StoredEvent> = (1..=7).map(|number| event(number, payload(number))).collect();
        let bytes = written(&events);
        assert!(bytes == written(&events), "other bytes");
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 3, "of at most three events each");
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 7);
        assert_eq!(rows[6].get_long(0).unwrap(), 7);
        assert_eq!(*rows[6].get_string(9).unwrap(), payload(7));
        assert_eq!(*rows[6].get_string(11).unwrap(), "01".repeat(32));
    }
}
