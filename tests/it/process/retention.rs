//! Data that is kept for a limited time, with the program itself: set by two, gone by itself, and a crash loses nothing.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use timeloom_commands::credentials::keys::Keyring;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::subjects::vault::{MasterKey, MasterKeys};
use timeloom_store::{
    Append, Clock as _, Direction, EventLog, Expected, Metadata, NewEvent, READ_EVENTS_MAX, Revision, SealingLog,
    StreamKey, SubjectKeyError, SystemClock,
};
use timeloom_store_sqlite::{DataFolder, SqliteLog, SqliteOptions, SqliteSubjectKeys};
use uuid::Uuid;

use super::erasure::{done, files_with, owners, person_is_served, serve, state_of};
use super::server::{Server, verb, verb_json};

const MAIL: &str = "grace.hopper@example.org";
const TENANT: TenantId = TenantId(0);
/// For how many days data is kept, and how many days ago something was kept.
const DAYS: u32 = 30;
const AGO: TimeDelta = TimeDelta::days(100);
/// Longest time for what is over to be gone.
const GONE_TIME_MAX: Duration = Duration::from_secs(60);

/// The keys of a data folder, as the program uses them for those of subjects.
struct Masters(Keyring);

impl MasterKeys for Masters {
    fn newest(&self) -> Result<MasterKey, SubjectKeyError> {
        let key = self.0.newest().unwrap();
        Ok(MasterKey { fingerprint: key.fingerprint().to_owned(), bytes: key.derived("timeloom keys of subjects") })
    }

    fn find(&self, _: &str) -> Result<MasterKey, SubjectKeyError> {
        self.newest()
    }
}

/// As if a retention had been set a hundred days ago, and an execution had run then that is the same as another one. Answers
/// its id.
async fn in_the_past(data: &Path, execution: &str) -> String {
    let folder = Arc::new(DataFolder::acquire(data).unwrap());
    let options = SqliteOptions::new(Uuid::now_v7(), Arc::new(SystemClock));
    let (log, _blobs) = SqliteLog::open_in(Arc::clone(&folder), options).unwrap();
    let file = fs::read_to_string(data.join("keys/credentials.key")).unwrap();
    let masters = Arc::new(Masters(Keyring::parse(&file, "the data folder").unwrap()));
    let keys = SqliteSubjectKeys::open(folder, masters).unwrap();
    let then = || -> DateTime<Utc> { SystemClock.now() - AGO };
    let sealing = SealingLog::new(Arc::clone(&log) as Arc<dyn EventLog>, keys, Arc::new(then), true);

    let by = json!({ "kind": "local", "name": "owner" });
    let at_ms = then().timestamp_millis();
    let set = json!({ "type": "retention_set", "days": DAYS, "reason": "policy", "by": by, "at_ms": at_ms });
    let stream = StreamKey::new(TENANT, "retention", "execution");
    let command_id = CommandId(Uuid::now_v7());
    let event = NewEvent {
        id: EventId(Uuid::now_v7()),
        event_type: "RetentionSet".into(),
        event_version: 1,
        payload: Arc::from(serde_json::value::to_raw_value(&set).unwrap()),
        metadata: Arc::new(Metadata::new(Actor::Local("owner".to_owned()), command_id)),
    };
    sealing.append(Append::new(stream, Expected::NoStream, vec![event], command_id)).await.unwrap();

    let stream = StreamKey::new(TENANT, "execution", execution);
    let events = sealing.read_stream(&stream, Revision::default(), Direction::Forward, READ_EVENTS_MAX).await.unwrap();
    let (copy, mut revision) = (Uuid::now_v7().to_string(), 0);
    for event in events {
        let expected = if revision == 0 { Expected::NoStream } else { Expected::Exact(Revision(revision)) };
        let again = NewEvent {
            id: EventId(Uuid::now_v7()),
            event_type: Arc::clone(&event.event_type),
            event_version: event.event_version,
            payload: Arc::clone(&event.payload),
            metadata: Arc::clone(&event.metadata),
        };
        let stream = StreamKey::new(TENANT, "execution", copy.as_str());
        let append = Append::new(stream, expected, vec![again], CommandId(Uuid::now_v7()));
        revision = sealing.append(append).await.unwrap().revision.0;
    }
    log.close().await;
    copy
}

async fn retention(server: &Server) -> Value {
    let listed =
        server.ask("{ retentions { category days lastDay streams events request { days } } }", json!({})).await;
    let of = |row: &&Value| row["category"] == "execution";
    listed["retentions"].as_array().unwrap().iter().find(of).unwrap().clone()
}

/// Waits until the log says something of what is over.
async fn until(server: &Server, is_so: impl Fn(&Value) -> bool) -> Value {
    let until = tokio::time::Instant::now() + GONE_TIME_MAX;
    loop {
        let now = retention(server).await;
        if is_so(&now) {
            return now;
        }
        assert!(tokio::time::Instant::now() < until, "it is not gone: {now}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn data_whose_time_is_over_goes_by_itself_and_a_crash_in_the_middle_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let server = Server::start(folder.path(), &[]);
    // The one that stays is about somebody, so that it is not in the clear in the log.
    let stays = person_is_served(&server, "somebody", MAIL).await;
    server.stop();
    let goes = in_the_past(folder.path(), &stays).await;
    let words = ["state", "get", &format!("execution/{goes}"), "--data", &data];
    let before = verb(&words);
    assert!(String::from_utf8_lossy(&before.stdout).contains(MAIL), "what goes is there before");
    let old_keys = tempfile::tempdir().unwrap();
    for file in ["subjects.db", "subjects.db-wal"] {
        let _ = fs::copy(folder.path().join("keys").join(file), old_keys.path().join(file));
    }

    let server = Server::start(folder.path(), &[]);
    until(&server, |now| !now["lastDay"].is_null()).await;
    server.kill();
    let server = Server::start(folder.path(), &[]);
    let gone = until(&server, |now| now["streams"] != 0).await;
    assert_eq!(gone["streams"], 1, "{gone}");
    let state = state_of(&server, &goes).await;
    assert!(!state.contains(MAIL), "{state}");
    assert!(state_of(&server, &stays).await.contains(MAIL), "nothing else went");
    server.stop();
    done(&["log", "verify", "--data", &data]);
    let in_log = files_with(folder.path(), MAIL);
    assert!(in_log.iter().all(|file| !file.display().to_string().contains("/log.db")), "{in_log:?}");

    // The old file of keys brings nothing back.
    for file in ["subjects.db", "subjects.db-wal"] {
        let kept = old_keys.path().join(file);
        if kept.exists() {
            fs::copy(kept, folder.path().join("keys").join(file)).unwrap();
        }
    }
    let server = Server::start(folder.path(), &[]);
    assert!(!state_of(&server, &goes).await.contains(MAIL));
    assert!(state_of(&server, &stays).await.contains(MAIL));
    server.stop();
}

#[tokio::test]
async fn two_users_keep_data_less_long_on_the_command_line_and_one_keeps_it_longer() {
    let folder = tempfile::tempdir().unwrap();
    let owners = owners(&folder.path().display().to_string());
    let mut server = serve(folder.path(), &owners.asks);
    let outside = tempfile::tempdir().unwrap();
    let token = |name: &str, key: &str| {
        let file = outside.path().join(name);
        fs::write(&file, key).unwrap();
        file.display().to_string()
    };
    let (asks, approves) = (token("asks", &owners.asks), token("approves", &owners.approves));
    let url = server.url.clone();
    let words = |token: &str, rest: &[&str]| -> Vec<String> {
        let more = ["--server", &url, "--token-file", token];
        ["audit", "retention"].iter().chain(rest).chain(&more).map(|word| (*word).to_owned()).collect()
    };
    let run = |token: &str, rest: &[&str]| {
        let words = words(token, rest);
        verb(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let set = ["set", "execution", "90", "--reason", "policy"];
    let asked = run(&asks, &set);
    let (told, noticed) = (String::from_utf8_lossy(&asked.stdout), String::from_utf8_lossy(&asked.stderr));
    assert!(told.contains("execution is kept forever") && noticed.contains("asked for: 90 days"), "{told}{noticed}");
    let alone = run(&asks, &["approve", "execution"]);
    assert!(!alone.status.success());
    assert!(String::from_utf8_lossy(&alone.stderr).contains("another user has to"), "{alone:?}");
    let approved = run(&approves, &["approve", "execution"]);
    assert!(String::from_utf8_lossy(&approved.stdout).contains("execution is kept 90 days"), "{approved:?}");
    let longer = run(&asks, &["set", "execution", "120", "--reason", "policy"]);
    assert!(String::from_utf8_lossy(&longer.stdout).contains("execution is kept 120 days"), "{longer:?}");
    let listed = words(&asks, &["list", "--json"]);
    let listed = verb_json(&listed.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(listed[0]["days"], 120, "{listed}");
    let refused = run(&asks, &["set", "workflow", "90", "--reason", "policy"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("these have one: execution"), "{refused:?}");
    let misread = run(&asks, &["set", "execution", "soon", "--reason", "policy"]);
    assert!(String::from_utf8_lossy(&misread.stderr).contains("give a number of days, or 'forever'"), "{misread:?}");

    // What begins from now on is sealed, although it is about nobody.
    server.show(&owners.asks);
    let workflow =
        server.import(&super::server::chain("Letters", &[super::server::set("Sum", "sum", "={{ 1 + 2 }}")])).await;
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId status } }";
    let input = json!({ "workflowId": workflow, "items": [{ "mail": MAIL }], "waitFor": "COMPLETED" });
    let started = server.ask(query, json!({ "input": input })).await["startExecution"].clone();
    assert_eq!(started["status"], "COMPLETED", "{started}");
    assert!(state_of(&server, started["executionId"].as_str().unwrap()).await.contains(MAIL));
    server.stop();
    let clear = files_with(folder.path(), MAIL);
    assert!(clear.iter().all(|file| !file.display().to_string().contains("/log.db")), "the log is sealed: {clear:?}");
}
