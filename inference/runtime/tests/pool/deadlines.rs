//! Deadlines, and callers who go away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use timeloom_inference::pool::{Ask, NotComputed, Policy, Priority, Reason};

use crate::support::{Turn, assert_computed, house, rows};

const SECOND: Duration = Duration::from_secs(1);

fn within(time: Duration) -> Ask {
    Ask { priority: Priority::Standard, within: Some(time) }
}

#[tokio::test]
async fn who_waits_past_the_deadline_is_told_at_it_and_never_computed() {
    let house = house(Policy::default()).await;
    house.stage.close();
    let first = house.pool.admit(rows(&[1.0]), within(SECOND * 10)).unwrap();
    house.stage.wait_for_runs(1);
    let waits = house.pool.admit(rows(&[2.0]), within(SECOND)).unwrap();
    let patient = house.pool.admit(rows(&[3.0]), within(SECOND * 10)).unwrap();
    house.clock.advance(SECOND);
    // The only instance stands at the gate all the time.
    assert_eq!(waits.await, Err(NotComputed::DeadlineMissed));
    house.stage.open();
    assert_computed(&first.await.unwrap(), &[1.0]);
    assert_computed(&patient.await.unwrap(), &[3.0]);
    assert_eq!(house.stage.batches(), [vec![1.0], vec![3.0]]);
    assert_eq!(house.pool.counts().failed(Reason::DeadlineMissed), 1);
}

#[tokio::test]
async fn who_says_nothing_has_the_longest_wait_of_the_policy_and_nobody_has_more() {
    let house = house(Policy { wait_max: SECOND * 2, ..Policy::default() }).await;
    house.stage.close();
    let first = house.pool.admit(rows(&[1.0]), within(SECOND)).unwrap();
    house.stage.wait_for_runs(1);
    let silent = house.pool.admit(rows(&[2.0]), Ask::default()).unwrap();
    let greedy = house.pool.admit(rows(&[3.0]), within(SECOND * 1000)).unwrap();
    house.clock.advance(SECOND * 2);
    assert_eq!(silent.await, Err(NotComputed::DeadlineMissed));
    assert_eq!(greedy.await, Err(NotComputed::DeadlineMissed));
    house.stage.open();
    let late = first.await.unwrap();
    assert_computed(&late, &[1.0]);
    assert_eq!(house.pool.counts().late, 1, "what was begun in time is answered, and counted as late");
}

#[tokio::test]
async fn a_run_that_outlasts_the_deadlines_of_all_is_told_to_stop() {
    let house = house(Policy::default()).await;
    house.stage.plan([Turn::WaitsForStop]);
    let stuck = house.pool.admit(rows(&[1.0]), within(SECOND)).unwrap();
    house.begun(1).await;
    house.clock.advance(SECOND);
    assert_eq!(stuck.await, Err(NotComputed::DeadlineMissed));
    let next = house.pool.infer(rows(&[2.0]), within(SECOND)).await.unwrap();
    assert_computed(&next, &[2.0]);
}

#[tokio::test]
async fn who_goes_away_while_waiting_is_not_computed() {
    let house = house(Policy::default()).await;
    house.stage.close();
    let first = house.pool.admit(rows(&[1.0]), Ask::default()).unwrap();
    house.stage.wait_for_runs(1);
    drop(house.pool.admit(rows(&[2.0]), Ask::default()).unwrap());
    let counts = house.pool.counts();
    assert_eq!((counts.pending, counts.pending_bytes, counts.failed(Reason::Cancelled)), (0, 0, 1));
    house.stage.open();
    first.await.unwrap();
    assert_eq!(house.stage.batches(), [vec![1.0]]);
}

#[tokio::test]
async fn a_run_for_one_who_goes_away_is_stopped() {
    let house = house(Policy::default()).await;
    house.stage.plan([Turn::WaitsForStop]);
    let alone = house.pool.admit(rows(&[1.0]), Ask::default()).unwrap();
    house.begun(1).await;
    drop(alone);
    // The run ends by nothing but being stopped, so that the next one shows that it was.
    assert_computed(&house.pool.infer(rows(&[2.0]), Ask::default()).await.unwrap(), &[2.0]);
    let counts = house.pool.counts();
    assert_eq!((counts.ok, counts.failed(Reason::Cancelled), counts.failed_all()), (1, 1, 1));
}

#[tokio::test]
async fn who_goes_away_from_a_batch_takes_nothing_from_the_others() {
    let house = house(Policy::default()).await;
    house.stage.close();
    let first = house.pool.admit(rows(&[0.0]), Ask::default()).unwrap();
    house.stage.wait_for_runs(1);
    let goes = house.pool.admit(rows(&[1.0]), Ask::default()).unwrap();
    let stays = house.pool.admit(rows(&[2.0]), Ask::default()).unwrap();
    // Both fly once the first has landed and the gate stops them again.
    house.stage.open();
    first.await.unwrap();
    drop(goes);
    assert_computed(&stays.await.unwrap(), &[2.0]);
    let counts = house.pool.counts();
    assert_eq!(counts.ok + counts.failed(Reason::Cancelled), 3);
    assert!(house.stage.begun.load(Ordering::SeqCst) >= 2);
}
