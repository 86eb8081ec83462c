//! Appends that are answered before the database's disk has them: what the answers say, and what the server was told.

use std::sync::Arc;

use timeloom_postgres_testing::Database;
use timeloom_store::{Clock, Durability, DurabilityChoice, EventLog, SystemClock};
use timeloom_store_postgres::{Address, PostgresLog, PostgresOptions};
use uuid::Uuid;

use crate::append;

#[tokio::test]
async fn an_answer_says_what_its_append_survives() {
    let database = Database::create().await;
    let client = database.client().await;
    let delay = "SELECT setting::bigint FROM pg_settings WHERE name = 'wal_writer_delay'";
    let delay_ms: i64 = client.query_one(delay, &[]).await.unwrap().get(0);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = PostgresOptions {
        durability: DurabilityChoice::Relaxed { flush_ms: 1 },
        ..PostgresOptions::new(Uuid::from_u128(7), clock)
    };
    let (log, _) = PostgresLog::open(&Address::parse(database.url()).unwrap(), options).await.unwrap();
    let relaxed = Durability::Relaxed { loss_ms_max: (3 * delay_ms) as u32 };
    assert_eq!(log.append(append("a", 1, 2, "{}")).await.unwrap().durability, relaxed);
    for category in ["audit", "policy", "credential"] {
        let mut strict = append(category, u128::from(category.as_bytes()[0]) * 1_000, 1, "{}");
        strict.stream.category = category.into();
        assert_eq!(log.append(strict).await.unwrap().durability, Durability::Strict, "{category}");
    }
}
