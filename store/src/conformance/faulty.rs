//! A log that fails as networks and disks do, over any log. What fails and when comes from a seed.
//!
//! Invariant: it never breaks the port's promises. Whatever it does to a call could happen to a caller of the real log.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;

use super::chance::Chance;
use crate::envelope::{Position, RecordedEvent, Revision, StreamKey};
use crate::log::{
    Append, AppendError, Appended, Direction, EventLog, Filter, LogError, Subscription, SubscriptionMessage,
    TenantScope, Wanted,
};

/// Later calls after which a request that was under way arrives, at most.
const LATE_CALLS_MAX: u64 = 12;
/// Times that a delayed call lets others go first, at most.
const DELAY_YIELDS_MAX: u64 = 24;
/// Events that a subscription brings before it is cut, at most.
const CUT_EVENTS_MAX: u64 = 24;
/// What `Unavailable` says.
const RETRY_AFTER: Duration = Duration::from_millis(1);

/// What can happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Others go first.
    Delay,
    /// An append is refused as [`AppendError::Unavailable`] before anything happened.
    Unavailable,
    /// An append is made and its answer lost: the caller gets a storage error.
    LostAnswer,
    /// The caller of an append gets a storage error, and the request arrives during a later call.
    LateRequest,
    /// An append arrives twice; the caller gets the second answer.
    TwiceDelivered,
    /// A read, a wait or a look for a position fails.
    FailedRead,
    /// A subscription ends after some events: fallen behind, failed, or closed.
    CutSubscription,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Delay,
        Self::Unavailable,
        Self::LostAnswer,
        Self::LateRequest,
        Self::TwiceDelivered,
        Self::FailedRead,
        Self::CutSubscription,
    ];
}

/// How often each fault happens, in a thousand calls that it can happen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultRates([u16; Fault::ALL.len()]);

impl FaultRates {
    /// No faults.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every fault often enough that a run of a hundred calls meets most of them.
    pub fn usual() -> Self {
        Self([200, 80, 120, 80, 80, 100, 600])
    }

    /// The same rates but for `fault`.
    #[must_use]
    pub fn with(mut self, fault: Fault, per_thousand: u16) -> Self {
        self.0[fault as usize] = per_thousand;
        self
    }

    fn of(&self, fault: Fault) -> u16 {
        self.0[fault as usize]
    }
}

/// A failure that only tests bring about.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{0} (a fault that a test brought about)")]
pub struct InjectedFault(&'static str);

/// An [`EventLog`] over another that fails as its seed says.
///
/// One call at a time, the same seed gives the same faults. Callers that call at the same time get the same faults among
/// them, in the order in which they come.
pub struct FaultyLog {
    /// `None` while the log is being opened again.
    inner: RwLock<Option<Arc<dyn EventLog>>>,
    state: Mutex<State>,
}

struct State {
    rates: FaultRates,
    calls: Chance,
    /// Apart from the calls', as how often somebody subscribes may depend on timing.
    subscriptions: Chance,
    happened: [u64; Fault::ALL.len()],
    /// Requests under way, and how many calls from now they arrive.
    late: Vec<(u64, Append)>,
}

impl fmt::Debug for FaultyLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FaultyLog").field("head", &self.head()).finish_non_exhaustive()
    }
}

impl FaultyLog {
    /// `inner` with the faults of `seed`.
    pub fn new(inner: Arc<dyn EventLog>, seed: u64, rates: FaultRates) -> Arc<Self> {
        let chance = Chance::new(seed);
        let (calls, subscriptions) = (chance.fork(1), chance.fork(2));
        let state = State { rates, calls, subscriptions, happened: Default::default(), late: Vec::new() };
        Arc::new(Self { inner: RwLock::new(Some(inner)), state: Mutex::new(state) })
    }

    /// Fails at other rates from now on.
    pub fn set_rates(&self, rates: FaultRates) {
        self.lock().rates = rates;
    }

    /// How often `fault` happened.
    pub fn happened(&self, fault: Fault) -> u64 {
        self.lock().happened[fault as usize]
    }

    /// Lets go of the log below: every call fails as closed until [`Self::plug_in`].
    pub fn unplug(&self) {
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Goes on over `inner`, which has what the log before it had.
    pub fn plug_in(&self, inner: Arc<dyn EventLog>) {
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = Some(inner);
    }

    /// Lets every request arrive that is under way. Nobody waits for the answers.
    pub async fn deliver_late(&self) {
        let late: Vec<Append> = self.lock().late.drain(..).map(|(_, append)| append).collect();
        for append in late {
            self.deliver_unheard(append).await;
        }
    }

    async fn deliver_unheard(&self, append: Append) {
        if let Ok(inner) = self.inner() {
            let _ = inner.append(append).await;
        }
    }

    fn inner(&self) -> Result<Arc<dyn EventLog>, LogError> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(LogError::Closed)
    }

    /// What every call goes through first.
    async fn before_call(&self) {
        let (arrived, yields) = self.lock().begin_call();
        for append in arrived {
            self.deliver_unheard(append).await;
        }
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
    }

    /// The log to read from, when the read does not fail.
    async fn for_read(&self) -> Result<Arc<dyn EventLog>, LogError> {
        self.before_call().await;
        if self.lock().fails(Fault::FailedRead) {
            return Err(LogError::storage(InjectedFault("the read failed")));
        }
        self.inner()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fails(&mut self, fault: Fault) -> bool {
        let happens = self.calls.happens(self.rates.of(fault));
        self.happened[fault as usize] += u64::from(happens);
        happens
    }

    /// Requests that arrive now, and how often the call lets others go first.
    fn begin_call(&mut self) -> (Vec<Append>, u64) {
        self.late.iter_mut().for_each(|(calls, _)| *calls = calls.saturating_sub(1));
        let arrived = self.late.extract_if(.., |(calls, _)| *calls == 0).map(|(_, append)| append).collect();
        let yields = if self.fails(Fault::Delay) { 1 + self.calls.below(DELAY_YIELDS_MAX) } else { 0 };
        (arrived, yields)
    }

    /// At most one fault for an append.
    fn fault_of_append(&mut self) -> Option<Fault> {
        [Fault::Unavailable, Fault::LostAnswer, Fault::LateRequest, Fault::TwiceDelivered]
            .into_iter()
            .find(|fault| self.fails(*fault))
    }

    fn cut(&mut self, after: Position) -> Option<Cut> {
        if !self.subscriptions.happens(self.rates.of(Fault::CutSubscription)) {
            return None;
        }
        self.happened[Fault::CutSubscription as usize] += 1;
        let events = self.subscriptions.below(CUT_EVENTS_MAX + 1);
        let ending = match self.subscriptions.below(3) {
            0 => Ending::FellBehind,
            1 => Ending::Failed,
            _ => Ending::Closed,
        };
        Some(Cut { events, told: after, ending, ended: false })
    }
}

#[async_trait]
impl EventLog for FaultyLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.before_call().await;
        let fault = self.lock().fault_of_append();
        let lost = || AppendError::Log(LogError::storage(InjectedFault("the answer was lost")));
        match fault {
            Some(Fault::Unavailable) => Err(AppendError::Unavailable { retry_after: RETRY_AFTER }),
            Some(Fault::LateRequest) => {
                let mut state = self.lock();
                let calls = 1 + state.calls.below(LATE_CALLS_MAX);
                state.late.push((calls, append));
                Err(lost())
            }
            Some(Fault::LostAnswer) => {
                let _ = self.inner()?.append(append).await;
                Err(lost())
            }
            Some(Fault::TwiceDelivered) => {
                let _ = self.inner()?.append(append.clone()).await;
                self.inner()?.append(append).await
            }
            _ => self.inner()?.append(append).await,
        }
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.for_read().await?.read_stream(stream, after, direction, limit).await
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.for_read().await?.read_all(scope, after, direction, filter, limit).await
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        let cut = self.lock().cut(after);
        let Ok(inner) = self.inner() else {
            return Subscription::new(tokio::sync::mpsc::channel(1).1);
        };
        let subscription = inner.subscribe(scope, after, filter, capacity);
        match cut {
            Some(cut) => subscription.ending_by(cut),
            None => subscription,
        }
    }

    fn head(&self) -> Position {
        self.inner().map_or(Position::START, |inner| inner.head())
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.for_read().await?.wait_for(position).await
    }

    async fn look_up(&self, scope: TenantScope, wanted: &Wanted) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.for_read().await?.look_up(scope, wanted).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.for_read().await?.position_at(time_us).await
    }
}

/// When and how a subscription ends early.
#[derive(Debug)]
pub struct Cut {
    /// Events to bring before it ends.
    events: u64,
    /// Everything up to here was brought or skipped.
    told: Position,
    ending: Ending,
    ended: bool,
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    FellBehind,
    Failed,
    Closed,
}

impl Cut {
    pub(crate) fn brought(&mut self, message: &SubscriptionMessage) {
        match message {
            SubscriptionMessage::Event(event) => {
                self.events = self.events.saturating_sub(1);
                self.told = event.position;
            }
            SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position) => {
                self.told = self.told.max(*position);
            }
            SubscriptionMessage::FellBehind(_) | SubscriptionMessage::Failed(_) => self.ended = true,
        }
    }

    /// What comes in place of the next message, once it is time; the outer `None` when it is not.
    pub(crate) fn ending(&mut self) -> Option<Option<SubscriptionMessage>> {
        if self.ended {
            return Some(None);
        }
        if self.events > 0 {
            return None;
        }
        self.ended = true;
        Some(match self.ending {
            Ending::FellBehind => Some(SubscriptionMessage::FellBehind(self.told)),
            Ending::Failed => {
                Some(SubscriptionMessage::Failed(LogError::storage(InjectedFault("the subscription was cut"))))
            }
            Ending::Closed => None,
        })
    }
}
