//! A reserved stream: what is to be sent on it, what was sent and may have been lost, and its operations.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use async_graphql::Request;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::{AbortHandle, AbortRegistration};
use serde::Serialize;
use timeloom_domain::access::Principal;
use timeloom_domain::ids::{Actor, TenantId};
use tokio::sync::Notify;

use super::super::super::answer::Answer;
use super::super::{KEEP_ALIVE, KEPT_ALIVE};
use crate::schema::{ApiSchema, Progress};

/// Most events that wait to be sent; operations wait while there are so many.
const WAITING_EVENTS_MAX: u64 = 256;
/// Most events that were sent and are kept in case that they were lost.
const SENT_EVENTS_MAX: usize = 256;
/// Most bytes of events of either kind; one event may be larger.
const EVENTS_BYTES_MAX: usize = 8 << 20;

/// Why something is not done with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum StreamRefusal {
    #[error("the stream is open already: close the other connection first")]
    Open,
    #[error("an operation of this id is under way: take another id")]
    IdTaken,
    #[error("{0} operations are under way on this stream, which is the most: reserve another")]
    TooManyOperations(usize),
    #[error("Last-Event-ID is not the id of an event of this stream")]
    UnknownEvent,
    #[error(
        "the events after this one are not kept any more: reserve another stream, and resume each subscription from its last position"
    )]
    EventsGone,
}

impl StreamRefusal {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Open | Self::IdTaken => StatusCode::CONFLICT,
            Self::TooManyOperations(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::UnknownEvent => StatusCode::BAD_REQUEST,
            Self::EventsGone => StatusCode::GONE,
        }
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::Open => "STREAM_OPEN",
            Self::IdTaken => "OPERATION_EXISTS",
            Self::TooManyOperations(_) => "TOO_MANY_OPERATIONS",
            Self::UnknownEvent => "BAD_USER_INPUT",
            Self::EventsGone => "EVENTS_GONE",
        }
    }
}

/// A reserved stream.
#[derive(Debug, Default)]
pub(super) struct Reservation {
    /// Who reserved it.
    whose: Option<(TenantId, Actor)>,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// Events by number, without a gap: those that may have been lost, then those that wait.
    events: VecDeque<Bytes>,
    /// Number of the first of them.
    first: u64,
    /// Number of the first that waits.
    waiting: u64,
    /// How often the stream was opened: an older connection gets nothing more.
    opened: u64,
    is_open: bool,
    operations: HashMap<String, AbortHandle>,
    closed: bool,
}

impl Inner {
    /// Number of the next event.
    fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    fn is_full(&self) -> bool {
        let waiting = self.next() - self.waiting;
        let bytes = |waiting: u64| -> usize {
            let sent = self.events.len().saturating_sub(usize::try_from(waiting).unwrap_or(usize::MAX));
            self.events.iter().skip(sent).map(Bytes::len).sum()
        };
        waiting >= WAITING_EVENTS_MAX || (waiting > 0 && bytes(waiting) >= EVENTS_BYTES_MAX)
    }

    /// Forgets the oldest of the events that were sent.
    fn forget(&mut self) {
        let mut bytes: usize = self.events.iter().map(Bytes::len).sum();
        while self.first < self.waiting {
            let sent = usize::try_from(self.waiting - self.first).unwrap_or(usize::MAX);
            if sent <= SENT_EVENTS_MAX && bytes <= EVENTS_BYTES_MAX {
                break;
            }
            bytes -= self.events.pop_front().map_or(0, |event| event.len());
            self.first += 1;
        }
    }
}

impl Reservation {
    /// One that this principal reserves.
    pub fn of(principal: &Principal) -> Self {
        Self { whose: Some((principal.tenant, principal.actor.clone())), ..Self::default() }
    }

    /// Whether this principal reserved it.
    pub fn is_of(&self, principal: &Principal) -> bool {
        self.whose.as_ref().is_some_and(|(tenant, actor)| (tenant, actor) == (&principal.tenant, &principal.actor))
    }

    /// Opens it, after the event that the client had last. Answers the number of the connection.
    pub fn connect(&self, last_event_id: Option<&str>) -> Result<u64, StreamRefusal> {
        let mut inner = self.inner();
        if inner.is_open {
            return Err(StreamRefusal::Open);
        }
        if let Some(id) = last_event_id {
            let number: u64 = id
                .rsplit('-')
                .next()
                .and_then(|number| number.parse().ok())
                .filter(|number| *number < inner.waiting)
                .ok_or(StreamRefusal::UnknownEvent)?;
            if number + 1 < inner.first {
                return Err(StreamRefusal::EventsGone);
            }
            inner.waiting = number + 1;
        }
        inner.is_open = true;
        inner.opened += 1;
        let number = inner.opened;
        drop(inner);
        self.changed.notify_waiters();
        Ok(number)
    }

    /// Takes an id for an operation.
    pub fn register(&self, id: &str, operations_max: usize) -> Result<AbortRegistration, StreamRefusal> {
        let mut inner = self.inner();
        if inner.operations.contains_key(id) {
            return Err(StreamRefusal::IdTaken);
        }
        if inner.operations.len() >= operations_max {
            return Err(StreamRefusal::TooManyOperations(operations_max));
        }
        let (handle, registration) = AbortHandle::new_pair();
        if inner.closed {
            handle.abort();
        }
        inner.operations.insert(id.to_owned(), handle);
        Ok(registration)
    }

    /// Stops an operation. One that is not under way has ended by itself.
    pub fn stop(&self, id: &str) {
        if let Some(operation) = self.inner().operations.remove(id) {
            operation.abort();
        }
    }

    /// Stops every operation, and lets the connection go.
    pub fn close(&self) {
        let mut inner = self.inner();
        inner.closed = true;
        inner.operations.drain().for_each(|(_, operation)| operation.abort());
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Resolves once nobody has had it open for `time`.
    pub async fn abandoned(&self, time: Duration) {
        loop {
            self.until(|inner| !inner.is_open).await;
            if tokio::time::timeout(time, self.until(|inner| inner.is_open)).await.is_err() {
                return;
            }
        }
    }

    /// Puts an event on the stream, once there is room. `event` gets its number.
    async fn put(&self, event: impl FnOnce(u64) -> String) {
        loop {
            self.until(|inner| inner.closed || !inner.is_full()).await;
            let mut inner = self.inner();
            if inner.closed {
                return;
            }
            // Another operation may have been quicker.
            if inner.is_full() {
                continue;
            }
            let text = event(inner.next());
            inner.events.push_back(Bytes::from(text));
            drop(inner);
            self.changed.notify_waiters();
            return;
        }
    }

    /// The next event for a connection; `None` when it is to end.
    async fn take(&self, connection: u64) -> Option<Bytes> {
        let waits = |inner: &Inner| inner.closed || inner.opened != connection || inner.waiting < inner.next();
        self.until(waits).await;
        let mut inner = self.inner();
        if inner.closed || inner.opened != connection {
            return None;
        }
        let place = usize::try_from(inner.waiting - inner.first).unwrap_or(usize::MAX);
        let event = inner.events.get(place).cloned()?;
        inner.waiting += 1;
        inner.forget();
        drop(inner);
        self.changed.notify_waiters();
        Some(event)
    }

    async fn until(&self, holds: impl Fn(&Inner) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if holds(&self.inner()) {
                return;
            }
            changed.await;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change of it leaves it whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection of a stream. Dropping it lets the stream be opened again.
pub(super) struct Connected {
    reservation: Arc<Reservation>,
    number: u64,
}

impl Connected {
    pub fn new(reservation: Arc<Reservation>, number: u64) -> Self {
        Self { reservation, number }
    }

    pub async fn next(self) -> Option<(Bytes, Self)> {
        let event = match tokio::time::timeout(KEEP_ALIVE, self.reservation.take(self.number)).await {
            Err(_) => Bytes::from_static(KEPT_ALIVE.as_bytes()),
            Ok(event) => event?,
        };
        Some((event, self))
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut inner = self.reservation.inner();
        if inner.opened == self.number {
            inner.is_open = false;
        }
        drop(inner);
        self.reservation.changed.notify_waiters();
    }
}

#[derive(Serialize)]
struct Next<'a> {
    id: &'a str,
    payload: &'a Answer,
}

#[derive(Serialize)]
struct Complete<'a> {
    id: &'a str,
}

/// Runs an operation, and puts its answers on the stream.
pub(super) async fn run(
    reservation: Arc<Reservation>,
    id: String,
    schema: ApiSchema,
    (request, progress): (Request, Arc<Progress>),
) {
    let mut responses = schema.execute_stream(request);
    while let Some(response) = responses.next().await {
        let position = progress.position().map_or(0, |position| position.0);
        let data = written(&Next { id: &id, payload: &Answer::from(response) });
        reservation.put(|number| format!("event: next\nid: {position}-{number}\ndata: {data}\n\n")).await;
    }
    let data = written(&Complete { id: &id });
    reservation.inner().operations.remove(&id);
    let position = progress.position().map_or(0, |position| position.0);
    reservation.put(|number| format!("event: complete\nid: {position}-{number}\ndata: {data}\n\n")).await;
}

fn written(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap_or_else(|error| {
        tracing::error!(error = %error, "an event could not be written");
        "{}".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn taken(reservation: &Reservation, connection: u64) -> String {
        let event = tokio::time::timeout(Duration::from_secs(5), reservation.take(connection)).await.unwrap().unwrap();
        String::from_utf8(event.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_lost_connection_goes_on_after_the_last_event_once() {
        let reservation = Reservation::default();
        for index in 0..4 {
            reservation.put(|number| format!("{index}/{number}")).await;
        }
        let first = reservation.connect(None).unwrap();
        assert_eq!(reservation.connect(None), Err(StreamRefusal::Open));
        for index in 0..3 {
            assert_eq!(taken(&reservation, first).await, format!("{index}/{index}"));
        }
        let lost = Connected { reservation: Arc::new(reservation), number: first };
        let reservation = Arc::clone(&lost.reservation);
        drop(lost);
        let second = reservation.connect(Some("9000-0")).unwrap();
        for index in 1..4 {
            assert_eq!(taken(&reservation, second).await, format!("{index}/{index}"));
        }
        assert_eq!(reservation.take(first).await, None, "the older connection gets nothing");
    }

    #[tokio::test]
    async fn what_is_not_kept_any_more_is_refused() {
        let reservation = Reservation::default();
        let connection = reservation.connect(None).unwrap();
        for _ in 0..(SENT_EVENTS_MAX + 10) {
            reservation.put(|number| number.to_string()).await;
            taken(&reservation, connection).await;
        }
        reservation.inner().is_open = false;
        assert_eq!(reservation.connect(Some("1-5")), Err(StreamRefusal::EventsGone));
        assert_eq!(reservation.connect(Some("1-99999")), Err(StreamRefusal::UnknownEvent));
        assert_eq!(reservation.connect(Some("x")), Err(StreamRefusal::UnknownEvent));
        let oldest = format!("1-{}", 9);
        assert!(reservation.connect(Some(&oldest)).is_ok());
    }

    #[tokio::test]
    async fn an_operation_waits_while_the_stream_is_full() {
        let reservation = Reservation::default();
        for _ in 0..WAITING_EVENTS_MAX {
            reservation.put(|number| number.to_string()).await;
        }
        let more = reservation.put(|number| number.to_string());
        tokio::pin!(more);
        assert!(futures::poll!(&mut more).is_pending());
        let connection = reservation.connect(None).unwrap();
        assert_eq!(taken(&reservation, connection).await, "0");
        more.await;
        assert_eq!(reservation.inner().next(), WAITING_EVENTS_MAX + 1);
    }

    #[tokio::test]
    async fn a_stream_that_nobody_opens_is_given_up() {
        let reservation = Reservation::default();
        reservation.abandoned(Duration::from_millis(1)).await;
        let connection = reservation.connect(None).unwrap();
        let waiting = reservation.abandoned(Duration::from_millis(1));
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        reservation.close();
        assert_eq!(reservation.take(connection).await, None);
    }
}
