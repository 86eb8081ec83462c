//! Events a second out of the PostgreSQL log and into typed values, against rows and nothing more.
//!
//! `cargo bench -p timeloom-store-postgres --bench replay`; `events=100000` fills a smaller log.
#![expect(clippy::unwrap_used, reason = "a benchmark is run by hand, and may stop at anything")]

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures::TryStreamExt;
use timeloom_postgres_testing::{Database, Server};
use timeloom_store::SystemClock;
use timeloom_store::bench::{argument, fill_with_executions, replay};
use timeloom_store_postgres::{Address, PostgresLog, PostgresOptions};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

const EVENTS: u64 = 1_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = Server::start_new();
    runtime.block_on(run(&server));
}

async fn run(server: &Server) {
    let database = Database::create_on(server).await;
    let options = PostgresOptions::new(Uuid::from_u128(1), Arc::new(SystemClock));
    let (log, _) = PostgresLog::open(&Address::parse(database.url()).unwrap(), options).await.unwrap();
    let events = fill_with_executions(&*log, argument("events").unwrap_or(EVENTS)).await;
    let client = database.client().await;
    client.batch_execute("VACUUM ANALYZE events").await.unwrap();
    replay(log, events, async || {
        let began = Instant::now();
        let sql = "SELECT position, payload::text FROM events ORDER BY position";
        let nothing: [&(dyn ToSql + Sync); 0] = [];
        let mut rows = pin!(client.query_raw(sql, nothing).await.unwrap());
        let (mut count, mut bytes) = (0u64, 0);
        while let Some(row) = rows.try_next().await.unwrap() {
            count += 1;
            bytes += row.get::<_, &str>(1).len();
        }
        std::hint::black_box(bytes);
        count as f64 / began.elapsed().as_secs_f64()
    })
    .await;
}
