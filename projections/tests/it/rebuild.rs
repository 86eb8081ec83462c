//! Rows are built again beside those that serve, and take their place, while the log grows and people ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use timeloom_projections::{ExecutionFilter, Page, ProjectionError, ReadModels, rebuild};
use timeloom_store::{
    Append, AppendError, Appended, Direction, EventLog, Filter, LogError, MemoryLog, Position, RecordedEvent, Revision,
    StreamKey, Subscription, TenantScope,
};
use tokio::task::JoinSet;

use crate::crash::long_story;
use crate::places::Place;
use crate::world::{TENANT, caught_up, execution_id, log_of, position, reach, rebuilt_dump, start, tell, told, until};

/// The tables of builds.
async fn tables(place: &Place) -> Vec<String> {
    let sql = match place {
        Place::Folder(_) => "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '%@%' ORDER BY name",
        Place::Postgres(_) => {
            "SELECT relname::text AS name FROM pg_class WHERE relkind = 'r' AND relname LIKE '%@%' ORDER BY 1"
        }
    };
    place.rows(sql).await.into_iter().map(|name| name.trim_matches('\'').to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_beside_the_live_rows_takes_their_place_and_nothing_is_left_of_the_old_ones() {
    for place in Place::both().await {
        let story = long_story(60);
        let log = log_of(&story[..600]).await;
        let models = caught_up(place.store(), &log).await;
        place.run(&format!("DELETE FROM {}", place.live("node_runs").await)).await;
        assert_eq!(models.node_runs(TENANT, execution_id(0), None).await.unwrap(), []);

        let (report, ()) = tokio::join!(models.rebuild(&[]), tell(&log, &story[600..]));
        let report = report.unwrap();
        assert!(report.events >= 600 && report.position >= position(600), "{report:?}");
        assert!(report.rows >= 600, "{report:?}");
        assert!(report.projections.iter().all(|status| status.generation == 2 && status.building.is_none()));
        assert_eq!(models.node_runs(TENANT, execution_id(0), None).await.unwrap().len(), 10);
        reach(&models, log.head()).await;
        models.close().await.unwrap();
        assert_eq!(place.dump().await, rebuilt_dump(&story).await);
        let expected = [
            "accounts",
            "agent_runs",
            "agents",
            "api_keys",
            "credentials",
            "evaluation_sets",
            "evaluations",
            "execution_progress",
            "executions",
            "inference_windows",
            "inference_workers",
            "inferences",
            "model_calls",
            "model_loads",
            "models",
            "node_runs",
            "plugins",
            "sessions",
            "tenants",
            "workflows",
        ];
        assert_eq!(tables(&place).await, expected.map(|table| format!("{table}@2")));
        assert!(matches!(models.start(), Err(ProjectionError::Closed)));

        let report = rebuild(place.store(), Arc::clone(&log) as Arc<dyn EventLog>, &[]).await.unwrap();
        assert_eq!((report.events, report.position), (720, position(720)));
        assert_eq!(place.dump().await, rebuilt_dump(&story).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_projection_is_rebuilt_by_its_name() {
    for place in Place::both().await {
        let story = long_story(5);
        let log = log_of(&story).await;
        let models = caught_up(place.store(), &log).await;
        let report = models.rebuild(&["node_runs"]).await.unwrap();
        assert_eq!((report.events, report.rows, report.position), (60, 50, position(60)));
        for status in models.status() {
            assert_eq!(status.generation, if status.name == "node_runs" { 2 } else { 1 }, "{}", status.name);
        }
        let unknown = models.rebuild(&["node_runs", "dreams"]).await.unwrap_err();
        assert!(unknown.to_string().contains("'dreams': name one of workflows, plugins"), "{unknown}");
        models.close().await.unwrap();
        assert_eq!(place.dump().await, rebuilt_dump(&story).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_ask_during_rebuilds_are_always_answered_with_what_there_is() {
    for place in Place::both().await {
        let log = log_of(&long_story(40)).await;
        let models = caught_up(place.store(), &log).await;
        let done = Arc::new(AtomicUsize::new(0));
        let mut others = JoinSet::new();
        for _ in 0..3 {
            let (models, done) = (Arc::clone(&models), Arc::clone(&done));
            others.spawn(async move {
                let (mut asked, mut newest) = (0, Position::START);
                while done.load(Ordering::SeqCst) == 0 {
                    let page =
                        models.executions(TENANT, None, &Page::first(5), &ExecutionFilter::default()).await.unwrap();
                    // Rows of another build are never behind those that were seen.
                    assert!(page.rows.len() == 5 && page.rows[0].created_position >= newest);
                    newest = page.rows[0].created_position;
                    let then = models.node_runs(TENANT, execution_id(7), Some(position(480))).await.unwrap();
                    assert_eq!(then.len(), 10);
                    asked += 1;
                }
                asked
            });
        }
        let growing = (Arc::clone(&log), Arc::clone(&done), Arc::clone(&models));
        others.spawn(async move {
            let (log, done, models) = growing;
            let mut number = 1_000;
            while done.load(Ordering::SeqCst) == 0 {
                tell(&log, &[told(execution_id(number), &start(0))]).await;
                number += 1;
                if number % 50 == 0 {
                    reach(&models, log.head()).await;
                }
            }
            number - 1_000
        });
        for rebuilt in 1..=8 {
            let report = models.rebuild(&[]).await.unwrap();
            assert!(report.projections.iter().all(|status| status.generation == rebuilt + 1));
        }
        done.store(1, Ordering::SeqCst);
        let counts = others.join_all().await;
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        reach(&models, log.head()).await;
        models.close().await.unwrap();
        let fresh = Place::folder();
        rebuild(fresh.store(), log, &[]).await.unwrap();
        assert_eq!(place.dump().await, fresh.dump().await);
    }
}

/// A log of which only so many pages can be read, before it fails.
struct Failing {
    log: Arc<MemoryLog>,
    pages: AtomicUsize,
}

#[async_trait]
impl EventLog for Failing {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.log.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.log.read_stream(stream, after, direction, limit).await
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let left = self.pages.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |pages| pages.checked_sub(1));
        if left.is_err() {
            return Err(LogError::storage(std::io::Error::other("the disk is gone")));
        }
        self.log.read_all(scope, after, direction, filter, limit).await
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        self.log.subscribe(scope, after, filter, capacity)
    }

    fn head(&self) -> Position {
        self.log.head()
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.log.wait_for(position).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.log.position_at(time_us).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_was_interrupted_leaves_the_old_rows_serving_and_goes_on_after_a_restart() {
    for place in Place::both().await {
        let story = long_story(300);
        let log = log_of(&story).await;
        let failing = Arc::new(Failing { log: Arc::clone(&log), pages: AtomicUsize::new(2) });
        let models = ReadModels::open(place.store(), failing as Arc<dyn EventLog>).unwrap();
        models.start().unwrap();
        reach(&models, log.head()).await;
        tokio::select! {
            report = models.rebuild(&[]) => panic!("{report:?}"),
            () = until("the log fails", || models.fault().is_some()) => {}
        }
        assert!(models.fault().unwrap().contains("the disk is gone"));
        assert_eq!(models.node_runs(TENANT, execution_id(299), None).await.unwrap().len(), 10);
        models.close().await.unwrap();
        let built = place.rows("SELECT position FROM projections WHERE stage = 'building'").await;
        assert_eq!(built, ["2000"; 19]);

        // Enough pages to go on, and not to begin again.
        let scarce = Arc::new(Failing { log: Arc::clone(&log), pages: AtomicUsize::new(2) });
        let models = ReadModels::open(place.store(), scarce as Arc<dyn EventLog>).unwrap();
        models.start().unwrap();
        let promoted = || {
            let status = models.status();
            !status.is_empty() && status.iter().all(|status| status.generation == 2 && status.lag == 0)
        };
        until("the build is promoted", promoted).await;
        assert_eq!(models.fault(), None);
        models.close().await.unwrap();
        assert_eq!(place.dump().await, rebuilt_dump(&story).await);
    }
}
