//! What a capsule must be to be one: its parts belong together, and its events are in the tree of its checkpoint.

use std::collections::BTreeMap;

use super::{
    BLOBS, BLOBS_MAX, CHECKPOINT, Capsule, CapsuleError, EVENTS, EVENTS_MAX, MANIFEST, Manifest, PROOFS, Stream,
};
use crate::checkpoint::origin;
use crate::hexadecimal;
use crate::line::Line;
use crate::tree::check_inclusion;

/// What a payload begins with that lies in a blob; its hash follows.
const REFERENCE_START: &str = r#"{"$blob":{"hash":""#;
/// Digits of a hash.
const DIGITS: usize = 64;

impl Capsule {
    /// Checks all of it.
    pub(super) fn check(&self) -> Result<(), CapsuleError> {
        self.check_checkpoint()?;
        self.check_blobs()?;
        let mut streams = Streams::of(&self.manifest)?;
        let mut proofs = self.proofs.iter();
        let (mut before, mut buffer) = (0, Vec::new());
        for (number, text) in (1_usize..).zip(self.events.lines()) {
            if number > EVENTS_MAX {
                return Err(CapsuleError::TooMany { what: "events", max: EVENTS_MAX });
            }
            let wrong = |error| CapsuleError::file(EVENTS, format!("line {number}: {error}"));
            let line = Line::parse(text).map_err(wrong)?;
            let position = line.record().position;
            if position <= before {
                return Err(CapsuleError::event(position, "is not in the order of the log: the capsule was changed"));
            }
            before = position;
            self.check_leaf(&line, &mut buffer)?;
            let proof = proofs.next().filter(|proof| proof.position == position);
            let proof = proof.ok_or_else(|| CapsuleError::event(position, "has no proof that it was recorded"))?;
            let manifest = &self.manifest;
            check_inclusion(position, manifest.tree_size, line.leaf(), &proof.path, &manifest.root).map_err(|_| {
                CapsuleError::event(
                    position,
                    "is not in the log of which the checkpoint was signed: it was made up or changed",
                )
            })?;
            streams.take(&line)?;
        }
        if proofs.next().is_some() {
            return Err(CapsuleError::file(
                PROOFS,
                "it has proofs of events that are not there: the capsule was changed",
            ));
        }
        streams.end()
    }

    fn check_checkpoint(&self) -> Result<(), CapsuleError> {
        let (checkpoint, _) = self.checkpoint()?;
        let manifest = &self.manifest;
        let is_same = checkpoint.size == manifest.tree_size
            && checkpoint.root == manifest.root
            && checkpoint.origin == origin(manifest.log_id);
        if is_same {
            return Ok(());
        }
        Err(CapsuleError::file(CHECKPOINT, "it is not the checkpoint that the manifest names: the capsule was changed"))
    }

    fn check_blobs(&self) -> Result<(), CapsuleError> {
        if self.blobs.len() > BLOBS_MAX {
            return Err(CapsuleError::TooMany { what: "payloads and attachments", max: BLOBS_MAX });
        }
        for (digits, content) in &self.blobs {
            if hexadecimal::encode(blake3::hash(content).as_bytes()) != *digits {
                let detail = "its content is not what its name says: the capsule was changed";
                return Err(CapsuleError::file(&format!("{BLOBS}{digits}"), detail));
            }
        }
        Ok(())
    }

    /// An event is what its leaf says, and a payload beside it is here.
    fn check_leaf(&self, line: &Line<'_>, buffer: &mut Vec<u8>) -> Result<(), CapsuleError> {
        let record = line.record();
        if record.tenant != self.manifest.tenant {
            return Err(CapsuleError::event(record.position, "is another tenant's: the capsule was changed"));
        }
        if record.leaf(buffer) != *line.leaf() {
            return Err(CapsuleError::event(record.position, "is not what was recorded: it was changed"));
        }
        let Some(rest) = record.payload.strip_prefix(REFERENCE_START) else { return Ok(()) };
        if rest.get(..DIGITS).is_some_and(|digits| self.blobs.contains_key(digits)) {
            return Ok(());
        }
        Err(CapsuleError::event(
            record.position,
            "has its payload beside it, and that is not here: the capsule was changed",
        ))
    }
}

/// The streams that the manifest names: how many events each is said to have, and how many were seen.
struct Streams(BTreeMap<(String, String), (u64, u64)>);

impl Streams {
    fn of(manifest: &Manifest) -> Result<Self, CapsuleError> {
        let mut streams = BTreeMap::new();
        for Stream { category, id, events, .. } in &manifest.streams {
            if streams.insert((category.clone(), id.clone()), (*events, 0)).is_some() {
                return Err(CapsuleError::file(MANIFEST, format!("it names {category}/{id} twice")));
            }
        }
        Ok(Self(streams))
    }

    /// Takes an event into its stream, whose next one it must be.
    fn take(&mut self, line: &Line<'_>) -> Result<(), CapsuleError> {
        let record = line.record();
        let Some((_, seen)) = self.0.get_mut(&(record.category.to_owned(), record.stream.to_owned())) else {
            return Err(CapsuleError::event(record.position, "is of nothing that the manifest names: it was put in"));
        };
        *seen += 1;
        if *seen == record.revision {
            return Ok(());
        }
        let detail = "does not follow the one before it in its stream: events were taken out";
        Err(CapsuleError::event(record.position, detail))
    }

    /// All of them were seen.
    fn end(self) -> Result<(), CapsuleError> {
        match self.0.into_iter().find(|(_, (events, seen))| events != seen) {
            None => Ok(()),
            Some(((category, id), (events, seen))) => {
                let detail = format!("{category}/{id} has {seen} events here, not {events}: some were taken out");
                Err(CapsuleError::file(EVENTS, detail))
            }
        }
    }
}
