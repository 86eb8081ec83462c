//! The [`EventLog`] port.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use timeloom_domain::ids::{CommandId, EventId, TenantId};

use crate::envelope::{NewEvent, Position, RecordedEvent, Revision, StreamKey};
use crate::subjects::SubjectKeyError;
pub use crate::subscription::{Subscription, SubscriptionMessage};

/// Most events in one append.
pub const APPEND_EVENTS_MAX: usize = 1_000;
/// Largest append, in bytes of payload and metadata as stored: a payload that goes into a blob counts as its reference.
pub const APPEND_BYTES_MAX: usize = 4 << 20;
/// Most bytes of one append's payloads that go into blobs.
pub const APPEND_SPILLED_BYTES_MAX: usize = 256 << 20;
/// Most events that one read returns. Payloads from blobs are part of it, however large: whoever expects many large
/// events asks for fewer at a time.
pub const READ_EVENTS_MAX: usize = 1_000;

/// What the stream must look like for an append to succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anything.
    Any,
    /// No event yet.
    NoStream,
    /// At least one event.
    Exists,
    /// Exactly this revision.
    Exact(Revision),
}

/// One append: some events to one stream, all or none.
#[derive(Debug, Clone)]
pub struct Append {
    /// The stream.
    pub stream: StreamKey,
    /// What it must look like.
    pub expected: Expected,
    /// At most [`APPEND_EVENTS_MAX`] events; without any, only `expected` is checked.
    pub events: Vec<NewEvent>,
    /// Sent again to the same stream after a lost answer, the same id gives the first answer again, whatever is expected.
    pub command_id: CommandId,
    /// What it asks to survive. The answer says what it does survive, which may be more.
    pub durability: AskedDurability,
    /// Whom the personal fields of its events are about: the name of a subject, under whose key they are sealed; `None`
    /// where they are about nobody, or the stream says it. See [`crate::subjects`]. Backends never see it.
    pub subject: Option<Arc<str>>,
    /// Where no subject is named: the stream that is about the same one.
    pub subject_of: Option<StreamKey>,
}

impl Append {
    /// An append that survives what the log's deployment chose.
    pub fn new(stream: StreamKey, expected: Expected, events: Vec<NewEvent>, command_id: CommandId) -> Self {
        let durability = AskedDurability::OfTheLog;
        Self { stream, expected, events, command_id, durability, subject: None, subject_of: None }
    }

    /// The same append, asking for `durability`.
    #[must_use]
    pub fn asking(self, durability: AskedDurability) -> Self {
        Self { durability, ..self }
    }

    /// The same append, whose personal fields are about `subject`.
    #[must_use]
    pub fn about(self, subject: Option<impl Into<Arc<str>>>) -> Self {
        Self { subject: subject.map(Into::into), ..self }
    }

    /// The same append, whose personal fields are about the one that `stream` is about, if it is about anybody.
    #[must_use]
    pub fn about_the_same_as(self, stream: Option<StreamKey>) -> Self {
        Self { subject_of: stream, ..self }
    }
}

/// What an append asks to survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AskedDurability {
    /// What the deployment chose for its log.
    #[default]
    OfTheLog,
    /// The loss of power, whatever the deployment chose.
    Strict,
    /// The end of the process, whatever the deployment chose, but never in one of [`STRICT_CATEGORIES`]. It shares a commit
    /// with what came in beside it, and is as safe as the most demanding of them.
    Relaxed,
}

/// Categories whose events are always written as [`Durability::Strict`], whatever the deployment chose and the append asks.
pub const STRICT_CATEGORIES: [&str; 8] =
    ["account", "audit", "credential", "policy", "retention", "session", "subject", "tenant"];

/// What an acknowledged append survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, however it ends, and of the machine.
    Strict,
    /// The end of the process, however it ends. The end of the machine may take what was acknowledged in its last moments.
    Relaxed {
        /// The length of these moments in milliseconds, at most.
        loss_ms_max: u32,
    },
    /// Nothing: the log is in memory.
    Volatile,
}

/// How long relaxed appends wait for the disk where the deployment did not choose a time, in milliseconds.
pub const FLUSH_MS_DEFAULT: u32 = 50;
/// The longest that they may wait, in milliseconds.
pub const FLUSH_MS_MAX: u32 = 10_000;

/// What a deployment chooses for the appends that ask for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DurabilityChoice {
    /// The disk has every append before it is answered.
    #[default]
    Strict,
    /// Appends are answered before the disk has them, but for those of [`STRICT_CATEGORIES`].
    Relaxed {
        /// The disk has them after this many milliseconds, at most [`FLUSH_MS_MAX`].
        flush_ms: u32,
    },
}

impl DurabilityChoice {
    /// Whether the disk must have `append` before it is answered.
    pub fn is_strict_for(self, append: &Append) -> bool {
        let asked = match append.durability {
            AskedDurability::OfTheLog => self == Self::Strict,
            AskedDurability::Strict => true,
            AskedDurability::Relaxed => false,
        };
        asked || STRICT_CATEGORIES.contains(&&*append.stream.category)
    }

    /// The milliseconds after which the disk has relaxed appends, at most.
    pub fn flush_ms(self) -> u32 {
        match self {
            Self::Strict => FLUSH_MS_DEFAULT,
            Self::Relaxed { flush_ms } => flush_ms.clamp(1, FLUSH_MS_MAX),
        }
    }
}

/// Where an append went.
#[derive(Debug, Clone, PartialEq)]
pub struct Appended {
    /// Position of its last event.
    pub position: Position,
    /// Revision of its last event.
    pub revision: Revision,
    /// The events as recorded. For a repeated command: as they were recorded the first time.
    pub events: Vec<Arc<RecordedEvent>>,
    /// Whether this command had been appended before.
    pub repeated: bool,
    /// What it survives.
    pub durability: Durability,
}

impl PartialEq for RecordedEvent {
    fn eq(&self, other: &Self) -> bool {
        self.position == other.position
            && self.id == other.id
            && self.stream == other.stream
            && self.revision == other.revision
            && self.payload.get() == other.payload.get()
    }
}

/// Why an append was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended first: load again and decide again.
    #[error("stream {stream} is at revision {actual}, expected {expected:?}")]
    WrongRevision {
        /// The stream.
        stream: StreamKey,
        /// What was asked for.
        expected: Expected,
        /// What is there.
        actual: Revision,
    },
    /// An event id or command id is in the log already, with other content.
    #[error("the command or an event id of it is already in the log with other content; use a new id")]
    DuplicateId,
    /// More events or bytes than one append may have.
    #[error("{what} is {actual}, at most {max} are allowed in one append")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        actual: usize,
        /// How large it may be.
        max: usize,
    },
    /// The log cannot take it now; try again.
    #[error("the log is busy, try again in {} ms", retry_after.as_millis())]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// It is about a subject, and cannot be kept under a key of it.
    #[error(transparent)]
    Subject(#[from] SubjectKeyError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why a read failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The storage failed.
    #[error("the event log's storage failed: {0}")]
    Storage(Arc<dyn std::error::Error + Send + Sync>),
    /// What is stored cannot be understood.
    #[error("the event log is damaged at position {position}: {detail}")]
    Corrupt {
        /// Where.
        position: Position,
        /// What is wrong.
        detail: String,
    },
    /// An event is of a type or version that this build does not know; what follows from it is not known either.
    #[error("the event at position {position}: {detail}")]
    Unknown {
        /// Where.
        position: Position,
        /// What is not known, and what to do.
        detail: String,
    },
    /// The log was shut down.
    #[error("the event log is closed")]
    Closed,
}

impl LogError {
    /// A storage failure.
    pub fn storage(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Storage(Arc::new(error))
    }
}

/// Which way to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From old to new.
    Forward,
    /// From new to old.
    Backward,
}

/// Whose events to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantScope {
    /// One tenant's: what every read for a person uses.
    One(TenantId),
    /// All tenants': for projections and the engine.
    All,
}

/// Which events to read; empty lists mean all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Categories of streams.
    pub categories: Vec<Arc<str>>,
    /// Types of events.
    pub event_types: Vec<Arc<str>>,
    /// One stream only.
    pub stream: Option<StreamKey>,
}

impl Filter {
    /// Whether `event` passes.
    pub fn matches(&self, scope: TenantScope, event: &RecordedEvent) -> bool {
        (match scope {
            TenantScope::All => true,
            TenantScope::One(tenant) => event.stream.tenant == tenant,
        }) && (self.categories.is_empty() || self.categories.contains(&event.stream.category))
            && (self.event_types.is_empty() || self.event_types.contains(&event.event_type))
            && self.stream.as_ref().is_none_or(|stream| *stream == event.stream)
    }
}

/// Events that are named one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// By their places.
    Positions(Vec<Position>),
    /// By their ids.
    Ids(Vec<EventId>),
}

impl Wanted {
    fn names(&self, event: &RecordedEvent) -> bool {
        match self {
            Self::Positions(positions) => positions.contains(&event.position),
            Self::Ids(ids) => ids.contains(&event.id),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Positions(positions) => positions.len(),
            Self::Ids(ids) => ids.len(),
        }
    }
}

/// One ordered log of events.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Appends to one stream, durably and atomically. Returns when the events are safe and visible.
    ///
    /// # Errors
    /// [`AppendError`]; nothing was appended then, except after a lost answer, which the same `command_id` finds out.
    async fn append(&self, append: Append) -> Result<Appended, AppendError>;

    /// Events of one stream with revision greater than `after` (forward) or up to and with it (backward).
    /// At most `limit`, itself at most [`READ_EVENTS_MAX`].
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError>;

    /// Events with position greater than `after` (forward) or up to and with it (backward) that pass the filter.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError>;

    /// The events that are `wanted`, in the order of the log, in one read however many they are; what is not there, or is
    /// another's, is left out. At most [`READ_EVENTS_MAX`] may be named, more are left out.
    ///
    /// What is given here walks the log: a backend looks into its indexes.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn look_up(&self, scope: TenantScope, wanted: &Wanted) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let (mut found, mut after) = (Vec::new(), Position::START);
        while found.len() < wanted.len().min(READ_EVENTS_MAX) {
            let read = self.read_all(scope, after, Direction::Forward, &Filter::default(), READ_EVENTS_MAX).await?;
            let Some(last) = read.last() else { break };
            after = last.position;
            found.extend(read.into_iter().filter(|event| wanted.names(event)));
        }
        Ok(found)
    }

    /// Events after `after` and then live ones. `capacity` bounds the queue of the subscriber.
    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription;

    /// Position of the newest visible event.
    fn head(&self) -> Position;

    /// Position of the newest visible event of a category, where that is known without a look at the storage: nobody but
    /// this process writes the log. It may be too high, never too low. `None` when others may have written since.
    fn newest_of(&self, _category: &str) -> Option<Position> {
        None
    }

    /// Waits until `head()` is at least `position`.
    ///
    /// # Errors
    /// [`LogError::Closed`] when the log is shut down before.
    async fn wait_for(&self, position: Position) -> Result<(), LogError>;

    /// The position of the newest event recorded at or before `time` (microseconds since 1970); 0 when there is none.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn position_at(&self, time_us: i64) -> Result<Position, LogError>;
}
