//! Places among the executions under way, for those who wait for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timeloom_domain::execution::ExecutionEvent;
use timeloom_store::{RecordedEvent, codec};
use tokio::sync::oneshot;

use crate::admission::{Admission, Limits, PlaceRequest, Ticket};
use crate::lane::Lane;
use crate::restore;
use crate::runner::Inner;

/// All places of a process. A copy is another handle to the same.
#[derive(Clone)]
pub(crate) struct Places(Arc<Mutex<Queue>>);

struct Queue {
    admission: Admission,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
}

/// A place, or a place in the queue for one; given up when it is dropped.
pub(crate) struct Place {
    places: Places,
    ticket: Ticket,
}

impl Places {
    pub(crate) fn new(limits: Limits) -> Self {
        let queue = Queue { admission: Admission::new(limits), waiting: HashMap::new() };
        Self(Arc::new(Mutex::new(queue)))
    }

    /// Waits for a place. Dropped before that, it leaves the queue.
    pub(crate) async fn take(&self, request: PlaceRequest) -> Place {
        let (told, admitted) = oneshot::channel();
        let place = {
            let mut queue = self.lock();
            let ticket = queue.admission.ask(request);
            queue.waiting.insert(ticket, told);
            queue.admit();
            Place { places: self.clone(), ticket }
        };
        // The sender is dropped by the place alone, which is here.
        let _ = admitted.await;
        place
    }

    /// How many wait for a place.
    pub(crate) fn waiting_count(&self) -> usize {
        self.lock().admission.waiting_count()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn admit(&mut self) {
        for ticket in self.admission.admit() {
            if let Some(told) = self.waiting.remove(&ticket) {
                // Whoever stopped waiting gives the place back when it is dropped.
                let _ = told.send(());
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = self.places.lock();
        queue.waiting.remove(&self.ticket);
        queue.admission.leave(self.ticket);
        queue.admit();
    }
}

/// As what an execution stands in the queue, whose stream begins with `started`.
pub(crate) async fn request_of(inner: &Inner, started: &RecordedEvent) -> PlaceRequest {
    let Lane { name, priority, .. } = Lane::of(started);
    let lane = match name {
        Some(name) => concurrency_max(inner, started).await.map(|limit| (name, limit)),
        None => None,
    };
    PlaceRequest { tenant: started.stream.tenant, lane, priority, order: started.position.0 }
}

/// How many executions of the workflow may run at once. A plan that cannot be made is a failure that comes up later.
async fn concurrency_max(inner: &Inner, started: &RecordedEvent) -> Option<usize> {
    let event = codec::decode::<ExecutionEvent>(started).ok()?;
    let start = match &event {
        ExecutionEvent::ExecutionStarted(start) => start,
        ExecutionEvent::ExecutionContinued(continuation) => &continuation.start,
        ExecutionEvent::ExecutionRetried(retry) => &retry.start,
        ExecutionEvent::ExecutionForked(fork) => &fork.start,
        _ => return None,
    };
    let plan = restore::plan(inner, &started.stream, start).await.ok()?;
    // A limit of none would be for ever.
    Some(usize::try_from(plan.definition.settings.concurrency?).unwrap_or(usize::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use timeloom_domain::ids::TenantId;

    use super::*;

    fn request(order: u64) -> PlaceRequest {
        PlaceRequest { tenant: TenantId(1), lane: None, priority: 0, order }
    }

    #[tokio::test]
    async fn a_place_that_is_given_up_is_the_next_one_s_and_who_stops_waiting_is_passed_over() {
        let places = Places::new(Limits { process: 1, tenant: 1 });
        let first = places.take(request(1)).await;
        let (mut second, mut third) = (Box::pin(places.take(request(2))), Box::pin(places.take(request(3))));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        assert_eq!(places.waiting_count(), 2);
        drop(second);
        drop(first);
        let third = third.await;
        assert_eq!(places.waiting_count(), 0);
        drop(third);
        assert!(places.take(request(4)).now_or_never().is_some());
    }
}
