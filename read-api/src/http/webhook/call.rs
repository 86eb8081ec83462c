//! A request to a webhook: which one is meant, who calls, what it brings, and the execution that it starts.
//!
//! Invariant: no answer of success before the execution's first event is durable, and none while this process does not
//! know yet what is active. A version that was replaced is never run, see [`super::place`].

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use timeloom_commands::Outcome;
use timeloom_commands::directory::{Listing, Route, RouteMatch};
use timeloom_domain::access::Permission;
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::Item;
use uuid::Uuid;

use super::answer::{Answers, at_once};
use super::auth::Admitted;
use super::place::{Begun, Looks, Place, test_execution};
use super::refusal::Refusal;
use super::request::{Head, path_behind};
use super::settings::{AnswerMode, Settings};
use super::{auth, body, chat, cors};
use crate::http::Api;
use crate::http::door::{self, Door};
use crate::state::ApiState;

/// The header by which a caller says that a request is the same as an earlier one.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest such key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// Most characters of a path that a message repeats.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// One request.
pub(super) struct Call<'a> {
    pub(super) api: &'a Api,
    pub(super) state: &'a ApiState,
    pub(super) request: &'a HttpRequest,
    pub(super) place: Place,
}

/// The webhook that a request means, and the named parts of its path.
struct Meant {
    route: Arc<Route>,
    params: Vec<(String, String)>,
}

impl Call<'_> {
    /// Takes the request.
    pub(super) async fn take(&self, payload: Payload) -> HttpResponse {
        self.taken(payload).await.unwrap_or_else(Refusal::into_response)
    }

    async fn taken(&self, payload: Payload) -> Result<HttpResponse, Refusal> {
        let mut looks = Looks::new(self.state)?;
        let path = path_behind(self.request, self.prefix())?;
        let asks_beforehand = self.request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if self.request.method() == Method::OPTIONS && asks_beforehand {
            return Ok(self.preflight(&self.state.commands().directory().now(), &path));
        }
        let (mut payload, mut came) = (Some(payload), None);
        loop {
            let listing = looks.next().await?;
            let meant = match self.meant(&listing, &path) {
                Ok(meant) => meant,
                // Somebody who may call with another method may be told so.
                Err(response) => return Ok(response),
            };
            let settings = Settings::of_webhook(&meant.route.node);
            let person = match self.person(&settings, &path).await {
                Ok(person) => person,
                Err(response) => return Ok(response),
            };
            let state = person.as_ref().unwrap_or(self.state);
            let answered = self.answered(state, &meant, &settings, &path, (&mut payload, &mut came)).await;
            let mut response = match answered {
                Ok(Some(response)) => response,
                Ok(None) => continue,
                Err(refusal) => refusal.into_response(),
            };
            cors::allow_origin(self.request, &settings, response.headers_mut());
            return Ok(response);
        }
    }

    fn prefix(&self) -> &'static str {
        match self.place {
            Place::Production => "/webhook",
            Place::Test => "/webhook-test",
        }
    }

    fn find<'a>(&self, listing: &'a Listing, method: &str, path: &str) -> RouteMatch<'a> {
        let routes = match self.place {
            Place::Production => listing.routes(),
            Place::Test => listing.test_routes(),
        };
        match routes.find(self.state.tenant(), method, path) {
            RouteMatch::Found(route, _) if !self.place.is_open(self.state, route) => RouteMatch::Nothing,
            found => found,
        }
    }

    fn preflight(&self, listing: &Listing, path: &str) -> HttpResponse {
        let asked = self.request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD);
        let method = asked.and_then(|method| method.to_str().ok()).unwrap_or_default();
        let all = match self.find(listing, "", path) {
            RouteMatch::OtherMethods(methods) => methods,
            _ => Vec::new(),
        };
        match self.find(listing, method, path) {
            RouteMatch::Found(route, _) => {
                cors::preflight(self.request, Some(&Settings::of_webhook(&route.node)), &all)
            }
            _ => cors::preflight(self.request, None, &all),
        }
    }

    fn meant(&self, listing: &Listing, path: &str) -> Result<Meant, HttpResponse> {
        let method = self.request.method().as_str();
        let shown = start_of(path);
        let refusal = match self.find(listing, method, path) {
            RouteMatch::Found(route, params) => {
                let params = params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                return Ok(Meant { route: Arc::clone(route), params });
            }
            RouteMatch::OtherMethods(methods) if self.request.method() == Method::OPTIONS => {
                return Err(cors::preflight(self.request, None, &methods));
            }
            RouteMatch::OtherMethods(_) if self.is_chat(listing, path) => chat::no_page(),
            RouteMatch::OtherMethods(methods) => {
                let message = format!("The requested webhook \"{method} {shown}\" is not registered.");
                let hint = format!("this path is registered for {}: send one of these", methods.join(", "));
                Refusal::new(StatusCode::NOT_FOUND, message).hint(hint)
            }
            RouteMatch::Nothing => self.nothing(path),
        };
        Err(refusal.into_response())
    }

    fn is_chat(&self, listing: &Listing, path: &str) -> bool {
        matches!(self.find(listing, "POST", path), RouteMatch::Found(route, _) if route.node.is_chat())
    }

    /// What a path is answered with at which nothing takes calls.
    fn nothing(&self, path: &str) -> Refusal {
        let (method, shown) = (self.request.method(), start_of(path));
        let message = format!("The requested webhook \"{method} {shown}\" is not registered.");
        Refusal::new(StatusCode::NOT_FOUND, message).hint(match self.place {
            Place::Production => "the workflow must be published and active: `timeloom workflow activate ID`",
            Place::Test => "a draft takes one call after `timeloom workflow listen ID`, which holds for two minutes",
        })
    }

    /// The API as the person sees it who talks to a chat that is for those who are signed in; `None` where others may call.
    ///
    /// # Errors
    /// The answer to somebody else: a chat that is not public is nothing to them.
    async fn person(&self, settings: &Settings, path: &str) -> Result<Option<ApiState>, HttpResponse> {
        if !settings.needs_sign_in() {
            return Ok(None);
        }
        let person = door::let_in(Door::With(Permission::ExecutionRun), self.request, self.api).await;
        match person {
            Ok(person) if person.tenant() == self.state.tenant() => Ok(Some(person)),
            Err(refusal) if settings.is_public() => Err(refusal),
            _ => Err(self.nothing(path).into_response()),
        }
    }

    /// Starts the execution and answers; `None` when the version is not active any more.
    async fn answered(
        &self,
        state: &ApiState,
        meant: &Meant,
        settings: &Settings,
        path: &str,
        (payload, came): (&mut Option<Payload>, &mut Option<Bytes>),
    ) -> Result<Option<HttpResponse>, Refusal> {
        let request = self.request;
        let options = state.webhooks();
        let caller = auth::caller_address(request, options.proxy_hops);
        let mut admitted = auth::check(request, settings, caller, state).await?;
        if let Some(payload) = payload.take() {
            *came = Some(body::read(request.headers(), payload, options.body_bytes_max).await?);
        }
        let Some(item) = self.item(meant, settings, path, came.clone().unwrap_or_default(), &mut admitted).await?
        else {
            return Ok(Some(chat::nothing_earlier()));
        };
        let mut start = self.place.start(&meant.route, request.method().as_str());
        start.items = Some(vec![item]);

        let (execution, command_id) = self.ids(&meant.route)?;
        start.execution_id = Some(execution);
        let mode = settings.mode();
        // Before the command: what comes of it cannot come before we listen.
        let answers = (mode != AnswerMode::OnReceived).then(|| Answers::of(state, execution, state.log().head(), mode));
        let outcome = match self.place.begin(state, command_id, start).await? {
            Begun::Started(outcome) => outcome,
            Begun::Outdated => return Ok(None),
            Begun::Taken => {
                let message = "the draft has taken its one call already";
                return Err(
                    Refusal::new(StatusCode::NOT_FOUND, message).hint("listen again: `timeloom workflow listen ID`")
                );
            }
        };
        self.answer(settings, answers, &outcome).await.map(Some)
    }

    /// The item with which the workflow begins; `None` for a question to a chat that is not one for the workflow.
    async fn item(
        &self,
        meant: &Meant,
        settings: &Settings,
        path: &str,
        came: Bytes,
        admitted: &mut Admitted,
    ) -> Result<Option<Item>, Refusal> {
        let (node, headers) = (&meant.route.node, self.request.headers());
        if node.is_chat() {
            return chat::message(headers, &came, node);
        }
        let understood = body::understand(headers, came, settings).await?;
        let is_test = self.place == Place::Test;
        let webhook_url = format!("{}{}/{path}", self.state.callers_url(), self.prefix());
        let head = Head::of(self.request, meant.params.iter().cloned(), webhook_url, is_test);
        let mut item = head.item(understood, admitted.claims.take());
        admitted.hide_proof(&mut item);
        Ok(Some(item))
    }

    async fn answer(
        &self,
        settings: &Settings,
        answers: Option<Answers>,
        outcome: &Outcome<ExecutionId>,
    ) -> Result<HttpResponse, Refusal> {
        match answers {
            None => at_once(settings).map_err(|refusal| refusal.of(outcome.value)),
            // It may have answered before we listened: its history has the answer.
            Some(answers) if outcome.repeated => answers.since_start().respond().await,
            Some(answers) => answers.respond().await,
        }
    }

    /// Ids of the execution and of the command. Requests with the same key have the same, so that one execution answers
    /// them all; calls to a draft that listens have the same execution and commands of their own, so that one wins.
    fn ids(&self, route: &Route) -> Result<(ExecutionId, Uuid), Refusal> {
        let new = || self.state.commands().ids().uuid();
        if let Some(execution) = test_execution(route) {
            return Ok((execution, new()));
        }
        let Some(key) = self.request.headers().get(IDEMPOTENCY_KEY) else {
            let id = new();
            return Ok((ExecutionId(id), id));
        };
        let key = key.as_bytes();
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            let message = format!("the Idempotency-Key has {} bytes: 1 to {KEY_BYTES_MAX} are allowed", key.len());
            return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
        }
        let named = [b"webhook\0", route.node.name.as_bytes(), b"\0", key].concat();
        let id = Uuid::new_v5(&route.workflow.id.0, &named);
        Ok((ExecutionId(id), id))
    }
}

/// As much of a path as a message repeats.
fn start_of(path: &str) -> String {
    path.chars().take(SHOWN_CHARACTERS_MAX).collect()
}
