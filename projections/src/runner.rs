//! Follows the log on a thread of its own and has every batch written, then says how far the rows are.
//!
//! The thread owns the only connection that writes. It begins at the checkpoints, so that a crash anywhere costs nothing
//! but time. While builds are in the making it folds a page into them between two batches. When another process writes, it
//! stands by, tells how far that one is, and takes over when it is gone. Never: two batches at once, an announcement before
//! the commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use timeloom_store::{
    Direction, EventLog, Filter, Position, RecordedEvent, Revision, StreamKey, Subscription, SubscriptionMessage,
    TenantScope,
};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::database::Readers;
use crate::error::ProjectionError;
use crate::progress::{Progress, Role};
use crate::rebuild::{self, Around, Build, RebuildReport, next_page_events};
use crate::standby;
use crate::store::ReadModelStore;
use crate::writer::{BATCH_EVENTS_MAX, Builds, Writer};

/// Events that wait in the subscription: two batches, so that one fills while one is written.
const SUBSCRIPTION_EVENTS: usize = 2 * BATCH_EVENTS_MAX;
/// Bytes of payload after which a batch is full; one event may have more.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Pause after a failure of the database or the log.
const RETRY: Duration = Duration::from_millis(500);
/// Pause after a failure to read what is to be counted of texts: the rows do not wait for that.
const TEXTS_RETRY: Duration = Duration::from_secs(10);
/// How often a process that stands by looks how far the writer is.
const STANDBY_LOOK: Duration = Duration::from_millis(50);
/// How often it tries to become the writer: every so many looks.
const STANDBY_TRY: u32 = 40;
/// How often the writer looks whether it is still connected, when nothing happens.
const IDLE_LOOK: Duration = Duration::from_secs(1);
/// Requests that wait for the thread.
pub(crate) const COMMANDS_MAX: usize = 16;
/// Pages that are folded into builds after each batch: more than one, so that they come up with one that is live and
/// behind itself.
const BUILD_PAGES: usize = 2;
/// Events of a stream that are folded again at a time.
const RETRY_EVENTS: usize = 500;

/// What the thread is asked to do.
pub(crate) enum Command {
    /// Build projections again.
    Rebuild { names: Vec<&'static str>, begun: oneshot::Sender<()>, done: Done<RebuildReport> },
    /// Leave nothing on the disk of rows that are gone.
    Scrub { done: Done<()> },
    /// Fold again what is parked; how many events are parked still.
    Retry { names: Vec<&'static str>, done: Done<usize> },
}

/// Who waits for an answer. It is no matter when nobody does any more.
pub(crate) type Done<T> = oneshot::Sender<Result<T, ProjectionError>>;

/// Why following the log ended.
enum Ended {
    /// For good: closed.
    Done,
    /// To be taken up again at the checkpoints.
    Again,
}

/// The writing thread.
pub(crate) struct Runner {
    pub store: ReadModelStore,
    pub log: Arc<dyn EventLog>,
    pub readers: Arc<Readers>,
    pub progress: Arc<Progress>,
    pub closing: CancellationToken,
    pub runtime: Handle,
    pub commands: mpsc::Receiver<Command>,
    /// Whether this process may write the rows when no other does.
    pub may_write: bool,
    /// What the database failed at when it was asked: it is tried once more with a new connection.
    pub failed: Option<Command>,
    /// The rebuild under way, and who waits for it.
    pub build: Option<(Build, Vec<Done<RebuildReport>>)>,
    /// Events of the next page whose texts are counted, and when that goes on.
    pub text_page_events: usize,
    pub texts_go_on: Instant,
}

impl Runner {
    /// Follows the log until closed; gives the writer back, if it has one.
    pub fn run(mut self, mut writer: Option<Writer>) -> Option<Writer> {
        // Subscriptions and pauses belong to the runtime, whichever thread makes them.
        let runtime = self.runtime.clone();
        let _context = runtime.enter();
        let mut opened = true;
        while !self.closing.is_cancelled() {
            let mut current = match writer.take() {
                Some(current) => current,
                None => match self.become_writer() {
                    Ok(Some(current)) => current,
                    Ok(None) => break,
                    Err(error) => {
                        self.fail(&error);
                        continue;
                    }
                },
            };
            let ended = self.take_up(&mut current, opened).and_then(|()| self.follow(&mut current));
            // What another writer did is in the database: whoever was fenced begins again from there.
            opened = match &ended {
                Ok(_) => false,
                Err(ProjectionError::Fenced) => true,
                Err(_) => !current.database.outlives_failures(),
            };
            if !opened {
                writer = Some(current);
            }
            match ended {
                Ok(Ended::Done) => break,
                Ok(Ended::Again) => {}
                Err(error) => self.fail(&error),
            }
        }
        writer
    }

    fn fail(&self, error: &ProjectionError) {
        self.progress.fail(Role::Starting, error);
        self.pause(RETRY);
    }

    /// Begins to write where the last writer ended.
    fn take_up(&mut self, writer: &mut Writer, opened: bool) -> Result<(), ProjectionError> {
        self.progress.publish_writer(writer);
        if opened {
            let names: Vec<_> = writer.live.iter().map(|state| state.projection.name()).collect();
            self.retry(writer, &names)?;
            self.progress.publish_writer(writer);
        }
        if !writer.building.is_empty() && self.build.is_none() {
            // Left by a process that ended in the middle of it.
            let names = writer.building.iter().map(|state| state.projection.name()).collect();
            self.build = Some((Build::new(names), Vec::new()));
        }
        Ok(())
    }

    /// Waits until this process may write, and tells meanwhile how far the one that does is; `None` when closed.
    fn become_writer(&mut self) -> Result<Option<Writer>, ProjectionError> {
        let mut look = 0;
        while !self.closing.is_cancelled() {
            if self.may_write
                && look % STANDBY_TRY == 0
                && let Some(writer) = Writer::open(&self.store, &self.log)?
            {
                return Ok(Some(writer));
            }
            look += 1;
            let views = self.runtime.block_on(standby::look(&self.readers, &self.progress))?;
            self.progress.publish(Role::Standby, views);
            let failed = self.failed.take().into_iter();
            failed.chain(std::iter::from_fn(|| self.commands.try_recv().ok())).for_each(Command::refuse);
            self.pause(STANDBY_LOOK);
        }
        Ok(None)
    }

    fn pause(&self, time: Duration) {
        self.runtime.block_on(async { self.closing.run_until_cancelled(tokio::time::sleep(time)).await });
    }

    fn follow(&mut self, writer: &mut Writer) -> Result<Ended, ProjectionError> {
        let position = writer.position().unwrap_or_else(|| self.log.head());
        let mut subscription = self.log.subscribe(TenantScope::All, position, Filter::default(), SUBSCRIPTION_EVENTS);
        let (mut batch, mut reached) = (Batch::default(), position);
        if let Some(command) = self.failed.take() {
            // A second failure is not for want of a connection: whoever asked hears that it came to nothing.
            if let Some(again) = self.carry_out(writer, command, &mut None)? {
                return again.map(|()| Ended::Again);
            }
        }
        loop {
            let is_busy = self.build.is_some() || self.can_count(writer, reached);
            let ended = match self.next(&mut subscription, is_busy) {
                Next::Message(message) => batch.fill(message, &mut subscription),
                Next::Command(command) => self.try_out(writer, command)?,
                Next::Nothing => {
                    writer.database.check()?;
                    None
                }
                Next::Closed => return Ok(Ended::Done),
            };
            if let Some(up_to) = batch.up_to.take() {
                writer.apply(Builds::Live, &batch.events, up_to)?;
                writer.count_texts(&batch.events)?;
                reached = up_to;
                batch.clear();
                self.progress.publish_writer(writer);
            }
            self.go_on_building(writer)?;
            self.go_on_counting(writer, reached)?;
            match ended {
                Some(Ok(())) => return Ok(Ended::Again),
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
    }

    /// What comes next; while there is something else to do, only what is there already.
    fn next(&mut self, subscription: &mut Subscription, is_busy: bool) -> Next {
        if self.closing.is_cancelled() {
            return Next::Closed;
        }
        if is_busy {
            if let Ok(command) = self.commands.try_recv() {
                return Next::Command(command);
            }
            return subscription.try_next().map_or(Next::Nothing, Next::Message);
        }
        let (closing, commands) = (&self.closing, &mut self.commands);
        self.runtime.block_on(async {
            tokio::select! {
                () = closing.cancelled() => Next::Closed,
                command = commands.recv() => command.map_or(Next::Closed, Next::Command),
                message = subscription.next() => message.map_or(Next::Closed, Next::Message),
                () = tokio::time::sleep(IDLE_LOOK) => Next::Nothing,
            }
        })
    }

    /// Does what was asked, and keeps it where the database fails.
    fn try_out(&mut self, writer: &mut Writer, command: Command) -> Result<Option<Again>, ProjectionError> {
        let mut unanswered = None;
        let result = self.carry_out(writer, command, &mut unanswered);
        self.failed = unanswered;
        result
    }

    /// Does what was asked. `Some` when following has to be taken up at the checkpoints. What failed is left `unanswered`.
    fn carry_out(
        &mut self,
        writer: &mut Writer,
        command: Command,
        unanswered: &mut Option<Command>,
    ) -> Result<Option<Again>, ProjectionError> {
        match command {
            Command::Rebuild { names, begun, done } => {
                if let Err(error) = writer.begin_builds(&names) {
                    *unanswered = Some(Command::Rebuild { names, begun, done });
                    return Err(error);
                }
                let (build, waiting) = self.build.get_or_insert_with(|| (Build::new(Vec::new()), Vec::new()));
                build.add(&names);
                waiting.push(done);
                self.progress.publish_writer(writer);
                // Whoever asked may have gone.
                let _ = begun.send(());
                Ok(None)
            }
            Command::Scrub { done } => {
                writer.drop_retired();
                // Whoever asked may have gone.
                let _ = done.send(writer.database.scrub().map_err(ProjectionError::from));
                Ok(None)
            }
            Command::Retry { names, done } => {
                let mut chosen = writer.live.iter_mut().filter(|state| names.contains(&state.projection.name()));
                chosen.by_ref().for_each(|state| state.stopped = None);
                if let Err(error) = self.retry(writer, &names) {
                    *unanswered = Some(Command::Retry { names, done });
                    return Err(error);
                }
                self.progress.publish_writer(writer);
                let parked = writer.live.iter().filter(|state| names.contains(&state.projection.name()));
                // Whoever asked may have gone.
                let _ = done.send(Ok(parked.map(|state| state.parked.events).sum()));
                Ok(Some(Ok(())))
            }
        }
    }

    fn go_on_building(&mut self, writer: &mut Writer) -> Result<(), ProjectionError> {
        let Some((build, _)) = &mut self.build else { return Ok(()) };
        let (log, progress) = (Arc::clone(&self.log), Arc::clone(&self.progress));
        let around = Around { log, runtime: self.runtime.clone(), progress, alone: false };
        let mut report = None;
        for _ in 0..BUILD_PAGES {
            report = build.step(writer, &around)?;
            if report.is_some() {
                break;
            }
        }
        let Some(report) = report else { return Ok(()) };
        self.progress.publish_writer(writer);
        let report = RebuildReport { projections: self.progress.status(self.log.head()), ..report };
        for done in self.build.take().into_iter().flat_map(|(_, waiting)| waiting) {
            // Whoever asked may have gone.
            let _ = done.send(Ok(report.clone()));
        }
        Ok(())
    }

    /// Counts texts of one page of those events that were followed before they could be counted: after a start those
    /// behind the last complete group, in a log that had no index all.
    fn go_on_counting(&mut self, writer: &mut Writer, reached: Position) -> Result<(), ProjectionError> {
        if !self.can_count(writer, reached) {
            return Ok(());
        }
        let after = writer.texts.position();
        match self.runtime.block_on(rebuild::read(Arc::clone(&self.log), after, self.text_page_events)) {
            Ok(page) => {
                self.text_page_events = next_page_events(self.text_page_events, &page);
                writer.count_texts(&page)
            }
            Err(error) => {
                tracing::warn!(%error, %after, "texts are counted later; until then searches read the events themselves");
                self.texts_go_on = Instant::now() + TEXTS_RETRY;
                Ok(())
            }
        }
    }

    /// Whether there is something to count that was followed already. What is built counts its own pages.
    fn can_count(&self, writer: &Writer, reached: Position) -> bool {
        self.build.is_none() && writer.texts.position() < reached && Instant::now() >= self.texts_go_on
    }

    /// Folds again what the projections with these names have parked.
    fn retry(&self, writer: &mut Writer, names: &[&str]) -> Result<(), ProjectionError> {
        for number in 0..writer.live.len() {
            let Some(state) = writer.live.get(number) else { continue };
            if !names.contains(&state.projection.name()) {
                continue;
            }
            for (stream, first) in state.parked.streams() {
                self.retry_stream(writer, number, &stream, first)?;
            }
        }
        Ok(())
    }

    fn retry_stream(
        &self,
        writer: &mut Writer,
        number: usize,
        stream: &StreamKey,
        mut first: Revision,
    ) -> Result<(), ProjectionError> {
        while let Some(state) = writer.live.get(number).filter(|_| !self.closing.is_cancelled()) {
            let (projection, up_to) = (state.projection, state.position);
            let after = Revision(first.0.saturating_sub(1));
            let read = self.log.read_stream(stream, after, Direction::Forward, RETRY_EVENTS);
            let mut events = self.runtime.block_on(read)?;
            events.truncate(events.partition_point(|event| event.position <= up_to));
            let Some(last) = events.last().map(|event| event.revision) else { break };
            if events.first().is_none_or(|event| projection.check(event).is_err()) {
                // As wrong as before.
                break;
            }
            writer.retry(number, stream, &events)?;
            let waits = writer.live.get(number).and_then(|state| state.parked.first_of(stream));
            match waits.filter(|waits| *waits > last) {
                Some(next) => first = next,
                None => break,
            }
        }
        Ok(())
    }
}

/// How following ends: taken up again at the checkpoints at once, or after a failure.
type Again = Result<(), ProjectionError>;

/// What the thread turns to next.
enum Next {
    Message(SubscriptionMessage),
    Command(Command),
    Nothing,
    Closed,
}

impl Command {
    /// Another process writes.
    fn refuse(self) {
        // Whoever asked may have gone.
        match self {
            Self::Rebuild { done, .. } => drop(done.send(Err(ProjectionError::NotWriter))),
            Self::Scrub { done } => drop(done.send(Err(ProjectionError::NotWriter))),
            Self::Retry { done, .. } => drop(done.send(Err(ProjectionError::NotWriter))),
        }
    }
}

/// What was taken from the subscription and is not written yet.
#[derive(Default)]
struct Batch {
    events: Vec<Arc<RecordedEvent>>,
    /// Bytes of their payloads.
    bytes: usize,
    up_to: Option<Position>,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.events.len() >= BATCH_EVENTS_MAX || self.bytes >= BATCH_BYTES_MAX
    }

    fn clear(&mut self) {
        self.events.clear();
        self.bytes = 0;
    }

    /// Takes a message and what waits behind it, up to a batch; `Some` when the subscription ends with it.
    fn fill(&mut self, message: SubscriptionMessage, subscription: &mut Subscription) -> Option<Again> {
        let mut ended = self.take(message);
        while ended.is_none() && !self.is_full() {
            let Some(message) = subscription.try_next() else { break };
            ended = self.take(message);
        }
        ended
    }

    fn take(&mut self, message: SubscriptionMessage) -> Option<Again> {
        match message {
            SubscriptionMessage::Event(event) => {
                self.up_to = Some(event.position);
                self.bytes += event.payload.get().len();
                self.events.push(event);
            }
            SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position) => {
                self.up_to = self.up_to.max(Some(position));
            }
            // Where to resume from is what the checkpoints say.
            SubscriptionMessage::FellBehind(_) => return Some(Ok(())),
            SubscriptionMessage::Failed(error) => return Some(Err(error.into())),
        }
        None
    }
}
