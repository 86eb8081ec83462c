//! Where things stand in traces: ids of traces and spans as W3C's Trace Context writes them, and those of executions and
//! node runs.
//!
//! Never makes an id up: each follows from one that is there already, so that whoever reads the same log finds the same
//! spans, and a node can name its own before anybody has written of it. Invariant: no id is all zeros, which the standard
//! keeps for what is not there.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

use uuid::Uuid;

use crate::chance;
use crate::ids::ExecutionId;

/// Characters of a `traceparent` of version 00.
const TEXT_CHARACTERS: usize = 55;
/// The version that says that what follows is nothing.
const NO_VERSION: &str = "ff";
/// The flag of traces that are recorded.
const SAMPLED: u8 = 1;
/// Of a trace's id, these last bits are chance alone, as the standard has it.
const CHANCE_BITS: u32 = 56;

/// Which story something belongs to, over all programs that take part in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    /// The trace that an id stands for.
    pub fn of(id: Uuid) -> Self {
        Self(NonZeroU128::new(id.as_u128()).unwrap_or(NonZeroU128::MIN))
    }

    /// The bytes, as they are sent.
    pub fn bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// One step of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    /// One of the spans that an id stands for.
    pub fn of(id: Uuid, number: u64) -> Self {
        let (high, low) = id.as_u64_pair();
        let mixed = chance::mixed(chance::mixed(high ^ number.wrapping_mul(chance::STEP)) ^ low);
        Self(NonZeroU64::new(mixed).unwrap_or(NonZeroU64::MIN))
    }

    /// The bytes, as they are sent.
    pub fn bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// Under which span something happens, as programs tell each other in the header `traceparent`.
///
/// ```
/// use timeloom_domain::trace::TraceParent;
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let parent: TraceParent = text.parse()?;
/// assert!(parent.is_sampled);
/// assert_eq!(parent.to_string(), text);
/// # Ok::<(), timeloom_domain::trace::InvalidTraceParent>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether whoever sent it records the trace.
    pub is_sampled: bool,
}

/// The text is no `traceparent`; a trace begins anew then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no traceparent as W3C's Trace Context has it")]
pub struct InvalidTraceParent;

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    /// Versions to come may add something at the end, which is passed over.
    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let (own, more) = text.split_at_checked(TEXT_CHARACTERS).ok_or(InvalidTraceParent)?;
        let mut parts = own.split('-');
        let mut part = |digits| parts.next().filter(|part| is_hex(part, digits)).ok_or(InvalidTraceParent);
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let is_known = match version {
            "00" => more.is_empty(),
            NO_VERSION => false,
            _ => more.is_empty() || more.starts_with('-'),
        };
        let trace = u128::from_str_radix(trace, 16).ok().and_then(NonZeroU128::new).filter(|_| is_known);
        let span = u64::from_str_radix(span, 16).ok().and_then(NonZeroU64::new);
        let flags = u8::from_str_radix(flags, 16).map_err(|_| InvalidTraceParent)?;
        Ok(Self {
            trace: TraceId(trace.ok_or(InvalidTraceParent)?),
            span: SpanId(span.ok_or(InvalidTraceParent)?),
            is_sampled: flags & SAMPLED != 0,
        })
    }
}

/// Capitals are none: the standard wants to have the same text everywhere.
fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for TraceParent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.is_sampled))
    }
}

/// Which traces are recorded, of those of which nobody else has said it. It follows from a trace's id, so that all who
/// are asked say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Those whose chance is below this.
    below: u64,
}

impl Sampling {
    /// All of them.
    pub const ALL: Self = Self { below: 1 << CHANCE_BITS };

    /// This share of them, from 0 to 1.
    pub fn try_new(share: f64) -> Option<Self> {
        let all = Self::ALL.below as f64;
        (0.0..=1.0).contains(&share).then_some(Self { below: (share * all) as u64 })
    }

    /// Whether the trace is one of them.
    pub fn takes(self, trace: TraceId) -> bool {
        let chance = trace.0.get() & u128::from(Self::ALL.below - 1);
        chance < u128::from(self.below)
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self::ALL
    }
}

/// Where an execution stands in traces, in all of its streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionTrace {
    root: ExecutionId,
    /// Under which span it was begun; `None` where it began by itself, as by a schedule.
    under: Option<TraceParent>,
}

impl ExecutionTrace {
    /// Where the execution `root`, the first of its streams, stands that was begun under this `traceparent`.
    pub fn of(root: ExecutionId, traceparent: Option<&str>) -> Self {
        Self { root, under: traceparent.and_then(|text| text.parse().ok()) }
    }

    /// Its trace: that in which it was begun, or else one of its own, whose id is the execution's.
    pub fn trace(&self) -> TraceId {
        self.under.map_or_else(|| TraceId::of(self.root.0), |under| under.trace)
    }

    /// The span under which it was begun.
    pub fn parent(&self) -> Option<SpanId> {
        self.under.map(|under| under.span)
    }

    /// Its own span.
    pub fn span(&self) -> SpanId {
        SpanId::of(self.root.0, 0)
    }

    /// The span of a node run, by its place in the order of all.
    pub fn node_run(&self, execution_index: usize) -> SpanId {
        SpanId::of(self.root.0, execution_index as u64 + 1)
    }

    /// Whether it is recorded.
    pub fn is_sampled(&self, sampling: Sampling) -> bool {
        self.under.map_or_else(|| sampling.takes(self.trace()), |under| under.is_sampled)
    }

    /// What those are told who are called from within one of its spans.
    pub fn within(&self, span: SpanId, sampling: Sampling) -> TraceParent {
        TraceParent { trace: self.trace(), span, is_sampled: self.is_sampled(sampling) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_the_standard_calls_malformed_is_none() {
        let malformed = [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ];
        for text in malformed {
            assert_eq!(text.parse::<TraceParent>(), Err(InvalidTraceParent), "{text}");
        }
    }

    #[test]
    fn versions_to_come_are_read_as_far_as_this_one_goes() {
        let known: TraceParent = CALLER.parse().unwrap();
        for text in [CALLER.replacen("00", "01", 1), CALLER.replacen("00", "cc", 1) + "-what-comes"] {
            assert_eq!(text.parse(), Ok(known), "{text}");
        }
        let other_flags: TraceParent = CALLER.replace("-01", "-fe").parse().unwrap();
        assert!(!other_flags.is_sampled && other_flags.to_string().ends_with("-00"));
    }

    #[test]
    fn an_execution_is_in_its_callers_trace_or_in_one_with_its_own_id() {
        let root = ExecutionId(Uuid::from_u128(0x0192_a1b2_0000_7000_8000_0000_0000_0001));
        let alone = ExecutionTrace::of(root, Some("not a traceparent"));
        assert_eq!(alone.trace().to_string(), root.to_string().replace('-', ""));
        assert_eq!(alone.parent(), None);
        let called = ExecutionTrace::of(root, Some(CALLER));
        assert_eq!(called.trace().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(called.parent().unwrap().to_string(), "00f067aa0ba902b7");
        assert_eq!(called.span(), alone.span(), "the same execution is the same span");
        let below = called.within(called.node_run(0), Sampling::try_new(0.0).unwrap());
        assert!(below.is_sampled, "the caller has decided");
        assert!(!alone.within(alone.span(), Sampling::try_new(0.0).unwrap()).is_sampled);
    }

    #[test]
    fn no_two_spans_of_many_executions_are_the_same() {
        let mut seen = HashSet::new();
        for execution in 0..100_u128 {
            let trace = ExecutionTrace::of(ExecutionId(Uuid::from_u128(execution << 64 | 7)), None);
            assert!(seen.insert(trace.span()));
            assert!((0..100).all(|index| seen.insert(trace.node_run(index))));
        }
    }

    #[test]
    fn a_share_of_the_traces_is_taken_always_the_same_ones() {
        let quarter = Sampling::try_new(0.25).unwrap();
        let trace = |number: u64| TraceId::of(Uuid::from_u64_pair(7, chance::mixed(number)));
        let taken = (0..10_000).filter(|number| quarter.takes(trace(*number))).count();
        assert!((2_200..2_800).contains(&taken), "{taken}");
        assert!((0..1_000).all(|number| Sampling::ALL.takes(trace(number))));
        assert!((0..1_000).all(|number| !Sampling::try_new(0.0).unwrap().takes(trace(number))));
        let half = Sampling::try_new(0.5).unwrap();
        assert!((0..1_000).all(|number| !quarter.takes(trace(number)) || half.takes(trace(number))));
        for share in [-0.1, 1.1, f64::NAN] {
            assert_eq!(Sampling::try_new(share), None);
        }
    }
}
