//! Reads that end: pages of a stream or of the tenant's whole log, in either direction. The client's pace is the pace of
//! reading.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use timeloom_domain::access::{Permission, Principal};
use timeloom_domain::event::is_audited;
use timeloom_store::{Direction, Filter, Position, RecordedEvent, Revision, StreamKey, TenantScope};
use tonic::{Request, Response, Status};

use crate::events::Shown;
use crate::filter::{Asked, Wanted};
use crate::front::Front;
use crate::names;
use crate::status;
use crate::wire::streams::read_req::Options;
use crate::wire::streams::read_req::options::all_options::AllOption;
use crate::wire::streams::read_req::options::filter_options::{self, Window};
use crate::wire::streams::read_req::options::stream_options::RevisionOption;
use crate::wire::streams::read_req::options::uuid_option::Content as IdContent;
use crate::wire::streams::read_req::options::{CountOption, FilterOption, FilterOptions, ReadDirection, StreamOption};
use crate::wire::streams::read_resp::read_event::{self, RecordedEvent as WireEvent};
use crate::wire::streams::read_resp::{Content, ReadEvent, StreamNotFound};
use crate::wire::streams::{ReadReq, ReadResp};
use crate::wire::{self, Ids};

/// Events of one page. Few, since each may have a large payload.
const PAGE_EVENTS: usize = 64;

pub(crate) type Messages = BoxStream<'static, Result<ReadResp, Status>>;

/// Where a read or a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Start,
    End,
    /// A revision as the protocol counts, or a position.
    At(u64),
}

/// What is read.
#[derive(Debug)]
pub(crate) enum Source {
    Stream(StreamKey),
    All(Option<Wanted>),
}

impl Source {
    fn is_system(&self) -> bool {
        matches!(self, Self::Stream(key) if names::is_system(&key.category))
    }
}

impl Front {
    pub(crate) async fn serve_read(&self, request: Request<ReadReq>) -> Result<Response<Messages>, Status> {
        let principal = self.let_in(request.metadata(), Permission::AuditRead).await?;
        let options = request.into_inner().options.ok_or_else(|| status::invalid("a read needs options"))?;
        let ids = match options.uuid_option.as_ref().and_then(|option| option.content.as_ref()) {
            Some(IdContent::String(())) => Ids::Text,
            Some(IdContent::Structured(())) | None => Ids::Halves,
        };
        let backward = options.read_direction == i32::from(ReadDirection::Backwards);
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let (source, from) = self.source(&principal, &options)?;
        match &source {
            Source::Stream(key) if !is_audited(&key.category) => {}
            Source::Stream(key) => self.look(&principal, names::name(key)).await?,
            Source::All(_) => self.look(&principal, "$all".to_owned()).await?,
        }
        match options.count_option {
            Some(CountOption::Count(count)) => self.read(principal, (source, from, direction), count, ids).await,
            Some(CountOption::Subscription(_)) if backward => Err(status::invalid("a subscription goes forwards")),
            Some(CountOption::Subscription(_)) if source.is_system() => {
                Err(status::invalid("there are no streams of the server: follow the whole log with a filter"))
            }
            Some(CountOption::Subscription(_)) => self.subscribe(principal, source, from, ids).await,
            None => Err(status::invalid("a read needs a count, or to be a subscription")),
        }
    }

    fn source(&self, principal: &Principal, options: &Options) -> Result<(Source, From), Status> {
        match &options.stream_option {
            Some(StreamOption::Stream(stream)) => {
                let key = names::key(principal.tenant, names::read(stream.stream_identifier.as_ref())?)?;
                let from = match stream.revision_option {
                    Some(RevisionOption::Revision(revision)) => From::At(revision),
                    Some(RevisionOption::End(())) => From::End,
                    Some(RevisionOption::Start(())) | None => From::Start,
                };
                Ok((Source::Stream(key), from))
            }
            Some(StreamOption::All(all)) => {
                let from = match &all.all_option {
                    Some(AllOption::Position(position)) => From::At(position.commit_position),
                    Some(AllOption::End(())) => From::End,
                    Some(AllOption::Start(())) | None => From::Start,
                };
                let wanted = match &options.filter_option {
                    Some(FilterOption::Filter(filter)) => Some(wanted(filter)?),
                    Some(FilterOption::NoFilter(())) | None => None,
                };
                Ok((Source::All(wanted), from))
            }
            None => Err(status::invalid("a read needs a stream, or all")),
        }
    }

    async fn read(
        &self,
        principal: Principal,
        (source, from, direction): (Source, From, Direction),
        count: u64,
        ids: Ids,
    ) -> Result<Response<Messages>, Status> {
        if let Source::Stream(key) = &source
            && !self.exists(key).await?
        {
            let stream_identifier = Some(wire::stream(names::name(key)));
            let missing = ReadResp { content: Some(Content::StreamNotFound(StreamNotFound { stream_identifier })) };
            return Ok(Response::new(futures::stream::iter([Ok(missing)]).boxed()));
        }
        let at = first(&source, from, direction, self.inner.parts.log.head());
        let scope = TenantScope::One(principal.tenant);
        let reader = Reader { front: self.clone(), scope, source, direction, at, left: count, ended: false };
        let pages = futures::stream::try_unfold(reader, Reader::page);
        let events = pages.map_ok(|page| futures::stream::iter(page.into_iter().map(Ok))).try_flatten();
        Ok(Response::new(events.map_ok(move |event: Arc<RecordedEvent>| shown(&event, ids)).boxed()))
    }

    /// Whether a stream has events.
    pub(crate) async fn exists(&self, key: &StreamKey) -> Result<bool, Status> {
        let read = self.inner.parts.log.read_stream(key, Revision(u64::MAX), Direction::Backward, 1).await;
        Ok(!read.map_err(|error| status::fault(&error))?.is_empty())
    }
}

/// What the log is asked for first: forwards it gives what is after, backwards what is up to and with it.
fn first(source: &Source, from: From, direction: Direction, head: Position) -> u64 {
    match (from, direction) {
        (From::Start, _) => 0,
        (From::End, Direction::Backward) => u64::MAX,
        (From::End, Direction::Forward) if matches!(source, Source::All(_)) => head.0,
        (From::End, Direction::Forward) => u64::MAX,
        // A revision counts from 0 with them and from 1 with us: what is after ours is what begins at theirs.
        (From::At(revision), Direction::Forward) if matches!(source, Source::Stream(_)) => revision,
        (From::At(revision), Direction::Backward) if matches!(source, Source::Stream(_)) => revision.saturating_add(1),
        // Of the whole log, a read forwards begins with its position, and one backwards before it.
        (From::At(position), Direction::Forward | Direction::Backward) => position.saturating_sub(1),
    }
}

/// A read that is going on.
struct Reader {
    front: Front,
    scope: TenantScope,
    source: Source,
    direction: Direction,
    at: u64,
    left: u64,
    ended: bool,
}

impl Reader {
    /// The next events that pass, and what is left of the read; `None` at its end.
    async fn page(mut self) -> Result<Option<(VecDeque<Arc<RecordedEvent>>, Self)>, Status> {
        while !self.ended && self.left > 0 {
            let limit = usize::try_from(self.left).unwrap_or(usize::MAX).min(PAGE_EVENTS);
            let log = &self.front.inner.parts.log;
            let read = match &self.source {
                Source::Stream(key) => log.read_stream(key, Revision(self.at), self.direction, limit).await,
                Source::All(wanted) => {
                    let limit = if wanted.is_some() { PAGE_EVENTS } else { limit };
                    log.read_all(self.scope, Position(self.at), self.direction, &Filter::default(), limit).await
                }
            };
            let read = read.map_err(|error| status::fault(&error))?;
            let Some(last) = read.last() else { break };
            let place = match self.source {
                Source::Stream(_) => last.revision.0,
                Source::All(_) => last.position.0,
            };
            (self.at, self.ended) = match self.direction {
                Direction::Forward => (place, false),
                Direction::Backward => (place.saturating_sub(1), place <= 1),
            };
            let mut page = VecDeque::with_capacity(read.len());
            for event in read {
                let passes = match &self.source {
                    Source::All(Some(wanted)) => wanted.passes(&event)?,
                    Source::All(None) | Source::Stream(_) => true,
                };
                if passes && self.left > 0 {
                    self.left -= 1;
                    page.push_back(event);
                }
            }
            if !page.is_empty() {
                return Ok(Some((page, self)));
            }
        }
        Ok(None)
    }
}

/// An event as a read or a subscription brings it.
pub(crate) fn shown(event: &RecordedEvent, ids: Ids) -> ReadResp {
    let Shown { id, stream, revision, position, about, metadata, data } = Shown::of(event, ids);
    let event = WireEvent {
        id: Some(id),
        stream_identifier: Some(wire::stream(stream)),
        stream_revision: revision,
        prepare_position: position,
        commit_position: position,
        metadata: about,
        custom_metadata: metadata,
        data,
    };
    let position = Some(read_event::Position::CommitPosition(position));
    ReadResp { content: Some(Content::Event(ReadEvent { event: Some(event), link: None, position })) }
}

fn wanted(filter: &FilterOptions) -> Result<Wanted, Status> {
    let (of_streams, expression) = match &filter.filter {
        Some(filter_options::Filter::StreamIdentifier(expression)) => (true, expression),
        Some(filter_options::Filter::EventType(expression)) => (false, expression),
        None => return Err(status::invalid("a filter needs an expression on streams or types")),
    };
    let window = match filter.window {
        Some(Window::Max(max)) => Some(max),
        Some(Window::Count(())) | None => None,
    };
    Wanted::new(Asked {
        of_streams,
        regex: expression.regex.clone(),
        prefixes: expression.prefix.clone(),
        window,
        multiplier: filter.checkpoint_interval_multiplier,
    })
}
