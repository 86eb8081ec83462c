//! What a log says of itself at a moment, signed: how many events it has, and the root of the tree over them. And what
//! witnesses say who saw it.
//!
//! The text is that of a C2SP checkpoint, with one more line: `recorded TIME`, the time of the last event, in microseconds
//! since 1970. It says nothing of when the text was signed, so the same tree always has the same text.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::{KeyKind, PrivateKey, PublicKey, time_text};
use crate::note::{Note, NoteError, NoteSignature};
use crate::tree::Hash;

/// What the line of the time begins with.
const RECORDED: &str = "recorded ";

/// Name of the log with an id: what its checkpoints and keys are called.
pub fn origin(log_id: uuid::Uuid) -> String {
    format!("timeloom/{log_id}")
}

/// The text of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many events it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// When the last of them was recorded, in microseconds since 1970.
    pub recorded_at_us: i64,
}

/// Why a text is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is no note at all.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Its text is something else.
    #[error("its text is not that of a checkpoint: the log, its size, its root, and when its last event was recorded")]
    Text,
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// It is signed by other keys than those that are believed.
    #[error("it is signed by {}, and by none of the keys that were given ({})", list(signed), list(given))]
    OtherKey {
        /// Names and ids of the keys that it names.
        signed: Vec<String>,
        /// Those that were given.
        given: Vec<String>,
    },
    /// A signature that names a key which was given is not that key's.
    #[error("its signature by {0} is wrong: it or its text was changed")]
    Signature(String),
    /// The key may not be used for what was recorded then.
    #[error("{key} may be used{validity}, and its last event was recorded at {}", time_text(*recorded_at_us))]
    Expired {
        /// Name and id of the key.
        key: String,
        /// When it may be used.
        validity: String,
        /// The time of the checkpoint's last event.
        recorded_at_us: i64,
    },
}

fn list(keys: &[String]) -> String {
    if keys.is_empty() { "nobody".to_owned() } else { keys.join(", ") }
}

impl Checkpoint {
    /// Reads a signed checkpoint. Whether the signatures are right is not looked at.
    ///
    /// # Errors
    /// [`CheckpointError`] when it is none.
    pub fn parse(note: &str) -> Result<(Self, Note), CheckpointError> {
        let note = Note::parse(note)?;
        let checkpoint = Self::parse_text(&note.text).ok_or(CheckpointError::Text)?;
        Ok((checkpoint, note))
    }

    fn parse_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let origin = lines.next().filter(|origin| !origin.is_empty())?.to_owned();
        let size = lines.next()?.parse().ok()?;
        let root: Hash = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
        let recorded_at_us = lines.next()?.strip_prefix(RECORDED)?.parse().ok()?;
        let checkpoint = Self { origin, size, root, recorded_at_us };
        // Nothing follows, and no number has a second way of being written.
        (checkpoint.to_string() == text).then_some(checkpoint)
    }

    /// The checkpoint signed by `keys`.
    pub fn signed(&self, keys: &[PrivateKey]) -> Note {
        let text = self.to_string();
        let signatures = keys.iter().map(|key| key.sign(&text)).collect();
        Note { text, signatures }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, size, root, recorded_at_us } = self;
        write!(formatter, "{origin}\n{size}\n{}\n{RECORDED}{recorded_at_us}\n", STANDARD.encode(root))
    }
}

/// By which of `keys` the checkpoint of a note is signed, the first one that may be used for it.
///
/// # Errors
/// [`Untrusted`] when there is none, or when a signature by one of them is wrong.
pub fn signer<'keys>(
    checkpoint: &Checkpoint,
    note: &Note,
    keys: &'keys [PublicKey],
) -> Result<&'keys PublicKey, Untrusted> {
    let mut expired = None;
    let mut found = None;
    for key in keys.iter().filter(|key| key.kind == KeyKind::Log && key.name == checkpoint.origin) {
        for signature in note.signatures.iter().filter(|signature| key.is_named_by(signature)) {
            if !key.verifies(note.text.as_bytes(), &signature.signature) {
                return Err(Untrusted::Signature(shown(&key.name, key.id())));
            }
            if key.validity.holds(checkpoint.recorded_at_us) {
                found = found.or(Some(key));
            } else {
                expired = Some(Untrusted::Expired {
                    key: shown(&key.name, key.id()),
                    validity: key.validity.to_string(),
                    recorded_at_us: checkpoint.recorded_at_us,
                });
            }
        }
    }
    let other = || Untrusted::OtherKey {
        signed: note.signatures.iter().map(|signature| shown(&signature.name, signature.key_id)).collect(),
        given: keys.iter().map(|key| shown(&key.name, key.id())).collect(),
    };
    found.ok_or_else(|| expired.unwrap_or_else(other))
}

/// A key as people tell it from others.
fn shown(name: &str, id: [u8; 4]) -> String {
    format!("{name}+{:08x}", u32::from_be_bytes(id))
}

/// What a witness says: that it saw the checkpoint, and nothing that contradicts it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Name of the witness.
    pub witness: String,
    /// When it says that it saw it, in seconds since 1970.
    pub time_s: u64,
}

/// The signed message of a cosignature: a time and the text of the note.
fn cosigned(time_s: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}

/// Reads the time of a cosignature apart from its signature; `None` when it is no cosignature.
fn split(signature: &[u8]) -> Option<(u64, &[u8])> {
    let (time, signature) = signature.split_first_chunk::<8>()?;
    (signature.len() == 64).then_some((u64::from_be_bytes(*time), signature))
}

/// The cosignatures of a note by these witnesses.
///
/// # Errors
/// [`Untrusted::Signature`] when one that names such a witness is wrong.
pub fn cosignatures(note: &Note, witnesses: &[PublicKey]) -> Result<Vec<Cosignature>, Untrusted> {
    let mut found = Vec::new();
    for witness in witnesses.iter().filter(|witness| witness.kind == KeyKind::Witness) {
        for line in note.signatures.iter().filter(|line| witness.is_named_by(line)) {
            let holds = |(time_s, signature): &(u64, &[u8])| {
                witness.verifies(cosigned(*time_s, &note.text).as_bytes(), signature)
            };
            match split(&line.signature).filter(holds) {
                Some((time_s, _)) => found.push(Cosignature { witness: witness.name.clone(), time_s }),
                None => return Err(Untrusted::Signature(shown(&line.name, line.key_id))),
            }
        }
    }
    Ok(found)
}

/// Whether a line can be a cosignature: what a witness answered is kept when it can.
pub fn is_cosignature(line: &NoteSignature) -> bool {
    split(&line.signature).is_some()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::key::Validity;

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "timeloom/one".to_owned(), size: 5, root: [9; 32], recorded_at_us: 1_000 }
    }

    fn key(seed: u8, validity: Validity) -> PrivateKey {
        PrivateKey::from_seed("timeloom/one", &[seed; 32], validity).unwrap()
    }

    #[test]
    fn a_checkpoint_is_read_as_it_is_written_and_in_no_other_form() {
        let signed = checkpoint().signed(&[key(1, Validity::default())]).to_string();
        assert_eq!(Checkpoint::parse(&signed).unwrap().0, checkpoint());
        let begin =
            "timeloom/one\n5\nCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\nrecorded 1000\n\n\u{2014} timeloom/one ";
        assert!(signed.starts_with(begin), "{signed}");
        for (from, to) in
            [("\n5\n", "\n05\n"), ("\n5\n", "\n+5\n"), ("1000\n", "1000\nmore\n"), ("recorded", "written")]
        {
            assert_eq!(Checkpoint::parse(&signed.replacen(from, to, 1)), Err(CheckpointError::Text), "{to:?}");
        }
    }

    #[test]
    fn a_checkpoint_is_believed_for_a_key_that_holds_then_and_for_nothing_else() {
        let (old, new) =
            (key(1, Validity { until_us: Some(1_000), ..Validity::default() }), key(2, Validity::default()));
        let by = |keys: &[PrivateKey]| checkpoint().signed(keys);
        let both = [old.public(), new.public()];
        assert_eq!(signer(&checkpoint(), &by(&[old.clone(), new.clone()]), &both).unwrap(), &new.public());
        let expired = signer(&checkpoint(), &by(std::slice::from_ref(&old)), &both);
        assert!(matches!(expired, Err(Untrusted::Expired { .. })), "{expired:?}");
        let other = signer(&checkpoint(), &by(&[key(3, Validity::default())]), &both);
        assert!(matches!(other, Err(Untrusted::OtherKey { .. })), "{other:?}");
        let mut changed = by(std::slice::from_ref(&new));
        changed.text = changed.text.replacen('5', "6", 1);
        assert!(matches!(signer(&checkpoint(), &changed, &both), Err(Untrusted::Signature(_))));
    }

    #[test]
    fn a_witness_says_when_it_saw_a_text() {
        let witness = SigningKey::from_bytes(&[4; 32]);
        let public = witness.verifying_key().to_bytes();
        let known = PublicKey::from_bytes("witness.example", KeyKind::Witness, &public, Validity::default()).unwrap();
        let again = PublicKey::parse_all(&known.to_string()).unwrap();
        let mut note = checkpoint().signed(&[key(1, Validity::default())]);
        let signature = witness.sign(cosigned(77, &note.text).as_bytes()).to_bytes();
        let line = [&77_u64.to_be_bytes()[..], &signature].concat();
        note.signatures.push(NoteSignature { name: known.name.clone(), key_id: known.id(), signature: line });
        let note = Note::parse(&note.to_string()).unwrap();
        let seen = vec![Cosignature { witness: "witness.example".to_owned(), time_s: 77 }];
        assert_eq!(cosignatures(&note, &again).unwrap(), seen);
        assert!(is_cosignature(&note.signatures[1]) && !is_cosignature(&note.signatures[0]));
        let mut backdated = note;
        backdated.signatures[1].signature[7] = 76;
        assert!(matches!(cosignatures(&backdated, &again), Err(Untrusted::Signature(_))));
    }
}
