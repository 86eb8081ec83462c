//! Providers over HTTP: a pool of connections each, three limits of time, bounded answers.
//!
//! Never follows a redirect, never tells a key or an address that may hold one, and gives up a call when its future goes.

mod body;
mod exchange;
mod http;
mod names;
mod retry_after;
mod stream;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use timeloom_domain::chat::EmbedRequest;
use timeloom_domain::chat::ErrorClass;
use tokio::time::{Duration, Instant, timeout_at};

use self::exchange::Outgoing;
use self::http::Http;
use crate::error::CallError;
use crate::openai::Dialect;
use crate::ports::{Clock, Place, Places};
use crate::upstream::{Answered, CallNotes, Embedded, Piece, Prompt, Streamed, Upstream};

/// What a provider is, but for where it is and its key.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Its name, by which routes refer to it.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// Most bytes of an answer.
    pub answer_bytes_max: usize,
    /// Most connections that are kept open while nothing is asked.
    pub idle_connections_max: usize,
    /// Certificates of the authorities that are trusted, as PEM; those that browsers trust where nothing is said.
    pub authorities_pem: Option<String>,
    /// Which addresses may be connected to; any where nothing is said.
    pub may_reach: Option<fn(IpAddr) -> bool>,
}

impl ProviderConfig {
    /// A provider of that name, with limits that suit most.
    pub fn new(name: impl Into<String>, protocol: Protocol) -> Self {
        Self {
            name: name.into(),
            protocol,
            timeouts: Timeouts::default(),
            answer_bytes_max: 64 << 20,
            idle_connections_max: 64,
            authorities_pem: None,
            may_reach: None,
        }
    }
}

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's, in its own way.
    OpenAi(Dialect),
    /// Anthropic's.
    Anthropic,
    /// Ollama's.
    Ollama,
    /// Ollama's, for models that know no chats and go on with a text.
    OllamaText,
}

/// How long a provider may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To be connected to.
    pub connect_ms: u64,
    /// To answer as a whole.
    pub total_ms: u64,
    /// To begin to answer piece by piece: to the first piece that says something.
    pub first_token_ms: u64,
    /// To answer piece by piece, from beginning to end.
    pub stream_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_ms: 5_000, total_ms: 120_000, first_token_ms: 60_000, stream_ms: 600_000 }
    }
}

/// Why a provider is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProvider {
    /// There can be no encrypted connections.
    #[error("no encrypted connection can be made: {0}")]
    Encryption(String),
    /// Certificates of authorities cannot be read.
    #[error("the certificates of the authorities cannot be read: {0}; give them as PEM")]
    Authorities(String),
}

/// A provider.
pub struct Provider {
    config: Arc<ProviderConfig>,
    places: Arc<dyn Places>,
    clock: Arc<dyn Clock>,
    http: Http,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Provider").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider that has no connection yet.
    ///
    /// # Errors
    /// [`InvalidProvider`]
    pub fn try_new(
        config: ProviderConfig,
        places: Arc<dyn Places>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidProvider> {
        let http = Http::try_new(&config)?;
        Ok(Self { config: Arc::new(config), places, clock, http })
    }

    /// Waits until no connection is open any more. Nothing may be asked after it.
    pub async fn close(self) {
        self.http.close().await;
    }

    async fn place(&self) -> Result<Place, CallError> {
        let place = self.places.place(&self.config.name).await;
        place.map_err(|error| CallError::new(ErrorClass::Unauthorized, error.to_string()))
    }

    async fn whole(&self, place: &Place, outgoing: Outgoing) -> Result<(Bytes, CallNotes), CallError> {
        let deadline = after(self.config.timeouts.total_ms);
        let Outgoing { path, body, left_out } = outgoing;
        let call = async {
            let answer = self.send(place, path, body, false).await?;
            let request_id = exchange::request_id(answer.headers());
            let bytes = body::read(answer, self.config.answer_bytes_max).await?;
            Ok((bytes, CallNotes { request_id, left_out }))
        };
        let late = |_| too_late("answer", self.config.timeouts.total_ms);
        timeout_at(deadline, call).await.map_err(late)?
    }

    async fn begin(
        &self,
        place: &Place,
        outgoing: Outgoing,
        filter_usage: Option<bool>,
    ) -> Result<Streamed, CallError> {
        let Timeouts { first_token_ms, stream_ms, .. } = self.config.timeouts;
        let (first, last) = (after(first_token_ms), after(stream_ms));
        let Outgoing { path, body, left_out } = outgoing;
        let call = async {
            let answer = self.send(place, path, body, true).await?;
            let request_id = exchange::request_id(answer.headers());
            let mut reader = stream::Reader::new(answer, &self.config, filter_usage)?;
            reader.read_first().await?;
            Ok::<_, CallError>((reader, request_id))
        };
        let late = |_| too_late("begin to answer", first_token_ms);
        let (reader, request_id) = timeout_at(first.min(last), call).await.map_err(late)??;
        let hiding = place.clone();
        let hide = move |piece: Result<Piece, CallError>| piece.map_err(|error| error.without(hiding.secrets()));
        let pieces = reader.into_stream(last, stream_ms).map(hide).boxed();
        Ok(Streamed { pieces, notes: CallNotes { request_id, left_out } })
    }

    /// Sends a request, and gives its answer if it is no error.
    async fn send(&self, place: &Place, path: &str, body: Bytes, stream: bool) -> Result<http::Answer, CallError> {
        let request = exchange::request(&self.config, place, path, body, stream)?;
        let answer = self.http.send(request).await?;
        let status = answer.status();
        if status.is_success() {
            return exchange::check_type(answer, self.config.protocol, stream);
        }
        let retry_after_ms = retry_after::read(answer.headers(), self.clock.now_ms());
        let told = body::read_some(answer).await;
        let mut error = exchange::decode_error(self.config.protocol, status.as_u16(), &told);
        error.retry_after_ms = retry_after_ms;
        Err(error)
    }
}

impl Upstream for Provider {
    fn chat<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Answered, CallError>> {
        async move {
            let outgoing = exchange::encode_chat(self.config.protocol, prompt, model)?;
            let place = self.place().await?;
            let call = async {
                let (bytes, notes) = self.whole(&place, outgoing).await?;
                let answer = exchange::decode_chat(self.config.protocol, &bytes)?;
                let is_raw = prompt.as_body().is_some() && matches!(self.config.protocol, Protocol::OpenAi(_));
                Ok(Answered { answer, raw: is_raw.then_some(bytes), notes })
            };
            call.await.map_err(|error: CallError| error.without(place.secrets()))
        }
        .boxed()
    }

    fn stream<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Streamed, CallError>> {
        async move {
            let outgoing = exchange::encode_chat(self.config.protocol, prompt, model)?;
            let filter_usage = match (prompt.as_body(), self.config.protocol) {
                (Some(body), Protocol::OpenAi(dialect)) => Some(body.asks_usage(dialect.stream_usage)),
                _ => None,
            };
            let place = self.place().await?;
            let begun = self.begin(&place, outgoing, filter_usage).await;
            begun.map_err(|error| error.without(place.secrets()))
        }
        .boxed()
    }

    fn embed<'a>(&'a self, request: &'a EmbedRequest, model: &'a str) -> BoxFuture<'a, Result<Embedded, CallError>> {
        async move {
            let outgoing = exchange::encode_embed(self.config.protocol, request, model)?;
            let place = self.place().await?;
            let call = async {
                let (bytes, notes) = self.whole(&place, outgoing).await?;
                let answer = exchange::decode_embed(self.config.protocol, &bytes, request.input.count())?;
                Ok(Embedded { answer, notes })
            };
            call.await.map_err(|error: CallError| error.without(place.secrets()))
        }
        .boxed()
    }
}

fn after(milliseconds: u64) -> Instant {
    Instant::now() + Duration::from_millis(milliseconds)
}

fn too_late(what: &str, milliseconds: u64) -> CallError {
    CallError::new(ErrorClass::Timeout, format!("the provider did not {what} within {milliseconds} ms"))
}
