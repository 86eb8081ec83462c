//! Claims of processes on one database: one has a name at a time, and another one when that one gave it back or ended.

use timeloom_postgres_testing::Database;
use timeloom_store::claims::Claims as _;

use crate::open;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_had_by_one_process_until_it_is_given_back_or_its_session_ends() {
    let database = Database::create().await;
    let (first, _) = open(database.url()).await;
    let (second, _) = open(database.url()).await;
    let (first, second) = (first.claims(), second.claims());
    let had = first.claim("group").await.unwrap().unwrap();
    assert!(second.claim("group").await.unwrap().is_none(), "it is had");
    assert!(second.claim("another").await.unwrap().is_some());
    had.give_back().await;
    let had = second.claim("group").await.unwrap().unwrap();
    assert!(first.claim("group").await.unwrap().is_none() && had.holds());
    // As the database ends sessions of a process that is gone.
    let client = database.client().await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted \
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    client.execute(end, &[]).await.unwrap();
    let taken = loop {
        match first.claim("group").await.unwrap() {
            Some(taken) => break taken,
            None => tokio::task::yield_now().await,
        }
    };
    assert!(taken.holds());
    while had.holds() {
        tokio::task::yield_now().await;
    }
}
