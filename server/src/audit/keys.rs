//! The keys that sign checkpoints: a file of the data folder, or one that somebody names. Read again each time, so that
//! new keys count at once. Never shows a private key.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use timeloom_commands::{Secrets as _, SystemIds};
use timeloom_store::clock::{Clock as _, SystemClock};
use timeloom_verify::checkpoint::origin;
use timeloom_verify::key::{PrivateKey, PublicKey, Validity};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::keys::{KeyPlace, OTHERS, STRANGERS, read, write_text};

/// The file of keys, in the data folder.
const FILE: &str = "keys/audit.key";
/// What stands at the head of the file.
const HEAD: &str = "# The keys that sign checkpoints of this log. Whoever has them can sign another history: keep them apart from backups.\n";

/// Where the keys of checkpoints are.
#[derive(Debug, Clone)]
pub enum AuditKeys {
    /// In this file of the data folder, which is made when there is none.
    Folder(PathBuf),
    /// In this file, which somebody gave.
    Given(PathBuf),
    /// Nowhere: nothing is signed.
    Nowhere,
}

impl AuditKeys {
    /// The keys as `config` gives them, or else where `place` has them.
    pub fn new(config: &Config, place: KeyPlace<'_>) -> Self {
        match (&config.audit_key_file, place) {
            (Some(file), _) => Self::Given(file.clone()),
            (None, KeyPlace::Folder(folder)) => Self::Folder(folder.join(FILE)),
            (None, KeyPlace::Nowhere | KeyPlace::Memory) => Self::Nowhere,
        }
    }

    /// The file, where there can be one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Folder(file) | Self::Given(file) => Some(file),
            Self::Nowhere => None,
        }
    }

    /// The keys as they are now; none when there is no file.
    ///
    /// # Errors
    /// When others may read them, or they are none.
    pub fn read(&self) -> anyhow::Result<Vec<PrivateKey>> {
        let (file, forbidden) = match self {
            Self::Folder(file) => (file, OTHERS),
            Self::Given(file) => (file, STRANGERS),
            Self::Nowhere => return Ok(Vec::new()),
        };
        match (read(file, forbidden)?, self) {
            (Some(text), _) => PrivateKey::parse_all(&text).with_context(|| file.display().to_string()),
            (None, Self::Given(_)) => {
                bail!(
                    "{} is not there: --audit-key-file names a file that `timeloom audit keys new` writes",
                    file.display()
                )
            }
            (None, _) => Ok(Vec::new()),
        }
    }

    /// The same; the first key of a data folder is made when there is none.
    ///
    /// # Errors
    /// When they cannot be read or made.
    pub fn read_or_make(&self, log_id: Uuid) -> anyhow::Result<Vec<PrivateKey>> {
        let keys = self.read()?;
        match self {
            Self::Folder(_) if keys.is_empty() => self.add(log_id, None),
            _ => Ok(keys),
        }
    }

    /// The keys that check what is signed.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn public(&self) -> anyhow::Result<Vec<PublicKey>> {
        Ok(self.read()?.iter().map(PrivateKey::public).collect())
    }

    /// Ends the keys that are in use and adds a new one.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn renew(&self, log_id: Uuid) -> anyhow::Result<Vec<PrivateKey>> {
        self.add(log_id, Some(SystemClock.now().timestamp_micros()))
    }

    /// Adds a key: from a moment on, at which the others end, or the first one for all time.
    fn add(&self, log_id: Uuid, from_us: Option<i64>) -> anyhow::Result<Vec<PrivateKey>> {
        let Some(file) = self.file() else { bail!("nothing says where keys are: give --audit-key-file FILE") };
        let mut keys = if file.exists() { self.read()? } else { Vec::new() };
        for key in keys.iter_mut().filter(|key| key.validity.until_us.is_none()) {
            key.validity.until_us = from_us;
        }
        // The first one signs what was before it as well.
        let validity = Validity { from_us: from_us.filter(|_| !keys.is_empty()), until_us: None };
        let secret = SystemIds.secret().context("the operating system gives no chance for a key")?;
        let made = PrivateKey::from_seed(&origin(log_id), &secret, validity);
        keys.push(made.context("the log has no name that a key may have")?);
        let mut text = Zeroizing::new(HEAD.to_owned());
        for key in &keys {
            text.push_str(&key.to_line());
            text.push('\n');
        }
        write_text(file, &text).with_context(|| format!("{} cannot be written", file.display()))?;
        Ok(keys)
    }
}
