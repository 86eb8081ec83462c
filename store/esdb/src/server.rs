//! The server, as far as a log needs it: a stream that is appended to at its end, and read. A call whose answer was lost is
//! sent again: the ids of its events make it the same append.

use std::time::Duration;

use eventstore::{
    AppendToStreamOptions, Client, ClientSettings, DeleteStreamOptions, EventData, ExpectedRevision, ReadStreamOptions,
    ResolvedEvent, StreamPosition,
};
use tokio::time::Instant;

use crate::error::EsdbError;

/// How long a call is tried again.
const TRY_TIME_MAX: Duration = Duration::from_secs(15);
/// How long one try may take.
const CALL_TIME_MAX: Duration = Duration::from_secs(30);
/// Codes of gRPC by which a deletion is refused: no permission, and not as things are there.
const REFUSALS: [i32; 2] = [7, 9];
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is there; the stream's last revision is this one, from 0.
    Done(u64),
    /// The stream is not where it was expected to be.
    Elsewhere,
}

/// A connection to the server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) client: Client,
}

impl Server {
    pub(crate) fn connect(address: &str) -> Result<Self, EsdbError> {
        let settings: ClientSettings = address.parse().map_err(|_| EsdbError::Address { address: shown(address) })?;
        Ok(Self { client: Client::new(settings)? })
    }

    /// Appends events to a stream that has `count` of them.
    pub(crate) async fn append(&self, stream: &str, count: u64, events: &[EventData]) -> Result<Sent, EsdbError> {
        let expected = count.checked_sub(1).map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact);
        self.append_after(stream, expected, events).await
    }

    /// Appends events to a stream that is where `expected` says.
    pub(crate) async fn append_after(
        &self,
        stream: &str,
        expected: ExpectedRevision,
        events: &[EventData],
    ) -> Result<Sent, EsdbError> {
        let options = AppendToStreamOptions::default().expected_revision(expected).deadline(CALL_TIME_MAX);
        let until = Instant::now() + TRY_TIME_MAX;
        loop {
            match self.client.append_to_stream(stream, &options, events.to_vec()).await {
                Ok(written) => return Ok(Sent::Done(written.next_expected_version)),
                Err(eventstore::Error::WrongExpectedVersion { .. }) => return Ok(Sent::Elsewhere),
                Err(error) if is_passing(&error) && Instant::now() < until => {
                    tracing::debug!(%error, "an append is sent again");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The events of a stream from a revision on, at most `limit`; none of a stream that is not there.
    pub(crate) async fn read(&self, stream: &str, from: u64, limit: usize) -> Result<Vec<ResolvedEvent>, EsdbError> {
        let options = ReadStreamOptions::default().position(StreamPosition::Position(from)).max_count(limit);
        self.read_by(stream, &options).await
    }

    /// The last event of a stream.
    pub(crate) async fn last(&self, stream: &str) -> Result<Option<ResolvedEvent>, EsdbError> {
        let options = ReadStreamOptions::default().backwards().position(StreamPosition::End).max_count(1);
        Ok(self.read_by(stream, &options).await?.pop())
    }

    /// The first event of a stream that the server shows.
    pub(crate) async fn first(&self, stream: &str) -> Result<Option<ResolvedEvent>, EsdbError> {
        let options = ReadStreamOptions::default().position(StreamPosition::Start).max_count(1);
        Ok(self.read_by(stream, &options).await?.pop())
    }

    /// Deletes a stream, which can be begun again; does nothing when it is not there. What it held is gone from the server's
    /// disk when the server is scavenged. A server that refuses is [`EsdbError::NotDeleted`].
    pub(crate) async fn delete(&self, stream: &str) -> Result<(), EsdbError> {
        if self.last(stream).await?.is_none() {
            return Ok(());
        }
        let options = DeleteStreamOptions::default().deadline(CALL_TIME_MAX);
        let until = Instant::now() + TRY_TIME_MAX;
        loop {
            match self.client.delete_stream(stream, &options).await {
                Ok(_) | Err(eventstore::Error::ResourceNotFound | eventstore::Error::ResourceDeleted) => return Ok(()),
                Err(error) if is_passing(&error) && Instant::now() < until => {
                    tracing::debug!(%error, "a deletion is sent again");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) if let Some(reason) = refusal(&error) => {
                    return Err(EsdbError::NotDeleted { stream: stream.to_owned(), reason });
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn read_by(&self, stream: &str, options: &ReadStreamOptions) -> Result<Vec<ResolvedEvent>, EsdbError> {
        let until = Instant::now() + TRY_TIME_MAX;
        loop {
            match self.read_once(stream, options).await {
                Ok(events) => return Ok(events),
                Err(eventstore::Error::ResourceNotFound) => return Ok(Vec::new()),
                Err(error) if is_passing(&error) && Instant::now() < until => {
                    tracing::debug!(%error, "a read is sent again");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn read_once(
        &self,
        stream: &str,
        options: &ReadStreamOptions,
    ) -> Result<Vec<ResolvedEvent>, eventstore::Error> {
        let mut reading = self.client.read_stream(stream, options).await?;
        let mut events = Vec::new();
        while let Some(event) = reading.next().await? {
            events.push(event);
        }
        Ok(events)
    }
}

/// Whether it may be over in a moment.
pub(crate) fn is_passing(error: &eventstore::Error) -> bool {
    use eventstore::Error;
    matches!(
        error,
        Error::ServerError(_)
            | Error::NotLeaderException(_)
            | Error::ConnectionClosed
            | Error::GrpcConnectionError(_)
            | Error::DeadlineExceeded
    )
}

/// What the server says where it refuses a deletion, now and at every later try.
fn refusal(error: &eventstore::Error) -> Option<String> {
    use eventstore::Error;
    match error {
        Error::Grpc { code, message } if REFUSALS.contains(&(*code as i32)) => Some(message.clone()),
        Error::AccessDenied | Error::UnsupportedFeature => Some(error.to_string()),
        _ => None,
    }
}

/// An address without its name and password.
fn shown(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        _ => address.chars().take(100).collect(),
    }
}
