//! Reads a capsule that comes from anywhere: within bounds, and all of it or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};

use serde::Deserialize;
use zip::ZipArchive;
use zip::result::ZipError;

use super::{
    BLOBS, BLOBS_MAX, CAPSULE_BYTES_MAX, CHECKPOINT, Capsule, CapsuleError, EVENTS, EVENTS_MAX, FORMAT, MANIFEST,
    MANIFEST_BYTES_MAX, Manifest, PROOFS, Proof, UNPACKED_BYTES_MAX, VERSION,
};
use crate::export::{File, digest};
use crate::note::NOTE_BYTES_MAX;

/// Files of a capsule besides blobs.
const OWN_FILES: usize = 4;

/// What every version of a manifest has.
#[derive(Deserialize)]
struct Which {
    format: String,
    version: u64,
}

impl Capsule {
    /// Reads a capsule and checks it. Nothing is believed that is not tied to its checkpoint; whose that is, tells
    /// [`Capsule::signer`].
    ///
    /// # Errors
    /// [`CapsuleError`], whose message says what is wrong with it.
    pub fn read(mut from: impl Read + Seek) -> Result<Self, CapsuleError> {
        if from.seek(SeekFrom::End(0))? > CAPSULE_BYTES_MAX {
            return Err(CapsuleError::TooLarge { what: "the file".to_owned(), max: CAPSULE_BYTES_MAX });
        }
        from.rewind()?;
        let mut archive = Archive { zip: ZipArchive::new(from).map_err(not_whole)?, left: UNPACKED_BYTES_MAX };
        if archive.zip.len() > BLOBS_MAX + OWN_FILES {
            return Err(CapsuleError::TooMany { what: "files", max: BLOBS_MAX + OWN_FILES });
        }
        let manifest = manifest(&archive.take(MANIFEST, MANIFEST_BYTES_MAX)?)?;
        if archive.zip.len() != manifest.files.len() + 1 {
            return Err(CapsuleError::file(
                MANIFEST,
                "it does not name all files that are there: the capsule was changed",
            ));
        }
        let mut files = archive.files(&manifest)?;
        let mut text = |name: &str| {
            let content = files.remove(name).ok_or_else(|| CapsuleError::file(name, "it is missing"))?;
            String::from_utf8(content).map_err(|_| CapsuleError::file(name, "it is not text"))
        };
        let (note, events, proofs) = (text(CHECKPOINT)?, text(EVENTS)?, proofs(&text(PROOFS)?)?);
        let blobs = blobs(files)?;
        let capsule = Self { manifest, note, events, proofs, blobs };
        capsule.check()?;
        Ok(capsule)
    }
}

fn not_whole(error: ZipError) -> CapsuleError {
    match error {
        ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => CapsuleError::Io(error),
        error => CapsuleError::NotWhole(error.to_string()),
    }
}

/// An archive of which only so many bytes are unpacked, whatever it says of itself.
struct Archive<R> {
    zip: ZipArchive<R>,
    left: u64,
}

impl<R: Read + Seek> Archive<R> {
    /// The content of a file of at most `bytes_max` bytes.
    fn take(&mut self, name: &str, bytes_max: u64) -> Result<Vec<u8>, CapsuleError> {
        let max = bytes_max.min(self.left);
        let file = match self.zip.by_name(name) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Err(CapsuleError::file(name, "it is missing: this is no capsule")),
            Err(error) => return Err(not_whole(error)),
        };
        let mut content = Vec::new();
        // What is packed may claim to be shorter than it is.
        let read = file.take(max + 1).read_to_end(&mut content);
        read.map_err(|error| {
            CapsuleError::file(name, format!("it does not unpack ({error}): the capsule was changed"))
        })?;
        if content.len() as u64 > max {
            return Err(CapsuleError::TooLarge { what: name.to_owned(), max });
        }
        self.left -= content.len() as u64;
        Ok(content)
    }

    /// All files that the manifest names, each with the bytes that it says.
    fn files(&mut self, manifest: &Manifest) -> Result<BTreeMap<String, Vec<u8>>, CapsuleError> {
        let mut files = BTreeMap::new();
        for File { name, bytes, sha256 } in &manifest.files {
            let is_known = [CHECKPOINT, EVENTS, PROOFS].contains(&name.as_str()) || name.starts_with(BLOBS);
            if !is_known {
                return Err(CapsuleError::file(name, "no capsule has a file of this name"));
            }
            let bytes_max = if name == CHECKPOINT { NOTE_BYTES_MAX as u64 } else { UNPACKED_BYTES_MAX };
            let content = self.take(name, bytes_max)?;
            let (found, digest) = digest(content.as_slice())?;
            if found != *bytes || digest != *sha256 {
                return Err(CapsuleError::file(name, "it is not what the manifest says: the capsule was changed"));
            }
            files.insert(name.clone(), content);
        }
        Ok(files)
    }
}

fn manifest(content: &[u8]) -> Result<Manifest, CapsuleError> {
    let wrong = |error: serde_json::Error| CapsuleError::file(MANIFEST, format!("it cannot be read: {error}"));
    let which: Which = serde_json::from_slice(content).map_err(wrong)?;
    if which.format != FORMAT {
        let shown: String = which.format.chars().take(40).collect();
        return Err(CapsuleError::file(MANIFEST, format!("it says that it is '{shown}', not '{FORMAT}'")));
    }
    if which.version > u64::from(VERSION) {
        return Err(CapsuleError::Newer { found: which.version });
    }
    let manifest: Manifest = serde_json::from_slice(content).map_err(wrong)?;
    let names: BTreeSet<&str> = manifest.files.iter().map(|file| file.name.as_str()).collect();
    if names.len() != manifest.files.len() {
        return Err(CapsuleError::file(MANIFEST, "it names a file twice: the capsule was changed"));
    }
    Ok(manifest)
}

fn proofs(text: &str) -> Result<Vec<Proof>, CapsuleError> {
    if text.lines().count() > EVENTS_MAX {
        return Err(CapsuleError::TooMany { what: "proofs", max: EVENTS_MAX });
    }
    let read = text.lines().map(serde_json::from_str);
    read.collect::<Result<_, _>>().map_err(|error| CapsuleError::file(PROOFS, error.to_string()))
}

/// What is left of the files: each is a blob, called by the digits of its hash.
fn blobs(files: BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<String, Vec<u8>>, CapsuleError> {
    let named = |(name, content): (String, Vec<u8>)| match name.strip_prefix(BLOBS) {
        Some(digits) => Ok((digits.to_owned(), content)),
        None => Err(CapsuleError::file(&name, "no capsule has a file of this name")),
    };
    files.into_iter().map(named).collect()
}
