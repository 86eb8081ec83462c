//! Forms: pages that start executions, try drafts out, and go on with executions that wait for a person.
//!
//! A page has no script and asks nothing of anybody else: its policy allows its own style and a form that is sent back
//! here. What the author or a person wrote is text, but for descriptions, of which harmless elements are kept.
//!
//! These addresses are for everybody who reaches the port, as those of webhooks. A page of another site can send a form
//! here like any other caller; without an authentication that is nothing that it could not do otherwise, as what lets
//! in elsewhere does not count here. Where a browser keeps a password for the form, what another site sends is refused. The
//! address of a waiting execution has a token that nobody can guess.

mod check;
mod page;
mod sanitise;
mod submission;
mod visit;
mod waiting;

use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use self::visit::Visit;
use super::callers;
use super::place::Place;
use super::refusal::Refusal;
use super::settings::{Authentication, Settings};
use crate::http::Api;
use crate::state::ApiState;

/// Adds the addresses of forms behind that path, for every method.
pub(super) fn configure(config: &mut ServiceConfig, tenant: &str) {
    config.service(web::resource(format!("{tenant}/form/{{path:.*}}")).to(production));
    config.service(web::resource(format!("{tenant}/form-test/{{path:.*}}")).to(test));
    config.service(web::resource(format!("{tenant}/form-waiting/{{path:.*}}")).to(going_on));
}

/// `/form/{path}`: the form of the active version.
async fn production(request: HttpRequest, payload: Payload, api: Data<Api>) -> HttpResponse {
    visited(&request, payload, &api, Place::Production).await
}

/// `/form-test/{path}`: the form of a draft that listens.
async fn test(request: HttpRequest, payload: Payload, api: Data<Api>) -> HttpResponse {
    visited(&request, payload, &api, Place::Test).await
}

async fn visited(request: &HttpRequest, payload: Payload, api: &Api, place: Place) -> HttpResponse {
    match callers(request, api) {
        Ok(state) => Visit { state: &state, request, place }.take(payload.into_inner()).await,
        Err(refusal) => page::refusal(&api.state, &refusal),
    }
}

/// `/form-waiting/{execution}.{token}[/suffix]`: the pages of an execution under way, one after the other, and its end.
async fn going_on(request: HttpRequest, payload: Payload, api: Data<Api>) -> HttpResponse {
    match callers(&request, &api) {
        Ok(state) => waiting::take(&state, &request, payload.into_inner()).await,
        Err(refusal) => page::refusal(&api.state, &refusal),
    }
}

/// What a request wants of a page.
enum Wish {
    /// To see it.
    Look,
    /// To send it.
    Send,
}

/// What the method says that a request wants.
///
/// # Errors
/// A refusal for all other methods.
fn wish(request: &HttpRequest) -> Result<Wish, Refusal> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(Wish::Look),
        Method::POST => Ok(Wish::Send),
        _ => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "a form is looked at with GET and sent with POST")),
    }
}

/// Refuses what a page of another site sends with a password that the browser keeps for the form.
///
/// # Errors
/// A refusal of such a request.
fn check_origin(request: &HttpRequest, settings: &Settings, state: &ApiState) -> Result<(), Refusal> {
    if settings.authentication() == Authentication::None || !is_from_elsewhere(request, &state.webhooks().public_url) {
        return Ok(());
    }
    let message = "the form was sent by a page of another site: open it and send it from there";
    Err(Refusal::new(StatusCode::FORBIDDEN, message))
}

fn is_from_elsewhere(request: &HttpRequest, public_url: &str) -> bool {
    let headers = request.headers();
    if let Some(site) = text(headers, "sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(headers, header::ORIGIN.as_str()) else { return false };
    let authority = |url: &str| {
        let (_, rest) = url.split_once("://")?;
        rest.split('/').next().map(str::to_ascii_lowercase)
    };
    let own = text(headers, header::HOST.as_str()).map(str::to_ascii_lowercase);
    let sender = authority(origin);
    sender.is_none() || (sender != own && sender != authority(public_url))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_browser_tells_which_site_a_form_comes_from() {
        let elsewhere = |headers: &[(&'static str, &'static str)]| {
            let request = headers.iter().fold(TestRequest::post(), |request, header| request.insert_header(*header));
            is_from_elsewhere(&request.to_http_request(), "https://forms.example")
        };
        let host = ("host", "127.0.0.1:8080");
        assert!(!elsewhere(&[host]), "a program says nothing");
        assert!(!elsewhere(&[host, ("origin", "http://127.0.0.1:8080")]));
        assert!(!elsewhere(&[host, ("origin", "https://forms.example")]));
        assert!(!elsewhere(&[host, ("origin", "null"), ("sec-fetch-site", "same-origin")]));
        assert!(elsewhere(&[host, ("origin", "null")]));
        assert!(elsewhere(&[host, ("origin", "http://evil.example")]));
        assert!(elsewhere(&[host, ("sec-fetch-site", "same-site")]) && elsewhere(&[("sec-fetch-site", "cross-site")]));
    }
}
