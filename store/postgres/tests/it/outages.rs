//! The server is killed, restarted and cut off; the log goes on by itself, and every acknowledged append is there once.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use timeloom_domain::ids::EventId;
use timeloom_postgres_testing::{Database, Server};
use timeloom_store::conformance::{acknowledged_events_survive_kills, append_until_killed};
use timeloom_store::{
    AppendError, EventLog, Expected, Filter, LogError, Position, Revision, SubscriptionMessage, TenantScope,
};
use timeloom_store_postgres::PostgresLog;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::processes::{assert_sound, next};
use crate::{append, open, read_everything};

const WRITERS: u128 = 8;
const PATIENCE: Duration = Duration::from_secs(30);

/// Writers that append until told to stop, each waiting for its answer; they try again when the log is out of reach. They
/// give back the ids of the events that were acknowledged.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    writers: JoinSet<Vec<EventId>>,
}

impl Load {
    fn start(log: &Arc<PostgresLog>) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (log, stop, acknowledged) = (Arc::clone(log), Arc::clone(&stop), Arc::clone(&acknowledged));
            writers.spawn(async move {
                let mut ids = Vec::new();
                for number in 0u128.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let append = append(&format!("s{writer}"), (number * WRITERS + writer) * 10 + 1, 3, "{}");
                    loop {
                        let answer = log.append(append.clone()).await;
                        if let Err(AppendError::Unavailable { retry_after }) = answer {
                            tokio::time::sleep(retry_after).await;
                            continue;
                        }
                        ids.extend(answer.unwrap().events.iter().map(|event| event.id));
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                }
                ids
            });
        }
        Self { stop, acknowledged, writers }
    }

    /// Waits until `count` more appends were acknowledged.
    async fn more(&self, count: u64) {
        let wanted = self.acknowledged.load(Ordering::Relaxed) + count;
        while self.acknowledged.load(Ordering::Relaxed) < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) -> Vec<EventId> {
        self.stop.store(true, Ordering::Relaxed);
        self.writers.join_all().await.into_iter().flatten().collect()
    }
}

/// Every acknowledged event is there once, nothing is there twice, and no append in part.
async fn assert_kept(log: &Arc<PostgresLog>, acknowledged: &[EventId]) {
    let all = read_everything(&**log).await;
    assert!(all.iter().zip(1u64..).all(|(event, position)| event.position.0 == position), "a gap");
    let there: HashSet<EventId> = all.iter().map(|event| event.id).collect();
    assert_eq!(there.len(), all.len(), "an event is there twice");
    let lost: Vec<_> = acknowledged.iter().filter(|id| !there.contains(id)).collect();
    assert!(lost.is_empty(), "{} acknowledged events are lost", lost.len());
    for events in all.chunk_by(|left, right| left.metadata.command_id == right.metadata.command_id) {
        assert_eq!(events.len(), 3, "a part of an append is there, or it is there twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_that_was_acknowledged_and_the_log_goes_on() {
    let mut server = Server::start_new();
    let database = Database::create_on(&server).await;
    let (log, _) = open(database.url()).await;
    let mut subscription = log.subscribe(TenantScope::All, Position::START, Filter::default(), 60_000);
    let load = Load::start(&log);
    for round in 0..3 {
        load.more(150).await;
        if round == 1 {
            server.stop()
        } else {
            server.kill()
        };
        server.start();
    }
    load.more(100).await;
    let acknowledged = load.stop().await;
    assert_kept(&log, &acknowledged).await;
    assert_sound(&log, &database).await;
    // The subscriber noticed nothing of it.
    let mut last = Position::START;
    while last < log.head() {
        if let SubscriptionMessage::Event(event) = next(&mut subscription).await {
            assert_eq!(event.position.0, last.0 + 1);
            last = event.position;
        }
    }
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_again_and_again_leave_each_append_once() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let load = Load::start(&log);
    let client = database.client().await;
    for _ in 0..12 {
        load.more(25).await;
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE datname = current_database() AND application_name = 'timeloom'";
        client.query_one(sql, &[]).await.unwrap();
    }
    load.more(25).await;
    let acknowledged = load.stop().await;
    assert_kept(&log, &acknowledged).await;
    assert_sound(&log, &database).await;
}

/// What a proxy does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passing {
    All,
    /// Everything until a commit is asked for: the request still passes, its answer does not.
    UntilCommit,
    RequestsOnly,
}

/// Stands between a client and a server; answers can be held back, and connections cut.
struct Proxy {
    port: u16,
    /// The number grows when every connection is to end.
    state: Arc<watch::Sender<(Passing, u64)>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(watch::Sender::new((Passing::All, 0)));
        let (mut tasks, shared) = (JoinSet::new(), Arc::clone(&state));
        tasks.spawn(async move {
            let mut pairs = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                pairs.spawn(pass(client, server, Arc::clone(&shared)));
            }
        });
        Self { port, state, _tasks: tasks }
    }

    fn hold_answer_of_next_commit(&self) {
        self.state.send_modify(|(passing, _)| *passing = Passing::UntilCommit);
    }

    /// Ends every connection; new ones pass.
    fn cut(&self) {
        self.state.send_modify(|state| *state = (Passing::All, state.1 + 1));
    }
}

async fn pass(client: TcpStream, server: UnixStream, state: Arc<watch::Sender<(Passing, u64)>>) {
    let generation = state.borrow().1;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut passing, mut ending) = (state.subscribe(), state.subscribe());
    let requests = async {
        let mut buffer = vec![0; 8_192];
        loop {
            let read = from_client.read(&mut buffer).await?;
            if buffer[..read].windows(7).any(|window| window == b"COMMIT\0") {
                let hold = |(passing, _): &mut (Passing, u64)| {
                    let held = *passing == Passing::UntilCommit;
                    if held {
                        *passing = Passing::RequestsOnly;
                    }
                    held
                };
                state.send_if_modified(hold);
            }
            if read == 0 {
                return std::io::Result::Ok(());
            }
            to_server.write_all(&buffer[..read]).await?;
        }
    };
    let answers = async {
        let mut buffer = vec![0; 8_192];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 || passing.wait_for(|(passing, _)| *passing != Passing::RequestsOnly).await.is_err() {
                return std::io::Result::Ok(());
            }
            to_client.write_all(&buffer[..read]).await?;
        }
    };
    let ended = ending.wait_for(|(_, now)| *now != generation);
    tokio::select! {
        _ = ended => {}
        _ = requests => {}
        _ = answers => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_answer_is_lost_is_answered_after_all_and_is_there_once() {
    let server = Server::start_new();
    let database = Database::create_on(&server).await;
    let proxy = Proxy::start(server.socket()).await;
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    let (log, _) = open(&format!("postgres://postgres@127.0.0.1:{}/{name}", proxy.port)).await;
    log.append(append("a", 1, 1, "{}")).await.unwrap();
    let watcher = database.client().await;
    proxy.hold_answer_of_next_commit();
    let mut committing = JoinSet::new();
    let appending = Arc::clone(&log);
    committing.spawn(async move { appending.append(append("a", 100, 2, "{\"kept\":true}")).await });
    // The append is in the log, and nobody was told.
    let committed =
        async { while watcher.query_one("SELECT position FROM log_head", &[]).await.unwrap().get::<_, i64>(0) < 3 {} };
    tokio::time::timeout(PATIENCE, committed).await.unwrap();
    proxy.cut();
    let appended = committing.join_all().await.remove(0).unwrap();
    assert!(!appended.repeated, "the caller sent it once");
    assert_eq!((appended.position.0, appended.events.len()), (3, 2));
    assert_eq!(read_everything(&*log).await.len(), 3);
}

#[tokio::test]
async fn appends_wait_while_somebody_holds_the_head_and_go_on_after() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let holder = database.client().await;
    holder.batch_execute("BEGIN; SELECT FROM log_head FOR UPDATE").await.unwrap();
    let append = log.append(append("a", 1, 1, "{}"));
    tokio::pin!(append);
    let waits = async {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while holder.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
    };
    tokio::select! {
        answer = &mut append => panic!("{answer:?}"),
        () = waits => {}
    }
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(append.await.unwrap().position.0, 1);
}

/// Not a test of its own: the process that gets killed.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_appends_until_it_is_killed() {
    append_until_killed(async |url: String| open(&url).await.0 as Arc<dyn EventLog>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_events_survive_a_process_being_killed_in_the_middle_of_commits() {
    let database = Database::create().await;
    let child = "outages::child_that_appends_until_it_is_killed";
    let open = async || open(database.url()).await.0 as Arc<dyn EventLog>;
    acknowledged_events_survive_kills(child, database.url(), open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_after_an_append_to_it_was_sent_again() {
    let server = Server::start_new();
    let database = Database::create_on(&server).await;
    let proxy = Proxy::start(server.socket()).await;
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    let (log, _) = open(&format!("postgres://postgres@127.0.0.1:{}/{name}", proxy.port)).await;
    let (other, _) = open(database.url()).await;
    log.append(append("a", 1, 1, "{}")).await.unwrap();
    proxy.hold_answer_of_next_commit();
    let (appending, mut committing) = (Arc::clone(&log), JoinSet::new());
    committing.spawn(async move { appending.append(append("a", 100, 1, "{}")).await });
    tokio::time::timeout(PATIENCE, other.wait_for(Position(2))).await.unwrap().unwrap();
    // Before the answer is sent again, somebody else goes on in the same stream.
    other.append(append("a", 200, 1, "{}")).await.unwrap();
    proxy.cut();
    assert_eq!(committing.join_all().await.remove(0).unwrap().revision.0, 2);
    let mut next = append("a", 300, 1, "{}");
    next.expected = Expected::Exact(Revision(3));
    assert_eq!(log.append(next).await.unwrap().revision.0, 4, "where the stream is was read again");
}

#[tokio::test]
async fn a_log_that_lost_what_was_shown_is_not_followed_on() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    log.append(append("a", 1, 3, "{}")).await.unwrap();
    // As after a switch to a server that had not got the last events.
    let back = "SET session_replication_role = replica; DELETE FROM events WHERE position > 1; \
                UPDATE log_head SET position = 1";
    database.client().await.batch_execute(back).await.unwrap();
    let refused = log.append(append("b", 100, 1, "{}")).await.unwrap_err().to_string();
    assert!(refused.contains("the database lost the events up to 3 that were seen here"), "{refused}");
    assert!(matches!(log.append(append("b", 200, 1, "{}")).await, Err(AppendError::Log(LogError::Closed))));
    assert_eq!(open(database.url()).await.0.head(), Position(1), "a process that begins takes the log as it is");
}
