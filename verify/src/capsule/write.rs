//! Writes a capsule: the same execution in the same tree gives the same bytes.

use std::borrow::Cow;
use std::io::{Seek, Write};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{BLOBS, CHECKPOINT, Capsule, CapsuleError, EVENTS, MANIFEST, PROOFS, UNPACKED_BYTES_MAX};
use crate::export::{File, digest};

/// A file of a capsule: its name and what is in it.
type Named<'c> = (String, Cow<'c, [u8]>);

impl Capsule {
    /// Makes the manifest name the files.
    pub(super) fn list_files(&mut self) -> Result<(), CapsuleError> {
        let mut files = Vec::new();
        for (name, content) in self.contents()? {
            let (bytes, sha256) = digest(content.as_ref())?;
            files.push(File { name, bytes, sha256 });
        }
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        if bytes > UNPACKED_BYTES_MAX {
            return Err(CapsuleError::TooLarge { what: "the execution".to_owned(), max: UNPACKED_BYTES_MAX });
        }
        self.manifest.files = files;
        Ok(())
    }

    /// Writes the file. The end of what is written is the end of the capsule.
    ///
    /// # Errors
    /// [`CapsuleError::Io`] when it cannot be written.
    pub fn write<W: Write + Seek>(&self, to: W) -> Result<W, CapsuleError> {
        let failed = |error: ZipError| CapsuleError::Io(error.into());
        // The time of a file would be the one thing in it that is not the execution's.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default());
        let mut zip = ZipWriter::new(to);
        let manifest = serde_json::to_string_pretty(&self.manifest).map_err(|error| CapsuleError::Io(error.into()))?;
        zip.start_file(MANIFEST, options).map_err(failed)?;
        zip.write_all(manifest.as_bytes())?;
        for (name, content) in self.contents()? {
            zip.start_file(name, options).map_err(failed)?;
            zip.write_all(&content)?;
        }
        zip.finish().map_err(failed)
    }

    /// The files besides the manifest, in their order.
    fn contents(&self) -> Result<Vec<Named<'_>>, CapsuleError> {
        let mut proofs = Vec::new();
        for proof in &self.proofs {
            serde_json::to_writer(&mut proofs, proof).map_err(|error| CapsuleError::Io(error.into()))?;
            proofs.push(b'\n');
        }
        let own: [(&str, Cow<'_, [u8]>); 3] = [
            (CHECKPOINT, self.note.as_bytes().into()),
            (EVENTS, self.events.as_bytes().into()),
            (PROOFS, proofs.into()),
        ];
        let blobs = self.blobs.iter().map(|(digits, content)| (format!("{BLOBS}{digits}"), content.as_slice().into()));
        Ok(own.into_iter().map(|(name, content)| (name.to_owned(), content)).chain(blobs).collect())
    }
}
