//! Webhooks: requests and messages of chats that start executions, try drafts out, and make waiting executions go on.
//!
//! These addresses are for machines. The guard that keeps pages of other sites from the API does not stand before them, for
//! a caller may name the server by any host and come from any origin: whoever reaches the port may call, as a webhook is
//! meant to be called. What must not be called by all has an authentication on its node. A page of another site, by whatever
//! name it reaches this machine, can do no more here than any caller: it has no secret, and no answer lets it in elsewhere.

mod answer;
mod auth;
mod body;
mod call;
mod chat;
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

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono_tz::Tz;
use timeloom_domain::ids::TenantId;

pub(super) use self::auth::{caller_address, is_same};
use self::call::Call;
use self::place::Place;
use self::refusal::Refusal;
use super::{Api, observe};
use crate::state::ApiState;

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

/// What the part of a path is called that names a tenant.
const TENANT: &str = "tenant";

/// Adds the addresses of webhooks, for every method: those of the tenant that the installation began with, and those of
/// others behind `/t/NUMBER`.
pub(super) fn configure(config: &mut ServiceConfig) {
    for tenant in ["", "/t/{tenant}"] {
        config.service(web::resource(format!("{tenant}/webhook/{{path:.*}}")).to(production));
        config.service(web::resource(format!("{tenant}/webhook-test/{{path:.*}}")).to(test));
        config.service(web::resource(format!("{tenant}/webhook-waiting/{{path:.*}}")).to(waiting));
        form::configure(config, tenant);
    }
}

/// The API as the callers of the tenant see it that a path names.
///
/// # Errors
/// A refusal when there is no such tenant, or it lets nobody in.
fn callers(request: &HttpRequest, api: &Api) -> Result<ApiState, Refusal> {
    let home = api.state.home();
    let seen_by_callers = |tenant| api.state.seen_by_callers(tenant, observe::facts(request));
    let Some(named) = request.match_info().get(TENANT) else { return Ok(seen_by_callers(home)) };
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this address");
    // Each tenant has one address.
    let tenant = named.parse().ok().map(TenantId).filter(|tenant| *tenant != home && tenant.0.to_string() == named);
    let tenant = tenant.ok_or_else(unknown)?;
    let lets_in = api.state.access().directory().now().tenant_lets_in(tenant);
    if lets_in { Ok(seen_by_callers(tenant)) } else { Err(unknown()) }
}

/// `/webhook/{path}`: starts an execution of the active version.
async fn production(request: HttpRequest, payload: Payload, api: Data<Api>) -> HttpResponse {
    called(&request, payload, &api, Place::Production).await
}

/// `/webhook-test/{path}`: starts an execution of a draft that listens.
async fn test(request: HttpRequest, payload: Payload, api: Data<Api>) -> HttpResponse {
    called(&request, payload, &api, Place::Test).await
}

async fn called(request: &HttpRequest, payload: Payload, api: &Api, place: Place) -> HttpResponse {
    match callers(request, api) {
        Ok(state) => Call { api, state: &state, request, place }.take(payload.into_inner()).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// `/webhook-waiting/{execution}.{token}[/suffix]`: makes a waiting execution go on.
async fn waiting(request: HttpRequest, payload: Payload, api: Data<Api>) -> HttpResponse {
    match callers(&request, &api) {
        Ok(state) => resume::resume(&state, &request, payload.into_inner()).await,
        Err(refusal) => refusal.into_response(),
    }
}
