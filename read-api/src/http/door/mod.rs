//! The door: before anything else looks at a request it is known who sends it, and whether they may come here.
//!
//! Whoever is let in is put beside the request as the state of the API as they see it, see [`seen`]. Invariant: what no
//! door let in reaches no handler; and a handler without a door sees the API as nobody does, which is nothing.

mod places;
mod shown;

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{RequestHead, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};
use serde_json::Value;
use timeloom_commands::Access;
use timeloom_commands::access::NotLetIn;
use timeloom_domain::access::{Permission, Principal};
use timeloom_domain::account::REASON_CHARACTERS_MAX;
use timeloom_store::RequestFacts;

use self::places::Places;
pub(super) use self::shown::{Shown, cookie};
use super::answer::refuse;
use super::negotiation::{Accepted, Form};
use super::observe;
use super::{Api, Words};
use crate::limits::{Left, seconds};
use crate::rates::Rates;
use crate::sign_in::SignIn;
use crate::state::ApiState;

/// The header in which a request says why it is sent.
const REASON: HeaderName = HeaderName::from_static("x-timeloom-reason");
/// By which browsers tell from which site a request comes.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The code of an answer to somebody who is not known.
pub(super) const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
/// The code of an answer to somebody who may not have what they ask for.
pub(super) const FORBIDDEN: &str = "FORBIDDEN";

/// The code of an answer to somebody who asks for too much.
pub(super) const RATE_LIMITED: &str = "RATE_LIMITED";

/// What a request needs to get past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Nothing: it says whether the process is well, under whatever name it is asked.
    Health,
    /// Nothing: pages for those who want to sign in.
    Entry,
    /// Somebody, whoever it is.
    Somebody,
    /// Somebody; who opens a WebSocket may say who they are once it is open.
    SomebodySoon,
    /// Somebody who may do that.
    With(Permission),
}

/// How requests are let in.
#[derive(Debug, Clone)]
pub(super) struct Entrance {
    places: Places,
    /// Who lets in; `None` where nobody signs in.
    access: Option<Access>,
    /// Name of the cookie of sessions.
    cookie: &'static str,
    /// Whether browsers send it over TLS alone.
    is_secure: bool,
}

impl Entrance {
    /// How the API over `state` is entered.
    pub(super) fn new(state: &ApiState, sign_in: &SignIn) -> Self {
        let public_url = &state.webhooks().public_url;
        // A name that begins in this way binds the cookie to this host, and needs TLS.
        let is_secure = public_url.starts_with("https://");
        let cookie = if is_secure { "__Host-timeloom" } else { "timeloom" };
        match sign_in {
            SignIn::Off => Self { places: Places::ThisMachine, access: None, cookie, is_secure },
            SignIn::Required(options) => {
                let places = Places::named(public_url, &options.allowed_hosts);
                Self { places, access: Some(state.access().clone()), cookie, is_secure }
            }
        }
    }

    /// Who lets in; `None` where nobody signs in.
    pub(super) fn access(&self) -> Option<&Access> {
        self.access.as_ref()
    }

    /// Name of the cookie of sessions, and whether browsers send it over TLS alone.
    pub(super) fn cookie(&self) -> (&'static str, bool) {
        (self.cookie, self.is_secure)
    }

    /// Who shows that.
    ///
    /// # Errors
    /// [`NotLetIn`], also when nothing is shown.
    pub(super) fn let_in(&self, access: &Access, shown: &Shown<'_>) -> Result<Principal, NotLetIn> {
        match shown {
            Shown::Key(key) => access.let_in_by_key(key),
            Shown::Session(session) => access.let_in_by_session(session),
            Shown::Nothing | Shown::Unreadable => Err(NotLetIn::Malformed),
        }
    }
}

/// The API as whoever sends a request sees it.
pub(super) fn seen(request: &HttpRequest, api: &Api) -> ApiState {
    request.extensions().get::<ApiState>().cloned().unwrap_or_else(|| api.state.seen_by_nobody())
}

/// Whether the door has let in somebody, and not just through.
pub(super) fn is_somebody(state: &ApiState) -> bool {
    !state.is_seen_by_nobody()
}

/// Answers whoever may not come in, and lets everybody else through.
pub(super) async fn pass(
    door: Door,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    pass_in_words(door, None, request, next).await
}

/// The same; whoever may not come in is told in these words, where there are any.
pub(super) async fn pass_in_words(
    door: Door,
    words: Option<Words>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(api) = request.app_data::<Data<Api>>().cloned() else {
        return Ok(request.into_response(HttpResponse::InternalServerError().finish()));
    };
    match look(door, request.request(), &api).await {
        Ok((state, left)) => {
            let most = state.rates().map_or(0, Rates::requests_max);
            request.extensions_mut().insert(state);
            let mut response = next.call(request).await?.map_into_boxed_body();
            if let Some(left) = left {
                tell(response.headers_mut(), most, left);
            }
            Ok(response)
        }
        Err(refusal) => {
            let refusal = match words {
                Some(words) => reworded(refusal, request.head(), words),
                None => refusal,
            };
            Ok(request.into_response(refusal))
        }
    }
}

/// A refusal in other words, with the same status and headers.
fn reworded(refusal: HttpResponse, asked: &RequestHead, words: Words) -> HttpResponse {
    let (head, body) = refusal.into_parts();
    let told = body.try_into_bytes().ok().and_then(|body| serde_json::from_slice::<Value>(&body).ok());
    let message = told.as_ref().and_then(|told| told.pointer("/errors/0/message")?.as_str());
    let body = words(asked, head.status().as_u16(), message.unwrap_or("you may not come in"));
    head.set_body(BoxBody::new(body))
}

/// The API as whoever sends a request sees it, where the address is for others too and no door stands before it.
///
/// # Errors
/// The answer to somebody whom that door does not let in.
pub(super) async fn let_in(door: Door, request: &HttpRequest, api: &Api) -> Result<ApiState, HttpResponse> {
    look(door, request, api).await.map(|(state, _)| state)
}

/// Who sends a request, once it is clear that they may come here.
async fn look(door: Door, request: &HttpRequest, api: &Api) -> Result<(ApiState, Option<Left>), HttpResponse> {
    let entrance = &api.entrance;
    let facts = facts(request)?;
    let Some(access) = &entrance.access else {
        check_place(&entrance.places, request)?;
        return Ok((api.state.seen_by(Arc::new(api.state.principal().clone()), Some(Arc::new(facts))), None));
    };
    let nobody = || (api.state.seen_by_nobody(), None);
    if door == Door::Health {
        return Ok(nobody());
    }
    let shown = Shown::of(request.headers(), entrance.cookie);
    let principal = entrance.let_in(access, &shown);
    match (&shown, &principal) {
        // Whoever has a key is no page of elsewhere that came here under another name.
        (Shown::Key(_), Ok(_)) => check_origin(&entrance.places, request)?,
        _ => check_place(&entrance.places, request)?,
    }
    let principal = match principal {
        Ok(principal) => principal,
        Err(_) if door == Door::Entry => return Ok(nobody()),
        Err(_) if door == Door::SomebodySoon && shown == Shown::Nothing && super::ws::is_upgrade(request) => {
            return Ok(nobody());
        }
        Err(why) => return Err(not_let_in(request, &shown, why)),
    };
    if matches!(shown, Shown::Session(_)) {
        check_site(request)?;
    }
    let left = match api.state.rates() {
        Some(rates) => rates.request(&principal).map_err(too_often)?,
        None => None,
    };
    access.note_use(&principal).await;
    if let Door::With(needed) = door {
        principal.require(needed).map_err(|error| refuse(StatusCode::FORBIDDEN, FORBIDDEN, error.to_string()))?;
    }
    Ok((as_seen_by(&api.state, principal, facts), left))
}

/// The answer to somebody who asks too often.
fn too_often(wait: Duration) -> HttpResponse {
    let seconds = seconds(wait);
    let message = format!("you ask too often: try again in {seconds} s");
    let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, RATE_LIMITED, message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Tells a client how much is left.
fn tell(headers: &mut HeaderMap, most: u32, left: Left) {
    headers.insert(HeaderName::from_static("ratelimit-limit"), HeaderValue::from(most));
    headers.insert(HeaderName::from_static("ratelimit-remaining"), HeaderValue::from(left.times));
    headers.insert(HeaderName::from_static("ratelimit-reset"), HeaderValue::from(seconds(left.full_in)));
}

/// The API as `principal` sees it in a request of which these facts are known.
pub(super) fn as_seen_by(state: &ApiState, principal: Principal, facts: RequestFacts) -> ApiState {
    let facts = RequestFacts {
        on_behalf_of: principal.on_behalf_of.clone(),
        via: principal.via.as_deref().map(str::to_owned),
        ..facts
    };
    state.seen_by(Arc::new(principal), Some(Arc::new(facts)))
}

/// What is kept of a request.
pub(super) fn facts(request: &HttpRequest) -> Result<RequestFacts, HttpResponse> {
    let reason = match request.headers().get(REASON) {
        None => None,
        Some(value) => {
            let text = std::str::from_utf8(value.as_bytes()).ok().map(str::trim);
            let fits = |text: &&str| (1..=REASON_CHARACTERS_MAX).contains(&text.chars().count());
            Some(text.filter(fits).map(str::to_owned).ok_or_else(|| {
                let message =
                    format!("the header {REASON} must have 1 to {REASON_CHARACTERS_MAX} characters of UTF-8 text");
                refuse(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
            })?)
        }
    };
    Ok(RequestFacts { reason, ..observe::facts(request) })
}

fn check_place(places: &Places, request: &HttpRequest) -> Result<(), HttpResponse> {
    let port = request.app_config().local_addr().port();
    let headers = request.headers();
    let checked = places.check(text(headers, &header::HOST), text(headers, &header::ORIGIN), port);
    checked.map_err(|message| refuse(StatusCode::FORBIDDEN, FORBIDDEN, message))
}

fn check_origin(places: &Places, request: &HttpRequest) -> Result<(), HttpResponse> {
    let port = request.app_config().local_addr().port();
    let checked = places.check_origin(text(request.headers(), &header::ORIGIN), port);
    checked.map_err(|message| refuse(StatusCode::FORBIDDEN, FORBIDDEN, message))
}

/// A cookie goes along with what any page sends here: what another site makes the browser change or follow is refused.
fn check_site(request: &HttpRequest) -> Result<(), HttpResponse> {
    let only_looks = matches!(*request.method(), Method::GET | Method::HEAD) && !super::ws::is_upgrade(request);
    match text(request.headers(), &SEC_FETCH_SITE) {
        Some(site) if !only_looks && !matches!(site, "same-origin" | "none") => {
            let message = "a page of another site sent this: send it from a page of this one";
            Err(refuse(StatusCode::FORBIDDEN, FORBIDDEN, message))
        }
        _ => Ok(()),
    }
}

/// What a form's sender shows of where it comes from: refused unless it is a page of ours. All browsers tell it.
pub(super) fn check_form(request: &HttpRequest, api: &Api) -> Result<(), HttpResponse> {
    let headers = request.headers();
    let is_ours = match text(headers, &SEC_FETCH_SITE) {
        Some(site) => site == "same-origin",
        None => headers.contains_key(header::ORIGIN),
    };
    if is_ours {
        return check_place(&api.entrance.places, request);
    }
    let message = "a form is sent from a page of this server: open the page again";
    Err(refuse(StatusCode::FORBIDDEN, FORBIDDEN, message))
}

/// A header's text; a header that is no text counts as an unknown name.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// The answer to somebody who is not let in: a page that leads to sign-in for people, an error for programs.
fn not_let_in(request: &HttpRequest, shown: &Shown<'_>, why: NotLetIn) -> HttpResponse {
    let wants_page = *request.method() == Method::GET && Accepted::of(request).best() == Some(Form::Page);
    if wants_page && !matches!(shown, Shown::Key(_) | Shown::Unreadable) {
        let next = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let place = match next {
            "/" => "/sign-in".to_owned(),
            next => format!("/sign-in?next={}", super::sign_in::encoded(next)),
        };
        return HttpResponse::SeeOther()
            .insert_header((header::LOCATION, place))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish();
    }
    let message = match shown {
        Shown::Nothing => "sign in at /sign-in, or send a key: Authorization: Bearer timeloom_key_…".to_owned(),
        Shown::Unreadable => "the Authorization header must be one: Bearer timeloom_key_…".to_owned(),
        Shown::Key(_) | Shown::Session(_) => why.to_string(),
    };
    let mut response = refuse(StatusCode::UNAUTHORIZED, UNAUTHENTICATED, message);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
