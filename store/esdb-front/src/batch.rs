//! Many appends over one call, each told apart by its correlation id. They are begun in the order in which they end, so
//! that those to one stream stay in order; each is answered by itself.

use std::collections::HashMap;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt as _};
use timeloom_domain::access::{Permission, Principal};
use timeloom_store::{Appended, Expected, Position, Revision};
use tonic::{Code, Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::append::{Gathered, NotAppended, exactly};
use crate::events::Proposed;
use crate::front::Front;
use crate::names;
use crate::status;
use crate::wire::event_store::client::wrong_expected_version::{
    CurrentStreamRevisionOption, ExpectedStreamPositionOption,
};
use crate::wire::event_store::client::{AccessDenied, BadRequest, MaximumAppendSizeExceeded};
use crate::wire::streams::batch_append_req::Options;
use crate::wire::streams::batch_append_req::options::ExpectedStreamPosition as Asked;
use crate::wire::streams::batch_append_resp::success::{CurrentRevisionOption, PositionOption};
use crate::wire::streams::batch_append_resp::{self, ExpectedStreamPosition, Success};
use crate::wire::streams::{BatchAppendReq, BatchAppendResp};
use crate::wire::{self, WireUuid, WrongExpectedVersion, rpc};

/// Appends of one call that are under way at the same time.
const UNDER_WAY_MAX: usize = 32;
/// Appends of one call that have begun to come in and have not ended.
const OPEN_MAX: usize = 32;
/// Bytes that these have together.
const OPEN_BYTES_MAX: usize = 16 << 20;
/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

pub(crate) type Answers = BoxStream<'static, Result<BatchAppendResp, Status>>;

/// An append that is coming in.
#[derive(Debug, Default)]
struct Open {
    options: Option<Options>,
    gathered: Gathered,
    /// What was wrong with it so far: the rest of it is not kept.
    refused: Option<Status>,
}

/// An append that has come in.
struct Ended {
    correlation: Option<WireUuid>,
    open: Open,
}

impl Front {
    pub(crate) async fn serve_batch(
        &self,
        request: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Answers>, Status> {
        let principal = self.let_in(request.metadata(), Permission::EventAppend).await?;
        let front = self.clone();
        let ended =
            futures::stream::try_unfold((request.into_inner(), HashMap::new()), async |(mut messages, mut open)| {
                Ok(next_ended(&mut messages, &mut open).await?.map(|ended| (ended, (messages, open))))
            });
        let answers = ended.map(move |ended: Result<Ended, Status>| {
            let (front, principal) = (front.clone(), principal.clone());
            async move { Ok(front.answer(principal, ended?).await) }
        });
        Ok(Response::new(answers.buffered(UNDER_WAY_MAX).boxed()))
    }

    async fn answer(&self, known: Principal, ended: Ended) -> BatchAppendResp {
        let Ended { correlation, open } = ended;
        let options = open.options.clone().unwrap_or_default();
        let outcome = tokio::time::timeout(ANSWER_TIME_MAX, self.append_ended(&known, open, &options)).await;
        let outcome = outcome.unwrap_or_else(|_| {
            Err(Status::deadline_exceeded("the append is not answered: send it again with the same ids").into())
        });
        let result = match outcome {
            Ok(appended) => batch_append_resp::Result::Success(success(&appended)),
            Err(NotAppended::Wrong(actual)) => batch_append_resp::Result::Error(wrong_version(&options, actual)),
            Err(NotAppended::Refused(status)) => batch_append_resp::Result::Error(told(&status)),
        };
        let expected = options.expected_stream_position.map(|asked| match asked {
            Asked::StreamPosition(revision) => ExpectedStreamPosition::StreamPosition(revision),
            Asked::NoStream(()) => ExpectedStreamPosition::NoStream(()),
            Asked::Any(()) => ExpectedStreamPosition::Any(()),
            Asked::StreamExists(()) => ExpectedStreamPosition::StreamExists(()),
        });
        BatchAppendResp {
            correlation_id: correlation,
            stream_identifier: options.stream_identifier,
            expected_stream_position: expected,
            result: Some(result),
        }
    }

    async fn append_ended(&self, known: &Principal, open: Open, options: &Options) -> Result<Appended, NotAppended> {
        if let Some(refused) = open.refused {
            return Err(refused.into());
        }
        self.count(known)?;
        let principal = self.renewed(known, Permission::EventAppend)?;
        let name = names::read(options.stream_identifier.as_ref())?;
        self.append(&principal, name, expected(options), open.gathered).await
    }
}

/// The next append that is whole; `None` when the client sends no more.
async fn next_ended(
    messages: &mut Streaming<BatchAppendReq>,
    open: &mut HashMap<Option<Uuid>, Open>,
) -> Result<Option<Ended>, Status> {
    while let Some(message) = messages.message().await? {
        let correlation = wire::read_id(message.correlation_id.as_ref());
        let held: usize = open.values().map(|open| open.gathered.bytes()).sum();
        if !open.contains_key(&correlation) && open.len() >= OPEN_MAX {
            return Err(Status::resource_exhausted(format!("at most {OPEN_MAX} appends of one call come in at once")));
        }
        let append = open.entry(correlation).or_default();
        append.options = message.options.or(append.options.take());
        for event in message.proposed_messages {
            let event =
                Proposed { id: event.id, about: event.metadata, metadata: event.custom_metadata, data: event.data };
            if held + event.bytes() > OPEN_BYTES_MAX {
                return Err(Status::resource_exhausted(format!(
                    "at most {OPEN_BYTES_MAX} bytes of one call come in at once: end some appends first"
                )));
            }
            if append.refused.is_none() {
                append.refused = append.gathered.add(event).err();
            }
        }
        if message.is_final {
            let open = open.remove(&correlation).unwrap_or_default();
            return Ok(Some(Ended { correlation: message.correlation_id, open }));
        }
    }
    Ok(None)
}

fn expected(options: &Options) -> Expected {
    match &options.expected_stream_position {
        Some(Asked::StreamPosition(revision)) => exactly(*revision),
        Some(Asked::NoStream(())) => Expected::NoStream,
        Some(Asked::StreamExists(())) => Expected::Exists,
        Some(Asked::Any(())) | None => Expected::Any,
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
            position => PositionOption::Position(wire::position(position)),
        }),
    }
}

fn wrong_version(options: &Options, actual: Revision) -> rpc::Status {
    let current = match actual.0.checked_sub(1) {
        Some(revision) => CurrentStreamRevisionOption::CurrentStreamRevision(revision),
        None => CurrentStreamRevisionOption::CurrentNoStream(()),
    };
    let asked = options.expected_stream_position.map(|asked| match asked {
        Asked::StreamPosition(revision) => ExpectedStreamPositionOption::ExpectedStreamPosition(revision),
        Asked::NoStream(()) => ExpectedStreamPositionOption::ExpectedNoStream(()),
        Asked::Any(()) => ExpectedStreamPositionOption::ExpectedAny(()),
        Asked::StreamExists(()) => ExpectedStreamPositionOption::ExpectedStreamExists(()),
    });
    let details =
        WrongExpectedVersion { current_stream_revision_option: Some(current), expected_stream_position_option: asked };
    rpc::Status {
        code: rpc::Code::FailedPrecondition.into(),
        message: "the stream is not at the revision that was expected: read it and decide again".to_owned(),
        details: Some(packed("WrongExpectedVersion", &details)),
    }
}

/// A refusal with the detail that clients look for.
fn told(status: &Status) -> rpc::Status {
    let is_too_large = status::is_too_large(status);
    let details = match status.code() {
        _ if is_too_large => {
            let max_append_size = u32::try_from(crate::append::BYTES_MAX).unwrap_or(u32::MAX);
            packed("MaximumAppendSizeExceeded", &MaximumAppendSizeExceeded { max_append_size })
        }
        Code::PermissionDenied | Code::Unauthenticated => packed("AccessDenied", &AccessDenied {}),
        _ => packed("BadRequest", &BadRequest { message: status.message().to_owned() }),
    };
    rpc::Status { code: status.code() as i32, message: status.message().to_owned(), details: Some(details) }
}

fn packed(name: &str, details: &impl prost::Message) -> prost_types::Any {
    let type_url = format!("type.googleapis.com/event_store.client.{name}");
    prost_types::Any { type_url, value: details.encode_to_vec() }
}
