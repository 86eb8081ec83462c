//! Appends that are answered before the database's disk has them: what the answers say, and what the server was told.

use std::sync::Arc;

use timeloom_postgres_testing::Database;
use timeloom_store::{AskedDurability, Clock, Durability, DurabilityChoice, EventLog, SystemClock};
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

/// The newest place of the write-ahead log that the server made, and the newest that its disk has.
async fn written_and_flushed(client: &tokio_postgres::Client) -> (i64, i64) {
    let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, (pg_current_wal_flush_lsn() - '0/0')::bigint";
    let row = client.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn asking_again_for_more_puts_what_is_there_on_the_disk() {
    let database = Database::create().await;
    let client = database.client().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let address = Address::parse(database.url()).unwrap();
    let (log, _) = PostgresLog::open(&address, PostgresOptions::new(Uuid::from_u128(7), clock)).await.unwrap();
    for number in 0..5u128 {
        let relaxed = append("a", number * 10, 2, "{}").asking(AskedDurability::Relaxed);
        let answer = log.append(relaxed.clone()).await.unwrap();
        assert!(matches!(answer.durability, Durability::Relaxed { .. }), "{:?}", answer.durability);
        let (written, _) = written_and_flushed(&client).await;
        let again = log.append(relaxed.asking(AskedDurability::Strict)).await.unwrap();
        assert!(again.repeated);
        assert_eq!(again.durability, Durability::Strict);
        let (_, flushed) = written_and_flushed(&client).await;
        assert!(flushed >= written, "{flushed} < {written}");
    }
}
