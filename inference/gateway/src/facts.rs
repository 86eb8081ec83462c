//! What the gateway tells of a call, in the order in which it happened. Whoever records makes events of it.

use std::sync::{Mutex, PoisonError};

use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::Usage;
use timeloom_domain::money::Money;

use crate::limits::LimitReached;

/// Takes what is told.
pub trait Sink: Send + Sync {
    /// Takes a fact. Called in the middle of calls: it must not wait.
    fn tell(&self, fact: Fact);
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The answer was there already.
    CacheHit {
        /// The call that it was an answer to.
        source: String,
    },
    /// A limit holds the call back.
    LimitReached(LimitReached),
    /// A provider is asked.
    AttemptStarted {
        /// Which attempt of the call, 1 is the first.
        attempt: u32,
        /// The provider.
        provider: String,
        /// Its name for the model.
        model: String,
        /// Why it is this one.
        reason: RouteReason,
    },
    /// What was asked and the provider's protocol has no word for.
    LeftOut {
        /// Which attempt.
        attempt: u32,
        /// What.
        what: Vec<&'static str>,
    },
    /// A provider did not answer, or not to the end.
    AttemptFailed {
        /// Which attempt.
        attempt: u32,
        /// What kind of failure it was.
        class: ErrorClass,
        /// Status of the HTTP answer, if there was one.
        status: Option<u16>,
        /// After how many milliseconds the provider wants to be asked again.
        retry_after_ms: Option<u64>,
        /// What happened, in words.
        message: String,
        /// How long it took, in microseconds.
        after_us: u64,
    },
    /// The first piece with content came.
    FirstToken {
        /// Which attempt.
        attempt: u32,
        /// How long it took, in microseconds.
        after_us: u64,
    },
    /// The answer is there, to its end.
    Completed {
        /// Which attempt.
        attempt: u32,
        /// The provider.
        provider: String,
        /// The model that answered, as the provider says.
        model: String,
        /// Why the answer ended.
        finish: Option<String>,
        /// Tokens that it took, if the provider says so.
        usage: Option<Usage>,
        /// What it cost, if the price is known.
        cost: Option<Money>,
        /// The provider's name for the request.
        request_id: Option<String>,
        /// What the provider says of the software and settings that answered.
        system_fingerprint: Option<String>,
        /// How long it took, in microseconds.
        after_us: u64,
    },
    /// What limits were charged with: what was taken, or what was reserved where nobody says what was taken.
    Charged {
        /// Tokens, read and written.
        tokens: u64,
        /// Money, where the price is known.
        money: Option<Money>,
    },
    /// Nobody waited for the end of the answer.
    Cancelled {
        /// Which attempt.
        attempt: u32,
        /// How long it had taken, in microseconds.
        after_us: u64,
    },
    /// An answer does not fit the schema that was asked for.
    OutputSchemaViolated {
        /// Which attempt.
        attempt: u32,
        /// In which ways.
        violations: Vec<String>,
        /// Whether the model is told, and asked once more.
        repairing: bool,
    },
    /// A target failed so often that it is left alone.
    CircuitOpened {
        /// The provider.
        provider: String,
        /// Its name for the model.
        model: String,
        /// For how long, in milliseconds.
        for_ms: u64,
    },
    /// One call is let through, to see.
    CircuitHalfOpened {
        /// The provider.
        provider: String,
        /// Its name for the model.
        model: String,
    },
    /// A target is as good as any again.
    CircuitClosed {
        /// The provider.
        provider: String,
        /// Its name for the model.
        model: String,
    },
}

/// Why a target was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteReason {
    /// There is no other.
    Only,
    /// The key of the call falls to it.
    Split,
    /// It was the less busy and quicker of two.
    LeastLoaded,
    /// It failed, and may do better now.
    Retry,
    /// Others failed, or are left alone.
    FellBack,
    /// To see whether it does better again.
    Probe,
}

impl RouteReason {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::Split => "split",
            Self::LeastLoaded => "least_loaded",
            Self::Retry => "retry",
            Self::FellBack => "fell_back",
            Self::Probe => "probe",
        }
    }
}

/// Keeps what is told, in order.
#[derive(Debug, Default)]
pub struct Told(Mutex<Vec<Fact>>);

impl Told {
    /// Takes out what was told so far.
    pub fn take(&self) -> Vec<Fact> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Told {
    fn tell(&self, fact: Fact) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
    }
}
