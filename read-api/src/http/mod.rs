//! The HTTP side: what is served where, to whom, and within which limits.
//!
//! Never answers somebody whom no door let in, see [`door`]; but webhooks answer everybody, see [`webhook`].

mod answer;
mod app;
mod binary;
mod capsule;
mod deprecated;
mod door;
mod graphql;
mod health;
mod idempotency;
mod intake;
mod log;
mod metrics;
mod multipart;
mod negotiation;
mod observe;
mod page;
mod parameters;
mod sign_in;
mod sse;
mod tensor;
mod tree;
mod webhook;
mod ws;

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{RequestHead, Server, ServiceRequest};
use actix_web::guard::fn_guard;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer, Resource, Route};
use timeloom_domain::access::Permission;

use self::door::{Door, Entrance};
use self::idempotency::Answers;
use self::sign_in::{Attempts, Oidc};
use self::sse::shared::{self, Reservations};
use crate::bind::{BindError, check_bind};
use crate::documents::Documents;
use crate::rates::Rates;
use crate::schema::{ApiSchema, schema};
use crate::sign_in::SignIn;
use crate::state::ApiState;
pub use sign_in::told;
pub use webhook::WebhookOptions;

/// Most connections at a time, for each worker.
const CONNECTIONS_PER_WORKER_MAX: usize = 4_096;
/// The longest that the head of a request takes to come in.
const REQUEST_HEAD_TIME_MAX: Duration = Duration::from_secs(30);

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// Everything.
    Api,
    /// Whether the process is well, and nothing else.
    Health,
}

/// How the server runs.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// What is served.
    pub served: Served,
    /// Threads that answer requests.
    pub workers: usize,
    /// Seconds that open requests get at a stop.
    pub shutdown_seconds: u64,
    /// Who is let in.
    pub sign_in: SignIn,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { served: Served::Api, workers: 2, shutdown_seconds: 5, sign_in: SignIn::Off }
    }
}

/// The API as a web service. Cheap to clone; one is made for all workers.
#[derive(Clone)]
pub struct Api {
    pub(crate) state: ApiState,
    pub(crate) schema: ApiSchema,
    pub(crate) documents: Arc<Documents>,
    reservations: Arc<Reservations>,
    answers: Arc<Answers>,
    entrance: Arc<Entrance>,
    attempts: Arc<Attempts>,
    oidc: Option<Arc<Oidc>>,
}

impl fmt::Debug for Api {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Api").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Api {
    /// The service over `state`, which is as nobody sees it where people and programs show who they are.
    pub fn new(state: ApiState, sign_in: &SignIn) -> Self {
        let entrance = Arc::new(Entrance::new(&state, sign_in));
        let (state, oidc) = match sign_in {
            SignIn::Off => (state, None),
            SignIn::Required(options) => {
                let public_url = &state.webhooks().public_url;
                let oidc = options.oidc.clone().map(|oidc| Arc::new(Oidc::new(oidc, public_url)));
                (state.seen_by_nobody().with_rates(Rates::new(options.limits)), oidc)
            }
        };
        let schema = schema(state.clone());
        let documents = Arc::new(Documents::new(state.graphql()));
        let (reservations, answers, attempts) = (Arc::default(), Arc::default(), Arc::default());
        Self { state, schema, documents, reservations, answers, entrance, attempts, oidc }
    }
}

/// Adds everything that the API serves. The app has no pages where something is served `beside` it.
pub fn configure(config: &mut ServiceConfig, api: &Api, beside: &[Beside]) {
    let get = web::get;
    config.app_data(Data::new(api.clone()));
    let soon = Door::SomebodySoon;
    serve(config, soon, "/graphql", "GET, POST", [get().to(graphql::get), web::post().to(graphql::post)]);
    let shared = [
        get().to(shared::open),
        web::post().to(shared::operate),
        web::put().to(shared::reserve),
        web::delete().to(shared::stop),
    ];
    serve(config, Door::Somebody, "/graphql/stream", "GET, POST, PUT, DELETE", shared);
    serve(config, soon, "/graphql/ws", "GET", [get().to(ws::connect)]);
    serve(config, Door::Somebody, "/graphql/schema", "GET", [get().to(page::sdl)]);
    serve(config, Door::Somebody, "/graphiql", "GET", [get().to(page::graphiql)]);
    serve(config, Door::Somebody, "/graphiql/graphiql.js", "GET", [get().to(page::script)]);
    serve(config, Door::Somebody, "/graphiql/graphiql.css", "GET", [get().to(page::style)]);
    for place in app::PLACES {
        let taken: Vec<&'static str> = beside.iter().map(|beside| beside.prefix).collect();
        let is_free = move |path: &str| !taken.iter().any(|prefix| is_below(prefix, path));
        let page = web::resource(place).guard(fn_guard(move |context| is_free(context.head().uri.path())));
        behind(config, Door::Somebody, page, "GET", [get().to(app::page)]);
    }
    for files in app::FILES {
        serve(config, Door::Somebody, files, "GET", [get().to(app::file)]);
    }
    let whole_log = Door::With(Permission::TenantWrite);
    serve(config, whole_log, "/log/identity", "GET", [get().to(log::identity)]);
    serve(config, whole_log, "/log/events", "GET", [get().to(log::events)]);
    serve(config, whole_log, "/log/blobs/{hash}", "GET", [get().to(log::blob)]);
    serve(config, whole_log, "/log/tree", "GET", [get().to(tree::size)]);
    serve(config, whole_log, "/log/tree/tiles/{level}/{index}", "GET", [get().to(tree::tile)]);
    serve(config, whole_log, "/log/checkpoints", "GET", [get().to(tree::checkpoints)]);
    let executions = Door::With(Permission::ExecutionRead);
    serve(config, executions, "/binary/{execution}", "GET", [get().to(binary::download)]);
    serve(config, executions, "/capsules/{execution}", "GET", [get().to(capsule::download)]);
    serve(config, executions, "/tensor/{inference}", "GET", [get().to(tensor::download)]);
    sign_in::configure(config, api);
    webhook::configure(config);
    configure_health(config, api);
}

/// Adds what tells whether the process is well.
pub fn configure_health(config: &mut ServiceConfig, api: &Api) {
    config.app_data(Data::new(api.clone()));
    serve(config, Door::Health, "/health/live", "GET", [web::get().to(health::live)]);
    serve(config, Door::Health, "/health/ready", "GET", [web::get().to(health::ready)]);
    // Under the names that orchestrators look for.
    serve(config, Door::Health, "/healthz", "GET", [web::get().to(health::live)]);
    serve(config, Door::Health, "/readyz", "GET", [web::get().to(health::ready)]);
    serve(config, Door::With(Permission::SystemRead), "/metrics", "GET", [web::get().to(metrics::metrics)]);
}

/// Adds a resource behind a door, which names its methods to those who use another.
fn serve<const ROUTES: usize>(
    config: &mut ServiceConfig,
    door: Door,
    path: &str,
    methods: &'static str,
    routes: [Route; ROUTES],
) {
    behind(config, door, web::resource(path), methods, routes);
}

fn behind<const ROUTES: usize>(
    config: &mut ServiceConfig,
    door: Door,
    resource: Resource,
    methods: &'static str,
    routes: [Route; ROUTES],
) {
    let refuse = move || async move {
        let allow = (header::ALLOW, HeaderValue::from_static(methods));
        HttpResponse::MethodNotAllowed().insert_header(allow).finish()
    };
    let resource = routes.into_iter().fold(resource, Resource::route);
    let pass = from_fn(move |request: ServiceRequest, next: Next<BoxBody>| door::pass(door, request, next));
    config.service(resource.default_service(web::to(refuse)).wrap(pass));
}

/// The JSON body that tells whoever sent a request a status and a message.
pub type Words = fn(&RequestHead, u16, &str) -> Vec<u8>;

/// Routes of another part of the product, behind the same door: whoever comes to them is known, see [`ApiState::asking`].
#[derive(Clone)]
pub struct Beside {
    /// What their paths begin with; with a slash at its end, the path before that is not one of theirs.
    pub prefix: &'static str,
    /// Adds them; called once for each thread that answers.
    pub configure: Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>,
    /// How whoever the door does not let in is told, where the clients of these routes want it in words of their own.
    pub refusals: Option<Words>,
}

impl fmt::Debug for Beside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Beside").field(&self.prefix).finish()
    }
}

impl Beside {
    fn serve(&self, config: &mut ServiceConfig) {
        let prefix = self.prefix;
        let words = self.refusals;
        let pass = from_fn(move |request: ServiceRequest, next: Next<BoxBody>| {
            door::pass_in_words(Door::Somebody, words, request, next)
        });
        let all = web::scope("").guard(fn_guard(move |context| is_below(prefix, context.head().uri.path())));
        config.service(all.wrap(pass).configure(|inner| (self.configure)(inner)));
    }
}

/// Whether a path is `prefix`, or lies within it; of one that ends with a slash, whether it lies within it.
fn is_below(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}

/// A server over an open listener. It runs when it is awaited; its handle stops it. It does not listen to signals.
///
/// # Errors
/// When the listener's address cannot be used, or others could reach it where nobody signs in.
pub fn server(state: ApiState, listener: TcpListener, options: &ServerOptions) -> io::Result<Server> {
    server_beside(state, listener, options, Vec::new())
}

/// The same with routes of other parts of the product.
///
/// # Errors
/// As [`server`].
pub fn server_beside(
    state: ApiState,
    listener: TcpListener,
    options: &ServerOptions,
    beside: Vec<Beside>,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    if matches!(options.sign_in, SignIn::Off) {
        check_bind(address).map_err(|error: BindError| io::Error::new(io::ErrorKind::PermissionDenied, error))?;
    }
    let api = Api::new(state, &options.sign_in);
    let served = options.served;
    let all = move |config: &mut ServiceConfig| match served {
        Served::Api => {
            configure(config, &api, &beside);
            beside.iter().for_each(|beside| beside.serve(config));
        }
        Served::Health => configure_health(config, &api),
    };
    let server = HttpServer::new(move || App::new().wrap(from_fn(observe::observe)).configure(&all))
        .workers(options.workers)
        .max_connections(CONNECTIONS_PER_WORKER_MAX)
        // A piece of a stream goes out when it is there, and does not wait until the one before it is acknowledged.
        .tcp_nodelay(true)
        // Whoever goes away is answered no more, and what was begun for them ends.
        .h1_allow_half_closed(false)
        // Under load a client that has connected may wait its turn: what is told to go away then was no fault of it.
        .client_request_timeout(REQUEST_HEAD_TIME_MAX)
        .shutdown_timeout(options.shutdown_seconds)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn a_prefix_with_a_slash_at_its_end_leaves_the_path_before_it_to_others() {
        for (prefix, path, expected) in [
            ("/v1", "/v1", true),
            ("/v1", "/v1/models", true),
            ("/v1", "/v11", false),
            ("/api/", "/api/chat", true),
            ("/api/", "/api", false),
            ("/api/", "/apis/chat", false),
        ] {
            assert_eq!(is_below(prefix, path), expected, "{prefix} {path}");
        }
    }
}
