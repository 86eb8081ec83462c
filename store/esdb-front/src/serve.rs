//! The listener: HTTP/2 on a socket, with TLS or without, each connection with a bounded number of calls.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tower_service::Service;

use crate::front::Front;
use crate::tls::Tls;
use crate::wire::gossip::gossip_server::GossipServer;
use crate::wire::persistent_subscriptions::persistent_subscriptions_server::PersistentSubscriptionsServer;
use crate::wire::server_features::server_features_server::ServerFeaturesServer;
use crate::wire::streams::streams_server::StreamsServer;

/// Connections at the same time.
const CONNECTIONS_MAX: usize = 1_024;
/// Calls of one connection at the same time, subscriptions among them.
const CALLS_MAX: u32 = 256;
/// Largest message that is taken, in bytes.
const MESSAGE_BYTES_MAX: usize = crate::append::BYTES_MAX + (1 << 20);
/// Bytes of all headers of a call.
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// How often a connection is asked whether it is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIME_MAX: Duration = Duration::from_secs(20);
/// How long a connection may take to be secured.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long calls may take to end when the server stops.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);
/// How long nothing is accepted after the system refused a connection, for want of files for example.
const PAUSE: Duration = Duration::from_millis(100);

/// The address at which a call came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local(pub(crate) SocketAddr);

/// A listener at work. Dropping it does not stop it.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// What goes on beside calls: it ends with them.
    beside: TaskTracker,
}

impl Served {
    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, ends subscriptions, and waits a moment for other calls.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.beside.close();
        let ended = async {
            self.tasks.wait().await;
            self.beside.wait().await;
        };
        if tokio::time::timeout(STOP_TIME_MAX, ended).await.is_err() {
            tracing::warn!("some calls of the EventStoreDB protocol were cut off");
        }
    }
}

/// Serves `front` on `listener` until it is stopped, with TLS where there is some. Must be called within a runtime.
///
/// # Errors
/// When the socket cannot be used.
pub fn serve(front: &Front, listener: std::net::TcpListener, tls: Option<Tls>) -> std::io::Result<Served> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let entrance = Entrance { services: Services::new(front), tls, stop: stop.clone() };
    tasks.spawn(accept(entrance, listener, tasks.clone()));
    Ok(Served { address, stop, tasks, beside: front.inner.tasks.clone() })
}

/// What every connection is given.
#[derive(Clone)]
struct Entrance {
    services: Services,
    tls: Option<Tls>,
    stop: CancellationToken,
}

async fn accept(entrance: Entrance, listener: TcpListener, tasks: TaskTracker) {
    let stop = entrance.stop.clone();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                tasks.spawn(connection(entrance.clone(), socket, place));
            }
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(entrance: Entrance, socket: TcpStream, _place: OwnedSemaphorePermit) {
    let Entrance { services, tls, stop } = entrance;
    let Ok(local) = socket.local_addr() else { return };
    // Answers are small and waited for.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "answers may be held back by the system");
    }
    let routed = Routed { services, local: Local(local) };
    let Some(tls) = tls else { return speak(socket, routed, stop).await };
    let secured = tokio::time::timeout(HANDSHAKE_TIME_MAX, tls.acceptor().accept(socket)).await;
    match secured {
        Ok(Ok(socket)) => speak(socket, routed, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "a connection could not be secured"),
        Err(_) => tracing::debug!("a connection was not secured in time"),
    }
}

async fn speak(socket: impl AsyncRead + AsyncWrite + Unpin + Send, routed: Routed, stop: CancellationToken) {
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(CALLS_MAX)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIME_MAX)
        .adaptive_window(true);
    let serving = builder.serve_connection(TokioIo::new(socket), TowerToHyperService::new(routed));
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            match tokio::time::timeout(STOP_TIME_MAX / 2, serving).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the EventStoreDB protocol ended early");
    }
}

/// All services over one front.
#[derive(Debug, Clone)]
struct Services {
    streams: StreamsServer<Front>,
    features: ServerFeaturesServer<Front>,
    gossip: GossipServer<Front>,
    consumers: PersistentSubscriptionsServer<Front>,
}

impl Services {
    fn new(front: &Front) -> Self {
        Self {
            streams: StreamsServer::new(front.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX),
            features: ServerFeaturesServer::new(front.clone()),
            gossip: GossipServer::new(front.clone()),
            consumers: PersistentSubscriptionsServer::new(front.clone()),
        }
    }
}

/// Leads each call of a connection to its service by its path.
#[derive(Debug, Clone)]
struct Routed {
    services: Services,
    local: Local,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl Service<Request<Incoming>> for Routed {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Answer {
        request.extensions_mut().insert(self.local);
        let path = request.uri().path();
        let service = path.strip_prefix("/event_store.client.").and_then(|rest| rest.split_once('/'));
        match service.map(|(service, _)| service) {
            Some("streams.Streams") => self.services.streams.call(request),
            Some("server_features.ServerFeatures") => self.services.features.call(request),
            Some("persistent_subscriptions.PersistentSubscriptions") => self.services.consumers.call(request),
            Some("gossip.Gossip") => self.services.gossip.call(request),
            _ => {
                let status = tonic::Status::unimplemented(
                    "this server speaks streams, persistent subscriptions, gossip and server features of the protocol",
                );
                Box::pin(std::future::ready(Ok(status.into_http())))
            }
        }
    }
}
