//! Memory that runs out and comes back.

use std::time::Duration;

use timeloom_inference::pool::{Ask, NotComputed, Policy, Reason};

use crate::support::{House, Turn, assert_computed, house, rows};

/// Lets sixteen rows of sixteen callers be one batch.
async fn sixteen_together(house: &House) -> Vec<Result<timeloom_inference::pool::Answer, NotComputed>> {
    house.stage.close();
    let first = house.pool.admit(rows(&[100.0]), Ask::default()).unwrap();
    house.stage.wait_for_runs(1);
    let pending: Vec<_> =
        (0..16_u8).map(|number| house.pool.admit(rows(&[f32::from(number)]), Ask::default()).unwrap()).collect();
    house.stage.open();
    first.await.unwrap();
    let mut answers = Vec::new();
    for pending in pending {
        answers.push(pending.await);
    }
    answers
}

#[tokio::test]
async fn a_batch_too_large_for_the_memory_is_computed_in_halves_and_nobody_notices() {
    let house = house(Policy::default()).await;
    house.stage.always(Turn::Holds(5));
    for (number, answer) in sixteen_together(&house).await.into_iter().enumerate() {
        assert_computed(&answer.unwrap(), &[number as f32]);
    }
    let counts = house.pool.counts();
    assert_eq!((counts.degraded, counts.batch_rows_max, counts.failed_all()), (true, 4, 0));
    assert!(house.stage.batches().iter().all(|batch| batch.len() <= 5));
    assert_eq!(counts.out_of_memory, 2, "sixteen and eight were too much; what was cut then was not tried again");
}

#[tokio::test]
async fn one_request_of_more_rows_than_memory_allows_is_computed_in_parts() {
    let house = house(Policy::default()).await;
    house.stage.always(Turn::Holds(5));
    let firsts: Vec<f32> = (0..19_u8).map(f32::from).collect();
    let answer = house.pool.infer(rows(&firsts), Ask::default()).await.unwrap();
    assert_computed(&answer, &firsts);
    assert_eq!(answer.batch_rows, 19);
    // What is larger than memory allows now is still let in: the model takes so many rows.
    let again = house.pool.infer(rows(&firsts), Ask::default()).await.unwrap();
    assert_computed(&again, &firsts);
}

#[tokio::test]
async fn when_not_even_one_row_fits_the_caller_is_told() {
    let house = house(Policy::default()).await;
    house.stage.always(Turn::Holds(0));
    let refused = house.pool.infer(rows(&[1.0, 2.0]), Ask::default()).await;
    assert_eq!(refused, Err(NotComputed::OutOfMemory));
    assert_eq!(house.pool.counts().failed(Reason::OutOfMemory), 1);
    house.stage.always(Turn::Computes);
    assert_computed(&house.pool.infer(rows(&[3.0]), Ask::default()).await.unwrap(), &[3.0]);
}

#[tokio::test]
async fn batches_grow_again_when_there_is_memory_again() {
    let policy = Policy { recover_after: Duration::from_secs(10), ..Policy::default() };
    let house = house(policy).await;
    house.stage.always(Turn::Holds(5));
    sixteen_together(&house).await;
    house.stage.always(Turn::Computes);
    assert!(house.pool.counts().degraded);
    for _ in 0..8 {
        house.clock.advance(Duration::from_secs(60));
        house.pool.infer(rows(&[1.0]), Ask::default()).await.unwrap();
    }
    let counts = house.pool.counts();
    assert_eq!((counts.degraded, counts.batch_rows_max), (false, 32));
    sixteen_together(&house).await;
    assert_eq!(house.stage.batches().last().unwrap().len(), 16);
}
