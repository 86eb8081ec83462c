//! A file of an export that events are written into, one after the other. It has its name once it is whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use timeloom_store::StoredEvent;
use timeloom_verify::export::EventsFormat;
use timeloom_verify::leaf::Record;
use timeloom_verify::line;

use super::formats::{self, csv_head};
use super::parquet::ParquetPart;

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;
/// What a file is called until it is whole.
pub(super) const UNFINISHED: &str = "unfinished";

/// A file that is not whole yet.
pub(super) struct PartFile {
    path: PathBuf,
    unfinished: PathBuf,
    form: Form,
}

enum Form {
    /// Lines, of which the last wait in the text.
    Lines {
        file: BufWriter<File>,
        text: String,
        write: WriteLine,
    },
    Parquet(Box<ParquetPart<BufWriter<File>>>),
}

/// Writes an event as a line.
type WriteLine = fn(&StoredEvent, &Record<'_>, &mut String);

impl PartFile {
    /// Begins the file that will be at `path`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn begin(path: &Path, format: EventsFormat) -> io::Result<Self> {
        let unfinished = path.with_extension(UNFINISHED);
        let file = BufWriter::with_capacity(WRITE_BYTES, File::create(&unfinished)?);
        let lines = |file, text, write| Form::Lines { file, text, write };
        let form = match format {
            EventsFormat::Jsonl => {
                lines(file, String::new(), |event, record, text| line::write(record, &event.leaf, text))
            }
            EventsFormat::CloudEvents => lines(file, String::new(), formats::cloud_event),
            EventsFormat::Csv => lines(file, csv_head(), formats::csv),
            EventsFormat::Parquet => Form::Parquet(Box::new(ParquetPart::begin(file)?)),
        };
        Ok(Self { path: path.to_owned(), unfinished, form })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn add(&mut self, event: &StoredEvent, record: &Record<'_>) -> io::Result<()> {
        match &mut self.form {
            Form::Parquet(part) => part.add(event, record),
            Form::Lines { file, text, write } => {
                write(event, record, text);
                if text.len() >= WRITE_BYTES {
                    file.write_all(text.as_bytes())?;
                    text.clear();
                }
                Ok(())
            }
        }
    }

    /// Gives the file its name, with everything in it on the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn end(self) -> io::Result<()> {
        let mut file = match self.form {
            Form::Parquet(part) => part.end()?,
            Form::Lines { mut file, text, .. } => {
                file.write_all(text.as_bytes())?;
                file
            }
        };
        file.flush()?;
        file.get_ref().sync_all()?;
        fs::rename(&self.unfinished, &self.path)
    }
}
