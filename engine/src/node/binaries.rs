//! The bytes of attachments, as nodes reach them: few are in the item itself, many in a blob beside the log.
//!
//! Nodes never see where. Invariant: a blob is durable before its attachment is given out, and so before any event
//! names it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::executor::block_on;
use futures::stream::{self, BoxStream, StreamExt as _};
use serde_json::json;
use timeloom_commands::{Finder, Passage, SecretTexts};
use timeloom_domain::item::{BinaryData, Item};
use timeloom_store::{BlobError, BlobHash, BlobReader, BlobStore, BlobWriter, MemoryBlobs};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::NodeError;

/// An attachment of more bytes than this is a blob.
pub const INLINE_BYTES_MAX: usize = 16 << 10;
/// Most bytes of one attachment that a node has in memory as a whole. Larger ones can be sent and stored, not worked on.
pub const WHOLE_BYTES_MAX: usize = 64 << 20;
/// The field of an attachment that has its length, in bytes.
const BYTES_FIELD: &str = "bytes";

/// Where the bytes of attachments are. Cheap to clone.
#[derive(Clone)]
pub struct Binaries {
    blobs: Arc<dyn BlobStore>,
    /// What is hidden in content that is written.
    secrets: Option<SecretTexts>,
}

impl fmt::Debug for Binaries {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Binaries").finish_non_exhaustive()
    }
}

/// The content of an attachment, part by part.
pub type Parts = BoxStream<'static, Result<Bytes, NodeError>>;

/// What an attachment's bytes are read from.
enum Place {
    Inline(Bytes),
    Blob(BlobHash),
}

impl Binaries {
    /// Attachments whose blobs are in `blobs`.
    pub fn new(blobs: Arc<dyn BlobStore>) -> Self {
        Self { blobs, secrets: None }
    }

    /// A whole blob, checked against its hash: of what is no attachment of an item.
    pub(crate) async fn blob(&self, hash: BlobHash) -> Result<Bytes, BlobError> {
        self.blobs.get(hash).await
    }

    /// The same, with marks in place of these secrets in content that is written.
    pub(crate) fn hiding(&self, secrets: &SecretTexts) -> Self {
        Self { blobs: Arc::clone(&self.blobs), secrets: Some(secrets.shared()) }
    }

    fn finder(&self) -> Option<Arc<Finder>> {
        self.secrets.as_ref().and_then(SecretTexts::finder)
    }

    /// Attachments that end with the process.
    pub fn in_memory() -> Self {
        Self::new(MemoryBlobs::new())
    }

    /// The attachment that `about` describes, with this content: inline when it is short.
    ///
    /// # Errors
    /// [`NodeError`] when it is too large, or cannot be stored.
    pub async fn keep(&self, content: impl Into<Bytes>, about: BinaryData) -> Result<BinaryData, NodeError> {
        let content: Bytes = content.into();
        let hidden = self.finder().and_then(|finder| finder.hidden_in_bytes(&content));
        let content = hidden.map_or(content, Bytes::from);
        if content.len() <= INLINE_BYTES_MAX {
            return Ok(inline(&content, about));
        }
        let bytes = content.len() as u64;
        let hash = self.blobs.put(content).await.map_err(not_stored)?;
        Ok(referring(hash, bytes, about))
    }

    /// [`Self::keep`] for nodes that compute: they are where blocking is allowed.
    ///
    /// # Errors
    /// As [`Self::keep`].
    pub fn keep_blocking(&self, content: impl Into<Bytes>, about: BinaryData) -> Result<BinaryData, NodeError> {
        blocking(self.keep(content, about))
    }

    /// An attachment whose content comes piece by piece, of at most `bytes_max` bytes.
    pub fn writer(&self, bytes_max: usize) -> BinaryWriter {
        let passage = self.finder().map(Passage::new);
        BinaryWriter { blobs: Arc::clone(&self.blobs), first: Vec::new(), blob: None, bytes: 0, bytes_max, passage }
    }

    /// The whole content of an attachment.
    ///
    /// # Errors
    /// [`NodeError`] when it has more than [`WHOLE_BYTES_MAX`] bytes, is not there, or cannot be read.
    pub async fn read(&self, attachment: &BinaryData) -> Result<Bytes, NodeError> {
        let hash = match place(attachment)? {
            Place::Inline(content) => return Ok(content),
            Place::Blob(hash) => hash,
        };
        let mut reader = BlobReader::new(Arc::clone(&self.blobs), hash);
        let mut content = Vec::with_capacity(length(attachment).unwrap_or_default().min(WHOLE_BYTES_MAX));
        while let Some(part) = reader.next().await.map_err(not_read)? {
            if content.len() + part.len() > WHOLE_BYTES_MAX {
                let message = format!("the attachment has more than {WHOLE_BYTES_MAX} bytes: too many to work on");
                return Err(NodeError::operation(message).described("send it on as it is, or split it up before"));
            }
            content.extend_from_slice(&part);
        }
        Ok(content.into())
    }

    /// [`Self::read`] for nodes that compute: they are where blocking is allowed.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_blocking(&self, attachment: &BinaryData) -> Result<Bytes, NodeError> {
        blocking(self.read(attachment))
    }

    /// The content of an attachment in parts, and how many bytes there are where that is known. A failure is the last part.
    ///
    /// # Errors
    /// [`NodeError`] when the attachment is none of this server.
    pub fn stream(&self, attachment: &BinaryData) -> Result<(Parts, Option<usize>), NodeError> {
        let hash = match place(attachment)? {
            Place::Inline(content) => {
                let bytes = content.len();
                return Ok((stream::iter([Ok(content)]).boxed(), Some(bytes)));
            }
            Place::Blob(hash) => hash,
        };
        let reader = BlobReader::new(Arc::clone(&self.blobs), hash);
        let parts = stream::unfold(Some(reader), |reader| async move {
            let mut reader = reader?;
            match reader.next().await.map_err(not_read) {
                Ok(part) => Some((Ok(part?), Some(reader))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok((parts.boxed(), length(attachment)))
    }

    /// Moves what is inline and long into blobs, whichever node left it there.
    pub(crate) async fn settle(&self, outputs: &mut [Vec<Item>]) -> Result<(), NodeError> {
        // Four characters of base64 are three bytes.
        const TEXT_MIN: usize = INLINE_BYTES_MAX.div_ceil(3) * 4;
        let attachments = outputs.iter_mut().flatten().filter_map(|item| item.binary.as_mut()).flatten();
        let long: Vec<&mut BinaryData> = attachments
            .filter_map(|(_, attachment)| (attachment.data.len() >= TEXT_MIN).then_some(attachment))
            .collect();
        for attachment in long {
            // What is not base64 stays as it is: whoever reads it says so.
            let Ok(content) = STANDARD.decode(attachment.data.as_bytes()) else { continue };
            if content.len() <= INLINE_BYTES_MAX {
                continue;
            }
            let bytes = content.len() as u64;
            let hash = self.blobs.put(content.into()).await.map_err(not_stored)?;
            *attachment = referring(hash, bytes, std::mem::take(attachment));
        }
        Ok(())
    }
}

/// Puts marks in place of secrets in what an attachment says of itself, and in its content where that is in the item.
pub(crate) fn hide_in_attachment(finder: &Finder, attachment: &mut BinaryData) {
    let names = [&mut attachment.file_name, &mut attachment.file_extension];
    names.into_iter().flatten().for_each(|text| finder.hide_in_text(text));
    finder.hide_in_text(&mut attachment.mime_type);
    finder.hide_in_object(&mut attachment.extra);
    let Ok(content) = STANDARD.decode(attachment.data.as_bytes()) else {
        finder.hide_in_text(&mut attachment.data);
        return;
    };
    if let Some(hidden) = finder.hidden_in_bytes(&content) {
        *attachment = inline(&hidden, std::mem::take(attachment));
    }
}

/// Waits for an answer where that may take its time: in nodes that compute, and in expressions.
pub fn blocking<T>(answer: impl Future<Output = T>) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        // The expressions of an effect are evaluated on one of the few threads that carry the connections as well.
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| block_on(answer)),
        _ => block_on(answer),
    }
}

/// An attachment that is being written. Dropped unfinished, it leaves nothing.
pub struct BinaryWriter {
    blobs: Arc<dyn BlobStore>,
    /// The content as long as it is short.
    first: Vec<u8>,
    blob: Option<Box<dyn BlobWriter>>,
    bytes: usize,
    bytes_max: usize,
    /// What hides secrets, where there are any.
    passage: Option<Passage>,
}

impl BinaryWriter {
    /// Adds to the content.
    ///
    /// # Errors
    /// [`NodeError`] when there is too much of it, or it cannot be stored.
    pub async fn write(&mut self, content: Bytes) -> Result<(), NodeError> {
        self.bytes = self.bytes.saturating_add(content.len());
        if self.bytes > self.bytes_max {
            return Err(NodeError::operation(format!("the content has more than {} bytes", self.bytes_max)));
        }
        let content = match &mut self.passage {
            Some(passage) => passage.pass(&content).into(),
            None => content,
        };
        self.keep(content).await
    }

    async fn keep(&mut self, content: Bytes) -> Result<(), NodeError> {
        if self.blob.is_none() && self.first.len() + content.len() <= INLINE_BYTES_MAX {
            self.first.extend_from_slice(&content);
            return Ok(());
        }
        let blob = match &mut self.blob {
            Some(blob) => blob,
            None => {
                let mut blob = self.blobs.writer().await.map_err(not_stored)?;
                blob.write(std::mem::take(&mut self.first).into()).await.map_err(not_stored)?;
                self.blob.insert(blob)
            }
        };
        blob.write(content).await.map_err(not_stored)
    }

    /// How many bytes there are so far.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The attachment that `about` describes, with the content that was written.
    ///
    /// # Errors
    /// [`NodeError`] when it cannot be stored.
    pub async fn finish(mut self, about: BinaryData) -> Result<BinaryData, NodeError> {
        if let Some(passage) = self.passage.take() {
            self.keep(passage.finish().into()).await?;
        }
        let Some(blob) = self.blob else { return Ok(inline(&self.first, about)) };
        let written = blob.finish().await.map_err(not_stored)?;
        Ok(referring(written.hash, written.bytes, about))
    }
}

/// The hash of the blob that has the attachment's content; `None` when the content is in the item.
pub fn blob_of(attachment: &BinaryData) -> Option<BlobHash> {
    BlobHash::of_attachment(attachment.id.as_deref()?)
}

/// How many bytes the attachment says that it has.
fn length(attachment: &BinaryData) -> Option<usize> {
    usize::try_from(attachment.extra.get(BYTES_FIELD)?.as_u64()?).ok()
}

fn place(attachment: &BinaryData) -> Result<Place, NodeError> {
    if let Some(hash) = blob_of(attachment) {
        return Ok(Place::Blob(hash));
    }
    if attachment.data.is_empty() && attachment.id.is_some() {
        return Err(NodeError::operation("the attachment is stored with another program and cannot be read here")
            .described("import the file with its data in it, or fetch it again"));
    }
    let content = STANDARD
        .decode(attachment.data.as_bytes())
        .map_err(|_| NodeError::operation("the attachment is not valid base64"))?;
    Ok(Place::Inline(content.into()))
}

fn inline(content: &[u8], about: BinaryData) -> BinaryData {
    let sized = sized(content.len() as u64, about);
    BinaryData { data: STANDARD.encode(content), id: None, ..sized }
}

fn referring(hash: BlobHash, bytes: u64, about: BinaryData) -> BinaryData {
    let sized = sized(bytes, about);
    BinaryData { data: String::new(), id: Some(hash.attachment_id()), ..sized }
}

fn sized(bytes: u64, mut about: BinaryData) -> BinaryData {
    about.file_size = Some(size_text(bytes));
    about.extra.insert(BYTES_FIELD.to_owned(), json!(bytes));
    about
}

/// A size for people: `4 B`, `1.23 kB`.
fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "kB", "MB", "GB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let digits = match size {
        _ if unit == 0 || size >= 100.0 => 0,
        _ if size >= 10.0 => 1,
        _ => 2,
    };
    let written = format!("{size:.digits$}");
    let short = if digits > 0 { written.trim_end_matches('0').trim_end_matches('.') } else { &written };
    format!("{short} {}", UNITS.get(unit).unwrap_or(&"B"))
}

fn not_stored(error: BlobError) -> NodeError {
    NodeError::operation(format!("the attachment could not be stored: {error}"))
}

fn not_read(error: BlobError) -> NodeError {
    NodeError::operation(format!("the attachment could not be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> BinaryData {
        BinaryData { mime_type: "text/plain".to_owned(), ..BinaryData::default() }
    }

    #[test]
    fn short_contents_are_inline_and_long_ones_are_blobs() {
        let binaries = Binaries::in_memory();
        for (bytes, is_blob) in [(0, false), (INLINE_BYTES_MAX, false), (INLINE_BYTES_MAX + 1, true)] {
            let content = vec![7; bytes];
            let kept = binaries.keep_blocking(content.clone(), about()).unwrap();
            assert_eq!((kept.id.is_some(), kept.data.is_empty()), (is_blob, is_blob || bytes == 0), "{bytes} bytes");
            assert_eq!(kept.extra["bytes"], json!(bytes));
            assert_eq!(binaries.read_blocking(&kept).unwrap(), content);
            let written = block_on(async {
                let mut writer = binaries.writer(1 << 20);
                for piece in content.chunks(5_000) {
                    writer.write(Bytes::copy_from_slice(piece)).await?;
                }
                writer.finish(about()).await
            });
            assert_eq!(written.unwrap(), kept, "{bytes} bytes in pieces");
            let (parts, known) = binaries.stream(&kept).unwrap();
            let parts: Vec<_> = block_on(parts.map(|part| part.unwrap()).collect());
            assert_eq!((parts.concat(), known), (content, Some(bytes)));
        }
    }

    #[test]
    fn what_a_node_leaves_inline_is_moved_when_it_is_long() {
        let binaries = Binaries::in_memory();
        let attached = |content: &[u8]| {
            let binary = BinaryData { data: STANDARD.encode(content), ..about() };
            Item { binary: Some([("file".to_owned(), binary)].into()), ..Item::default() }
        };
        let long = vec![1; INLINE_BYTES_MAX + 1];
        let mut outputs = vec![vec![attached(b"short"), attached(&long)]];
        block_on(binaries.settle(&mut outputs)).unwrap();
        let file = |index: usize| &outputs[0][index].binary.as_ref().unwrap()["file"];
        assert_eq!(file(0), &BinaryData { data: STANDARD.encode("short"), ..about() }, "short ones are not touched");
        assert!(file(1).data.is_empty());
        assert_eq!(file(1), &binaries.keep_blocking(long, about()).unwrap());
    }

    #[test]
    fn too_long_damaged_and_foreign_attachments_are_refused() {
        let binaries = Binaries::in_memory();
        let refused = block_on(binaries.writer(9).write(Bytes::from_static(&[0; 10]))).unwrap_err();
        assert_eq!(refused.message, "the content has more than 9 bytes");
        let message = |binary: BinaryData| binaries.read_blocking(&binary).unwrap_err().message;
        let damaged = BinaryData { data: "?".to_owned(), ..about() };
        assert_eq!(message(damaged), "the attachment is not valid base64");
        let foreign = BinaryData { id: Some("filesystem-v2:x".to_owned()), ..about() };
        assert_eq!(message(foreign), "the attachment is stored with another program and cannot be read here");
        let lost = referring(BlobHash::of(b"x"), 1, about());
        assert!(message(lost).ends_with("is not in the store"));
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!([999, 1_234, 12_300_000].map(size_text), ["999 B", "1.23 kB", "12.3 MB"]);
    }
}
