//! Answers that come piece by piece.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http_body_util::BodyExt as _;
use timeloom_domain::chat::Delta;
use timeloom_domain::chat::ErrorClass;
use tokio::time::{Duration, Instant, timeout, timeout_at};

use super::body::Chunks;
use super::http::Answer;
use super::{Protocol, ProviderConfig, too_late};
use crate::error::CallError;
use crate::upstream::Piece;
use crate::wire::{EventReader, LineReader, StreamFault};
use crate::{anthropic, ollama, openai};

/// How long a connection is waited for whose answer has ended, so that it can be used again.
const END_WAIT_MS_MAX: u64 = 1_000;

/// Reads an answer piece by piece.
pub(super) struct Reader {
    chunks: Option<Chunks>,
    decoder: Decoder,
    /// Whether the bytes are passed on; and then, whether without the event that carries nothing but the tokens.
    filter_usage: Option<bool>,
    ready: VecDeque<Piece>,
    /// Whether nothing comes any more.
    over: bool,
    /// What went wrong after the pieces that are ready.
    failed: Option<CallError>,
}

enum Decoder {
    OpenAi(EventReader, openai::StreamDecoder),
    Anthropic(EventReader, anthropic::StreamDecoder),
    Ollama(LineReader, ollama::StreamDecoder),
}

impl Reader {
    pub(super) fn new(answer: Answer, config: &ProviderConfig, filter_usage: Option<bool>) -> Result<Self, CallError> {
        let decoder = match config.protocol {
            Protocol::OpenAi(_) => Decoder::OpenAi(EventReader::default(), openai::StreamDecoder::default()),
            Protocol::Anthropic => Decoder::Anthropic(EventReader::default(), anthropic::StreamDecoder::default()),
            Protocol::Ollama | Protocol::OllamaText => {
                Decoder::Ollama(LineReader::default(), ollama::StreamDecoder::default())
            }
        };
        let chunks = Some(Chunks::new(answer, config.answer_bytes_max)?);
        Ok(Self { chunks, decoder, filter_usage, ready: VecDeque::new(), over: false, failed: None })
    }

    /// Reads until there is something that says something, or the answer has ended.
    pub(super) async fn read_first(&mut self) -> Result<(), CallError> {
        let says_something = |piece: &Piece| piece.deltas.iter().any(Delta::is_content);
        let mut looked_at = 0;
        loop {
            if self.ready.iter().skip(looked_at).any(says_something) {
                return Ok(());
            }
            if self.over {
                return self.failed.take().map_or(Ok(()), Err);
            }
            looked_at = self.ready.len();
            self.read().await;
        }
    }

    /// The pieces, to be there by `last`.
    pub(super) fn into_stream(self, last: Instant, stream_ms: u64) -> BoxStream<'static, Result<Piece, CallError>> {
        let pieces = stream::unfold(Some(self), move |reader| async move {
            let mut reader = reader?;
            match timeout_at(last, reader.next()).await {
                Err(_) => Some((Err(too_late("finish its answer", stream_ms)), None)),
                Ok(Err(error)) => Some((Err(error), None)),
                Ok(Ok(None)) => None,
                Ok(Ok(Some(piece))) => Some((Ok(piece), Some(reader))),
            }
        });
        pieces.boxed()
    }

    async fn next(&mut self) -> Result<Option<Piece>, CallError> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            if self.over {
                if let Some(error) = self.failed.take() {
                    return Err(error);
                }
                self.drain().await;
                return Ok(None);
            }
            self.read().await;
        }
    }

    /// Takes one more chunk, or the end. What goes wrong is told after the pieces before it, wherever chunks are cut.
    async fn read(&mut self) {
        if let Err(error) = self.try_read().await {
            self.over = true;
            self.failed = Some(error);
        }
        self.over |= self.decoder.has_ended();
    }

    async fn try_read(&mut self) -> Result<(), CallError> {
        let chunk = match &mut self.chunks {
            Some(chunks) => chunks.next().await?,
            None => None,
        };
        if let Some(chunk) = chunk {
            return self.take(&chunk);
        }
        self.take_rest()?;
        self.over = true;
        if self.decoder.is_complete() {
            return Ok(());
        }
        let message = "the provider's answer broke off before it was complete";
        Err(CallError::new(ErrorClass::Unreachable, message))
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), CallError> {
        match &mut self.decoder {
            Decoder::OpenAi(reader, decoder) => {
                reader.push(chunk);
                while let Some(event) = reader.next_event().map_err(fault)? {
                    let mut deltas = Vec::new();
                    let only_usage = decoder.take(&event, &mut deltas)?;
                    let raw =
                        self.filter_usage.map(|filter| if filter && only_usage { Bytes::new() } else { event.raw });
                    let raw = raw.filter(|raw| !raw.is_empty());
                    if raw.is_some() || !deltas.is_empty() {
                        self.ready.push_back(Piece { deltas, raw });
                    }
                }
            }
            Decoder::Anthropic(reader, decoder) => {
                reader.push(chunk);
                while let Some(event) = reader.next_event().map_err(fault)? {
                    let mut deltas = Vec::new();
                    decoder.take(&event, &mut deltas)?;
                    self.ready.extend((!deltas.is_empty()).then_some(Piece { deltas, raw: None }));
                }
            }
            Decoder::Ollama(reader, decoder) => {
                reader.push(chunk);
                while let Some(line) = reader.next_line().map_err(fault)? {
                    let mut deltas = Vec::new();
                    decoder.take(&line, &mut deltas)?;
                    self.ready.extend((!deltas.is_empty()).then_some(Piece { deltas, raw: None }));
                }
            }
        }
        Ok(())
    }

    /// A last line need not have an end; an event must.
    fn take_rest(&mut self) -> Result<(), CallError> {
        let Decoder::Ollama(reader, decoder) = &mut self.decoder else { return Ok(()) };
        if let Some(line) = reader.last_line().filter(|_| !decoder.is_complete()) {
            let mut deltas = Vec::new();
            decoder.take(&line, &mut deltas)?;
            self.ready.extend((!deltas.is_empty()).then_some(Piece { deltas, raw: None }));
        }
        Ok(())
    }

    /// Waits for the end of the body, which often comes a little after the end of the answer, so that the connection can be
    /// used again. All pieces have been given by then.
    async fn drain(&mut self) {
        let Some(chunks) = self.chunks.take() else { return };
        let mut rest = chunks.into_rest();
        let to_the_end = async { while let Some(Ok(_)) = rest.frame().await {} };
        let ended = timeout(Duration::from_millis(END_WAIT_MS_MAX), to_the_end).await;
        drop(ended);
    }
}

impl Decoder {
    fn is_complete(&self) -> bool {
        match self {
            Self::OpenAi(_, decoder) => decoder.is_complete(),
            Self::Anthropic(_, decoder) => decoder.is_complete(),
            Self::Ollama(_, decoder) => decoder.is_complete(),
        }
    }

    fn has_ended(&self) -> bool {
        match self {
            Self::OpenAi(_, decoder) => decoder.has_ended(),
            Self::Anthropic(_, decoder) => decoder.is_complete(),
            Self::Ollama(_, decoder) => decoder.is_complete(),
        }
    }
}

fn fault(fault: StreamFault) -> CallError {
    CallError::garbage(format!("the stream has {fault}"))
}
