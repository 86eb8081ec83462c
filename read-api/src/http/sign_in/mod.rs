//! Pages with which people sign in and out, and choose a password. They work without a script.
//!
//! A link that lets in once is used up by a button, not by looking at it: programs that look at links in messages do no
//! harm. Invariant: a form is taken from a page of ours alone, and leads to a place of ours alone.

mod attempts;
mod oidc;
mod page;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Data, Form, FormConfig, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use timeloom_commands::access::{SignInError, SignInFrom, SignedIn};
use timeloom_commands::{Access, CommandError};
use timeloom_domain::ids::TenantId;
use zeroize::Zeroizing;

pub(super) use self::attempts::Attempts;
pub(super) use self::oidc::Oidc;
pub use self::page::told;
use super::door::{Door, check_form, is_somebody, seen};
use super::webhook::caller_address;
use super::{Api, observe, serve};
use crate::state::ApiState;

/// Largest form, in bytes.
const FORM_BYTES_MAX: usize = 16 << 10;
/// Longest place to which somebody is led on, in bytes.
const NEXT_BYTES_MAX: usize = 2_000;
/// What of a place is left as it is in a query string.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Where a password is chosen.
const PASSWORD: &str = "/account/password";

/// What a query string says about where to go on.
#[derive(Debug, Default, Deserialize)]
struct Place {
    #[serde(default)]
    next: Option<String>,
    #[serde(default)]
    tenant: Option<u32>,
}

/// A link as it was sent.
#[derive(Debug, Deserialize)]
struct Link {
    #[serde(default)]
    token: Option<String>,
}

#[derive(Deserialize)]
struct PasswordForm {
    email: String,
    password: String,
    #[serde(default)]
    tenant: Option<u32>,
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct LinkForm {
    token: String,
}

#[derive(Deserialize)]
struct NewPasswordForm {
    #[serde(default)]
    current: Option<String>,
    password: String,
    #[serde(default)]
    next: Option<String>,
}

/// Adds the pages, where people sign in.
pub(super) fn configure(config: &mut ServiceConfig, api: &Api) {
    if api.entrance.access().is_none() {
        return;
    }
    config.app_data(FormConfig::default().limit(FORM_BYTES_MAX));
    let (get, post) = (web::get, web::post);
    serve(config, Door::Entry, "/sign-in", "GET, POST", [get().to(look), post().to(by_password)]);
    serve(config, Door::Entry, "/sign-in/link", "GET, POST", [get().to(look_at_link), post().to(by_link)]);
    if api.oidc.is_some() {
        serve(config, Door::Entry, "/sign-in/with", "GET", [get().to(oidc::begin)]);
        serve(config, Door::Entry, oidc::CALLBACK, "GET", [get().to(oidc::back)]);
    }
    serve(config, Door::Entry, "/sign-out", "GET, POST", [get().to(look_at_the_way_out), post().to(sign_out)]);
    serve(config, Door::Somebody, PASSWORD, "GET, POST", [get().to(look_at_password), post().to(choose_password)]);
}

/// Text of a query string that stands for `place`.
pub(super) fn encoded(place: &str) -> String {
    utf8_percent_encode(place, PLAIN).to_string()
}

/// A place of ours to go on to; the first page, where none of ours is named.
fn local(next: Option<&str>) -> &str {
    let is_local = |next: &&str| {
        let mut bytes = next.bytes();
        bytes.next() == Some(b'/')
            && !matches!(bytes.next(), Some(b'/' | b'\\'))
            && next.len() <= NEXT_BYTES_MAX
            && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !next.starts_with("/sign-")
    };
    next.filter(is_local).unwrap_or("/")
}

/// `GET /sign-in`.
async fn look(request: HttpRequest, place: Query<Place>, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    let next = local(place.next.as_deref());
    if is_somebody(&state) && place.tenant.is_none() {
        return led_on(next);
    }
    page::sign_in(
        &state,
        &page::SignIn { next, tenant: place.tenant, email: "", provider: provider(&api), wrong: None },
        StatusCode::OK,
    )
}

/// `POST /sign-in`: an address and its password.
async fn by_password(request: HttpRequest, form: Form<PasswordForm>, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    let Some(access) = api.entrance.access() else { return HttpResponse::NotFound().finish() };
    if let Err(refusal) = check_form(&request, &api) {
        return refusal;
    }
    let tenant = form.tenant.map_or(state.home(), TenantId);
    let from = from(&request, &state);
    if let Err(wait) = api.attempts.take(from.address.as_deref(), Some((tenant, &form.email))) {
        return page::too_often(&state, wait);
    }
    let (form, password) = shut(form.into_inner(), |form| &mut form.password);
    let next = local(form.next.as_deref());
    match access.sign_in_by_password(tenant, &form.email, &password, from).await {
        Ok(signed_in) => let_in(&api, &signed_in, next),
        Err(SignInError::Refused(why)) => {
            let wrong = why.to_string();
            let shown = page::SignIn {
                next,
                tenant: form.tenant,
                email: &form.email,
                provider: provider(&api),
                wrong: Some(&wrong),
            };
            page::sign_in(&state, &shown, StatusCode::FORBIDDEN)
        }
        Err(SignInError::Failed(error)) => fault(&state, &error),
    }
}

/// `GET /sign-in/link?token=…`: a button that uses the link up.
async fn look_at_link(request: HttpRequest, link: Query<Link>, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    match link.token.as_deref() {
        Some(token) if token.len() <= FORM_BYTES_MAX => page::link(&state, token),
        _ => page::link_refused(&state, "The link is not whole: copy all of it."),
    }
}

/// `POST /sign-in/link`: uses the link up.
async fn by_link(request: HttpRequest, form: Form<LinkForm>, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    let Some(access) = api.entrance.access() else { return HttpResponse::NotFound().finish() };
    if let Err(refusal) = check_form(&request, &api) {
        return refusal;
    }
    let from = from(&request, &state);
    if let Err(wait) = api.attempts.take(from.address.as_deref(), None) {
        return page::too_often(&state, wait);
    }
    let (_, token) = shut(form.into_inner(), |form| &mut form.token);
    match access.sign_in_by_link(&token, from).await {
        Ok(signed_in) => let_in(&api, &signed_in, PASSWORD),
        Err(SignInError::Refused(why)) => page::link_refused(&state, &why.to_string()),
        Err(SignInError::Failed(error)) => fault(&state, &error),
    }
}

/// `GET /sign-out`: a button that signs out.
async fn look_at_the_way_out(request: HttpRequest, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    if is_somebody(&state) { page::sign_out(&state) } else { led_on("/sign-in") }
}

/// `POST /sign-out`: ends the session, here and everywhere.
async fn sign_out(request: HttpRequest, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    if let Err(refusal) = check_form(&request, &api) {
        return refusal;
    }
    if is_somebody(&state)
        && let Err(error) = signed_out(state.access(), &state).await
    {
        return fault(&state, &error);
    }
    with_cookie(led_on("/sign-in"), cookie(&api, "", 0))
}

/// Ends the session that let in whoever asks.
async fn signed_out(access: &Access, state: &ApiState) -> Result<(), CommandError> {
    let via = state.principal().via.as_deref().and_then(|via| via.strip_prefix("session:"));
    match via.and_then(|id| id.parse().ok()) {
        Some(session) => access.end_session(&state.context(None), session).await.map(|_| ()),
        None => Ok(()),
    }
}

/// `GET /account/password`: a form for a password.
async fn look_at_password(request: HttpRequest, place: Query<Place>, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    page::password(&state, local(place.next.as_deref()), None)
}

/// `POST /account/password`: the password of whoever is signed in.
async fn choose_password(request: HttpRequest, form: Form<NewPasswordForm>, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    if let Err(refusal) = check_form(&request, &api) {
        return refusal;
    }
    let (mut form, password) = shut(form.into_inner(), |form| &mut form.password);
    let now = form.current.take().map(Zeroizing::new);
    let now = now.as_ref().map(|now| now.as_str());
    let next = local(form.next.as_deref());
    let Some(account) = state.principal().account else { return led_on(next) };
    match state.access().set_password(&state.context(None), account, now, &password).await {
        Ok(_) => led_on(next),
        Err(CommandError::Refused(refusal)) => page::password(&state, next, Some(&refusal.message)),
        Err(error) => fault(&state, &error),
    }
}

/// Takes the secret out of a form, so that it does not stay in memory.
fn shut<F>(mut form: F, secret: impl Fn(&mut F) -> &mut String) -> (F, Zeroizing<String>) {
    let secret = Zeroizing::new(std::mem::take(secret(&mut form)));
    (form, secret)
}

/// From where somebody signs in.
fn from(request: &HttpRequest, state: &ApiState) -> SignInFrom {
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    SignInFrom {
        address: caller_address(request, state.webhooks().proxy_hops).map(|address| address.to_string()),
        user_agent: agent.map(str::to_owned),
        request_id: observe::facts(request).request_id,
    }
}

/// Gives the browser what lets it in, and leads it on.
fn let_in(api: &Api, signed_in: &SignedIn, next: &str) -> HttpResponse {
    let left_ms = signed_in.expires_at_ms.saturating_sub(api.state.commands().clock().now_ms());
    with_cookie(led_on(next), cookie(api, &signed_in.token, left_ms.max(0) / 1_000))
}

/// What people call the provider at which they may sign in.
fn provider(api: &Api) -> Option<&str> {
    api.oidc.as_deref().map(Oidc::name)
}

/// An answer that sets a cookie beside those that it sets already.
fn with_cookie(mut response: HttpResponse, cookie: HeaderValue) -> HttpResponse {
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// The cookie of a session. No script sees it, and pages of other sites do not make the browser send it but by a link.
fn cookie(api: &Api, token: &str, seconds: i64) -> HeaderValue {
    let (name, is_secure) = api.entrance.cookie();
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Leads a browser on to a place of ours.
fn led_on(next: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, next))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

fn fault(state: &ApiState, error: &CommandError) -> HttpResponse {
    tracing::error!(%error, "somebody could not sign in");
    page::fault(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for own in ["/", "/graphql", "/x?y=1&z=%2F%2Fevil.example", "/a//b"] {
            assert_eq!(local(Some(own)), own);
        }
        for foreign in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "evil.example",
            "/a\r\nset-cookie: b=c",
            "/\t/evil.example",
            "/x\\..\\",
            "/sign-in?next=/",
            &format!("/{}", "a".repeat(NEXT_BYTES_MAX)),
        ] {
            assert_eq!(local(Some(foreign)), "/", "{foreign}");
        }
        assert_eq!(encoded("/graphql?query={a}&b=c"), "/graphql%3Fquery%3D%7Ba%7D%26b%3Dc");
    }
}
