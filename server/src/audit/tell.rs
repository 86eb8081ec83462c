//! Tells witnesses of checkpoints, beside what signs them: a witness that hangs or fails holds up nothing but itself, and is
//! asked again until it knows the newest.

use std::time::Duration;

use futures::future::join_all;
use timeloom_store::Direction;
use timeloom_store::proofs::{ProofLog, StoredCheckpoint};
use tokio::sync::watch;

use super::witness::{Witness, cosigned};

/// After the first try that failed; it doubles.
const TELL_AGAIN: Duration = Duration::from_secs(5);
/// Longest time between two tries while a witness fails.
const TELL_AGAIN_MAX: Duration = Duration::from_secs(300);

/// Tells witnesses the newest checkpoint that there is.
pub(super) struct Teller {
    proofs: ProofLog,
    witnesses: Vec<Told>,
    /// The size of the newest checkpoint; 0 when there is none.
    newest: watch::Receiver<u64>,
}

/// What a witness was told.
struct Told {
    witness: Witness,
    /// The size of the last checkpoint that it took.
    size: u64,
}

impl Teller {
    pub(super) fn new(proofs: ProofLog, witnesses: Vec<Witness>, newest: watch::Receiver<u64>) -> Self {
        let witnesses = witnesses.into_iter().map(|witness| Told { witness, size: 0 }).collect();
        Self { proofs, witnesses, newest }
    }

    /// Tells them until nothing more is signed.
    pub(super) async fn run(mut self) {
        let mut pause = TELL_AGAIN;
        loop {
            let newest = *self.newest.borrow_and_update();
            let all_know = self.tell(newest).await;
            if all_know {
                pause = TELL_AGAIN;
            }
            tokio::select! {
                changed = self.newest.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(pause), if !all_know => pause = (pause * 2).min(TELL_AGAIN_MAX),
            }
        }
    }

    /// Tells those who do not know it, and keeps what they answer. Whether all know it then.
    async fn tell(&mut self, size: u64) -> bool {
        if self.witnesses.iter().all(|told| told.size >= size) {
            return true;
        }
        let mut checkpoint = match self.proofs.tree().checkpoints(size..=size, Direction::Forward, 1).await {
            Ok(mut found) => match found.pop() {
                Some(found) => found,
                None => return true,
            },
            Err(error) => {
                tracing::warn!(%error, size, "a checkpoint cannot be read: witnesses are told of it later");
                return false;
            }
        };
        let told = self.witnesses.iter_mut().filter(|told| told.size < size);
        let answers = join_all(told.map(|told| told.tell(&checkpoint))).await;
        let all_know = answers.iter().all(Option::is_some);
        let before = checkpoint.note.clone();
        for answer in answers.into_iter().flatten() {
            checkpoint.note = cosigned(&checkpoint.note, &answer).unwrap_or(checkpoint.note);
        }
        if checkpoint.note != before
            && let Err(error) = self.proofs.tree().cosigned(checkpoint).await
        {
            tracing::warn!(%error, size, "what witnesses signed cannot be kept");
        }
        all_know
    }
}

impl Told {
    /// What the witness answers; `None` when it was not told.
    async fn tell(&mut self, checkpoint: &StoredCheckpoint) -> Option<String> {
        match self.witness.tell(checkpoint).await {
            Ok(answer) => {
                self.size = checkpoint.size;
                Some(answer)
            }
            Err(error) => {
                let (witness, size) = (&self.witness, checkpoint.size);
                tracing::warn!(%witness, size, error = format!("{error:#}"), "a witness was not told of a checkpoint; it is told again");
                None
            }
        }
    }
}
