//! The stock postgres-es crate on our tables: it appends to a category of its own, loads and replays beside our writers,
//! meets its usual conflicts, and is refused on our aggregates' categories.

use std::sync::{Arc, Mutex};

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{PersistedEventRepository, QueryReplay};
use cqrs_es::{Aggregate, AggregateError, DomainEvent, EventEnvelope, Query};
use postgres_es::{PostgresCqrs, PostgresEventRepository, default_postgress_pool, postgres_cqrs};
use serde::{Deserialize, Serialize};
use timeloom_postgres_testing::Database;
use timeloom_store::{EventLog, Filter, Position, SubscriptionMessage, TenantScope};
use tokio::task::JoinSet;

use crate::external::{external, make_role, url_for};
use crate::processes::{assert_sound, next};
use crate::{append, open, read_everything};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum CounterEvent {
    Counted { by: u64 },
}

impl DomainEvent for CounterEvent {
    fn event_type(&self) -> String {
        "Counted".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

/// An aggregate of somebody else's program, whose category is `CATEGORY`.
macro_rules! counter {
    ($name:ident, $category:literal) => {
        #[derive(Debug, Default, Serialize, Deserialize)]
        struct $name {
            total: u64,
        }

        impl Aggregate for $name {
            const TYPE: &'static str = $category;
            type Command = u64;
            type Event = CounterEvent;
            type Error = Never;
            type Services = ();

            async fn handle(&mut self, by: u64, (): &(), sink: &EventSink<Self>) -> Result<(), Never> {
                sink.write(CounterEvent::Counted { by }, self).await;
                Ok(())
            }

            fn apply(&mut self, CounterEvent::Counted { by }: CounterEvent) {
                self.total += by;
            }
        }
    };
}

counter!(Counter, "counter");
counter!(Workflow, "workflow");

#[derive(Clone, Default)]
struct Total(Arc<Mutex<(u64, u64)>>);

#[async_trait::async_trait]
impl Query<Counter> for Total {
    async fn dispatch(&self, _: &str, events: &[EventEnvelope<Counter>]) {
        for EventEnvelope { payload: CounterEvent::Counted { by }, .. } in events {
            let mut total = self.0.lock().unwrap();
            *total = (total.0 + by, total.1 + 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_program_appends_loads_and_replays_beside_our_writers() {
    const STOCK_TASKS: u64 = 4;
    const STOCK_COMMANDS: u64 = 25;
    const OUR_WRITERS: u128 = 8;
    const OUR_APPENDS: u128 = 30;
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let role = make_role(&database, "stock").await;
    log.open_to_external(&external("counter", &role, 5)).await.unwrap();
    let pool = default_postgress_pool(&url_for(&database, &role)).await;
    let mut subscription = log.subscribe(TenantScope::All, Position::START, Filter::default(), 4_096);

    let mut ours = JoinSet::new();
    for writer in 0..OUR_WRITERS {
        let log = Arc::clone(&log);
        ours.spawn(async move {
            for number in 0..OUR_APPENDS {
                let first_id = (writer * OUR_APPENDS + number) * 10 + 1;
                log.append(append(&format!("s{writer}"), first_id, 2, "{}")).await.unwrap();
            }
        });
    }
    let mut stock = JoinSet::new();
    for _ in 0..STOCK_TASKS {
        let cqrs: PostgresCqrs<Counter> = postgres_cqrs(pool.clone(), Vec::new(), ());
        stock.spawn(async move {
            let mut conflicts = 0u64;
            for by in 1..=STOCK_COMMANDS {
                loop {
                    match cqrs.execute("shared", by).await {
                        Ok(()) => break,
                        // Its own name for somebody else having appended first.
                        Err(AggregateError::AggregateConflict) => conflicts += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            conflicts
        });
    }
    let conflicts: u64 = stock.join_all().await.into_iter().sum();
    ours.join_all().await;
    assert!(conflicts > 0, "four tasks on one aggregate meet conflicts");

    let stock_events = STOCK_TASKS * STOCK_COMMANDS;
    let events = stock_events + (OUR_WRITERS * OUR_APPENDS * 2) as u64;
    let mut last = Position::START;
    while last.0 < events {
        if let SubscriptionMessage::Event(event) = next(&mut subscription).await {
            assert_eq!(event.position.0, last.0 + 1, "one order for both");
            last = event.position;
        }
    }
    assert_sound(&log, &database).await;

    let repository = PostgresEventRepository::new(pool.clone());
    let loaded = repository.get_events::<Counter>("shared").await.unwrap();
    assert_eq!(loaded.len() as u64, stock_events);
    assert!(loaded.iter().zip(1usize..).all(|(event, sequence)| event.sequence == sequence));
    let total = Total::default();
    let replay: QueryReplay<_, _, Counter> = QueryReplay::new(PostgresEventRepository::new(pool), total.clone());
    replay.replay_all().await.unwrap();
    let sum = STOCK_TASKS * STOCK_COMMANDS * (STOCK_COMMANDS + 1) / 2;
    assert_eq!(*total.0.lock().unwrap(), (sum, stock_events));
}

#[tokio::test]
async fn a_stock_program_reads_our_aggregates_and_cannot_append_to_them() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let role = make_role(&database, "stock").await;
    log.open_to_external(&external("counter", &role, 1)).await.unwrap();
    let mut ours = append("w-1", 1, 1, "{\"Counted\":{\"by\":7}}");
    ours.stream.category = "workflow".into();
    log.append(ours).await.unwrap();

    let pool = default_postgress_pool(&url_for(&database, &role)).await;
    let repository = PostgresEventRepository::new(pool.clone());
    let loaded = repository.get_events::<Workflow>("w-1").await.unwrap();
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].metadata["actor"], "system:test");
    let cqrs: PostgresCqrs<Workflow> = postgres_cqrs(pool, Vec::new(), ());
    let refused = cqrs.execute("w-1", 1).await.unwrap_err().to_string();
    assert!(refused.contains("category \"workflow\" is not open to role"), "{refused}");
    assert_eq!(read_everything(&*log).await.len(), 1);
}
