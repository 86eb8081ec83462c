//! What the engine gives at most: one connection, group commit, one table with a stream number, a version and the payload.
//!
//! It checks nothing, hashes nothing, and nobody can subscribe. Statements are sent without waiting in between.

use std::collections::HashMap;

use timeloom_store::Append;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

const BATCH_REQUESTS_MAX: usize = 512;

type Request = (Append, oneshot::Sender<()>);

pub struct BareLog {
    queue: mpsc::Sender<Request>,
}

impl BareLog {
    pub async fn open(client: Client) -> Self {
        client
            .batch_execute(
                "DROP TABLE IF EXISTS bare;
                 CREATE TABLE bare (
                     position bigint PRIMARY KEY, stream bigint NOT NULL, version bigint NOT NULL, payload json NOT NULL,
                     UNIQUE (stream, version)
                 )",
            )
            .await
            .unwrap();
        let insert = "INSERT INTO bare SELECT position, stream, version, payload::json FROM \
                      unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS row (position, stream, version, payload)";
        let insert = client.prepare(insert).await.unwrap();
        let (queue, requests) = mpsc::channel(4_096);
        #[expect(clippy::disallowed_methods, reason = "a benchmark's task ends with its runtime")]
        tokio::spawn(write(client, insert, requests));
        Self { queue }
    }

    pub async fn append(&self, append: Append) {
        let (answer, answered) = oneshot::channel();
        assert!(self.queue.send((append, answer)).await.is_ok());
        answered.await.unwrap();
    }
}

async fn write(client: Client, insert: Statement, mut requests: mpsc::Receiver<Request>) {
    let mut streams = HashMap::new();
    let mut position = 0i64;
    let mut batch: Vec<Request> = Vec::new();
    while let Some(first) = requests.recv().await {
        batch.push(first);
        while batch.len() < BATCH_REQUESTS_MAX {
            let Ok(next) = requests.try_recv() else { break };
            batch.push(next);
        }
        let (mut positions, mut numbers, mut versions, mut payloads) = (vec![], vec![], vec![], vec![]);
        for (append, _) in &batch {
            let next_number = streams.len() as i64;
            let (number, version) = streams.entry(append.stream.clone()).or_insert((next_number, 0i64));
            for event in &append.events {
                position += 1;
                *version += 1;
                positions.push(position);
                numbers.push(*number);
                versions.push(*version);
                payloads.push(event.payload.get());
            }
        }
        let rows: [&(dyn ToSql + Sync); 4] = [&positions, &numbers, &versions, &payloads];
        let (begun, inserted, committed) = tokio::join!(
            client.batch_execute("BEGIN"),
            client.execute(&insert, &rows),
            client.batch_execute("COMMIT"),
        );
        begun.unwrap();
        inserted.unwrap();
        committed.unwrap();
        for (_, answer) in batch.drain(..) {
            answer.send(()).unwrap();
        }
    }
}
