//! From an append to a live subscriber, at 5,000 events a second that wait for nobody: in the process that appends, and in
//! another one, which the database wakes.
//!
//! `cargo bench -p timeloom-store-postgres --bench latency`; `rate=` and `seconds=` change the load.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark is run by hand, prints, and may stop at anything"
)]

use std::sync::Arc;

use async_trait::async_trait;
use timeloom_postgres_testing::{Database, Server};
use timeloom_store::bench::latency;
use timeloom_store::{
    Append, AppendError, Appended, Direction, EventLog, Filter, LogError, Position, RecordedEvent, Revision, StreamKey,
    Subscription, SystemClock, TenantScope,
};
use timeloom_store_postgres::{Address, PostgresLog, PostgresOptions};
use uuid::Uuid;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = Server::start_new();
    println!("| log | events/s | subscribers | p50 ms | p99 ms | most ms |");
    println!("|---|---|---|---|---|---|");
    runtime.block_on(async {
        let database = Database::create_on(&server).await;
        latency("PostgreSQL, the same process", open(&database).await).await;
        let database = Database::create_on(&server).await;
        let apart = Apart { appends: open(&database).await, subscribes: open(&database).await };
        latency("PostgreSQL, another process", Arc::new(apart)).await;
    });
}

async fn open(database: &Database) -> Arc<PostgresLog> {
    let options = PostgresOptions::new(Uuid::from_u128(1), Arc::new(SystemClock));
    PostgresLog::open(&Address::parse(database.url()).unwrap(), options).await.unwrap().0
}

/// Appends through one log and subscribes at another that knows nothing of it.
struct Apart {
    appends: Arc<PostgresLog>,
    subscribes: Arc<PostgresLog>,
}

#[async_trait]
impl EventLog for Apart {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.appends.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.subscribes.read_stream(stream, after, direction, limit).await
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.subscribes.read_all(scope, after, direction, filter, limit).await
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        self.subscribes.subscribe(scope, after, filter, capacity)
    }

    fn head(&self) -> Position {
        self.subscribes.head()
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.subscribes.wait_for(position).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.subscribes.position_at(time_us).await
    }
}
