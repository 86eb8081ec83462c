//! One append: what a client proposes for one stream, as one append of the log.
//!
//! The ids of the events name the command. Sent again with the same ids in the same order, it is the same append, and is
//! answered with where its events went the first time.

use std::time::Duration;

use timeloom_domain::access::{Permission, Principal};
use timeloom_domain::ids::CommandId;
use timeloom_domain::tenant::is_own_category;
use timeloom_store::{APPEND_EVENTS_MAX, Append, AppendError, Appended, Expected, Position, Revision, StreamKey};
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::events::Proposed;
use crate::front::Front;
use crate::names;
use crate::status;
use crate::wire::streams::append_req::options::ExpectedStreamRevision;
use crate::wire::streams::append_req::{Content, Options};
use crate::wire::streams::append_resp::success::{CurrentRevisionOption, PositionOption};
use crate::wire::streams::append_resp::wrong_expected_version as wrong;
use crate::wire::streams::append_resp::{self, Success, WrongExpectedVersion};
use crate::wire::streams::{AppendReq, AppendResp};

/// Most bytes that one append may bring, contents and metadata together.
pub(crate) const BYTES_MAX: usize = 16 << 20;
/// How long an append may take to come in.
const COME_IN_TIME_MAX: Duration = Duration::from_secs(60);
/// The names of appends are made in this space. Frozen: a client that sends again after an update must be recognised.
const SPACE: Uuid = Uuid::from_u128(0x6f3b_1c0a_52d4_4c0e_9a57_0c1d_8e2f_b964);

/// The events of one append, as they come in.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    events: Vec<Proposed>,
    bytes: usize,
}

impl Gathered {
    pub(crate) fn add(&mut self, event: Proposed) -> Result<(), Status> {
        self.bytes += event.bytes();
        if self.events.len() >= APPEND_EVENTS_MAX || self.bytes > BYTES_MAX {
            let message = format!(
                "one append has at most {APPEND_EVENTS_MAX} events and {BYTES_MAX} bytes: append less at a time"
            );
            return Err(status::too_large(message));
        }
        self.events.push(event);
        Ok(())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Why an append was not made.
#[derive(Debug)]
pub(crate) enum NotAppended {
    /// The stream is not as it was expected; here is where it is.
    Wrong(Revision),
    /// Anything else.
    Refused(Status),
}

impl From<Status> for NotAppended {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

impl Front {
    /// Appends what was gathered to the stream with that name.
    pub(crate) async fn append(
        &self,
        principal: &Principal,
        name: &str,
        expected: Expected,
        gathered: Gathered,
    ) -> Result<Appended, NotAppended> {
        let stream = self.open_stream(principal, name)?;
        let mut ids = Vec::with_capacity(gathered.events.len() * 16);
        for event in &gathered.events {
            ids.extend_from_slice(event.id()?.as_bytes());
        }
        let command_id = CommandId(Uuid::new_v5(&SPACE, &ids));
        let events = gathered.events.into_iter().map(|event| event.into_new(principal, command_id));
        let events = events.collect::<Result<Vec<_>, _>>()?;
        let append = Append::new(stream, expected, events, command_id);
        self.inner.parts.log.append(append).await.map_err(|error| match error {
            AppendError::WrongRevision { actual, .. } => NotAppended::Wrong(actual),
            error => NotAppended::Refused(status::of_append(&error)),
        })
    }

    /// The stream with that name, if programs of others may append to it.
    fn open_stream(&self, principal: &Principal, name: &str) -> Result<StreamKey, Status> {
        if names::is_system(name) {
            return Err(status::never(
                "streams whose names begin with '$' are the server's: there are none to append to",
            ));
        }
        let stream = names::key(principal.tenant, name)?;
        if self.inner.parts.access.directory().now().is_open(principal.tenant, &stream.category) {
            return Ok(stream);
        }
        Err(status::never(if is_own_category(&stream.category) {
            format!("category '{}' belongs to Timeloom: events come into it by commands only", stream.category)
        } else {
            let tenant = principal.tenant.0;
            format!(
                "category '{0}' is not open to programs of others: `timeloom tenant open {tenant} {0}` opens it",
                stream.category
            )
        }))
    }

    pub(crate) async fn serve_append(
        &self,
        request: Request<Streaming<AppendReq>>,
    ) -> Result<Response<AppendResp>, Status> {
        let principal = self.let_in(request.metadata(), Permission::EventAppend).await?;
        let _place = self.inner.appends.acquire().await.map_err(|_| Status::unavailable("the server stops"))?;
        let come_in = tokio::time::timeout(COME_IN_TIME_MAX, gather(request.into_inner())).await;
        let (options, gathered) =
            come_in.map_err(|_| Status::deadline_exceeded("the append did not come in in time: send it again"))??;
        let name = names::read(options.stream_identifier.as_ref())?;
        let result = match self.append(&principal, name, expected(&options), gathered).await {
            Ok(appended) => append_resp::Result::Success(success(&appended)),
            Err(NotAppended::Wrong(actual)) => {
                append_resp::Result::WrongExpectedVersion(wrong_version(&options, actual))
            }
            Err(NotAppended::Refused(status)) => return Err(status),
        };
        Ok(Response::new(AppendResp { result: Some(result) }))
    }
}

/// Takes in an append to its end.
async fn gather(mut messages: Streaming<AppendReq>) -> Result<(Options, Gathered), Status> {
    let Some(AppendReq { content: Some(Content::Options(options)) }) = messages.message().await? else {
        return Err(status::invalid("an append begins with its options"));
    };
    let mut gathered = Gathered::default();
    while let Some(message) = messages.message().await? {
        let Some(Content::ProposedMessage(event)) = message.content else {
            return Err(status::invalid("an append has its options once, then events"));
        };
        gathered.add(Proposed {
            id: event.id,
            about: event.metadata,
            metadata: event.custom_metadata,
            data: event.data,
        })?;
    }
    Ok((options, gathered))
}

/// Revisions of the protocol begin at 0, ours at 1.
pub(crate) fn exactly(revision: u64) -> Expected {
    Expected::Exact(Revision(revision.saturating_add(1)))
}

fn expected(options: &Options) -> Expected {
    match &options.expected_stream_revision {
        Some(ExpectedStreamRevision::Revision(revision)) => exactly(*revision),
        Some(ExpectedStreamRevision::NoStream(())) => Expected::NoStream,
        Some(ExpectedStreamRevision::StreamExists(())) => Expected::Exists,
        Some(ExpectedStreamRevision::Any(())) | None => Expected::Any,
    }
}

fn success(appended: &Appended) -> Success {
    Success {
        current_revision_option: Some(match appended.revision.0.checked_sub(1) {
            Some(revision) => CurrentRevisionOption::CurrentRevision(revision),
            None => CurrentRevisionOption::NoStream(()),
        }),
        position_option: Some(match appended.position {
            Position::START => PositionOption::NoPosition(()),
            Position(position) => PositionOption::Position(append_resp::Position {
                commit_position: position,
                prepare_position: position,
            }),
        }),
    }
}

/// Told in two ways, since older clients look at one and newer ones at the other.
fn wrong_version(options: &Options, actual: Revision) -> WrongExpectedVersion {
    use wrong::{
        CurrentRevisionOption as Current, CurrentRevisionOption2060 as OldCurrent, ExpectedRevisionOption as Asked,
        ExpectedRevisionOption2060 as OldAsked,
    };
    let (old_current, current) = match actual.0.checked_sub(1) {
        Some(revision) => (OldCurrent::CurrentRevision2060(revision), Current::CurrentRevision(revision)),
        None => (OldCurrent::NoStream2060(()), Current::CurrentNoStream(())),
    };
    let (old_asked, asked) = match &options.expected_stream_revision {
        Some(ExpectedStreamRevision::Revision(revision)) => {
            (Some(OldAsked::ExpectedRevision2060(*revision)), Asked::ExpectedRevision(*revision))
        }
        Some(ExpectedStreamRevision::NoStream(())) => (None, Asked::ExpectedNoStream(())),
        Some(ExpectedStreamRevision::StreamExists(())) => {
            (Some(OldAsked::StreamExists2060(())), Asked::ExpectedStreamExists(()))
        }
        Some(ExpectedStreamRevision::Any(())) | None => (Some(OldAsked::Any2060(())), Asked::ExpectedAny(())),
    };
    WrongExpectedVersion {
        current_revision_option_20_6_0: Some(old_current),
        expected_revision_option_20_6_0: old_asked,
        current_revision_option: Some(current),
        expected_revision_option: Some(asked),
    }
}
