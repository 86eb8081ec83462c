//! What is computed together, and that everybody gets what is theirs.

use std::sync::Arc;

use tokio::task::JoinSet;

use timeloom_domain::inference::Provider;
use timeloom_inference::pool::{Ask, NotComputed, Policy, Priority, Reason};

use crate::support::{assert_computed, count_wakes, house, rows};

#[tokio::test]
async fn who_asks_alone_is_computed_at_once_and_told_how_it_was() {
    let house = house(Policy::default()).await;
    let answer = house.pool.infer(rows(&[1.0, 2.0, 3.0]), Ask::default()).await.unwrap();
    assert_computed(&answer, &[1.0, 2.0, 3.0]);
    assert_eq!((answer.batch_rows, answer.bucket, answer.provider, answer.instance), (3, 4, Provider::Cpu, 1));
    let counts = house.pool.counts();
    assert_eq!((counts.ok, counts.inferences, counts.executions, counts.padding_rows), (1, 3, 1, 1));
    assert_eq!((counts.batch_rows.count(), counts.batch_rows.sum()), (1, 3));
}

#[tokio::test]
async fn who_comes_while_it_computes_is_computed_together_and_each_gets_their_own() {
    let house = house(Policy::default()).await;
    house.stage.close();
    let first = house.pool.admit(rows(&[100.0]), Ask::default()).unwrap();
    house.stage.wait_for_runs(1);
    let asks: Vec<Vec<f32>> =
        (0..10_u8).map(|ask| (0..=ask % 3).map(|row| f32::from(ask * 10 + row)).collect()).collect();
    let pending: Vec<_> = asks.iter().map(|firsts| house.pool.admit(rows(firsts), Ask::default()).unwrap()).collect();
    house.stage.open();
    assert_computed(&first.await.unwrap(), &[100.0]);
    for (pending, firsts) in pending.into_iter().zip(&asks) {
        let answer = pending.await.unwrap();
        assert_computed(&answer, firsts);
        assert_eq!(answer.batch_rows, 19);
    }
    assert_eq!(house.pool.counts().executions, 2);
}

#[tokio::test]
async fn a_higher_priority_is_computed_before_those_who_came_first() {
    let house = house(Policy { batch_rows_max: 2, ..Policy::default() }).await;
    house.stage.close();
    let mut pending = vec![house.pool.admit(rows(&[0.0]), Ask::default()).unwrap()];
    house.stage.wait_for_runs(1);
    for (first, priority) in [
        (1.0, Priority::Shadow),
        (2.0, Priority::Bulk),
        (3.0, Priority::Standard),
        (4.0, Priority::Interactive),
        (5.0, Priority::Standard),
    ] {
        pending.push(house.pool.admit(rows(&[first]), Ask { priority, within: None }).unwrap());
    }
    house.stage.open();
    for pending in pending {
        pending.await.unwrap();
    }
    assert_eq!(house.stage.batches(), [vec![0.0], vec![4.0, 3.0], vec![5.0, 2.0], vec![1.0]]);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_it_waits() {
    let house = house(Policy { batch_rows_max: 2, ..Policy::default() }).await;
    let refused = house.pool.infer(rows(&[1.0, 2.0, 3.0]), Ask::default()).await.unwrap_err();
    assert_eq!(refused, NotComputed::Unfit("3 rows are too much: send 2 at most at once".to_owned()));
    assert_eq!((house.pool.counts().failed(Reason::Unfit), house.pool.counts().executions), (1, 0));
}

#[tokio::test]
async fn who_finds_the_queue_full_is_told_when_to_come_again() {
    let house = house(Policy { queue_requests_max: 1, ..Policy::default() }).await;
    house.stage.close();
    let first = house.pool.admit(rows(&[1.0]), Ask::default()).unwrap();
    house.stage.wait_for_runs(1);
    let second = house.pool.admit(rows(&[2.0]), Ask::default()).unwrap();
    let refused = house.pool.infer(rows(&[3.0]), Ask::default()).await.unwrap_err();
    assert!(matches!(refused, NotComputed::QueueFull { retry_after } if !retry_after.is_zero()), "{refused}");
    house.stage.open();
    assert_computed(&first.await.unwrap(), &[1.0]);
    assert_computed(&second.await.unwrap(), &[2.0]);
    assert_eq!(house.pool.counts().failed(Reason::QueueFull), 1);
}

#[tokio::test]
async fn a_caller_is_woken_once_and_an_instance_once_for_all_who_wait() {
    let house = house(Policy::default()).await;
    house.stage.close();
    let first = house.pool.admit(rows(&[0.0]), Ask::default()).unwrap();
    house.stage.wait_for_runs(1);
    let woken = house.pool.counts().wakes;
    let callers: Vec<_> = (0..20_u8)
        .map(|number| {
            let pending = house.pool.admit(rows(&[f32::from(number)]), Ask::default()).unwrap();
            std::thread::spawn(move || count_wakes(pending))
        })
        .collect();
    house.stage.open();
    first.await.unwrap();
    for caller in callers {
        let (answer, wakes) = caller.join().unwrap();
        // Whoever looks for the first time after the answer came is not woken at all.
        assert!(answer.is_ok() && wakes <= 1, "{wakes} wakes");
    }
    assert_eq!(house.pool.counts().wakes, woken, "who computes finds the next batch by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_callers_at_once_get_each_their_own() {
    let policy = Policy { instances_min: 3, instances_max: 3, ..Policy::default() };
    let house = house(policy).await;
    let mut callers = JoinSet::new();
    for caller in 0..300_u16 {
        let pool = Arc::clone(&house.pool);
        callers.spawn(async move {
            for ask in 0..5_u16 {
                let first = f32::from(caller * 5 + ask);
                let answer = pool.infer(rows(&[first, first + 0.25]), Ask::default()).await.unwrap();
                assert_computed(&answer, &[first, first + 0.25]);
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    let counts = house.pool.counts();
    assert_eq!((counts.ok, counts.inferences, counts.failed_all()), (1500, 3000, 0));
    assert_eq!((counts.pending, counts.pending_bytes, counts.running), (0, 0, 0));
}
