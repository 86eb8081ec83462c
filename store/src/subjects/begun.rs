//! Whether the keys are there of which the log says that there are: so that a file of keys that was lost is told, and never
//! silently replaced by a new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Actor, CommandId, EventId, FIRST_TENANT};
use timeloom_domain::subject::{KEYS_STREAM_ID, SubjectEvent};

use super::vault::new_id;
use super::{FoundKey, KeyId, SubjectKeyError, SubjectKeys};
use crate::codec;
use crate::envelope::{Metadata, NewEvent, Revision, StreamKey};
use crate::log::{Append, AppendError, Direction, EventLog, Expected, LogError};

/// Who says that there are keys.
const ACTOR: &str = "subject-keys";

/// What is known of whether the log says that there are keys.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// The log says so, and they are there.
    is_said: AtomicBool,
    /// Lost keys are no obstacle to new ones.
    accepts_loss: AtomicBool,
}

fn stream() -> StreamKey {
    StreamKey::new(FIRST_TENANT, SubjectEvent::CATEGORY, KEYS_STREAM_ID)
}

/// The key of which the log said last that it is there, with the revision at which it did.
async fn said(log: &dyn EventLog) -> Result<Option<(KeyId, Revision)>, LogError> {
    let newest = log.read_stream(&stream(), Revision(u64::MAX), Direction::Backward, 1).await?;
    let Some(event) = newest.first() else { return Ok(None) };
    match codec::decode(event)? {
        SubjectEvent::SubjectKeysBegun { key } => Ok(Some((KeyId(key), event.revision))),
        _ => Ok(None),
    }
}

/// Checks that the keys are there of which the log says that there are.
///
/// # Errors
/// [`SubjectKeyError::AllLost`] where they are not, or the log or the keys cannot be read.
pub async fn check_keys(log: &dyn EventLog, keys: &dyn SubjectKeys) -> Result<(), SubjectKeyError> {
    let Some((key, _)) = said(log).await.map_err(SubjectKeyError::storage)? else { return Ok(()) };
    match keys.open(key).await {
        Ok(FoundKey::Lost) => Err(SubjectKeyError::AllLost),
        // Whatever else is wrong with it is told where it is used.
        Ok(FoundKey::Key(_) | FoundKey::Erased) | Err(_) => Ok(()),
    }
}

impl Begun {
    pub(super) fn accept_loss(&self) {
        self.accepts_loss.store(true, Ordering::Relaxed);
    }

    /// To be called before a key is made.
    pub(super) async fn check(&self, log: &dyn EventLog, keys: &dyn SubjectKeys) -> Result<(), SubjectKeyError> {
        if self.is_said.load(Ordering::Relaxed) || self.accepts_loss.load(Ordering::Relaxed) {
            return Ok(());
        }
        check_keys(log, keys).await
    }

    /// To be called once something was sealed under a key: says so, if the log does not.
    pub(super) async fn say(&self, log: &dyn EventLog, keys: &dyn SubjectKeys, key: KeyId) -> Result<(), AppendError> {
        if self.is_said.load(Ordering::Relaxed) {
            return Ok(());
        }
        let expected = match said(log).await? {
            Some((known, revision)) => match keys.open(known).await? {
                FoundKey::Lost => Expected::Exact(revision),
                FoundKey::Key(_) | FoundKey::Erased => {
                    self.is_said.store(true, Ordering::Relaxed);
                    return Ok(());
                }
            },
            None => Expected::NoStream,
        };
        let encoded = codec::encode(&SubjectEvent::SubjectKeysBegun { key: key.0 })?;
        let command_id = CommandId(new_id()?.0);
        let event = NewEvent {
            id: EventId(new_id()?.0),
            event_type: Arc::from(encoded.event_type),
            event_version: encoded.event_version,
            payload: encoded.payload,
            metadata: Arc::new(Metadata::new(Actor::System(ACTOR.to_owned()), command_id)),
        };
        match log.append(Append::new(stream(), expected, vec![event], command_id)).await {
            // Another process said so at the same time.
            Ok(_) | Err(AppendError::WrongRevision { .. }) => {
                self.is_said.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
