//! The Audit aggregate: what is written down of those who look or copy, and of those who are not let in.
//!
//! Who changes something leaves the events of the change; this is for what changes nothing. One stream for each who looks.

use serde::{Deserialize, Serialize};

use crate::event::{Aggregate, Event};

/// Most characters of each text here; longer ones are cut.
pub const TEXT_CHARACTERS_MAX: usize = 1_000;
/// Most characters of the place of a backup. One that was cut would lead nowhere, so longer ones are to be refused.
pub const BACKUP_PLACE_CHARACTERS_MAX: usize = TEXT_CHARACTERS_MAX;

/// A fact about somebody who looked or made a copy, or was not let in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AuditEvent {
    /// Somebody read the audit trail, or who has access. Written down before they see it.
    AuditTrailRead {
        /// What they read, such as `events`, `state`, `log`, `accounts` or `access review`.
        what: String,
        /// Which part of it, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        which: Option<String>,
    },
    /// Somebody was not let in. Of many at once only some are written down.
    SignInRefused {
        /// How they tried: `password`, `link`, `oidc` or `key`.
        method: String,
        /// As whom, as far as that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Why not.
        why: String,
        /// From which address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// How many more were refused since the last one that was written down.
        #[serde(default)]
        unrecorded: u64,
    },
    /// Somebody made a backup of the whole log, as they told.
    BackupTaken(Backup),
}

/// A backup of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Where it is: a folder of the machine on which it was made.
    pub place: String,
    /// Position of the last event in it.
    pub up_to: u64,
    /// How many events were written by this run.
    pub events: u64,
    /// How many bytes these have.
    pub bytes: u64,
    /// How many bytes its files have, all together.
    pub size_bytes: u64,
    /// How long it took.
    pub took_ms: u64,
}

impl AuditEvent {
    /// The type of what tells of a backup.
    pub const BACKUP_TAKEN: &'static str = "BackupTaken";
}

impl Event for AuditEvent {
    const CATEGORY: &'static str = "audit";
    const TYPES: &'static [(&'static str, u16)] =
        &[("AuditTrailRead", 1), ("SignInRefused", 1), (Self::BACKUP_TAKEN, 1)];

    fn event_type(&self) -> &'static str {
        match self {
            Self::AuditTrailRead { .. } => "AuditTrailRead",
            Self::SignInRefused { .. } => "SignInRefused",
            Self::BackupTaken(_) => Self::BACKUP_TAKEN,
        }
    }
}

/// One who looks, as events tell it: how often they did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// How often.
    pub count: u64,
}

/// A request to write something down.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteDown(pub AuditEvent);

/// Why it is not written down: it always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuditRefusal {}

impl Aggregate for Audit {
    const FOLD_VERSION: u32 = 1;

    type Event = AuditEvent;
    type Command = WriteDown;
    type Refusal = AuditRefusal;

    fn apply(&mut self, _: &AuditEvent) {
        self.count += 1;
    }

    fn decide(&self, command: &WriteDown) -> Result<Vec<AuditEvent>, AuditRefusal> {
        let cut = |text: &str| text.chars().take(TEXT_CHARACTERS_MAX).collect::<String>();
        let optional = |text: &Option<String>| text.as_deref().map(cut);
        Ok(vec![match &command.0 {
            AuditEvent::AuditTrailRead { what, which } => {
                AuditEvent::AuditTrailRead { what: cut(what), which: optional(which) }
            }
            AuditEvent::SignInRefused { method, name, why, address, unrecorded } => AuditEvent::SignInRefused {
                method: cut(method),
                name: optional(name),
                why: cut(why),
                address: optional(address),
                unrecorded: *unrecorded,
            },
            AuditEvent::BackupTaken(backup) => {
                AuditEvent::BackupTaken(Backup { place: cut(&backup.place), ..backup.clone() })
            }
        }])
    }
}
