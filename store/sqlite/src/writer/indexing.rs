//! When the index of kinds is filled: in small steps, when nothing waits, for a bounded part of the writer's time.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use timeloom_store::Position;
use tokio::sync::watch;

use super::flush::Flush;
use crate::kinds::Filling;

/// Rows that one step reads: what an append may have to wait for is less than a commit.
const STEP_ROWS: u64 = 512;
/// How long the writer rests after a step for each of its moments, when appends come in meanwhile: two per cent of its time.
const REST_BESIDE_APPENDS: u32 = 49;
/// The same when none came since the last step.
const REST_ALONE: u32 = 2;
/// When to try again after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The filling of the index, and when it goes on.
pub(super) struct Indexing {
    filling: Filling,
    not_before: Option<Instant>,
    /// Whether anything was appended since the last step.
    appended: bool,
    progress: watch::Sender<Position>,
}

impl Indexing {
    pub(super) fn new(indexed: Position) -> Self {
        let progress = watch::Sender::new(indexed);
        Self { filling: Filling::after(indexed), not_before: None, appended: false, progress }
    }

    /// How far the index goes.
    pub(super) fn progress(&self) -> watch::Receiver<Position> {
        self.progress.subscribe()
    }

    pub(super) fn appended(&mut self) {
        self.appended = true;
    }

    /// How long until the next step; `None` when there is nothing to do.
    pub(super) fn due_in(&self, head: Position) -> Option<Duration> {
        let rest = |not_before: Instant| not_before.saturating_duration_since(Instant::now());
        self.filling.can_go_on(head).then(|| self.not_before.map_or(Duration::ZERO, rest))
    }

    /// Does a step.
    pub(super) fn go_on(&mut self, connection: &Connection, flush: &mut Flush) {
        let began = Instant::now();
        // The disk needs no index at once: what is lost of it is filled again.
        let outcome = flush.prepare(connection, false).and_then(|()| self.filling.go_on(connection, STEP_ROWS));
        let rest = match outcome {
            Ok(()) => began.elapsed() * if self.appended { REST_BESIDE_APPENDS } else { REST_ALONE },
            Err(error) => {
                tracing::warn!(%error, "the index of kinds was not filled; selective reads are slower until it is");
                RETRY_AFTER
            }
        };
        self.appended = false;
        self.not_before = Some(Instant::now() + rest);
        self.progress.send_replace(self.filling.indexed());
    }
}
