//! What callers ask of a pool, and how they are answered.
//!
//! Every ask gets exactly one answer: what was computed, or why nothing was.

use std::time::Duration;

use timeloom_domain::inference::Provider;
use timeloom_domain::inference::Tensor;

/// Who goes first. All of a higher priority go before all of a lower one; within one, the earliest deadline does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody waits and looks at the screen.
    Interactive,
    /// What nothing else is said of.
    #[default]
    Standard,
    /// Work in bulk, that may wait.
    Bulk,
    /// A copy of an ask for comparison only: it never delays the others.
    Shadow,
}

impl Priority {
    /// All there are, the highest first.
    pub const ALL: [Self; 4] = [Self::Interactive, Self::Standard, Self::Bulk, Self::Shadow];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Standard => "standard",
            Self::Bulk => "bulk",
            Self::Shadow => "shadow",
        }
    }
}

/// How something is to be computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ask {
    /// Who goes first.
    pub priority: Priority,
    /// Within which time the answer is of use; the policy's longest wait where nothing is said, and never longer. Nothing is
    /// computed whose time has passed, and what could not be ready in time gives way to what can.
    pub within: Option<Duration>,
}

/// How long it took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the ask to the beginning of the run that answered it.
    pub queue: Duration,
    /// The run that answered it; several after one another where it was computed in parts.
    pub compute: Duration,
}

/// What was computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// A tensor for each output of the model's signature, in its order.
    pub outputs: Vec<Tensor>,
    /// How long it took.
    pub timings: Timings,
    /// Rows of the batch, of all callers together.
    pub batch_rows: usize,
    /// Rows that were computed, those that only filled the bucket up too.
    pub bucket: usize,
    /// Who computed.
    pub provider: Provider,
    /// Number of the instance that computed; never given twice in a pool.
    pub instance: u64,
}

/// Why nothing was computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotComputed {
    /// Too many wait.
    #[error("too many wait for the model: ask again in {} ms", retry_after.as_millis())]
    QueueFull {
        /// When there may be room.
        retry_after: Duration,
    },
    /// Its deadline passed, or could not be kept any more, before it was computed.
    #[error("the deadline passed before the model came to it: give it more time, or ask for less at once")]
    DeadlineMissed,
    /// Nobody waited for it any more.
    #[error("nobody waited for it any more")]
    Cancelled,
    /// The inputs do not fit the model.
    #[error("the inputs do not fit the model: {0}")]
    Unfit(String),
    /// There was not memory enough, for less rows neither.
    #[error("there was not memory enough to compute it: ask with less rows, or later")]
    OutOfMemory,
    /// The runtime failed, or the instance broke down.
    #[error("the model could not be computed: {0}")]
    Failed(String),
    /// The model was unloaded.
    #[error("the model was unloaded: load it, or ask another version")]
    Unloaded,
}

/// [`NotComputed`] without what is said of it, to count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// [`NotComputed::QueueFull`].
    QueueFull,
    /// [`NotComputed::DeadlineMissed`].
    DeadlineMissed,
    /// [`NotComputed::Cancelled`].
    Cancelled,
    /// [`NotComputed::Unfit`].
    Unfit,
    /// [`NotComputed::OutOfMemory`].
    OutOfMemory,
    /// [`NotComputed::Failed`].
    Failed,
    /// [`NotComputed::Unloaded`].
    Unloaded,
}

impl Reason {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::QueueFull,
        Self::DeadlineMissed,
        Self::Cancelled,
        Self::Unfit,
        Self::OutOfMemory,
        Self::Failed,
        Self::Unloaded,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::DeadlineMissed => "deadline_missed",
            Self::Cancelled => "cancelled",
            Self::Unfit => "unfit",
            Self::OutOfMemory => "out_of_memory",
            Self::Failed => "failed",
            Self::Unloaded => "unloaded",
        }
    }
}

impl NotComputed {
    /// To count by.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::QueueFull { .. } => Reason::QueueFull,
            Self::DeadlineMissed => Reason::DeadlineMissed,
            Self::Cancelled => Reason::Cancelled,
            Self::Unfit(_) => Reason::Unfit,
            Self::OutOfMemory => Reason::OutOfMemory,
            Self::Failed(_) => Reason::Failed,
            Self::Unloaded => Reason::Unloaded,
        }
    }
}
