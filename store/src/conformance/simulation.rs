//! A run of writers and readers over a faulty log, one step at a time: who goes next, what it does and what fails comes
//! from a seed, so that the same seed gives the same history on every backend.
//!
//! Writers do as real callers do: they send the same command again until they know that it is done, and decide again when
//! somebody else came first. Readers resume from the last position that they know of.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use timeloom_domain::ids::{CommandId, EventId, TenantId};
use uuid::Uuid;

use super::chance::Chance;
use super::faulty::{Fault, FaultRates, FaultyLog};
use super::fixtures::{PATIENCE, event_of, metadata, read_everything};
use super::twin::Twin;
use super::{Fresh, Reopen};
use crate::blobs::BlobStore;
use crate::clock::SystemClock;
use crate::envelope::{NewEvent, Position, RecordedEvent, Revision, StreamKey};
use crate::log::{
    Append, AppendError, AskedDurability, Direction, EventLog, Expected, Filter, LogError, READ_EVENTS_MAX,
    Subscription, SubscriptionMessage, TenantScope,
};
use crate::memory::MemoryLog;

const WRITERS: usize = 5;
const READERS: usize = 4;
const STEPS: usize = 200;
const STREAMS: u64 = 4;
const TYPES: [&str; 3] = ["Began", "Went", "Ended"];
const CATEGORIES: [&str; 2] = ["order", "invoice"];
/// Steps after which everything has to be done once nothing fails any more.
const ENDING_STEPS_MAX: usize = 10_000;

pub(super) struct Simulation {
    chance: Chance,
    log: Arc<FaultyLog>,
    model: Arc<MemoryLog>,
    writers: Vec<Writer>,
    readers: Vec<Reader>,
    blobs: Option<Arc<dyn BlobStore>>,
    reopen: Option<Reopen>,
    _keep: Box<dyn Any + Send>,
    pub(super) restarts: u64,
}

#[derive(Default)]
struct Writer {
    pending: Option<Append>,
    done: Vec<Done>,
}

/// What a writer was told.
struct Done {
    command_id: CommandId,
    events: usize,
    position: Position,
}

struct Reader {
    scope: TenantScope,
    filter: Filter,
    capacity: usize,
    /// Everything up to here was seen or skipped.
    known: Position,
    subscription: Option<Subscription>,
    seen: Vec<Position>,
}

impl Simulation {
    pub(super) fn new(fresh: Fresh, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let model = MemoryLog::new(Arc::new(SystemClock));
        let twin = Twin { log: fresh.log, model: Arc::clone(&model) };
        let readers = (0..READERS).map(|number| Reader::new(number, &mut chance)).collect();
        Self {
            log: FaultyLog::new(Arc::new(twin), seed, FaultRates::usual()),
            chance,
            model,
            writers: std::iter::repeat_with(Writer::default).take(WRITERS).collect(),
            readers,
            blobs: Some(fresh.blobs),
            reopen: fresh.reopen,
            _keep: fresh.keep,
            restarts: 0,
        }
    }

    pub(super) async fn run(&mut self) {
        for _ in 0..STEPS {
            match self.chance.below(100) {
                0..40 => self.write().await,
                40..75 => self.follow().await,
                75..95 => self.read().await,
                95..97 => self.log.deliver_late().await,
                _ => self.restart().await,
            }
        }
    }

    pub(super) fn happened(&self, fault: Fault) -> u64 {
        self.log.happened(fault)
    }

    /// Any writer sends its command, or makes one.
    async fn write(&mut self) {
        let index = self.chance.index(WRITERS);
        self.write_as(index).await;
    }

    async fn write_as(&mut self, index: usize) {
        let append = match self.writers[index].pending.take() {
            Some(append) => append,
            None => self.command().await,
        };
        match self.log.append(append.clone()).await {
            Ok(appended) => self.writers[index].done.push(Done {
                command_id: append.command_id,
                events: append.events.len(),
                position: appended.position,
            }),
            Err(AppendError::WrongRevision { actual, .. }) => {
                let expected = if self.chance.happens(500) { Expected::Exact(actual) } else { Expected::Any };
                self.writers[index].pending = Some(self.decided_again(append, expected));
            }
            Err(AppendError::Unavailable { .. }) => self.writers[index].pending = Some(append),
            Err(AppendError::Log(LogError::Storage(_))) => {
                // Some remember what they sent, some load and decide again.
                let expected = append.expected;
                let again = if self.chance.happens(500) { append } else { self.decided_again(append, expected) };
                self.writers[index].pending = Some(again);
            }
            Err(other) => panic!("{other}"),
        }
    }

    async fn command(&mut self) -> Append {
        let stream = self.stream();
        let command_id = CommandId(self.id());
        let metadata = metadata(command_id);
        let newest = self.model.read_stream(&stream, Revision(u64::MAX), Direction::Backward, 1).await.unwrap();
        let revision = newest.first().map_or(0, |event| event.revision.0);
        let expected = match self.chance.below(5) {
            0 => Expected::NoStream,
            1 => Expected::Exists,
            2 => Expected::Exact(Revision(revision)),
            3 => Expected::Exact(Revision(revision + self.chance.below(3))),
            _ => Expected::Any,
        };
        let events = (0..1 + self.chance.below(4)).map(|number| {
            let payload = format!(r#"{{"n":{number}, "for":"{}"}}"#, command_id.0);
            NewEvent { id: EventId(self.id()), ..event_of(TYPES[self.chance.index(TYPES.len())], &payload, &metadata) }
        });
        let events = events.collect();
        let asked = match self.chance.below(3) {
            0 => AskedDurability::Strict,
            1 => AskedDurability::Relaxed,
            _ => AskedDurability::OfTheLog,
        };
        Append::new(stream, expected, events, command_id).asking(asked)
    }

    /// The same command with new events of the same types.
    fn decided_again(&mut self, append: Append, expected: Expected) -> Append {
        let events = append.events.into_iter().map(|event| NewEvent { id: EventId(self.id()), ..event });
        Append { expected, events: events.collect(), ..append }
    }

    fn stream(&mut self) -> StreamKey {
        let number = self.chance.below(STREAMS);
        let tenant = TenantId(1 + u32::from(number == 3));
        StreamKey::new(tenant, CATEGORIES[self.chance.index(2)], format!("s{number}"))
    }

    fn id(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.chance.next(), self.chance.next())
    }

    /// Any reader subscribes, or takes some of what there is for it.
    async fn follow(&mut self) {
        let index = self.chance.index(READERS);
        let most = 1 + self.chance.index(8);
        self.readers[index].follow(&self.log, &self.model, most).await;
    }

    /// Reads are compared by the twin; only a failure on purpose may come back.
    async fn read(&mut self) {
        let direction = if self.chance.happens(500) { Direction::Forward } else { Direction::Backward };
        let after = self.chance.below(self.model.head().0 + 3);
        let limit = self.chance.index(40);
        let outcome = match self.chance.below(3) {
            0 => {
                let stream = self.stream();
                self.log.read_stream(&stream, Revision(after / 4), direction, limit).await.map(drop)
            }
            1 => self.log.wait_for(self.model.head()).await,
            _ => {
                let (scope, filter) = selection(&mut self.chance);
                self.log.read_all(scope, Position(after), direction, &filter, limit).await.map(drop)
            }
        };
        assert!(matches!(outcome, Ok(()) | Err(LogError::Storage(_))), "{outcome:?}");
    }

    /// The log is closed and opened again where it can be; readers lose their subscriptions everywhere.
    async fn restart(&mut self) {
        self.readers.iter_mut().for_each(|reader| reader.subscription = None);
        let Some(reopen) = &self.reopen else { return };
        self.log.unplug();
        self.blobs = None;
        let (log, blobs) = reopen().await;
        assert_eq!(log.head(), self.model.head(), "the log opened again ends elsewhere");
        self.blobs = Some(blobs);
        self.log.plug_in(Arc::new(Twin { log, model: Arc::clone(&self.model) }));
        self.restarts += 1;
    }

    /// Nothing fails any more: everybody gets done, and what is in the log is what everybody was told.
    pub(super) async fn finish(mut self) {
        self.log.set_rates(FaultRates::none());
        self.log.deliver_late().await;
        for index in 0..WRITERS {
            let mut steps = 0;
            while self.writers[index].pending.is_some() {
                self.write_as(index).await;
                steps += 1;
                assert!(steps < ENDING_STEPS_MAX, "writer {index} does not get done");
            }
        }
        self.restart().await;
        let all = read_everything(&*self.log, TenantScope::All, &Filter::default()).await;
        assert!(all.iter().zip(1..).all(|(event, position)| event.position == Position(position)), "a gap");
        assert_eq!(all.len() as u64, self.log.head().0);
        self.check_commands(&all);
        for reader in &mut self.readers {
            reader.finish(&self.log, &self.model).await;
        }
    }

    /// Each command is there once, whole and where its writer was told, and nothing else is there.
    fn check_commands(&self, all: &[Arc<RecordedEvent>]) {
        let mut found: HashMap<CommandId, (usize, Position)> = HashMap::new();
        for events in all.chunk_by(|left, right| left.metadata.command_id == right.metadata.command_id) {
            let last = events.last().unwrap();
            assert!(events.iter().all(|event| event.stream == last.stream));
            let again = found.insert(last.metadata.command_id, (events.len(), last.position));
            assert!(again.is_none(), "the command of position {} is there twice", last.position);
        }
        for done in self.writers.iter().flat_map(|writer| &writer.done) {
            assert_eq!(found.remove(&done.command_id), Some((done.events, done.position)));
        }
        assert!(found.is_empty(), "commands that nobody was told of: {found:?}");
    }
}

fn selection(chance: &mut Chance) -> (TenantScope, Filter) {
    let scope = if chance.happens(300) { TenantScope::One(TenantId(1)) } else { TenantScope::All };
    let mut filter = Filter::default();
    if chance.happens(400) {
        filter.event_types.push(TYPES[chance.index(TYPES.len())].into());
    }
    if chance.happens(300) {
        filter.categories.push(CATEGORIES[chance.index(2)].into());
    }
    if chance.happens(200) {
        filter.stream = Some(StreamKey::new(TenantId(1), CATEGORIES[chance.index(2)], "s1"));
    }
    (scope, filter)
}

impl Reader {
    fn new(number: usize, chance: &mut Chance) -> Self {
        // One sees everything.
        let (scope, filter) = if number == 0 { (TenantScope::All, Filter::default()) } else { selection(chance) };
        let capacity = 2 + chance.index(20);
        Self { scope, filter, capacity, known: Position::START, subscription: None, seen: Vec::new() }
    }

    async fn follow(&mut self, log: &FaultyLog, model: &MemoryLog, most: usize) {
        let Some(subscription) = &mut self.subscription else {
            self.subscription = Some(log.subscribe(self.scope, self.known, self.filter.clone(), self.capacity));
            return;
        };
        let forward = Direction::Forward;
        let coming = model.read_all(self.scope, self.known, forward, &self.filter, most).await.unwrap();
        let mut coming = coming.iter().peekable();
        while let Some(wanted) = coming.peek() {
            match next_or_end(subscription).await {
                Some(SubscriptionMessage::Event(event)) => {
                    super::twin::same_events(&[Arc::clone(&event)], &[Arc::clone(wanted)]);
                    self.seen.push(event.position);
                    self.known = event.position;
                    coming.next();
                }
                Some(SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position)) => {
                    assert!(position < wanted.position, "{position} is told before {}", wanted.position);
                    self.known = self.known.max(position);
                }
                Some(SubscriptionMessage::FellBehind(position)) => {
                    assert!(position >= self.known && position < wanted.position);
                    self.known = position;
                    self.subscription = None;
                    return;
                }
                Some(SubscriptionMessage::Failed(_)) | None => {
                    self.subscription = None;
                    return;
                }
            }
        }
    }

    async fn finish(&mut self, log: &FaultyLog, model: &MemoryLog) {
        let wanted = read_everything(model, self.scope, &self.filter).await;
        let wanted: Vec<Position> = wanted.iter().map(|event| event.position).collect();
        let mut steps = 0;
        while self.seen.len() < wanted.len() {
            self.follow(log, model, READ_EVENTS_MAX).await;
            steps += 1;
            assert!(steps < ENDING_STEPS_MAX, "a reader does not get done");
        }
        assert_eq!(self.seen, wanted);
    }
}

/// The next message, `None` at the end; fails the test when nothing comes.
async fn next_or_end(subscription: &mut Subscription) -> Option<SubscriptionMessage> {
    tokio::time::timeout(PATIENCE, subscription.next()).await.unwrap_or_else(|_| panic!("nothing came"))
}
