//! Search in what happened: events whose payload holds a text, the newest first.
//!
//! The index of texts says where a text is not; the events themselves are read wherever it can be, and behind the index. So
//! an answer is what reading everything would give, and nothing is as of another moment than it says. Invariant: one
//! search looks at no more than [`EVENTS_MAX`] events and [`BYTES_MAX`] bytes and takes little longer than [`TIME_MAX`]; its
//! answer says how far it came, and how to go on.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{Object, Result, SimpleObject};
use timeloom_projections::{INDEXED_TEXT_BYTES_MIN, PositionRange, Side, TEXT_PLACES_EVENTS_MAX};
use timeloom_store::{Direction, Filter, Position, RecordedEvent, TenantScope};
use tokio::time::Instant;

use super::event::{Event, Origins};
use super::faults::{bad_input, fault};
use super::paging::{Paging, Window, cursor};
use super::reading::rows;
use super::scalars::PositionScalar;
use crate::state::ApiState;

/// Most events that one search looks at.
const EVENTS_MAX: usize = 50_000;
/// Most bytes of payloads that one search looks at.
const BYTES_MAX: usize = 256 << 20;
/// Longest time that one search takes.
const TIME_MAX: Duration = Duration::from_secs(2);
/// Events that are read at once.
const READ_EVENTS: usize = 500;
/// Shortest and longest text to look for, in characters.
const TEXT_CHARACTERS: std::ops::RangeInclusive<usize> = 2..=200;
/// Characters that are shown before and behind what was found.
const AROUND_CHARACTERS: usize = 60;

/// An event whose payload holds the text.
#[derive(Debug, Clone)]
pub(crate) struct PayloadHit {
    event: Arc<RecordedEvent>,
    excerpt: String,
}

#[Object]
impl PayloadHit {
    /// The event.
    async fn event(&self) -> Event {
        Event(Arc::clone(&self.event))
    }

    /// Its place in the log.
    async fn position(&self) -> PositionScalar {
        PositionScalar(self.event.position)
    }

    /// The piece of its payload that holds the text first, as JSON text.
    async fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

/// How far a search came.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct SearchExtent {
    /// How many events were looked at.
    pub searched_events: usize,
    /// Whether everything was looked at that there was to look at for this page.
    pub complete: bool,
    /// Where to go on when it was not: give it as `after`, or as `before` of a page from the end.
    pub go_on_at: Option<String>,
}

/// What a page of hits has besides its entries.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Searched {
    /// How far the search came.
    pub extent: SearchExtent,
}

/// Hits with how far the search came.
pub(crate) type PayloadHits = Connection<String, PayloadHit, Searched, EmptyFields>;

/// A search.
pub(crate) struct Search {
    pub text: String,
    pub filter: Filter,
    /// By whom.
    pub origins: Origins,
    pub paging: Paging,
    pub as_of: Option<Position>,
}

/// What a search has found, and where it was then.
#[derive(Default)]
struct Found {
    hits: Vec<PayloadHit>,
    events: usize,
    bytes: usize,
    /// The last event that was looked at; `None` when all were.
    stopped_at: Option<Position>,
}

impl Search {
    /// Looks for a page of hits.
    pub(crate) async fn run(self, state: &ApiState) -> Result<PayloadHits> {
        let window = self.paging.window()?;
        let needle = needle(&self.text)?;
        let head = self.as_of.unwrap_or_else(|| state.log().head());
        let newest = window.after.map_or(head, |after| Position(after.saturating_sub(1)).min(head));
        let all = (Position(window.before.unwrap_or(0).saturating_add(1)), newest);
        let direction = match window.side {
            Side::First => Direction::Backward,
            Side::Last => Direction::Forward,
        };
        let until = Instant::now() + TIME_MAX;
        let hits = window.size + 1;
        let Self { filter, origins, .. } = self;
        let (reached, found) = (None, Found::default());
        let mut walk = Walk { state, filter, origins, needle, hits, direction, until, reached, found };
        walk.all(all).await?;
        Ok(connection(window, walk.found))
    }
}

/// Whether a search goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Going {
    On,
    /// It has what it looks for, or may not look further.
    No,
}

/// A search under way.
struct Walk<'s> {
    state: &'s ApiState,
    filter: Filter,
    /// By whom.
    origins: Origins,
    needle: String,
    /// How many hits end it.
    hits: usize,
    direction: Direction,
    until: Instant,
    /// Everything up to there, in the direction of the search, was looked through.
    reached: Option<Position>,
    found: Found,
}

impl Walk<'_> {
    async fn all(&mut self, (first, last): PositionRange) -> Result<()> {
        let indexed = if self.filter.stream.is_none() && self.needle.len() >= INDEXED_TEXT_BYTES_MIN {
            rows(self.state.read_models().texts_indexed().await)?
        } else {
            // The events of one stream are found without it.
            Position::START
        };
        let mut spans = spans(first, last.min(indexed));
        let behind = (Position(indexed.0 + 1).max(first), last);
        match self.direction {
            Direction::Backward => {
                spans.reverse();
                if self.range(behind).await? == Going::On {
                    self.spans(&spans).await?;
                }
            }
            Direction::Forward => {
                if self.spans(&spans).await? == Going::On {
                    self.range(behind).await?;
                }
            }
        }
        Ok(())
    }

    async fn spans(&mut self, spans: &[PositionRange]) -> Result<Going> {
        for span in spans {
            let mut places = rows(self.state.read_models().text_places(&self.needle, *span).await)?;
            if self.direction == Direction::Backward {
                places.reverse();
            }
            for place in places {
                if self.range(place).await? == Going::No {
                    return Ok(Going::No);
                }
            }
            if self.passed(*span) == Going::No {
                return Ok(Going::No);
            }
        }
        Ok(Going::On)
    }

    /// Looks at every event of a range.
    async fn range(&mut self, range: PositionRange) -> Result<Going> {
        let (first, last) = range;
        let mut left = range;
        while left.0 <= left.1 {
            let count = usize::try_from(left.1.0 - left.0.0 + 1).unwrap_or(usize::MAX).min(READ_EVENTS);
            let from = match self.direction {
                Direction::Backward => left.1,
                Direction::Forward => Position(left.0.0 - 1),
            };
            let scope = TenantScope::One(self.state.tenant());
            let read = self.state.log().read_all(scope, from, self.direction, &self.filter, count).await;
            let events = read.map_err(|error| fault(&error))?;
            let is_last = events.len() < count;
            for event in events {
                let position = event.position;
                if position < first || position > last {
                    return Ok(self.passed(range));
                }
                match self.direction {
                    Direction::Backward => left.1 = Position(position.0 - 1),
                    Direction::Forward => left.0 = Position(position.0 + 1),
                }
                self.reached = Some(position);
                self.found.look_at(event, &self.needle, &self.origins);
                if self.found.hits.len() >= self.hits {
                    return Ok(Going::No);
                }
            }
            if is_last {
                break;
            }
            if self.stops() {
                return Ok(Going::No);
            }
        }
        Ok(self.passed(range))
    }

    /// Takes down that a range was looked through.
    fn passed(&mut self, (first, last): PositionRange) -> Going {
        if first <= last {
            self.reached = Some(match self.direction {
                Direction::Backward => first,
                Direction::Forward => last,
            });
        }
        if self.stops() { Going::No } else { Going::On }
    }

    /// Whether it has looked as far as it may; takes down where.
    fn stops(&mut self) -> bool {
        let Found { events, bytes, .. } = self.found;
        let stops = events >= EVENTS_MAX || bytes >= BYTES_MAX || Instant::now() >= self.until;
        if stops {
            self.found.stopped_at = self.reached;
        }
        stops
    }
}

/// The positions from the first to the last in pieces that the index can be asked about.
fn spans(first: Position, last: Position) -> Vec<PositionRange> {
    let mut spans = Vec::new();
    let mut next = first.0;
    while next <= last.0 {
        // Each ends where a multiple does, so that the same ones are asked about however a search began.
        let end = (next.saturating_sub(1) / TEXT_PLACES_EVENTS_MAX + 1) * TEXT_PLACES_EVENTS_MAX;
        spans.push((Position(next), Position(end.min(last.0))));
        next = end + 1;
    }
    spans
}

impl Found {
    fn look_at(&mut self, event: Arc<RecordedEvent>, needle: &str, origins: &Origins) {
        let payload = event.payload.get();
        self.events += 1;
        self.bytes = self.bytes.saturating_add(payload.len());
        if !origins.has(&event) {
            return;
        }
        if let Some(place) = payload.find(needle) {
            let excerpt = excerpt(payload, place, needle.len());
            self.hits.push(PayloadHit { event, excerpt });
        }
    }
}

fn connection(window: Window, found: Found) -> PayloadHits {
    let Found { mut hits, events, stopped_at, .. } = found;
    let has_more = hits.len() > window.size || stopped_at.is_some();
    hits.truncate(window.size);
    let (has_previous, has_next) = match window.side {
        Side::First => (window.after.is_some(), has_more || window.before.is_some()),
        Side::Last => {
            hits.reverse();
            (has_more || window.after.is_some(), window.before.is_some())
        }
    };
    let extent = SearchExtent {
        searched_events: events,
        complete: stopped_at.is_none(),
        go_on_at: stopped_at.map(|position| cursor(position.0)),
    };
    let mut connection = Connection::with_additional_fields(has_previous, has_next, Searched { extent });
    connection.edges.extend(hits.into_iter().map(|hit| Edge::new(cursor(hit.event.position.0), hit)));
    connection
}

/// The text as payloads have it.
fn needle(text: &str) -> Result<String> {
    if !TEXT_CHARACTERS.contains(&text.chars().count()) {
        let (min, max) = (TEXT_CHARACTERS.start(), TEXT_CHARACTERS.end());
        return Err(bad_input(format!("the text to look for must have {min} to {max} characters")));
    }
    let escaped = serde_json::Value::from(text).to_string();
    Ok(escaped.get(1..escaped.len() - 1).unwrap_or_default().to_owned())
}

fn excerpt(payload: &str, place: usize, length: usize) -> String {
    let (before, rest) = payload.split_at(place);
    let begin = before.char_indices().rev().nth(AROUND_CHARACTERS - 1).map_or(0, |(begin, _)| begin);
    let behind = rest.get(length..).unwrap_or_default();
    let end = behind.char_indices().nth(AROUND_CHARACTERS).map_or(behind.len(), |(end, _)| end);
    payload.get(begin..place + length + end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_looked_for_as_json_has_it() {
        assert_eq!(needle("say \"hi\"\n").unwrap(), r#"say \"hi\"\n"#);
        for wrong in ["", "x", &"x".repeat(201)] {
            assert!(needle(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_excerpt_has_what_is_around_and_no_half_characters() {
        assert_eq!(excerpt("{\"a\":\"needle\"}", 6, 6), "{\"a\":\"needle\"}");
        let long = format!("{}needle{}", "é".repeat(100), "ü".repeat(100));
        let cut = excerpt(&long, 200, 6);
        assert_eq!(cut, format!("{}needle{}", "é".repeat(60), "ü".repeat(60)));
    }
}
