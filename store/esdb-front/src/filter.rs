//! Which events of the whole log a client wants: by regular expressions or beginnings of names of streams or types.

use fancy_regex::{Regex, RegexBuilder};
use timeloom_store::RecordedEvent;
use tonic::Status;

use crate::names;
use crate::status;

/// Longest regular expression, in bytes.
const EXPRESSION_BYTES_MAX: usize = 4_096;
/// Steps back that looking through one name may take. Clients write expressions that look ahead, which needs some.
const STEPS_BACK_MAX: usize = 10_000;
/// Most beginnings.
const BEGINNINGS_MAX: usize = 1_000;
/// Events after which a client hears how far it is, where it does not say.
const WINDOW_DEFAULT: u32 = 32;

/// What of an event is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Stream,
    Type,
}

#[derive(Debug)]
enum Test {
    Matches(Box<Regex>),
    Begins(Vec<String>),
}

/// Which events are wanted, and how often it is told how far the log was looked at.
#[derive(Debug)]
pub(crate) struct Wanted {
    subject: Subject,
    test: Test,
    /// Events that are looked at between two checkpoints.
    pub(crate) checkpoint_every: u64,
}

/// A filter as it comes over the wire, whatever message it was in.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) of_streams: bool,
    pub(crate) regex: String,
    pub(crate) prefixes: Vec<String>,
    pub(crate) window: Option<u32>,
    pub(crate) multiplier: u32,
}

impl Wanted {
    pub(crate) fn new(asked: Asked) -> Result<Self, Status> {
        let subject = if asked.of_streams { Subject::Stream } else { Subject::Type };
        let test = if asked.regex.is_empty() {
            if asked.prefixes.len() > BEGINNINGS_MAX {
                return Err(status::invalid(format!("a filter has at most {BEGINNINGS_MAX} prefixes")));
            }
            Test::Begins(asked.prefixes)
        } else {
            if asked.regex.len() > EXPRESSION_BYTES_MAX {
                return Err(status::invalid(format!("a filter's expression has at most {EXPRESSION_BYTES_MAX} bytes")));
            }
            let built = RegexBuilder::new(&asked.regex).backtrack_limit(STEPS_BACK_MAX).build();
            let built = built.map_err(|error| status::invalid(format!("the filter's expression is wrong: {error}")))?;
            Test::Matches(Box::new(built))
        };
        let window = asked.window.filter(|window| *window > 0).unwrap_or(WINDOW_DEFAULT);
        let checkpoint_every = u64::from(window).saturating_mul(u64::from(asked.multiplier.max(1)));
        Ok(Self { subject, test, checkpoint_every })
    }

    /// Whether an event passes.
    pub(crate) fn passes(&self, event: &RecordedEvent) -> Result<bool, Status> {
        let stream;
        let subject = match self.subject {
            Subject::Type => &*event.event_type,
            Subject::Stream => {
                stream = names::name(&event.stream);
                &stream
            }
        };
        match &self.test {
            Test::Begins(beginnings) => Ok(beginnings.iter().any(|beginning| subject.starts_with(beginning))),
            Test::Matches(expression) => expression
                .is_match(subject)
                .map_err(|_| status::invalid("the filter's expression takes too long: write a simpler one")),
        }
    }
}
