//! What clients ask a group to be, as it is written down.

use timeloom_store::{Direction, Position, Revision};
use tonic::Status;

use super::event::{GroupFilter, Settings, Source};
use crate::filter::{Asked, Wanted};
use crate::front::Front;
use crate::names;
use crate::read::From;
use crate::status;
use crate::wire::persistent_subscriptions::create_req::all_options::filter_options::Filter as Subject;
use crate::wire::persistent_subscriptions::create_req::all_options::{AllOption, FilterOption};
use crate::wire::persistent_subscriptions::create_req::options::StreamOption;
use crate::wire::persistent_subscriptions::create_req::settings::{CheckpointAfter, MessageTimeout};
use crate::wire::persistent_subscriptions::create_req::stream_options::RevisionOption;
use crate::wire::persistent_subscriptions::{create_req, update_req};

/// Longest name of a group, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// The protocol counts in steps of 100 nanoseconds.
const TICKS_A_MS: i64 = 10_000;
/// Longest time that a group may wait for a consumer, and between two looks at how far it came, in milliseconds.
const TIME_MS_MAX: i32 = 24 * 60 * 60 * 1_000;
const STRATEGIES: [&str; 4] = ["RoundRobin", "DispatchToSingle", "Pinned", "PinnedByCorrelation"];

/// A group that is to be made.
pub(crate) struct Proposed {
    pub(crate) source: Source,
    pub(crate) after: Position,
    pub(crate) start_from: String,
}

/// The name of a group.
pub(crate) fn name(name: &str) -> Result<&str, Status> {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
    fits.then_some(name).ok_or_else(|| {
        status::invalid(format!("the name of a group has 1 to {NAME_BYTES_MAX} bytes without control characters"))
    })
}

impl Front {
    /// Where the events of a group come from, and after which position they begin.
    pub(crate) async fn proposed(
        &self,
        tenant: timeloom_domain::ids::TenantId,
        options: &create_req::Options,
    ) -> Result<Proposed, Status> {
        match &options.stream_option {
            Some(StreamOption::Stream(stream)) => {
                let name = names::read(stream.stream_identifier.as_ref())?;
                let from = match stream.revision_option {
                    Some(RevisionOption::Revision(revision)) => From::At(revision),
                    Some(RevisionOption::End(())) => From::End,
                    Some(RevisionOption::Start(())) | None => From::Start,
                };
                let (after, start_from) = match from {
                    From::Start => (Position::START, "0".to_owned()),
                    From::End => (self.inner.parts.log.head(), "-1".to_owned()),
                    // The event at that revision is the first one.
                    From::At(revision) => {
                        let key = names::key(tenant, name)?;
                        let log = &self.inner.parts.log;
                        let read = log.read_stream(&key, Revision(revision), Direction::Backward, 1).await;
                        let read = read.map_err(|error| status::fault(&error))?;
                        let after = read.first().map_or(Position::START, |event| event.position);
                        (after, revision.to_string())
                    }
                };
                Ok(Proposed { source: Source::Stream { name: name.to_owned() }, after, start_from })
            }
            Some(StreamOption::All(all)) => {
                let (after, start_from) = match &all.all_option {
                    Some(AllOption::Position(position)) => {
                        let start_from = format!("C:{}/P:{}", position.commit_position, position.prepare_position);
                        (Position(position.commit_position.saturating_sub(1)), start_from)
                    }
                    Some(AllOption::End(())) => (self.inner.parts.log.head(), "C:-1/P:-1".to_owned()),
                    Some(AllOption::Start(())) | None => (Position::START, "C:0/P:0".to_owned()),
                };
                Ok(Proposed { source: Source::All { filter: filter(all)? }, after, start_from })
            }
            None => Err(status::invalid("a group is over a stream, or over all")),
        }
    }
}

fn filter(all: &create_req::AllOptions) -> Result<Option<GroupFilter>, Status> {
    let Some(FilterOption::Filter(filter)) = &all.filter_option else { return Ok(None) };
    let (of_streams, expression) = match &filter.filter {
        Some(Subject::StreamIdentifier(expression)) => (true, expression),
        Some(Subject::EventType(expression)) => (false, expression),
        None => return Err(status::invalid("a filter needs an expression on streams or types")),
    };
    let (regex, prefixes) = (expression.regex.clone(), expression.prefix.clone());
    // What is wrong with it is said now, and not when somebody joins.
    Wanted::new(Asked { of_streams, regex: regex.clone(), prefixes: prefixes.clone(), window: None, multiplier: 1 })?;
    Ok(Some(GroupFilter { of_streams, regex, prefixes }))
}

/// The settings of a group that is to be made.
pub(crate) fn settings(asked: Option<&create_req::Settings>) -> Result<Settings, Status> {
    let asked = asked.cloned().unwrap_or_default();
    let timeout_ms = match asked.message_timeout {
        Some(MessageTimeout::MessageTimeoutMs(ms)) => ms,
        Some(MessageTimeout::MessageTimeoutTicks(ticks)) => milliseconds(ticks),
        None => 30_000,
    };
    let after_ms = match asked.checkpoint_after {
        Some(CheckpointAfter::CheckpointAfterMs(ms)) => ms,
        Some(CheckpointAfter::CheckpointAfterTicks(ticks)) => milliseconds(ticks),
        None => 2_000,
    };
    #[expect(deprecated, reason = "older clients say it in this way alone")]
    let old = asked.named_consumer_strategy;
    let strategy = match asked.consumer_strategy.as_str() {
        "" => of_old(old).to_owned(),
        known if STRATEGIES.contains(&known) => known.to_owned(),
        other => {
            let message = format!("'{other}' is no strategy of this server: choose RoundRobin or DispatchToSingle");
            return Err(status::invalid(message));
        }
    };
    Ok(Settings {
        resolve_links: asked.resolve_links,
        extra_statistics: asked.extra_statistics,
        max_retry_count: asked.max_retry_count,
        message_timeout_ms: timeout_ms.clamp(1, TIME_MS_MAX),
        checkpoint_after_ms: after_ms.clamp(0, TIME_MS_MAX),
        min_checkpoint_count: asked.min_checkpoint_count,
        max_checkpoint_count: asked.max_checkpoint_count,
        max_subscriber_count: asked.max_subscriber_count,
        live_buffer_size: asked.live_buffer_size,
        read_batch_size: asked.read_batch_size,
        history_buffer_size: asked.history_buffer_size,
        strategy,
    })
}

/// The settings of a group from now on; how it chooses among its consumers stays, where that is not said.
pub(crate) fn updated(asked: Option<&update_req::Settings>) -> Result<Settings, Status> {
    let asked = asked.cloned().unwrap_or_default();
    use update_req::settings::{CheckpointAfter as After, MessageTimeout as Timeout};
    #[expect(deprecated, reason = "the two messages have the same fields")]
    let same = create_req::Settings {
        resolve_links: asked.resolve_links,
        revision: asked.revision,
        extra_statistics: asked.extra_statistics,
        max_retry_count: asked.max_retry_count,
        min_checkpoint_count: asked.min_checkpoint_count,
        max_checkpoint_count: asked.max_checkpoint_count,
        max_subscriber_count: asked.max_subscriber_count,
        live_buffer_size: asked.live_buffer_size,
        read_batch_size: asked.read_batch_size,
        history_buffer_size: asked.history_buffer_size,
        named_consumer_strategy: asked.named_consumer_strategy,
        consumer_strategy: String::new(),
        message_timeout: asked.message_timeout.map(|timeout| match timeout {
            Timeout::MessageTimeoutTicks(ticks) => MessageTimeout::MessageTimeoutTicks(ticks),
            Timeout::MessageTimeoutMs(ms) => MessageTimeout::MessageTimeoutMs(ms),
        }),
        checkpoint_after: asked.checkpoint_after.map(|after| match after {
            After::CheckpointAfterTicks(ticks) => CheckpointAfter::CheckpointAfterTicks(ticks),
            After::CheckpointAfterMs(ms) => CheckpointAfter::CheckpointAfterMs(ms),
        }),
    };
    settings(Some(&same))
}

fn of_old(strategy: i32) -> &'static str {
    match strategy {
        0 => "DispatchToSingle",
        2 => "Pinned",
        _ => "RoundRobin",
    }
}

fn milliseconds(ticks: i64) -> i32 {
    i32::try_from(ticks / TICKS_A_MS).unwrap_or(i32::MAX)
}
