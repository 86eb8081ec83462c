//! An answer that comes piece by piece. Its last pieces are held back until it is written down.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use timeloom_commands::Finder;
use timeloom_domain::chat::{Assembler, Delta, ErrorClass};
use timeloom_domain::gateway::ContentRecording;
use timeloom_gateway::CallError;
use timeloom_gateway::gateway::ReplyStream;
use timeloom_gateway::upstream::Piece;

use super::ask::not_recorded;
use super::content::Said;
use super::pending::{Ending, Pending};

/// Most pieces that are held back.
const HELD_MAX: usize = 64;

/// A stream under way. What it is made of goes in this order, so that what the gateway tells last is told before the call is
/// written down as cancelled.
pub(super) struct Flow {
    pieces: Option<ReplyStream>,
    pending: Option<Pending>,
    assembler: Assembler,
    /// How many answers are wanted, and how many have ended.
    choices: (u64, u64),
    held: VecDeque<Piece>,
    failed: Option<CallError>,
    recording: ContentRecording,
    finder: Option<Arc<Finder>>,
}

impl Flow {
    pub fn new(
        pieces: ReplyStream,
        pending: Pending,
        choices: u64,
        (recording, finder): (ContentRecording, Option<Arc<Finder>>),
    ) -> Self {
        Self {
            pieces: Some(pieces),
            pending: Some(pending),
            assembler: Assembler::default(),
            choices: (choices.max(1), 0),
            held: VecDeque::new(),
            failed: None,
            recording,
            finder,
        }
    }

    pub fn into_stream(self) -> BoxStream<'static, Result<Piece, CallError>> {
        stream::unfold(self, |mut flow| async move { Some((flow.next().await?, flow)) }).boxed()
    }

    async fn next(&mut self) -> Option<Result<Piece, CallError>> {
        while let Some(pieces) = &mut self.pieces {
            match pieces.next().await {
                Some(Ok(piece)) => {
                    if let Err(error) = self.take(&piece) {
                        self.end(Err(error)).await;
                    } else if self.choices.1 < self.choices.0 {
                        return Some(Ok(piece));
                    } else {
                        self.held.push_back(piece);
                        if self.held.len() > HELD_MAX {
                            return self.held.pop_front().map(Ok);
                        }
                    }
                }
                Some(Err(error)) => self.end(Err(error)).await,
                None => self.end(Ok(())).await,
            }
        }
        match self.held.pop_front() {
            Some(piece) => Some(Ok(piece)),
            None => self.failed.take().map(Err),
        }
    }

    fn take(&mut self, piece: &Piece) -> Result<(), CallError> {
        for delta in &piece.deltas {
            if matches!(delta, Delta::Finished { .. }) {
                self.choices.1 += 1;
            }
            let taken = self.assembler.take(delta);
            taken.map_err(|error| CallError::new(ErrorClass::Garbage, error.to_string()))?;
        }
        Ok(())
    }

    /// Writes down how it ended. What is held back goes out after that, and only then.
    async fn end(&mut self, ended: Result<(), CallError>) {
        self.pieces = None;
        let Some(pending) = self.pending.take() else { return };
        let ending = match &ended {
            Ok(()) => {
                let answer = std::mem::take(&mut self.assembler).finish();
                Ending::Answered { content: Said::new(&answer, self.recording, self.finder.as_deref()) }
            }
            Err(error) => Ending::Failed {
                class: error.class,
                reason: error.message.clone(),
                retry_after_ms: error.retry_after_ms,
            },
        };
        self.failed = ended.err();
        if let Err(error) = pending.end(ending).await
            && self.failed.is_none()
        {
            self.held.clear();
            self.failed = Some(CallError::new(ErrorClass::Server, not_recorded(&error)));
        }
    }
}
