//! One WebSocket: reads the client's messages, runs its operations, sends their answers in turn.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_ws::{AggregatedMessage, AggregatedMessageStream, Session};
use async_graphql::Response;
use futures::FutureExt;
use futures::future::{AbortHandle, BoxFuture};
use futures::stream::{self, Abortable, BoxStream, SelectAll, StreamExt};
use timeloom_store::RequestFacts;
use tokio::time::{Instant, interval_at, sleep_until};

use super::super::Api;
use super::super::answer::Answer;
use super::super::door::{Shown, as_seen_by};
use super::super::parameters::Parameters;
use super::message::{ClientMessage, Closing, ServerMessage, authorization, parse};
use crate::limits::seconds;
use crate::schema::{Progress, prepared};
use crate::state::{ApiState, LetOut};

/// How long a client may take to begin.
const INIT_WAIT: Duration = Duration::from_secs(3);
/// How often the server asks whether the client is still there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long the last one, which says why a connection is closed, may take to leave.
const CLOSE_WAIT: Duration = Duration::from_secs(10);
/// Most operations of one connection at a time.
const OPERATIONS_MAX: usize = 100;

/// What an operation brings up.
enum Brought {
    /// An answer, and the position that it is about.
    Answer(Box<Response>, Option<u64>),
    /// There are no more.
    Ended,
}

/// An operation under way.
struct Running {
    handle: AbortHandle,
    /// The position of the last answer of it that left.
    position: Option<u64>,
}

type Operations = SelectAll<Abortable<BoxStream<'static, (Arc<str>, Brought)>>>;

/// One connection.
pub(super) struct Connection {
    api: Api,
    session: Session,
    /// The API as whoever is there sees it; `None` until they have said who they are.
    state: Option<ApiState>,
    facts: RequestFacts,
    acknowledged: bool,
    running: HashMap<Arc<str>, Running>,
    operations: Operations,
    heard: bool,
}

impl Connection {
    /// A connection that answers through `session`, to somebody who sees `state`, or who has still to say who they are.
    pub(super) fn new(api: Api, session: Session, state: Option<ApiState>, facts: RequestFacts) -> Self {
        let (running, operations) = (HashMap::new(), SelectAll::new());
        Self { api, session, state, facts, acknowledged: false, running, operations, heard: true }
    }

    /// Runs until one side closes.
    pub(super) async fn run(mut self, messages: AggregatedMessageStream, spoken: bool) {
        let closing = if spoken { self.serve(messages).await } else { Closing::OtherProtocol };
        if let Some(reason) = closing.reason() {
            // The client may be the one that does not read: it is waited for no longer than this.
            let _ = tokio::time::timeout(CLOSE_WAIT, self.session.close(Some(reason))).await;
        }
    }

    async fn serve(&mut self, mut messages: AggregatedMessageStream) -> Closing {
        let init_until = Instant::now() + INIT_WAIT;
        let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        let stopping = self.api.state.closing().clone();
        let mut gone = Self::let_out(self.state.clone());
        loop {
            let was_known = self.state.is_some();
            let step = tokio::select! {
                () = stopping.cancelled() => Err(Closing::ShuttingDown),
                () = sleep_until(init_until), if !self.acknowledged => Err(Closing::InitTimeout),
                why = &mut gone => Err(Closing::NotLetIn(why)),
                _ = ping.tick() => self.ping().await,
                message = messages.next() => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(_)) | None => Err(Closing::Gone),
                },
                Some((id, brought)) = self.operations.next(), if !self.operations.is_empty() => self.bring(&id, brought).await,
            };
            if let Err(closing) = step {
                return closing;
            }
            if self.state.is_some() && !was_known {
                gone = Self::let_out(self.state.clone());
            }
        }
    }

    /// Resolves once whoever is there would not be let in any more.
    fn let_out(state: Option<ApiState>) -> BoxFuture<'static, String> {
        let Some(state) = state else { return std::future::pending().boxed() };
        async move {
            let mut known = state;
            loop {
                match known.clone().let_out().await {
                    LetOut::NotLetIn(why) => return why.to_string(),
                    // What still runs ends by itself; what begins is looked at anew.
                    LetOut::MayLess => match known.renewed() {
                        Ok(renewed) => known = renewed,
                        Err(why) => return why.to_string(),
                    },
                }
            }
        }
        .boxed()
    }

    async fn hear(&mut self, message: AggregatedMessage) -> Result<(), Closing> {
        self.heard = true;
        match message {
            AggregatedMessage::Text(text) => self.obey(parse(&text)?).await,
            AggregatedMessage::Binary(_) => Err(Closing::Invalid("Invalid message: send text".to_owned())),
            AggregatedMessage::Ping(bytes) => {
                let sent = tokio::time::timeout(self.send_wait(), self.session.pong(&bytes)).await;
                sent.map_err(|_| self.slow())?.map_err(|_| Closing::Gone)
            }
            AggregatedMessage::Pong(_) => Ok(()),
            AggregatedMessage::Close(_) => Err(Closing::Gone),
        }
    }

    async fn obey(&mut self, message: ClientMessage) -> Result<(), Closing> {
        match message {
            ClientMessage::ConnectionInit { .. } if self.acknowledged => Err(Closing::InitTwice),
            ClientMessage::ConnectionInit { payload } => {
                self.meet(authorization(payload.as_ref())).await?;
                self.acknowledged = true;
                self.send(&ServerMessage::ConnectionAck).await
            }
            ClientMessage::Ping {} => self.send(&ServerMessage::Pong).await,
            ClientMessage::Pong {} => Ok(()),
            ClientMessage::Subscribe { .. } if !self.acknowledged => {
                Err(Closing::Unauthorized("send connection_init and wait for its acknowledgement"))
            }
            ClientMessage::Subscribe { id, payload } => self.begin(id, payload).await,
            ClientMessage::Complete { id } => {
                if let Some(running) = self.running.remove(id.as_str()) {
                    running.handle.abort();
                }
                Ok(())
            }
        }
    }

    /// Learns who is there, unless the request that opened the connection said it already. What both say is for the latter.
    async fn meet(&mut self, authorization: Option<&str>) -> Result<(), Closing> {
        let Some(access) = self.api.entrance.access() else { return Ok(()) };
        let Some(text) = authorization else {
            let how = "send a key in connection_init: {\"authorization\": \"Bearer timeloom_key_…\"}";
            return if self.state.is_some() { Ok(()) } else { Err(Closing::Unauthorized(how)) };
        };
        let principal = self.api.entrance.let_in(access, &Shown::of_text(text));
        let principal = principal.map_err(|why| Closing::Forbidden(why.to_string()))?;
        access.note_use(&principal).await;
        self.state = Some(as_seen_by(&self.api.state, principal, self.facts.clone()));
        Ok(())
    }

    async fn begin(&mut self, id: String, parameters: Parameters) -> Result<(), Closing> {
        if self.running.contains_key(id.as_str()) {
            return Err(Closing::SubscriberExists(id));
        }
        if self.running.len() >= OPERATIONS_MAX {
            return Err(Closing::TooManyOperations(OPERATIONS_MAX));
        }
        let parsed = match parameters.parse(&self.api) {
            Ok(parsed) => parsed,
            Err(unacceptable) => {
                let answer = Answer::from(unacceptable);
                return self.send(&ServerMessage::Error { id: &id, payload: answer.errors() }).await;
            }
        };
        let state = self.state.as_ref().ok_or(Closing::Unauthorized("nobody is known to be here"))?;
        let state = state.renewed().map_err(|why| Closing::NotLetIn(why.to_string()))?;
        if let Some(rates) = state.rates() {
            rates.request(state.principal()).map_err(|wait| Closing::TooOften(seconds(wait)))?;
        }
        let (request, progress) = prepared(parsed.into_request(), state, None);
        let id: Arc<str> = Arc::from(id);
        let position = |progress: &Progress| progress.position().map(|position| position.0);
        let answers = self.api.schema.execute_stream(request).map({
            let id = Arc::clone(&id);
            move |response| (Arc::clone(&id), Brought::Answer(Box::new(response), position(&progress)))
        });
        let ended = stream::once(std::future::ready((Arc::clone(&id), Brought::Ended)));
        let (handle, registration) = AbortHandle::new_pair();
        self.operations.push(Abortable::new(answers.chain(ended).boxed(), registration));
        self.running.insert(id, Running { handle, position: None });
        Ok(())
    }

    async fn bring(&mut self, id: &str, brought: Brought) -> Result<(), Closing> {
        match brought {
            Brought::Answer(response, position) => {
                let answer = Answer::from(*response);
                if !answer.is_refused() {
                    self.send(&ServerMessage::Next { id, payload: &answer }).await?;
                    // Only now: what did not leave is to come again.
                    if let Some(running) = self.running.get_mut(id) {
                        running.position = position.or(running.position);
                    }
                    return Ok(());
                }
                // An error message ends its operation: nothing more may come of it.
                if let Some(running) = self.running.remove(id) {
                    running.handle.abort();
                }
                self.send(&ServerMessage::Error { id, payload: answer.errors() }).await
            }
            Brought::Ended => {
                self.running.remove(id);
                self.send(&ServerMessage::Complete { id }).await
            }
        }
    }

    async fn ping(&mut self) -> Result<(), Closing> {
        if !std::mem::take(&mut self.heard) {
            return Err(self.slow());
        }
        let sent = tokio::time::timeout(self.send_wait(), self.session.ping(b"")).await;
        sent.map_err(|_| self.slow())?.map_err(|_| Closing::Gone)
    }

    fn send_wait(&self) -> Duration {
        self.api.state.graphql().socket_send_wait
    }

    /// That the client does not read, with the position after which every operation that has brought something can go on
    /// without a loss.
    fn slow(&self) -> Closing {
        Closing::SlowConsumer(self.running.values().filter_map(|running| running.position).min())
    }

    async fn send(&mut self, message: &ServerMessage<'_>) -> Result<(), Closing> {
        let text = serde_json::to_string(message).map_err(|error| {
            tracing::error!(error = %error, "a WebSocket message could not be written");
            Closing::Gone
        })?;
        let sent = tokio::time::timeout(self.send_wait(), self.session.text(text)).await;
        sent.map_err(|_| self.slow())?.map_err(|_| Closing::Gone)
    }
}
