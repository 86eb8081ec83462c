//! The pages as HTML. They ask nothing of anybody else, and have no script.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use timeloom_commands::access::{PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN};

use super::encoded;
use crate::limits::seconds;
use crate::state::ApiState;

const STYLE: &str = include_str!("sign_in.css");

/// A form for an address and a password.
pub(super) struct SignIn<'a> {
    pub(super) next: &'a str,
    pub(super) tenant: Option<u32>,
    pub(super) email: &'a str,
    /// What people call the provider at which they may sign in.
    pub(super) provider: Option<&'a str>,
    /// What was wrong with what was sent before.
    pub(super) wrong: Option<&'a str>,
}

pub(super) fn sign_in(state: &ApiState, shown: &SignIn<'_>, status: StatusCode) -> HttpResponse {
    let body = html! {
        h1 { "Sign in" }
        @if let Some(wrong) = shown.wrong { p.wrong role="alert" { (wrong) } }
        form method="post" action="/sign-in" {
            input type="hidden" name="next" value=(shown.next);
            @if let Some(tenant) = shown.tenant {
                label for="tenant" { "Tenant" }
                input id="tenant" name="tenant" type="number" min="0" required value=(tenant);
            }
            label for="email" { "E-mail address" }
            input id="email" name="email" type="email" autocomplete="username" required autofocus value=(shown.email);
            label for="password" { "Password" }
            input id="password" name="password" type="password" autocomplete="current-password" required
                maxlength=(PASSWORD_BYTES_MAX);
            button type="submit" { "Sign in" }
        }
        @if let Some(provider) = shown.provider {
            a.button.other href={ "/sign-in/with?next=" (encoded(shown.next)) } { "Sign in with " (provider) }
        }
        p.hint {
            "No password yet? Ask an administrator for a link that lets you in. Whoever has the server's machine makes one with "
            code { "timeloom account link --owner" } "."
        }
    };
    answer(state, "Sign in", HttpResponse::build(status), &body)
}

pub(super) fn link(state: &ApiState, token: &str) -> HttpResponse {
    let body = html! {
        h1 { "Sign in" }
        p { "This link lets you in once, in this browser." }
        form method="post" action="/sign-in/link" {
            input type="hidden" name="token" value=(token);
            button type="submit" autofocus { "Sign in" }
        }
    };
    answer(state, "Sign in", HttpResponse::Ok(), &body)
}

pub(super) fn link_refused(state: &ApiState, why: &str) -> HttpResponse {
    let body = html! {
        h1 { "This link does not let you in" }
        p.wrong role="alert" { (why) }
        p { a href="/sign-in" { "Sign in with a password" } }
    };
    answer(state, "Sign in", HttpResponse::Forbidden(), &body)
}

pub(super) fn not_in(state: &ApiState, why: &str, status: StatusCode) -> HttpResponse {
    let body = html! {
        h1 { "You are not signed in" }
        p.wrong role="alert" { (why) }
        p { a href="/sign-in" { "Back" } }
    };
    answer(state, "You are not signed in", HttpResponse::build(status), &body)
}

/// A page that tells people something, with a way back.
pub fn told(state: &ApiState, title: &str, words: &str, back: &str, status: StatusCode) -> HttpResponse {
    let body = html! {
        h1 { (title) }
        p.wrong role="alert" { (words) }
        p { a href=(back) { "Back" } }
    };
    answer(state, title, HttpResponse::build(status), &body)
}

pub(super) fn password(state: &ApiState, next: &str, wrong: Option<&str>) -> HttpResponse {
    let email = email_of(state);
    let asks = state.principal().account.is_some_and(|own| state.access().asks_for_password(&state.context(None), own));
    let body = html! {
        h1 { "Choose a password" }
        @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
        p { "With it you sign in as " strong { (email) } " from now on." }
        form method="post" action="/account/password" {
            input type="hidden" name="next" value=(next);
            input type="hidden" name="username" autocomplete="username" value=(email);
            @if asks {
                label for="current" { "The password that you have now" }
                input id="current" name="current" type="password" autocomplete="current-password" required
                    maxlength=(PASSWORD_BYTES_MAX);
            }
            label for="password" { "New password, of at least " (PASSWORD_CHARACTERS_MIN) " characters" }
            input id="password" name="password" type="password" autocomplete="new-password" required autofocus
                minlength=(PASSWORD_CHARACTERS_MIN) maxlength=(PASSWORD_BYTES_MAX);
            button type="submit" { "Set the password" }
        }
        p { a href=(next) { "Not now" } }
    };
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    answer(state, "Choose a password", HttpResponse::build(status), &body)
}

pub(super) fn sign_out(state: &ApiState) -> HttpResponse {
    let body = html! {
        h1 { "Sign out" }
        p { "You are signed in as " strong { (email_of(state)) } "." }
        form method="post" action="/sign-out" { button type="submit" autofocus { "Sign out" } }
        p { a href="/account/password" { "Choose another password" } " · " a href="/" { "Back" } }
    };
    answer(state, "Sign out", HttpResponse::Ok(), &body)
}

/// The address with which whoever asks signs in.
fn email_of(state: &ApiState) -> String {
    let principal = state.principal();
    let listing = state.access().directory().now();
    let account = principal.account.and_then(|id| listing.account(principal.tenant, id));
    account.and_then(|entry| entry.account.email.clone()).unwrap_or_default()
}

pub(super) fn too_often(state: &ApiState, wait: Duration) -> HttpResponse {
    let seconds = seconds(wait);
    let body = html! {
        h1 { "Please wait a moment" }
        p.wrong role="alert" { "There were too many attempts. Try again in " (seconds) " seconds." }
        p { a href="/sign-in" { "Back" } }
    };
    let mut response = HttpResponse::TooManyRequests();
    response.insert_header((header::RETRY_AFTER, seconds));
    answer(state, "Please wait a moment", response, &body)
}

pub(super) fn fault(state: &ApiState) -> HttpResponse {
    let body = html! {
        h1 { "Something went wrong" }
        p.wrong role="alert" { "The server could not do this now. Its own log says why. Please try again in a moment." }
        p { a href="/sign-in" { "Back" } }
    };
    answer(state, "Something went wrong", HttpResponse::ServiceUnavailable(), &body)
}

fn answer(state: &ApiState, title: &str, mut response: HttpResponseBuilder, body: &Markup) -> HttpResponse {
    let nonce = state.commands().ids().uuid().simple().to_string();
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { "Timeloom: " (title) }
                link rel="icon" href="data:,";
                style nonce=(nonce) { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    };
    response
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // Browsers tell where a form comes from only where the page lets them tell us; nobody else is told.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(page.into_string())
}
