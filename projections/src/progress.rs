//! How far the read models are, as everybody is told: positions, lag, rates, errors.
//!
//! The thread that follows the log is the only one that tells. In a process that does not write it tells what the writer
//! of another process left in the database. Invariant: nothing is told before it is committed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use timeloom_store::Position;
use tokio::sync::watch;

use crate::error::ProjectionError;
use crate::parked::ParkedEvent;
use crate::writer::{State, Writer};

/// Over how long the rate of a projection is taken.
pub const RATE_TIME: Duration = Duration::from_secs(10);
/// How often a place is noted to take the rate from.
const SAMPLE_TIME: Duration = Duration::from_millis(500);

/// How far one projection is, and what keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionStatus {
    /// Its name.
    pub name: &'static str,
    /// The number of the build that serves: each rebuild makes a new one.
    pub generation: u32,
    /// The last event that its rows hold.
    pub position: Position,
    /// How many events of the log are not folded yet.
    pub lag: u64,
    /// Events that it went through a second, over the last [`RATE_TIME`].
    pub events_per_second: f64,
    /// How many events are parked.
    pub parked: usize,
    /// The first of them.
    pub first_parked: Option<ParkedEvent>,
    /// Why it stands still, if it does, and before which event: it may not park more.
    pub stopped: Option<Stopped>,
    /// How far the build is that is to take its place, if there is one.
    pub building: Option<Position>,
    /// The newest thing that went wrong with it.
    pub last_error: Option<LastError>,
}

/// Why a projection stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The event before which it stands.
    pub position: Position,
    /// What is wrong.
    pub error: String,
}

/// Something that went wrong, as far as this process saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// What.
    pub error: String,
    /// How long ago it was first seen.
    pub ago: Duration,
    /// Whether it is over: what failed went on since.
    pub over: bool,
}

/// Which part this process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It has not begun, or cannot reach the database.
    Starting,
    /// It writes the rows.
    Writer,
    /// Another process writes the rows; this one reads them, and writes when the other is gone.
    Standby,
}

/// One projection, as the database says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    pub name: &'static str,
    pub generation: u32,
    pub position: Position,
    pub parked: usize,
    pub first_parked: Option<ParkedEvent>,
    pub newest_parked_error: Option<String>,
    pub stopped: Option<Stopped>,
    pub building: Option<Position>,
}

/// Something that went wrong, and when.
#[derive(Debug, Clone)]
struct Failure {
    error: String,
    since: Instant,
    over: bool,
}

/// What the thread that follows the log tells the others.
pub(crate) struct Progress {
    position: watch::Sender<Position>,
    /// Whether the tables are there.
    made: watch::Sender<bool>,
    told: Mutex<Told>,
}

struct Told {
    role: Role,
    views: Vec<View>,
    /// Why nothing goes on, for all.
    failure: Option<Failure>,
    /// The newest parked error, by projection.
    parked: Vec<(&'static str, Failure)>,
    /// Where each projection was in the last seconds.
    samples: VecDeque<(Instant, Vec<(&'static str, Position)>)>,
}

impl Progress {
    pub fn new() -> Self {
        let told = Told {
            role: Role::Starting,
            views: Vec::new(),
            failure: None,
            parked: Vec::new(),
            samples: VecDeque::new(),
        };
        Self { position: watch::Sender::new(Position::START), made: watch::Sender::new(false), told: Mutex::new(told) }
    }

    pub fn position(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }

    /// Waits until the rows hold a position; 0 is held as soon as the tables are there.
    pub async fn wait_for(&self, position: Position) {
        let (mut made, mut reached) = (self.made.subscribe(), self.position.subscribe());
        // The senders live as long as this.
        let _ = made.wait_for(|made| *made).await;
        let _ = reached.wait_for(|reached| *reached >= position).await;
    }

    pub fn role(&self) -> Role {
        self.lock().role
    }

    /// The build of a projection that questions are answered from, when it is known.
    pub fn generation(&self, name: &str) -> Option<u32> {
        self.lock().views.iter().find(|view| view.name == name).map(|view| view.generation)
    }

    /// A projection, as it was told last.
    pub fn view(&self, name: &str) -> Option<View> {
        self.lock().views.iter().find(|view| view.name == name).cloned()
    }

    /// Why nothing goes on at present.
    pub fn fault(&self) -> Option<String> {
        self.lock().failure.as_ref().filter(|failure| !failure.over).map(|failure| failure.error.clone())
    }

    /// Tells where this process's writer is.
    pub fn publish_writer(&self, writer: &Writer) {
        self.publish(Role::Writer, writer.live.iter().map(|state| view_of(state, &writer.building)).collect());
    }

    /// Tells where the projections are.
    pub fn publish(&self, role: Role, views: Vec<View>) {
        let now = Instant::now();
        let reached = views.iter().filter(|view| view.stopped.is_none()).map(|view| view.position).min();
        let any = !views.is_empty();
        {
            let mut told = self.lock();
            told.note_parked(&views, now);
            told.sample(&views, now);
            told.role = role;
            told.views = views;
            if let Some(failure) = &mut told.failure {
                failure.over = true;
            }
        }
        self.made.send_if_modified(|made| any && !std::mem::replace(made, true));
        if let Some(reached) = reached {
            self.position.send_if_modified(|position| std::mem::replace(position, reached) != reached);
        }
    }

    /// Tells that nothing goes on.
    pub fn fail(&self, role: Role, error: &ProjectionError) {
        tracing::error!(%error, "read models do not go on; trying again");
        let mut told = self.lock();
        let error = error.to_string();
        told.role = role;
        match &mut told.failure {
            Some(failure) if !failure.over && failure.error == error => {}
            failure => *failure = Some(Failure { error, since: Instant::now(), over: false }),
        }
    }

    /// How each projection is, beside a log that ends at `head`.
    pub fn status(&self, head: Position) -> Vec<ProjectionStatus> {
        let now = Instant::now();
        let told = self.lock();
        told.views.iter().map(|view| told.status(view, head, now)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        // Each part of it is replaced as a whole, so that no holder leaves it half-way.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn note_parked(&mut self, views: &[View], now: Instant) {
        for view in views {
            let before = self.views.iter().find(|before| before.name == view.name).map_or(0, |before| before.parked);
            let Some(error) = view.newest_parked_error.clone().filter(|_| view.parked > before) else { continue };
            self.parked.retain(|(name, _)| *name != view.name);
            self.parked.push((view.name, Failure { error, since: now, over: false }));
        }
    }

    fn sample(&mut self, views: &[View], now: Instant) {
        if self.samples.back().is_some_and(|(at, _)| now.duration_since(*at) < SAMPLE_TIME) {
            return;
        }
        let positions = views.iter().map(|view| (view.name, view.position)).collect();
        self.samples.push_back((now, positions));
        while self.samples.front().is_some_and(|(at, _)| now.duration_since(*at) > RATE_TIME + SAMPLE_TIME) {
            self.samples.pop_front();
        }
    }

    fn status(&self, view: &View, head: Position, now: Instant) -> ProjectionStatus {
        let parked = self.parked.iter().find(|(name, _)| *name == view.name && view.parked > 0);
        let failure = [self.failure.as_ref(), parked.map(|(_, failure)| failure)];
        let newest = failure.into_iter().flatten().max_by_key(|failure| (!failure.over, failure.since));
        ProjectionStatus {
            name: view.name,
            generation: view.generation,
            position: view.position,
            lag: head.0.saturating_sub(view.position.0),
            events_per_second: self.rate(view, now),
            parked: view.parked,
            first_parked: view.first_parked.clone(),
            stopped: view.stopped.clone(),
            building: view.building,
            last_error: newest.map(|failure| LastError {
                error: failure.error.clone(),
                ago: now.duration_since(failure.since),
                over: failure.over,
            }),
        }
    }

    fn rate(&self, view: &View, now: Instant) -> f64 {
        let oldest = self.samples.iter().find(|(at, _)| now.duration_since(*at) <= RATE_TIME);
        let Some((at, positions)) = oldest else { return 0.0 };
        let Some((_, from)) = positions.iter().find(|(name, _)| *name == view.name) else { return 0.0 };
        let seconds = now.duration_since(*at).as_secs_f64();
        if seconds < 0.001 { 0.0 } else { view.position.0.saturating_sub(from.0) as f64 / seconds }
    }
}

fn view_of(state: &State, building: &[State]) -> View {
    let name = state.projection.name();
    let building = building.iter().find(|next| next.projection.name() == name);
    View {
        name,
        generation: state.generation,
        position: state.position,
        parked: state.parked.events,
        first_parked: state.parked.first.clone(),
        newest_parked_error: state.parked.newest_error.clone(),
        stopped: state
            .stopped
            .as_ref()
            .map(|event| Stopped { position: event.position, error: event.reason().to_owned() }),
        building: building.map(|next| next.position),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(position: u64, parked: usize) -> Vec<View> {
        let position = Position(position);
        vec![View {
            name: "things",
            generation: 1,
            position,
            parked,
            first_parked: None,
            newest_parked_error: (parked > 0).then(|| format!("error {parked}")),
            stopped: None,
            building: None,
        }]
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let progress = Progress::new();
        let mut told = progress.lock();
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        for second in 0..30 {
            // A hundred a second, and ten from the twentieth second on.
            let position = if second < 20 { second * 100 } else { 2_000 + (second - 20) * 10 };
            told.sample(&views(position, 0), at(second));
        }
        let rate = |seconds, position| told.rate(&views(position, 0)[0], at(seconds));
        assert_eq!(rate(30, 2_100).round(), 10.0);
        assert_eq!(rate(60, 2_100), 0.0);
        assert!(told.samples.len() <= 12, "{}", told.samples.len());
    }

    #[test]
    fn a_failure_is_told_until_it_is_over_and_remembered_after() {
        let progress = Progress::new();
        progress.publish(Role::Writer, views(5, 0));
        assert_eq!(progress.status(Position(7))[0].last_error, None);
        progress.fail(Role::Starting, &ProjectionError::Fenced);
        let failing = progress.status(Position(7)).remove(0);
        assert_eq!((failing.lag, failing.last_error.map(|last| last.over)), (2, Some(false)));
        assert!(progress.fault().is_some());
        progress.publish(Role::Writer, views(7, 0));
        let over = progress.status(Position(7)).remove(0);
        assert_eq!((over.lag, over.last_error.map(|last| last.over)), (0, Some(true)));
        assert_eq!((progress.fault(), progress.role()), (None, Role::Writer));
        for parked in [1, 3, 3] {
            progress.publish(Role::Writer, views(9, parked));
            let last = progress.status(Position(9)).remove(0).last_error.unwrap();
            assert_eq!((last.error, last.over), (format!("error {parked}"), false));
        }
        progress.publish(Role::Writer, views(9, 0));
        assert_eq!(progress.status(Position(9)).remove(0).last_error.map(|last| last.over), Some(true));
    }
}
