//! One file out of a package, which is a zip: by its name, within a bound, and with the digest that it must have.

use std::fs::File;
use std::io::{Read as _, copy};
use std::path::Path;

use anyhow::Context as _;
use timeloom_inference::models::Digest;
use zip::ZipArchive;

use super::super::client::Refused;

/// Most files in a package.
const FILES_MAX: usize = 100_000;

/// A file that is wanted.
pub(super) struct Wanted<'a> {
    /// Its path in the package.
    pub member: &'a str,
    /// Most bytes of it, whatever the package says.
    pub bytes_max: u64,
    /// The digest that it must have.
    pub sha256: Option<Digest>,
}

/// Takes a file out of a package; it gets its name when all of it is there and right.
///
/// # Errors
/// When it is not there, too large, or has another digest.
pub(super) fn unpack(package: &Path, wanted: &Wanted<'_>, place: &Path) -> anyhow::Result<()> {
    let Wanted { member, bytes_max, sha256 } = wanted;
    let refused = |why: String| anyhow::Error::from(Refused(why));
    let mut archive =
        ZipArchive::new(File::open(package)?).map_err(|error| refused(format!("the package is no zip: {error}")))?;
    if archive.len() > FILES_MAX {
        return Err(refused(format!("the package has more than {FILES_MAX} files")));
    }
    let content =
        archive.by_name(member).map_err(|error| refused(format!("the package has no file '{member}': {error}")))?;
    let folder = place.parent().context("there is no folder for it")?;
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    let copied = copy(&mut content.take(bytes_max.saturating_add(1)), fresh.as_file_mut());
    let copied = copied.map_err(|error| refused(format!("'{member}' cannot be taken out of the package: {error}")))?;
    if copied > *bytes_max {
        return Err(refused(format!("'{member}' has more than {bytes_max} bytes, which is the most here")));
    }
    let found = Digest::of_all(File::open(fresh.path())?)?.0;
    if let Some(digest) = sha256.as_ref().filter(|digest| **digest != found) {
        return Err(refused(format!("'{member}' has the SHA-256 {found}, it must have {digest}")));
    }
    fresh.as_file().sync_all()?;
    fresh.persist(place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    #[test]
    fn one_file_is_taken_out_and_none_that_is_larger_or_other_than_it_must_be() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("p.whl");
        let mut zip = ZipWriter::new(File::create(&package).unwrap());
        // A thousand times smaller than what it becomes.
        zip.start_file("p/bomb", SimpleFileOptions::default()).unwrap();
        zip.write_all(&vec![0; 1 << 20]).unwrap();
        zip.start_file("../outside", SimpleFileOptions::default()).unwrap();
        zip.write_all(b"hello").unwrap();
        zip.finish().unwrap();
        let place = folder.path().join("kept/file");
        let take = |member, bytes_max, sha256| unpack(&package, &Wanted { member, bytes_max, sha256 }, &place);
        let hello = Digest::of(b"hello");
        for refused in [
            take("p/bomb", 1 << 10, None),
            take("p/none", 1 << 10, None),
            take("../outside", 4, None),
            take("../outside", 5, Some(Digest::of(b"other"))),
        ] {
            assert!(refused.unwrap_err().is::<Refused>());
            assert!(!place.exists());
        }
        take("../outside", 5, Some(hello)).unwrap();
        assert_eq!(std::fs::read(&place).unwrap(), b"hello");
        let kept: Vec<_> = std::fs::read_dir(place.parent().unwrap()).unwrap().collect();
        assert_eq!(kept.len(), 1, "nothing is left over");
    }
}
