//! Webhooks: requests that start executions, try drafts out, and make waiting executions go on.
//!
//! These addresses are for machines. The guard that keeps pages of other sites from the API does not stand before them, for
//! a caller may name the server by any host and come from any origin: whoever reaches the port may call, as a webhook is
//! meant to be called. What must not be called by all has an authentication on its node. A page of another site, by whatever
//! name it reaches this machine, can do no more here than any caller: it has no secret, and no answer lets it in elsewhere.

mod answer;
mod auth;
mod body;
mod call;
mod cors;
mod form;
mod jwt;
mod place;
mod query;
mod refusal;
mod request;
mod response;
mod resume;
mod running;
mod settings;

use std::time::Duration;

use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono_tz::Tz;

pub(super) use self::auth::caller_address;
use self::call::Call;
use self::place::Place;
use super::Api;

/// Largest body when nothing else is said, in bytes.
const BODY_BYTES_MAX: usize = 16 << 20;
/// Longest time that a caller waits for an answer when nothing else is said.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(300);

/// How webhooks are served.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// Where this deployment is reached from outside, without a slash at the end.
    pub public_url: String,
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Longest time that a caller waits for an answer.
    pub answer_time_max: Duration,
    /// Own proxies before this server, which say in `X-Forwarded-For` who calls.
    pub proxy_hops: usize,
    /// Time zone of workflows that name none: the time at which a form was sent is written in it.
    pub timezone: Tz,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            public_url: "http://localhost:8080".to_owned(),
            body_bytes_max: BODY_BYTES_MAX,
            answer_time_max: ANSWER_TIME_MAX,
            proxy_hops: 0,
            timezone: Tz::UTC,
        }
    }
}

/// Adds the addresses of webhooks, for every method.
pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(web::resource("/webhook/{path:.*}").to(production));
    config.service(web::resource("/webhook-test/{path:.*}").to(test));
    config.service(web::resource("/webhook-waiting/{path:.*}").to(waiting));
    form::configure(config);
}

/// `/webhook/{path}`: starts an execution of the active version.
async fn production(request: HttpRequest, payload: Payload, api: Data<Api>) -> HttpResponse {
    let state = api.state.seen_by_callers(api.state.home());
    let call = Call { state: &state, request: &request, place: Place::Production };
    call.take(payload.into_inner()).await
}

/// `/webhook-test/{path}`: starts an execution of a draft that listens.
async fn test(request: HttpRequest, payload: Payload, api: Data<Api>) -> HttpResponse {
    let state = api.state.seen_by_callers(api.state.home());
    let call = Call { state: &state, request: &request, place: Place::Test };
    call.take(payload.into_inner()).await
}

/// `/webhook-waiting/{execution}.{token}[/suffix]`: makes a waiting execution go on.
async fn waiting(request: HttpRequest, payload: Payload, api: Data<Api>) -> HttpResponse {
    let state = api.state.seen_by_callers(api.state.home());
    resume::resume(&state, &request, payload.into_inner()).await
}
