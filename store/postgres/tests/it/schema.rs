//! The tables: made once, never overwritten, never changed; databases that are not fit are refused in words that help.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use timeloom_postgres_testing::{Database, Server};
use timeloom_store::archive::{Archivable, Archived};
use timeloom_store::{EventLog, LogTransfer, Position, StreamKey};
use timeloom_store_postgres::{Address, OpenError, PostgresSource};
use tokio::task::JoinSet;

use crate::{append, open, read_everything, try_open};

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_begin_at_once_make_one_log() {
    let database = Database::create().await;
    let mut opening = JoinSet::new();
    for number in 0..8u128 {
        let url = database.url().to_owned();
        opening.spawn(async move {
            let (log, _) = open(&url).await;
            log.append(append("a", number * 10 + 1, 1, "{}")).await.unwrap();
            log.log_id()
        });
    }
    let ids = opening.join_all().await;
    assert!(ids.iter().all(|id| *id == ids[0]));
    let (log, _) = open(database.url()).await;
    assert_eq!(read_everything(&*log).await.len(), 8);
}

#[tokio::test]
async fn nothing_stored_can_be_changed_whoever_asks() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    log.append(append("a", 1, 1, "{}")).await.unwrap();
    let client = database.client().await;
    for change in [
        "UPDATE events SET payload = '1'",
        "DELETE FROM events",
        "TRUNCATE events",
        "DELETE FROM log_head",
        "UPDATE events SET payload = '1' WHERE false",
    ] {
        let refused = client.batch_execute(change).await.unwrap_err();
        let message = refused.as_db_error().unwrap().message();
        assert!(message.contains("only ever grows"), "{change}: {message}");
    }
    assert_eq!(read_everything(&*log).await[0].payload.get(), "{}");
}

#[tokio::test]
async fn tables_of_somebody_else_are_left_alone() {
    for theirs in
        ["CREATE TABLE events (id int)", "CREATE TABLE log_meta (key text)", "CREATE VIEW blobs AS SELECT 1 AS a"]
    {
        let database = Database::create().await;
        let client = database.client().await;
        client.batch_execute(theirs).await.unwrap();
        let tables = "SELECT coalesce(string_agg(relname, ',' ORDER BY relname), '') FROM pg_class \
                      WHERE relnamespace = 'public'::regnamespace";
        let before: String = client.query_one(tables, &[]).await.unwrap().get(0);
        let refused = try_open(database.url()).await.unwrap_err();
        assert!(matches!(refused, OpenError::NotALog { .. }), "{refused}");
        assert!(refused.to_string().contains("another schema by ?options=-csearch_path%3DNAME"), "{refused}");
        assert_eq!(client.query_one(tables, &[]).await.unwrap().get::<_, String>(0), before);
    }
}

#[tokio::test]
async fn a_schema_of_its_own_keeps_logs_in_one_database_apart() {
    let database = Database::create().await;
    let client = database.client().await;
    client.batch_execute("CREATE SCHEMA one; CREATE SCHEMA \"Other One\"").await.unwrap();
    let (one, _) = open(&format!("{}?options=-csearch_path%3Done", database.url())).await;
    let (other, _) = open(&format!("{}?options=-csearch_path%3D%22Other%5C%20One%22", database.url())).await;
    one.append(append("a", 1, 3, "{}")).await.unwrap();
    other.append(append("a", 1, 1, "{}")).await.unwrap();
    assert_eq!((read_everything(&*one).await.len(), read_everything(&*other).await.len()), (3, 1));
    let refused = try_open(&format!("{}?options=-csearch_path%3Dnowhere", database.url())).await.unwrap_err();
    assert!(refused.to_string().contains("no schema of its search_path exists"), "{refused}");
}

#[tokio::test]
async fn a_log_of_a_newer_build_is_used_if_it_says_so_and_left_as_it_is_otherwise() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    log.close().await;
    let client = database.client().await;
    client.batch_execute("UPDATE log_meta SET value = '99' WHERE name = 'schema_version'").await.unwrap();
    let (log, _) = open(database.url()).await;
    log.append(append("a", 1, 1, "{}")).await.unwrap();
    log.close().await;
    client.batch_execute("UPDATE log_meta SET value = '98' WHERE name = 'usable_from'").await.unwrap();
    let refused = try_open(database.url()).await.unwrap_err();
    let known = "written by a newer Timeloom (schema 99, this build knows up to 6)";
    assert!(refused.to_string().contains(known), "{refused}");
    let meta = "SELECT string_agg(name || '=' || value, ',' ORDER BY name) FROM log_meta \
                WHERE name IN ('schema_version', 'usable_from')";
    let kept: String = client.query_one(meta, &[]).await.unwrap().get(0);
    assert_eq!(kept, "schema_version=99,usable_from=98");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_an_older_version_are_migrated_while_appends_go_on() {
    let database = Database::create().await;
    let (older, _) = open(database.url()).await;
    let client = database.client().await;
    // What version 1 had, and a build of an index that was broken off.
    client
        .batch_execute(
            "DROP TABLE workers, shard_leases, log_tree, log_tree_tiles, log_checkpoints,
               subject_keys, subject_key_finder, destroyed_subject_keys; ALTER TABLE marks DROP COLUMN note;
             DROP INDEX events_type; CREATE INDEX events_type ON events (event_type);
             UPDATE log_meta SET value = '1' WHERE name = 'schema_version';
             DELETE FROM log_meta WHERE name = 'usable_from'",
        )
        .await
        .unwrap();
    let (stop, mut appending) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for writer in 0..4u128 {
        let (older, stop) = (Arc::clone(&older), Arc::clone(&stop));
        appending.spawn(async move {
            let mut appended = 0;
            while !stop.load(Ordering::Relaxed) {
                let first_id = (appended * 4 + writer) * 10 + 1;
                older.append(append(&format!("s{writer}"), first_id, 2, "{}")).await.unwrap();
                appended += 1;
            }
            appended
        });
    }
    older.wait_for(timeloom_store::Position(100)).await.unwrap();
    let mut opening = JoinSet::new();
    for _ in 0..3 {
        let url = database.url().to_owned();
        opening.spawn(async move { open(&url).await.0 });
    }
    let newer = opening.join_all().await;
    let head = newer[0].head();
    older.wait_for(timeloom_store::Position(head.0 + 50)).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let appended: u128 = appending.join_all().await.into_iter().sum();
    assert_eq!(read_everything(&*newer[1]).await.len() as u128, 2 * appended);
    let index = "SELECT indexdef FROM pg_indexes WHERE indexname = 'events_type'";
    let index: String = client.query_one(index, &[]).await.unwrap().get(0);
    assert!(index.contains("(event_type, \"position\")"), "{index}");
    let version = "SELECT value FROM log_meta WHERE name = 'schema_version'";
    assert_eq!(client.query_one(version, &[]).await.unwrap().get::<_, String>(0), "6");
    let shards = "SELECT count(*) FROM shard_leases WHERE worker IS NULL AND epoch = 0";
    assert_eq!(client.query_one(shards, &[]).await.unwrap().get::<_, i64>(0), 64);
}

#[tokio::test]
async fn a_log_of_before_the_archive_gets_what_an_archive_needs() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    log.append(append("a", 1, 2, "{}")).await.unwrap();
    log.close().await;
    let client = database.client().await;
    client
        .batch_execute(
            "DROP TRIGGER events_only_grow ON events; DROP TRIGGER events_go_once_archived ON events;
             DROP TABLE log_segments, log_archive, archived_kinds, archived_events, archived_appends;
             DROP FUNCTION log_rows_are_archived(), log_ids_are_back(), log_appends_are_back(), log_segments_are_back(),
                 log_archive_is_unknown();
             CREATE TRIGGER events_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON events
                 FOR EACH STATEMENT EXECUTE FUNCTION log_only_grows();
             REVOKE DELETE ON events FROM CURRENT_USER;
             UPDATE log_meta SET value = '5' WHERE name = 'schema_version'",
        )
        .await
        .unwrap();
    // Who only reads changes nothing, and reads it all the same.
    let (source, _) = PostgresSource::open(&Address::parse(database.url()).unwrap()).await.unwrap();
    assert_eq!(source.export(Position::START, 10).await.unwrap().len(), 2);
    let version = "SELECT value FROM log_meta WHERE name = 'schema_version'";
    assert_eq!(client.query_one(version, &[]).await.unwrap().get::<_, String>(0), "5");
    let (log, _) = open(database.url()).await;
    assert_eq!(client.query_one(version, &[]).await.unwrap().get::<_, String>(0), "6");
    log.append(append("a", 11, 1, "{}")).await.unwrap();
    assert_eq!(log.archived().await.unwrap(), Archived::default());
    assert_eq!(log.drop_some().await.unwrap(), Archived::default());
    let refused = client.batch_execute("DELETE FROM events").await.unwrap_err();
    assert!(refused.as_db_error().unwrap().message().contains("only ever grows"), "{refused}");
    assert_eq!(read_everything(&*log).await.len(), 3);
}

#[tokio::test]
async fn databases_that_cannot_hold_a_log_say_why() {
    let database = Database::create().await;
    let client = database.client().await;
    let name = format!("{}_latin", database.url().rsplit('/').next().unwrap());
    client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII'")).await.unwrap();
    let url = format!("{}_latin", database.url());
    let refused = try_open(&url).await.unwrap_err();
    client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    assert!(refused.to_string().contains("make the database with ENCODING 'UTF8'"), "{refused}");

    let refused = try_open(&format!("{}_nowhere", database.url())).await.unwrap_err();
    assert!(refused.to_string().contains("does not exist"), "{refused}");
    let refused = try_open("postgres://somebody:secret@127.0.0.1:1/x").await.unwrap_err().to_string();
    assert!(refused.contains("cannot be reached") && !refused.contains("secret"), "{refused}");
}

#[tokio::test]
async fn a_damaged_row_is_told_with_its_position() {
    let mut server = Server::start_new();
    let database = Database::create_on(&server).await;
    let (log, _) = open(database.url()).await;
    log.append(append("a", 1, 2, "{}")).await.unwrap();
    log.append(append("b", 11, 1, "{}")).await.unwrap();
    let client = database.client().await;
    // What nobody may do: somebody with the rights of the machine did it.
    client
        .batch_execute("SET session_replication_role = replica; UPDATE events SET metadata = '{}' WHERE position = 2")
        .await
        .unwrap();
    let stream = StreamKey::new(timeloom_domain::ids::TenantId(1), "order", "a");
    let refused = log.read_stream(&stream, timeloom_store::Revision(0), timeloom_store::Direction::Forward, 10).await;
    assert!(refused.unwrap_err().to_string().contains("damaged at position 2"));
    server.stop();
}
