//! What the machine gives at most: one thread, group commit, one table with a stream number, a version and the payload.
//!
//! It checks nothing, hashes nothing, and nobody can subscribe; its settings are those of the log.

use std::path::Path;

use rusqlite::Connection;
use timeloom_store::Append;
use tokio::sync::{mpsc, oneshot};

const BATCH_REQUESTS_MAX: usize = 512;

type Request = (Append, oneshot::Sender<()>);

pub struct BareLog {
    queue: mpsc::Sender<Request>,
}

impl BareLog {
    pub fn open(folder: &Path) -> Self {
        let connection = Connection::open(folder.join("bare.db")).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA wal_autocheckpoint = 4000;
                 PRAGMA cache_size = -16384;
                 CREATE TABLE events (
                     position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, version INTEGER NOT NULL, payload TEXT NOT NULL,
                     UNIQUE (stream, version)
                 );",
            )
            .unwrap();
        let (queue, requests) = mpsc::channel(4_096);
        std::thread::spawn(move || write(&connection, requests));
        Self { queue }
    }

    pub async fn append(&self, append: Append) {
        let (answer, answered) = oneshot::channel();
        assert!(self.queue.send((append, answer)).await.is_ok());
        answered.await.unwrap();
    }
}

fn write(connection: &Connection, mut requests: mpsc::Receiver<Request>) {
    let mut streams = std::collections::HashMap::new();
    let mut batch: Vec<Request> = Vec::new();
    while let Some(first) = requests.blocking_recv() {
        batch.push(first);
        while batch.len() < BATCH_REQUESTS_MAX {
            let Ok(next) = requests.try_recv() else { break };
            batch.push(next);
        }
        connection.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
        let mut insert =
            connection.prepare_cached("INSERT INTO events (stream, version, payload) VALUES (?1, ?2, ?3)").unwrap();
        for (append, _) in &batch {
            let next_number = streams.len() as i64;
            let (number, version) = streams.entry(append.stream.clone()).or_insert((next_number, 0i64));
            for event in &append.events {
                *version += 1;
                insert.execute((*number, *version, event.payload.get())).unwrap();
            }
        }
        drop(insert);
        connection.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
        for (_, answer) in batch.drain(..) {
            answer.send(()).unwrap();
        }
    }
}
