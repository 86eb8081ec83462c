//! Workers on one database: each shard is had by one of them, and by another one when that one is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use timeloom_postgres_testing::{Database, Server};
use timeloom_store::leases::{Epoch, Held, Role, Roles, SHARDS, Shard, Worker, WorkerId, Workers};
use timeloom_store::{EventLog, Leases};
use timeloom_store_postgres::{PostgresLeases, PostgresLog};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{append, open};

const PATIENCE: Duration = Duration::from_secs(60);

/// A process: it has a runtime of its own, so that it can end as a killed one does.
struct Process {
    runtime: Option<Runtime>,
    log: Arc<PostgresLog>,
    leases: Arc<PostgresLeases>,
}

impl Process {
    async fn start(url: &str, number: u128, roles: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (url, roles): (String, Roles) = (url.to_owned(), roles.parse().unwrap());
        let id = WorkerId(Uuid::from_u128(number * 0x1234_5678_9abc_def1));
        let opening = runtime.spawn(async move {
            let (log, _) = open(&url).await;
            let leases = log.leases(id, roles);
            leases.join(&format!("http://127.0.0.1:{number}"));
            (log, leases)
        });
        let (log, leases) = opening.await.unwrap();
        Self { runtime: Some(runtime), log, leases }
    }

    fn held(&self) -> Held {
        self.leases.held().borrow().clone()
    }

    fn shards(&self) -> BTreeSet<Shard> {
        self.held().shards.into_keys().collect()
    }

    /// Waits for a state of its shards, letting go of those that it is to leave.
    async fn has(&self, wanted: impl Fn(&Held) -> bool) -> Held {
        let mut held = self.leases.held();
        within(async {
            loop {
                let now = held.borrow_and_update().clone();
                for (shard, lease) in now.shards.iter().filter(|(_, lease)| lease.is_leaving) {
                    self.leases.let_go(*shard, lease.epoch);
                }
                if wanted(&now) {
                    return now;
                }
                held.changed().await.unwrap();
            }
        })
        .await
    }

    /// Ends it without a goodbye.
    fn kill(self) {
        std::mem::forget((Arc::clone(&self.log), Arc::clone(&self.leases)));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

async fn within<T>(waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, waiting).await.unwrap()
}

async fn have_all(processes: &[&Process]) {
    let waiting = async {
        loop {
            let held: Vec<Held> = processes.iter().map(|process| process.held()).collect();
            let had: Vec<Shard> = held.iter().flat_map(|held| held.shards.keys().copied()).collect();
            let together: BTreeSet<Shard> = had.iter().copied().collect();
            let is_calm = held.iter().flat_map(|held| held.shards.values()).all(|lease| !lease.is_leaving);
            let each_has_some = held.iter().all(|held| !held.shards.is_empty());
            if is_calm && each_has_some && together.len() == usize::from(SHARDS) && had.len() == together.len() {
                return;
            }
            let next = processes.iter().zip(&held).map(|(process, held)| Box::pin(process.has(move |now| now != held)));
            futures::future::select_all(next).await;
        }
    };
    within(waiting).await;
}

fn epochs(held: &Held) -> BTreeMap<Shard, Epoch> {
    held.shards.iter().map(|(shard, lease)| (*shard, lease.epoch)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_shared_and_those_of_a_killed_worker_are_taken_in_a_later_epoch() {
    let database = Database::create().await;
    let one = Process::start(database.url(), 1, "api,engine").await;
    one.has(|held| held.shards.len() == usize::from(SHARDS)).await;
    let (two, three) = tokio::join!(
        Process::start(database.url(), 2, "engine"),
        Process::start(database.url(), 3, "api,engine,projector")
    );
    have_all(&[&one, &two, &three]).await;
    let appended = one.log.append(append("a", 1, 3, "{}")).await.unwrap();
    let (lost, before) = (two.held(), epochs(&one.held()));
    two.kill();
    have_all(&[&one, &three]).await;
    for (shard, lease) in &lost.shards {
        let now = [&one, &three].iter().find_map(|process| process.held().lease(*shard)).unwrap();
        assert_eq!(now.epoch, Epoch(lease.epoch.0 + 1));
        assert_eq!(now.since, appended.position, "what was there when it was taken may have been driven by another");
        let holds = |process: &&Process| process.leases.holds(*shard, now.epoch);
        assert_eq!([&one, &three].into_iter().filter(|process| holds(process)).count(), 1);
    }
    let after = epochs(&one.held());
    assert!(before.iter().all(|(shard, epoch)| after[shard] == *epoch), "nothing else moved");
    one.leases.leave().await;
    three.has(|held| held.shards.len() == usize::from(SHARDS)).await;
    assert!(one.shards().is_empty() && !one.leases.holds(Shard::of("a"), after.values().next().copied().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_listed_with_what_they_do_and_have() {
    let database = Database::create().await;
    let api = Process::start(database.url(), 1, "api").await;
    let engine = Process::start(database.url(), 2, "engine,scheduler").await;
    engine.has(|held| held.shards.len() == usize::from(SHARDS)).await;
    let listed: Vec<Worker> = within(async {
        loop {
            let listed = api.log.workers().await.unwrap();
            if listed.len() == 2 {
                return listed;
            }
        }
    })
    .await;
    let found = listed.iter().find(|worker| worker.id == engine.leases.worker()).unwrap();
    assert_eq!((found.address.as_str(), found.is_live), ("http://127.0.0.1:2", true));
    assert_eq!(found.roles, [Role::Engine, Role::Scheduler].into_iter().collect());
    assert_eq!(found.shards, Shard::all().collect::<Vec<_>>());
    let found = listed.iter().find(|worker| worker.id == api.leases.worker()).unwrap();
    assert_eq!((found.shards.len(), found.roles.has(Role::Engine)), (0, false));
    engine.leases.leave().await;
    let listed: Vec<WorkerId> = api.log.workers().await.unwrap().iter().map(|worker| worker.id).collect();
    assert_eq!(listed, [api.leases.worker()], "whoever leaves is not listed any more");
    assert!(api.shards().is_empty(), "it drives nothing, so it takes nothing over");
    // What a newer build says that this one does not know is no reason to list nobody.
    let sql = "INSERT INTO workers (id, roles, address) VALUES (gen_random_uuid(), 'gardener,api', 'there')";
    database.client().await.batch_execute(sql).await.unwrap();
    let listed = api.log.workers().await.unwrap();
    assert_eq!(listed[1].roles, [Role::Api].into_iter().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_connection_is_cut_keeps_its_shards() {
    let database = Database::create().await;
    let one = Process::start(database.url(), 1, "engine").await;
    let before = one.has(|held| held.shards.len() == usize::from(SHARDS)).await;
    let client = database.client().await;
    let heard = "SELECT heartbeat_at::text FROM workers";
    let first: String = client.query_one(heard, &[]).await.unwrap().get(0);
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    client.query_one(cut, &[]).await.unwrap();
    within(async { while client.query_one(heard, &[]).await.unwrap().get::<_, String>(0) == first {} }).await;
    let after = one.held();
    // A machine that is very busy may have been silent for too long; then it has them anew.
    let kept = epochs(&after) == epochs(&before);
    assert!(kept || after.shards.values().all(|lease| lease.epoch > Epoch(1)), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_reach_the_database_stops_by_itself_and_has_its_shards_anew_after_it() {
    let mut server = Server::start_new();
    let database = Database::create_on(&server).await;
    let one = Process::start(database.url(), 1, "engine").await;
    let before = one.has(|held| held.shards.len() == usize::from(SHARDS)).await;
    let (shard, lease) = before.shards.first_key_value().unwrap();
    server.kill();
    one.has(|held| held.shards.is_empty()).await;
    assert!(!one.leases.holds(*shard, lease.epoch));
    server.start();
    let after = one.has(|held| held.shards.len() == usize::from(SHARDS)).await;
    for (shard, lease) in &before.shards {
        assert!(after.shards[shard].epoch > lease.epoch, "an epoch is given once");
    }
    one.leases.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_while_a_process_of_an_older_build_drives_executions() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let older = database.client().await;
    let key = format!("{} engine", log.log_id());
    let alone = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
    assert!(older.query_one(alone, &[&key]).await.unwrap().get::<_, bool>(0));
    let one = Process::start(database.url(), 1, "engine").await;
    let looking = "SELECT count(*) FROM workers WHERE heartbeat_at > started_at";
    within(async { while older.query_one(looking, &[]).await.unwrap().get::<_, i64>(0) == 0 {} }).await;
    assert!(one.shards().is_empty());
    drop(older);
    one.has(|held| held.shards.len() == usize::from(SHARDS)).await;
    let older = database.client().await;
    assert!(!older.query_one(alone, &[&key]).await.unwrap().get::<_, bool>(0), "and it stands by from now on");
}
