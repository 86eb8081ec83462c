//! What holds whatever fails.

use std::future::Future;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Fresh;
use super::faulty::{Fault, FaultRates, FaultyLog};
use super::fixtures::{append_to, everything, stream};
use super::seeds::{TellSeed, seeds};
use super::simulation::Simulation;
use crate::envelope::Position;
use crate::log::{Append, AppendError, Direction, EventLog, Expected, Filter, SubscriptionMessage, TenantScope};

/// Seeds that are run every time.
const FIXED_SEEDS: u64 = 12;
const WRITERS: usize = 16;
const COMMANDS_PER_WRITER: usize = 12;
const EVENTS_PER_COMMAND: usize = 2;
const EVENTS: u64 = (WRITERS * COMMANDS_PER_WRITER * EVENTS_PER_COMMAND) as u64;

/// Whatever fails, every command is in the log once and where its writer was told, every read is right, and every
/// subscriber that resumes from where it was sees each event once. A failing seed is printed and can be run again.
pub async fn seeded_faults_leave_every_command_once<F, Made>(fresh: F)
where
    F: Fn() -> Made,
    Made: Future<Output = Fresh>,
{
    let seeds = seeds(FIXED_SEEDS);
    let mut happened = [0; Fault::ALL.len()];
    let (mut can_reopen, mut restarts) = (false, 0);
    for seed in &seeds {
        let _tell = TellSeed(*seed);
        let fresh = fresh().await;
        can_reopen = fresh.reopen.is_some();
        let mut simulation = Simulation::new(fresh, *seed);
        simulation.run().await;
        for (count, fault) in happened.iter_mut().zip(Fault::ALL) {
            *count += simulation.happened(fault);
        }
        restarts += simulation.restarts;
        simulation.finish().await;
    }
    if seeds.len() > 1 {
        for (count, fault) in happened.into_iter().zip(Fault::ALL) {
            assert!(count > 0, "{fault:?} never happened");
        }
        assert_eq!(restarts > 0, can_reopen, "opened again {restarts} times");
    }
}

/// An answer that got lost is found out by sending the command again, whatever the stream looks like by then.
pub async fn a_lost_answer_is_found_by_sending_the_command_again(fresh: Fresh) {
    let rates = FaultRates::none().with(Fault::LostAnswer, 1_000);
    let faulty = FaultyLog::new(Arc::clone(&fresh.log), 1, rates);
    let append = append_to(&stream("a"), Expected::NoStream, 3);
    let lost = faulty.append(append.clone()).await;
    assert!(matches!(lost, Err(AppendError::Log(_))), "{lost:?}");
    fresh.log.append(append_to(&stream("a"), Expected::Exists, 2)).await.unwrap();

    faulty.set_rates(FaultRates::none().with(Fault::TwiceDelivered, 1_000));
    let answer = faulty.append(append).await.unwrap();
    assert!(answer.repeated);
    assert_eq!((answer.position, fresh.log.head()), (Position(3), Position(5)));
}

/// Many writers and readers at the same time over a log that fails: the same, in any order.
pub async fn many_writers_get_every_command_through_once(fresh: Fresh) {
    let seed = *seeds(0).first().unwrap();
    let _tell = TellSeed(seed);
    let faulty = FaultyLog::new(Arc::clone(&fresh.log), seed, FaultRates::usual());
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let faulty = Arc::clone(&faulty);
        writers.spawn(async move {
            let mut told = Vec::new();
            for number in 0..COMMANDS_PER_WRITER {
                let stream = stream(&format!("s{}", (writer + number) % 5));
                told.push(get_through(&faulty, append_to(&stream, Expected::Any, EVENTS_PER_COMMAND)).await);
            }
            told
        });
    }
    let mut readers = JoinSet::new();
    for _ in 0..4 {
        readers.spawn(see_everything(Arc::clone(&faulty)));
    }
    let told: Vec<(Append, Position)> = writers.join_all().await.into_iter().flatten().collect();
    readers.join_all().await;
    faulty.deliver_late().await;
    let log = &*fresh.log;
    let all = log.read_all(TenantScope::All, Position(0), Direction::Forward, &Filter::default(), 1_000).await.unwrap();
    assert_eq!((all.len() as u64, log.head()), (EVENTS, Position(EVENTS)));
    for (append, position) in told {
        let last = usize::try_from(position.0).unwrap() - 1;
        let events = &all[last + 1 - append.events.len()..=last];
        assert!(events.iter().zip(&append.events).all(|(recorded, sent)| recorded.id == sent.id));
    }
}

async fn get_through(log: &FaultyLog, append: Append) -> (Append, Position) {
    loop {
        match log.append(append.clone()).await {
            Ok(appended) => return (append, appended.position),
            Err(AppendError::Unavailable { .. } | AppendError::Log(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}

async fn see_everything(log: Arc<FaultyLog>) {
    let mut known = Position::START;
    while known.0 < EVENTS {
        let mut subscription = everything(&*log, known, 32);
        while known.0 < EVENTS {
            match subscription.next().await {
                Some(SubscriptionMessage::Event(event)) => {
                    assert_eq!(event.position.0, known.0 + 1);
                    known = event.position;
                }
                Some(SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position)) => {
                    assert!(position <= known);
                }
                Some(SubscriptionMessage::FellBehind(position)) => {
                    assert_eq!(position, known);
                    break;
                }
                Some(SubscriptionMessage::Failed(_)) | None => break,
            }
        }
    }
}
