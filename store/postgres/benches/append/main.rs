//! Appends a second: the PostgreSQL log against a bare group-commit loop on the same server, and against the stock
//! postgres-es crate.
//!
//! `cargo bench -p timeloom-store-postgres --bench append`; `ms=500` shortens each run, `tasks=16` runs the shapes with that
//! many tasks only. The server is one of the benchmark's own, which syncs.
#![expect(clippy::unwrap_used, reason = "a benchmark is run by hand, and may stop at anything")]

mod bare;
mod stock;

use std::sync::Arc;

use futures::future::BoxFuture;
use timeloom_postgres_testing::{Database, Server};
use timeloom_store::bench::{Sink, append_ratios, sink_of};
use timeloom_store::{Append, DurabilityChoice, SystemClock};
use timeloom_store_postgres::{Address, PostgresLog, PostgresOptions};
use uuid::Uuid;

use crate::bare::BareLog;
use crate::stock::StockLog;

/// In the order in which [`open`] knows them.
const TARGETS: [&str; 4] = ["bare loop", "PostgreSQL log", "relaxed", "stock postgres-es"];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = Server::start_new();
    runtime.block_on(append_ratios(&TARGETS, async |target| open(&server, target).await));
}

async fn open(server: &Server, target: usize) -> (Sink, Database) {
    let database = Database::create_on(server).await;
    let log = async |durability| {
        let options = PostgresOptions { durability, ..PostgresOptions::new(Uuid::from_u128(1), Arc::new(SystemClock)) };
        let (log, _) = PostgresLog::open(&Address::parse(database.url()).unwrap(), options).await.unwrap();
        sink_of(log)
    };
    let sink = match target {
        0 => {
            let bare = Arc::new(BareLog::open(database.client().await).await);
            sink(move |append| {
                let bare = Arc::clone(&bare);
                Box::pin(async move { bare.append(append).await })
            })
        }
        1 => log(DurabilityChoice::Strict).await,
        2 => log(DurabilityChoice::Relaxed { flush_ms: 1 }).await,
        _ => {
            let stock = Arc::new(StockLog::open(&database.client().await, database.url()).await);
            sink(move |append| {
                let stock = Arc::clone(&stock);
                Box::pin(async move { stock.append(append).await })
            })
        }
    };
    (sink, database)
}

fn sink(append: impl Fn(Append) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Sink {
    Arc::new(append)
}
