//! Whoever is answered is in the log, once and in order, whatever happens to appends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use timeloom_commands::Ids;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Actor, InferenceId, InferenceWorkerId, TenantId};
use timeloom_domain::inference::InferenceEvent;
use timeloom_inference_worker::{Cause, NotRecorded, Recorder};
use timeloom_store::conformance::{Fault, FaultRates, FaultyLog};
use timeloom_store::{Direction, EventLog, MemoryLog, READ_EVENTS_MAX, Revision, StreamKey, SystemClock, codec};
use uuid::Uuid;

const WORKER: InferenceWorkerId = InferenceWorkerId(Uuid::from_u128(7));

/// Ids that count.
#[derive(Default)]
struct Counted(AtomicU64);

impl Ids for Counted {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(1_000_000 + u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }

    fn seed(&self) -> u64 {
        0
    }
}

fn cause(tenant: u32) -> Cause {
    Cause { tenant: TenantId(tenant), actor: Actor::System("inference".to_owned()), causation: None, correlation: None }
}

fn event(number: u128) -> InferenceEvent {
    InferenceEvent::InferenceStarted { inference: InferenceId(Uuid::from_u128(number)), queue_us: 1 }
}

fn number(event: &InferenceEvent) -> u128 {
    match event {
        InferenceEvent::InferenceStarted { inference, .. } => inference.0.as_u128(),
        other => panic!("{other:?}"),
    }
}

/// What is in the log, for a tenant: the number of each event, and how many commands brought them.
async fn recorded(log: &dyn EventLog, tenant: u32) -> (Vec<u128>, usize) {
    let stream = StreamKey::new(TenantId(tenant), InferenceEvent::CATEGORY, WORKER.to_string());
    let (mut numbers, mut commands, mut after) = (Vec::new(), BTreeMap::new(), Revision(0));
    loop {
        let page = log.read_stream(&stream, after, Direction::Forward, READ_EVENTS_MAX).await.unwrap();
        for event in &page {
            numbers.push(number(&codec::decode(event).unwrap()));
            commands.insert(event.metadata.command_id, ());
            after = event.revision;
        }
        if page.len() < READ_EVENTS_MAX {
            return (numbers, commands.len());
        }
    }
}

#[tokio::test]
async fn callers_share_appends_and_each_is_answered_when_its_events_are_in_the_log() {
    let log = MemoryLog::new(Arc::new(SystemClock));
    let recorder = Recorder::new(Arc::clone(&log) as _, Arc::new(Counted::default()), WORKER);
    let answered = Arc::new(AtomicU64::new(0));
    let calls = (0..5_000_u128).map(|caller| {
        let (recorder, log, answered) = (recorder.clone(), Arc::clone(&log), Arc::clone(&answered));
        async move {
            let tenant = u32::try_from(caller % 2).unwrap();
            recorder.record(cause(tenant), &[event(caller * 2), event(caller * 2 + 1)]).await.unwrap();
            // What was answered is in the log already.
            let events = answered.fetch_add(2, Ordering::Relaxed) + 2;
            assert!(log.head().0 >= events, "{events} events were answered, the log has {}", log.head());
        }
    });
    futures::future::join_all(calls).await;
    let ((first, commands), (second, _)) = (recorded(&*log, 0).await, recorded(&*log, 1).await);
    assert_eq!(
        first,
        (0..5_000).filter(|caller| caller % 2 == 0).flat_map(|caller| [caller * 2, caller * 2 + 1]).collect::<Vec<_>>()
    );
    assert_eq!(second.len(), 5_000);
    assert!(commands <= 2_500, "{commands} appends");
    recorder.close().await;
}

#[tokio::test]
async fn callers_of_one_tenant_share_an_append_where_they_wait() {
    let log = MemoryLog::new(Arc::new(SystemClock));
    let recorder = Recorder::new(Arc::clone(&log) as _, Arc::new(Counted::default()), WORKER);
    let calls = (0..2_000_u128).map(|caller| {
        let recorder = recorder.clone();
        async move { recorder.record(cause(0), &[event(caller)]).await.unwrap() }
    });
    futures::future::join_all(calls).await;
    let (numbers, commands) = recorded(&*log, 0).await;
    assert_eq!(numbers, (0..2_000).collect::<Vec<_>>());
    assert!(commands <= 20, "{commands} appends for callers who all waited");
    recorder.close().await;
}

#[tokio::test]
async fn what_was_noted_is_in_the_log_after_closing_and_nothing_is_taken_then() {
    let log = MemoryLog::new(Arc::new(SystemClock));
    let recorder = Recorder::new(Arc::clone(&log) as _, Arc::new(Counted::default()), WORKER);
    for number in 0..3_000 {
        recorder.note(cause(0), &[event(number)]).unwrap();
    }
    recorder.close().await;
    assert_eq!(recorded(&*log, 0).await.0, (0..3_000).collect::<Vec<_>>());
    assert_eq!(recorder.note(cause(0), &[event(1)]), Err(NotRecorded::Closed));
    assert_eq!(recorder.record(cause(0), &[event(1)]).await, Err(NotRecorded::Closed));
}

#[tokio::test]
async fn too_much_that_waits_is_refused_and_nothing_of_it_is_written() {
    let log = MemoryLog::new(Arc::new(SystemClock));
    let recorder = Recorder::new(Arc::clone(&log) as _, Arc::new(Counted::default()), WORKER);
    // Nothing is written before this task waits for something.
    let taken = (0..20_000).take_while(|number| recorder.note(cause(0), &[event(*number)]).is_ok()).count();
    assert_eq!(taken, 16_384);
    assert_eq!(recorder.note(cause(0), &[event(1)]), Err(NotRecorded::Behind));
    recorder.close().await;
    assert_eq!(recorded(&*log, 0).await.0.len(), taken);
}

#[tokio::test]
async fn an_append_whose_answer_is_lost_or_that_comes_late_is_in_the_log_once() {
    for seed in 0..8 {
        let inner = MemoryLog::new(Arc::new(SystemClock));
        let rates = FaultRates::none()
            .with(Fault::Delay, 200)
            .with(Fault::Unavailable, 200)
            .with(Fault::LostAnswer, 250)
            .with(Fault::LateRequest, 150)
            .with(Fault::TwiceDelivered, 150);
        let log = FaultyLog::new(Arc::clone(&inner) as _, seed, rates);
        let recorder = Recorder::new(Arc::clone(&log) as _, Arc::new(Counted::default()), WORKER);
        let mut answered = Vec::new();
        for number in 0..20 {
            if recorder.record(cause(0), &[event(number)]).await.is_ok() {
                answered.push(number);
            }
        }
        recorder.close().await;
        log.deliver_late().await;
        let (mut numbers, _) = recorded(&*inner, 0).await;
        for number in &answered {
            assert_eq!(
                numbers.iter().filter(|known| *known == number).count(),
                1,
                "seed {seed}: {number} in {numbers:?}"
            );
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert!(answered.len() >= 10, "seed {seed}: only {answered:?} were answered");
    }
}

#[tokio::test]
async fn a_log_that_fails_answers_nobody_as_if_it_had_not() {
    let inner = MemoryLog::new(Arc::new(SystemClock));
    let log = FaultyLog::new(inner, 1, FaultRates::none().with(Fault::LateRequest, 1_000));
    let recorder = Recorder::new(Arc::clone(&log) as _, Arc::new(Counted::default()), WORKER);
    let calls = (0..3).map(|number| {
        let recorder = recorder.clone();
        async move { recorder.record(cause(0), &[event(number)]).await }
    });
    for outcome in futures::future::join_all(calls).await {
        assert!(matches!(outcome, Err(NotRecorded::Failed(_))), "{outcome:?}");
    }
    recorder.close().await;
}
