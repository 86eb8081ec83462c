//! Models by name and version, and a version that takes another's place under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use timeloom_inference::pool::{Ask, Clock, MachineClock, NotInferred, Policy, Pools, PoolsError, VersionStage};

use crate::support::{Stage, Turn, assert_computed, rows, spec};

const DRAIN: Duration = Duration::from_secs(30);

fn pools() -> Arc<Pools> {
    Arc::new(Pools::new(Arc::new(MachineClock::default()) as Arc<dyn Clock>))
}

fn stage() -> Arc<Stage> {
    Arc::new(Stage::default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_take_each_others_place_under_load_and_nobody_is_refused() {
    let pools = pools();
    let policy = || Policy { instances_min: 2, instances_max: 2, ..Policy::default() };
    pools.load("doubler", 1, spec(&stage(), policy())).await.unwrap();
    let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut callers = JoinSet::new();
    for caller in 0..16_u8 {
        let (pools, over, answered) = (Arc::clone(&pools), Arc::clone(&over), Arc::clone(&answered));
        callers.spawn(async move {
            let mut last = 0;
            while !over.load(Ordering::SeqCst) {
                let first = f32::from(caller);
                let inferred = pools.infer("doubler", None, rows(&[first]), Ask::default()).await.unwrap();
                assert_computed(&inferred.answer, &[first]);
                assert!(inferred.version >= last, "version {} answered after {last}", inferred.version);
                last = inferred.version;
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for version in 2..=12 {
        pools.swap("doubler", version, spec(&stage(), policy()), DRAIN).await.unwrap();
        let before = answered.load(Ordering::SeqCst);
        while answered.load(Ordering::SeqCst) < before + 40 {
            tokio::task::yield_now().await;
        }
    }
    over.store(true, Ordering::SeqCst);
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    let listed = pools.list();
    assert_eq!(
        listed.iter().map(|one| (one.version, one.stage, one.serving)).collect::<Vec<_>>(),
        [(12, VersionStage::Ready, true)]
    );
}

#[tokio::test]
async fn a_version_that_does_not_get_ready_leaves_the_name_as_it_was() {
    let pools = pools();
    pools.load("doubler", 1, spec(&stage(), Policy::default())).await.unwrap();
    let broken = stage();
    broken.making_fails(100);
    let refused = pools.swap("doubler", 2, spec(&broken, Policy::default()), DRAIN).await;
    assert!(matches!(refused, Err(PoolsError::Load(_))), "{refused:?}");
    let inferred = pools.infer("doubler", None, rows(&[1.0]), Ask::default()).await.unwrap();
    assert_eq!(inferred.version, 1);
    assert_eq!(pools.list().len(), 1);
}

#[tokio::test]
async fn each_version_can_be_asked_for_itself_and_what_is_not_loaded_is_told() {
    let pools = pools();
    for version in [1, 2] {
        pools.load("doubler", version, spec(&stage(), Policy::default())).await.unwrap();
    }
    let asked = |version| pools.infer("doubler", version, rows(&[1.0]), Ask::default());
    assert_eq!(asked(None).await.unwrap().version, 1, "the first that is loaded takes the name");
    assert_eq!(asked(Some(2)).await.unwrap().version, 2);
    assert_eq!(pools.serve("doubler", 2).unwrap(), Some(1));
    assert_eq!(asked(None).await.unwrap().version, 2);
    let not_loaded = NotInferred::NotLoaded { model: "doubler".to_owned() };
    assert_eq!(asked(Some(3)).await.unwrap_err(), not_loaded);
    assert!(matches!(pools.serve("doubler", 3), Err(PoolsError::NotLoaded { version: 3, .. })));
    let again = pools.load("doubler", 2, spec(&stage(), Policy::default())).await.unwrap_err();
    assert_eq!(again.to_string(), "version 2 of 'doubler' is loaded already");
    pools.unload("doubler", 2, DRAIN).await.unwrap();
    assert_eq!(asked(None).await.unwrap_err(), not_loaded, "the name means no other by itself");
    assert!(pools.is_ready("doubler", Some(1)) && !pools.is_ready("doubler", None));
    pools.close(DRAIN).await;
    assert_eq!(pools.list(), []);
}

#[tokio::test]
async fn a_version_is_not_asked_before_it_is_warm() {
    let (pools, slow) = (pools(), stage());
    slow.close();
    let mut warm = spec(&slow, Policy::default());
    warm.warm_up = vec![rows(&[1.0])];
    let loading = {
        let pools = Arc::clone(&pools);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { pools.load("doubler", 1, warm).await });
        tasks
    };
    let begun = tokio::task::spawn_blocking({
        let slow = Arc::clone(&slow);
        move || slow.wait_for_runs(1)
    });
    begun.await.unwrap();
    assert_eq!(pools.list()[0].stage, VersionStage::Loading);
    assert!(!pools.is_ready("doubler", Some(1)));
    assert!(pools.infer("doubler", Some(1), rows(&[1.0]), Ask::default()).await.is_err());
    slow.open();
    assert!(loading.join_all().await.into_iter().all(|loaded| loaded.is_ok()));
    assert!(pools.is_ready("doubler", None));
}

#[tokio::test]
async fn nobody_who_gave_up_loading_leaves_anything_behind() {
    let (pools, slow) = (pools(), stage());
    slow.plan([Turn::WaitsForStop]);
    slow.close();
    let mut warm = spec(&slow, Policy::default());
    warm.warm_up = vec![rows(&[1.0])];
    let given_up = tokio::time::timeout(Duration::ZERO, pools.load("doubler", 1, warm)).await;
    assert!(given_up.is_err());
    assert_eq!(pools.list(), []);
    slow.plan([Turn::Computes]);
    slow.always(Turn::Computes);
}
