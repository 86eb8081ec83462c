//! Instances that come and go, and the end.

use std::time::Duration;

use timeloom_inference::pool::{Ask, Closed, NotComputed, Policy, Reason};

use crate::support::{Turn, assert_computed, house, rows, wind};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn another_instance_comes_when_the_wait_lasts_and_goes_when_it_idles() {
    // The time is wound faster than threads start, so that callers have to be very patient.
    let wait_max = Duration::from_secs(86_400);
    let policy =
        Policy { instances_max: 2, grow_after: MS * 100, idle_after: MS * 10_000, wait_max, ..Policy::default() };
    let house = house(policy).await;
    house.stage.close();
    let first = house.pool.admit(rows(&[1.0]), Ask::default()).unwrap();
    house.stage.wait_for_runs(1);
    let second = house.pool.admit(rows(&[2.0]), Ask::default()).unwrap();
    while house.pool.counts().instances < 2 {
        house.clock.advance(MS * 25);
        tokio::task::yield_now().await;
    }
    // The first still stands at the gate: only the new one can have begun the second.
    house.stage.wait_for_runs(2);
    house.stage.open();
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!((first.instance, second.instance), (1, 2));
    house.until(|counts| counts.running == 0).await;
    while house.pool.counts().instances > 1 {
        house.clock.advance(MS * 10_000);
        tokio::task::yield_now().await;
    }
    assert_computed(&house.pool.infer(rows(&[3.0]), Ask::default()).await.unwrap(), &[3.0]);
}

#[tokio::test]
async fn closing_computes_who_is_there_and_lets_nobody_in() {
    let house = house(Policy { batch_rows_max: 1, ..Policy::default() }).await;
    house.stage.close();
    let pending: Vec<_> =
        (0..5_u8).map(|number| house.pool.admit(rows(&[f32::from(number)]), Ask::default()).unwrap()).collect();
    house.stage.wait_for_runs(1);
    house.pool.begin_close(MS * 1000);
    assert_eq!(house.pool.infer(rows(&[9.0]), Ask::default()).await, Err(NotComputed::Unloaded));
    house.stage.open();
    for (number, pending) in pending.into_iter().enumerate() {
        assert_computed(&pending.await.unwrap(), &[number as f32]);
    }
    assert_eq!(house.pool.close(MS * 1000).await, Closed { stuck: 0 });
    assert!(!house.pool.is_ready());
}

#[tokio::test]
async fn when_the_time_for_closing_is_up_runs_are_stopped_and_who_waits_is_told() {
    let house = house(Policy::default()).await;
    house.stage.plan([Turn::WaitsForStop]);
    let runs = house.pool.admit(rows(&[1.0]), Ask::default()).unwrap();
    house.begun(1).await;
    let waits = house.pool.admit(rows(&[2.0]), Ask::default()).unwrap();
    house.pool.begin_close(MS * 1000);
    house.clock.advance(MS * 1000);
    assert_eq!(waits.await, Err(NotComputed::Unloaded));
    assert_eq!(runs.await, Err(NotComputed::Unloaded));
    assert_eq!(house.pool.close(MS).await, Closed { stuck: 0 });
    assert_eq!(house.pool.counts().failed(Reason::Unloaded), 2);
}

#[tokio::test]
async fn a_run_that_does_not_stop_does_not_keep_the_pool_from_ending() {
    let house = house(Policy::default()).await;
    house.stage.close();
    let stuck = house.pool.admit(rows(&[1.0]), Ask::default()).unwrap();
    house.stage.wait_for_runs(1);
    house.pool.begin_close(Duration::ZERO);
    let closed = tokio::select! {
        closed = house.pool.close(MS) => closed,
        () = wind(&house.clock, MS * 1000) => unreachable!("it is wound for ever"),
    };
    assert_eq!(closed, Closed { stuck: 1 });
    house.stage.open();
    assert_computed(&stuck.await.unwrap(), &[1.0]);
}

#[tokio::test]
async fn dropping_the_pool_tells_who_waits() {
    let house = house(Policy::default()).await;
    house.stage.close();
    let runs = house.pool.admit(rows(&[1.0]), Ask::default()).unwrap();
    house.stage.wait_for_runs(1);
    let waits = house.pool.admit(rows(&[2.0]), Ask::default()).unwrap();
    drop(house.pool);
    house.clock.advance(MS);
    assert_eq!(waits.await, Err(NotComputed::Unloaded));
    house.stage.open();
    // Its run had begun when the pool went, and did not look whether it was to stop.
    assert_computed(&runs.await.unwrap(), &[1.0]);
}
