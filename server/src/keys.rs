//! The keys of credentials where they lie: a file of the data folder, a file that somebody names, or the environment.
//!
//! Never shows a key. Invariant: a key is on the disk, readable by its owner alone, before anything is sealed with it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use timeloom_commands::credentials::keys::{GivenKeys, Key, KeyError, KeySource, Keyring, PassingKeys};
use timeloom_commands::{Secrets as _, SystemIds};
use zeroize::Zeroizing;

use crate::config::Config;

/// The file of keys, in the data folder.
const FILE: &str = "keys/credentials.key";
/// Largest file of keys, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Permissions that nobody but the owner may have.
pub(crate) const OTHERS: u32 = 0o077;
/// Permissions that strangers may not have. A file that is given may be read by a group: mounted secrets are.
pub(crate) const STRANGERS: u32 = 0o007;

/// Where the keys of a place are when nobody says otherwise.
#[derive(Debug, Clone, Copy)]
pub enum KeyPlace<'a> {
    /// In this data folder.
    Folder(&'a Path),
    /// Nowhere: they must be given.
    Nowhere,
    /// In the memory of this process.
    Memory,
}

/// The keys of credentials, as `config` gives them, or else where `place` has them.
///
/// # Errors
/// When they are there and cannot be used; the message says what to do.
pub fn credential_keys(config: &Config, place: KeyPlace<'_>) -> anyhow::Result<Arc<dyn KeySource>> {
    let from_environment = config.credential_key();
    let keys: Arc<dyn KeySource> = match (&config.credential_key_file, from_environment, place) {
        (Some(_), Some(_), _) => {
            anyhow::bail!("both --credential-key-file and {} are there: give one of them", Config::CREDENTIAL_KEY)
        }
        (Some(file), None, _) => {
            let text = read(file, STRANGERS)?.ok_or_else(|| {
                let message = format!("{} is not there: --credential-key-file names a file with a key", file.display());
                KeyError::File(message)
            })?;
            let place = file.display().to_string();
            Arc::new(GivenKeys::new(Keyring::parse(&text, &place)?, place))
        }
        (None, Some(text), _) => {
            // One a line, or with commas between them, which are easier to write in an environment.
            let lines = Zeroizing::new(text.replace(',', "\n"));
            Arc::new(GivenKeys::new(Keyring::parse(&lines, Config::CREDENTIAL_KEY)?, Config::CREDENTIAL_KEY))
        }
        (None, None, KeyPlace::Folder(folder)) => Arc::new(FolderKeys::open(folder)?),
        (None, None, KeyPlace::Nowhere) => {
            Arc::new(GivenKeys::new(Keyring::default(), "--credential-key-file, which was not given"))
        }
        (None, None, KeyPlace::Memory) => Arc::new(PassingKeys::new(made)),
    };
    Ok(keys)
}

/// A new key, of the operating system's chance.
fn made() -> Result<Key, KeyError> {
    Ok(Key::new(SystemIds.secret()?))
}

/// The keys of a data folder, made when they are needed.
#[derive(Debug)]
pub struct FolderKeys {
    file: PathBuf,
    keys: Mutex<Arc<Keyring>>,
}

impl FolderKeys {
    /// Reads the keys of `folder`, if there are any.
    ///
    /// # Errors
    /// When others can read them, or they are none.
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        let file = folder.join(FILE);
        let place = file.display().to_string();
        let keys = match read(&file, OTHERS)? {
            Some(text) => Keyring::parse(&text, &place)?,
            None => Keyring::default(),
        };
        Ok(Self { file, keys: Mutex::new(Arc::new(keys)) })
    }

    /// Adds a new key, on the disk first.
    fn add(&self, keys: &mut Arc<Keyring>) -> Result<(), KeyError> {
        let newer = Keyring::clone(keys).with(made()?);
        let failed =
            |error: std::io::Error| KeyError::File(format!("{} cannot be written: {error}", self.file.display()));
        write(&self.file, &newer).map_err(failed)?;
        *keys = Arc::new(newer);
        Ok(())
    }
}

impl KeySource for FolderKeys {
    fn keys(&self) -> Result<Arc<Keyring>, KeyError> {
        Ok(Arc::clone(&self.keys.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn keys_to_seal(&self) -> Result<Arc<Keyring>, KeyError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.newest().is_none() {
            self.add(&mut keys)?;
        }
        Ok(Arc::clone(&keys))
    }

    fn renew(&self) -> Result<Arc<Keyring>, KeyError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        self.add(&mut keys)?;
        Ok(Arc::clone(&keys))
    }

    fn place(&self) -> String {
        self.file.display().to_string()
    }
}

/// The text of a file of keys; `None` when it is not there.
pub(crate) fn read(file: &Path, forbidden: u32) -> Result<Option<Zeroizing<String>>, KeyError> {
    let shown = file.display();
    let failed = |error: std::io::Error| KeyError::File(format!("{shown} cannot be read: {error}"));
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = opened.metadata().map_err(failed)?.mode() & 0o777;
    if mode & forbidden != 0 {
        return Err(KeyError::File(format!(
            "{shown} holds keys and others may read or write it (mode {mode:o}): forbid it with `chmod 600 {shown}`, \
             and make new keys if somebody may have read it"
        )));
    }
    let mut text = Zeroizing::new(String::new());
    opened.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// Puts `keys` in place of what `file` has, all or nothing.
fn write(file: &Path, keys: &Keyring) -> std::io::Result<()> {
    let mut text = Zeroizing::new(String::from(
        "# The keys of the credentials in this folder's log; the last one seals. Keep a copy of this file apart from backups.\n",
    ));
    for key in keys.iter() {
        text.push_str(&key.encode());
        text.push('\n');
    }
    write_text(file, &text)
}

/// Puts `text` in place of what `file` has, all or nothing, for its owner alone to read.
pub(crate) fn write_text(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let next = file.with_extension("next");
    // What an earlier try left may have other permissions.
    match fs::remove_file(&next) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&next, file)?;
    File::open(folder)?.sync_all()?;
    // The folder may be new itself.
    folder.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn the_first_key_is_made_when_it_is_needed_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let keys = FolderKeys::open(folder.path()).unwrap();
        assert_eq!(keys.keys().unwrap().count(), 0);
        assert!(!folder.path().join("keys").exists(), "nothing is made before it is needed");
        let first = keys.keys_to_seal().unwrap().newest().unwrap().fingerprint().to_owned();
        assert_eq!((mode(&folder.path().join("keys")), mode(&folder.path().join(FILE))), (0o700, 0o600));
        let newer = keys.renew().unwrap();
        assert_ne!(newer.newest().unwrap().fingerprint(), first);
        let again = FolderKeys::open(folder.path()).unwrap().keys_to_seal().unwrap();
        assert_eq!(again.newest().unwrap().fingerprint(), newer.newest().unwrap().fingerprint());
        assert!(again.find(&first).is_some() && again.count() == 2);
    }

    #[test]
    fn keys_that_others_may_read_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        FolderKeys::open(folder.path()).unwrap().keys_to_seal().unwrap();
        let file = folder.path().join(FILE);
        for open_to_others in [0o644, 0o640, 0o602] {
            fs::set_permissions(&file, fs::Permissions::from_mode(open_to_others)).unwrap();
            let error = FolderKeys::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains("chmod 600") && error.contains(&format!("mode {open_to_others:o}")), "{error}");
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(FolderKeys::open(folder.path()).unwrap().keys().unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_holds_no_keys_is_refused_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        DirBuilder::new().mode(0o700).create(folder.path().join("keys")).unwrap();
        fs::write(&file, "open sesame\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let error = FolderKeys::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("key number 1") && !error.contains("sesame"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "open sesame\n");
    }
}
