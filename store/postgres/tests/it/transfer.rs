//! Logs are moved into a database and out of it, row by row, and stay the same log.

use std::sync::Arc;

use timeloom_domain::ids::TenantId;
use timeloom_postgres_testing::{Database, connect};
use timeloom_store::transfer::{CopyReport, CopySource, CopyTarget, copy};
use timeloom_store::verify::verify;
use timeloom_store::{EventLog, LogImport as _, LogTransfer, Position, StoredEvent};
use timeloom_store_postgres::{Address, OpenError, PostgresImport, PostgresSource};
use tokio::task::JoinSet;

use crate::external::{external, make_role, url_for};
use crate::processes::assert_sound;
use crate::{append, open, try_open};

async fn fill(log: &dyn EventLog, first: u128, appends: u128) {
    for number in first..first + appends {
        let payload = match number % 20 {
            7 => format!("\"{}\"", "x".repeat(70_000 + number as usize)),
            _ => format!(r#"{{"n": {number},  "text": "ü"}}"#),
        };
        let mut next = append(&format!("s{}", number % 5), number * 10 + 1, 3, &payload);
        next.stream.tenant = TenantId((number % 3) as u32);
        log.append(next).await.unwrap();
    }
}

async fn rows(log: &dyn LogTransfer) -> Vec<StoredEvent> {
    let mut rows: Vec<StoredEvent> = Vec::new();
    loop {
        let after = rows.last().map_or(Position::START, |row| row.position);
        let page = log.export(after, 700).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

async fn into_database(source: CopySource<'_>, database: &Database) -> CopyReport {
    let (target, blobs) = PostgresImport::open(&Address::parse(database.url()).unwrap()).await.unwrap();
    copy(source, CopyTarget { log: &*target, blobs: &*blobs }, |_| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_the_same_log_with_what_foreign_programs_wrote() {
    let (from, to) = (Database::create().await, Database::create().await);
    let (log, blobs) = open(from.url()).await;
    fill(&*log, 1, 60).await;
    let role = make_role(&from, "billing").await;
    log.open_to_external(&external("invoice", &role, 2)).await.unwrap();
    let foreign = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
                   VALUES ('invoice', 'i', 1, 'InvoicePaid', '1.0', '{\"n\" : 1}', '{\"a\":\"b\"}')";
    connect(&url_for(&from, &role)).await.batch_execute(foreign).await.unwrap();
    let report = into_database(CopySource { log: &*log, blobs: &*blobs }, &to).await;
    assert_eq!((report.log_id, report.head, report.events, report.blobs), (log.log_id(), Position(181), 181, 3));

    let (copied, copied_blobs) = open(to.url()).await;
    assert_eq!(copied.log_id(), log.log_id());
    assert!(rows(&*copied).await == rows(&*log).await, "the rows differ");
    let report = verify(&*copied, &*copied_blobs, |_| {}).await.unwrap();
    assert!(report.is_whole(), "{report:?}");
    // It goes on there as the same log: what was carried out before is known.
    let mut again = append("s1", 11, 3, r#"{"n": 1,  "text": "ü"}"#);
    again.stream.tenant = TenantId(1);
    assert!(copied.append(again).await.unwrap().repeated);
    fill(&*copied, 100, 1).await;
    assert_sound(&copied, &to).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_copied_while_it_is_appended_to() {
    let (from, to) = (Database::create().await, Database::create().await);
    let (log, _) = open(from.url()).await;
    fill(&*log, 1, 300).await;
    let mut appending = JoinSet::new();
    let busy = Arc::clone(&log);
    appending.spawn(async move { fill(&*busy, 301, 100).await });
    let (source, blobs) = PostgresSource::open(&Address::parse(from.url()).unwrap()).await.unwrap();
    let first = into_database(CopySource { log: &*source, blobs: &*blobs }, &to).await;
    assert!(first.head >= Position(900));
    appending.join_all().await;
    let second = into_database(CopySource { log: &*source, blobs: &*blobs }, &to).await;
    assert_eq!((second.head, second.verified_after), (Position(1_200), first.head), "only what is new is written");
    let (copied, _) = PostgresSource::open(&Address::parse(to.url()).unwrap()).await.unwrap();
    assert!(rows(&*copied).await == rows(&*source).await, "the rows differ");
}

#[tokio::test]
async fn a_copy_that_was_not_finished_is_refused_until_it_is() {
    let (from, to) = (Database::create().await, Database::create().await);
    let (log, blobs) = open(from.url()).await;
    fill(&*log, 1, 30).await;
    let address = Address::parse(to.url()).unwrap();
    let absent = PostgresSource::open(&address).await.unwrap_err();
    assert!(matches!(absent, OpenError::NoLog { .. }), "{absent}");
    let (target, _) = PostgresImport::open(&address).await.unwrap();
    target.begin(log.log_id()).await.unwrap();
    target.import(log.export(Position::START, 15).await.unwrap()).await.unwrap();
    for refused in [try_open(to.url()).await.unwrap_err(), PostgresSource::open(&address).await.unwrap_err()] {
        assert!(refused.to_string().contains("is an unfinished copy"), "{refused}");
    }
    into_database(CopySource { log: &*log, blobs: &*blobs }, &to).await;
    let (copied, _) = open(to.url()).await;
    assert_eq!(rows(&*copied).await, rows(&*log).await);

    let other = Database::create().await;
    let client = other.client().await;
    client.batch_execute("CREATE TABLE events ()").await.unwrap();
    let refused = PostgresImport::open(&Address::parse(other.url()).unwrap()).await.unwrap_err();
    assert!(matches!(refused, OpenError::NotALog { .. }), "{refused}");
}
