//! Instances that fail, panic, or cannot be made.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use timeloom_inference::pool::{Ask, Clock, LoadError, NotComputed, Policy, Pool, Reason};

use crate::support::{HandClock, POISON, Stage, Turn, assert_computed, house, rows, spec, wind};

#[tokio::test]
async fn a_panic_costs_its_batch_an_error_and_the_next_is_computed_by_another_instance() {
    let house = house(Policy::default()).await;
    house.stage.plan([Turn::Panics]);
    let broken = house.pool.infer(rows(&[1.0]), Ask::default()).await;
    assert_eq!(broken, Err(NotComputed::Failed("the instance broke down".to_owned())));
    let next = house.pool.infer(rows(&[2.0]), Ask::default()).await.unwrap();
    assert_computed(&next, &[2.0]);
    let counts = house.pool.counts();
    assert_eq!((counts.replaced, counts.ok, counts.failed(Reason::Failed)), (1, 1, 1));
    assert_eq!(house.stage.made.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_one_caller_sends_fails_nobody_else_of_the_batch() {
    let house = house(Policy::default()).await;
    house.stage.close();
    let first = house.pool.admit(rows(&[0.0]), Ask::default()).unwrap();
    house.stage.wait_for_runs(1);
    let numbers = [1.0, 2.0, POISON, 3.0];
    let pending = numbers.map(|number| house.pool.admit(rows(&[number]), Ask::default()).unwrap());
    house.stage.open();
    first.await.unwrap();
    for (pending, number) in pending.into_iter().zip(numbers) {
        match pending.await {
            Ok(answer) => assert_computed(&answer, &[number]),
            Err(error) => assert_eq!((number, error.reason()), (POISON, Reason::Failed)),
        }
    }
    assert_eq!(house.pool.counts().failed_all(), 1);
}

#[tokio::test]
async fn an_instance_is_not_thrown_away_for_what_callers_send_but_for_failing_at_what_it_could() {
    let (clock, stage) = (Arc::new(HandClock::default()), Arc::new(Stage::default()));
    let mut spec = spec(&stage, Policy::default());
    spec.warm_up = vec![rows(&[1.0])];
    let pool = Pool::load(spec, clock as Arc<dyn Clock>).await.unwrap();
    for _ in 0..20 {
        pool.infer(rows(&[POISON]), Ask::default()).await.unwrap_err();
    }
    // When this is answered the instance has been looked at for the last time.
    pool.infer(rows(&[1.0]), Ask::default()).await.unwrap();
    assert_eq!((pool.counts().replaced, stage.made.load(Ordering::SeqCst)), (0, 1));
    stage.plan((0..5).map(|_| Turn::Fails));
    for _ in 0..4 {
        pool.infer(rows(&[1.0]), Ask::default()).await.unwrap_err();
    }
    assert_computed(&pool.infer(rows(&[2.0]), Ask::default()).await.unwrap(), &[2.0]);
    assert_eq!((pool.counts().replaced, stage.made.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test]
async fn answers_that_do_not_belong_to_the_requests_are_given_to_nobody() {
    let house = house(Policy::default()).await;
    house.stage.plan([Turn::Forgets]);
    let forgotten = house.pool.infer(rows(&[1.0]), Ask::default()).await;
    assert_eq!(forgotten, Err(NotComputed::Failed("the runtime gave 0 answers to 1 requests".to_owned())));
}

#[tokio::test]
async fn what_breaks_again_and_again_is_made_ever_more_seldom() {
    let house = house(Policy::default()).await;
    house.stage.always(Turn::Panics);
    while house.clock.now() < Duration::from_secs(600) {
        let asked = house.pool.infer(rows(&[1.0]), Ask::default());
        tokio::select! {
            refused = asked => drop(refused.unwrap_err()),
            () = wind(&house.clock, Duration::from_secs(1)) => unreachable!("it is wound for ever"),
        }
    }
    let made = house.stage.made.load(Ordering::SeqCst);
    assert!((5..60).contains(&made), "{made} instances in ten minutes");
}

#[tokio::test]
async fn a_model_that_cannot_be_made_or_warmed_up_is_not_loaded() {
    let load = |stage: &Arc<Stage>| {
        let mut spec = spec(stage, Policy { instances_min: 2, instances_max: 2, ..Policy::default() });
        spec.warm_up = vec![rows(&[1.0])];
        Pool::load(spec, Arc::new(HandClock::default()) as Arc<dyn Clock>)
    };
    let stage = Arc::new(Stage::default());
    stage.making_fails(1);
    let refused = load(&stage).await.unwrap_err();
    assert_eq!(refused.to_string(), "the model could not be made ready: the runtime failed: it cannot be made");
    let stage = Arc::new(Stage::default());
    stage.plan([Turn::Computes, Turn::Panics]);
    assert!(matches!(load(&stage).await, Err(LoadError::Instance(_))));
    let stage = Arc::new(Stage::default());
    assert!(load(&stage).await.unwrap().is_ready());
    assert_eq!(stage.begun.load(Ordering::SeqCst), 2, "each instance was warmed up before it was ready");
}

#[tokio::test]
async fn a_model_that_takes_too_long_to_load_is_given_up() {
    let (clock, stage) = (Arc::new(HandClock::default()), Arc::new(Stage::default()));
    stage.close();
    let mut spec = spec(&stage, Policy::default());
    spec.warm_up = vec![rows(&[1.0])];
    let load = Pool::load(spec, Arc::clone(&clock) as Arc<dyn Clock>);
    let loaded = tokio::select! {
        loaded = load => loaded,
        () = wind(&clock, Duration::from_secs(10)) => unreachable!("it is wound for ever"),
    };
    stage.open();
    assert!(matches!(loaded, Err(LoadError::TooLong)), "{loaded:?}");
}
