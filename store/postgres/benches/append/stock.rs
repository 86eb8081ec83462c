//! The stock postgres-es crate on its own table: a pool of ten connections, a transaction for each append, a statement for
//! each event. Nothing is loaded before an append, which its framework would do.

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{PersistedEventRepository, SerializedEvent};
use cqrs_es::{Aggregate, DomainEvent};
use postgres_es::{PostgresEventRepository, default_postgress_pool};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use timeloom_store::{Append, Expected};
use tokio_postgres::Client;

/// An aggregate that only lends its name.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Execution;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Anything;

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl DomainEvent for Anything {
    fn event_type(&self) -> String {
        String::new()
    }

    fn event_version(&self) -> String {
        String::new()
    }
}

impl Aggregate for Execution {
    const TYPE: &'static str = "execution";
    type Command = ();
    type Event = Anything;
    type Error = Never;
    type Services = ();

    async fn handle(&mut self, (): (), (): &(), _: &EventSink<Self>) -> Result<(), Never> {
        std::future::ready(Ok(())).await
    }

    fn apply(&mut self, _: Anything) {}
}

pub struct StockLog(PostgresEventRepository);

impl StockLog {
    pub async fn open(client: &Client, url: &str) -> Self {
        client
            .batch_execute(
                "DROP TABLE IF EXISTS stock_events;
                 CREATE TABLE stock_events (
                     aggregate_type text NOT NULL, aggregate_id text NOT NULL,
                     sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL,
                     event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
                     PRIMARY KEY (aggregate_type, aggregate_id, sequence)
                 )",
            )
            .await
            .unwrap();
        let pool = default_postgress_pool(url).await;
        Self(PostgresEventRepository::new(pool).with_tables("stock_events", "stock_snapshots"))
    }

    pub async fn append(&self, append: Append) {
        let Expected::Exact(revision) = append.expected else { return };
        let row = |(event, sequence): (&timeloom_store::NewEvent, u64)| SerializedEvent {
            aggregate_id: append.stream.id.to_string(),
            sequence: sequence as usize,
            aggregate_type: Execution::TYPE.to_owned(),
            event_type: event.event_type.to_string(),
            event_version: event.event_version.to_string(),
            payload: serde_json::from_str::<Value>(event.payload.get()).unwrap(),
            metadata: serde_json::to_value(&*event.metadata).unwrap(),
        };
        let rows: Vec<SerializedEvent> = append.events.iter().zip(revision.0 + 1..).map(row).collect();
        self.0.persist::<Execution>(&rows, None).await.unwrap();
    }
}
