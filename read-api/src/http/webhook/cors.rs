//! Which pages of other origins may read what a webhook answers. The node says so; without a word of it all may, for a
//! webhook is made to be called by others. Credentials that a browser keeps are never let along.

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::settings::Settings;

/// How long a browser may remember what it may do, in seconds.
const REMEMBER_SECONDS_MAX: u16 = 300;

/// Tells a page of another origin whether it may read the answer.
pub(super) fn allow_origin(request: &HttpRequest, settings: &Settings, headers: &mut HeaderMap) {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return };
    let listed = settings.allowed_origins();
    let allowed: Vec<&str> = listed.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
    let is_allowed = allowed.contains(&"*") || origin.to_str().is_ok_and(|origin| allowed.contains(&origin));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    if is_allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
}

/// The answer to a browser that asks beforehand what it may send.
pub(super) fn preflight(request: &HttpRequest, settings: Option<&Settings>, methods: &[&str]) -> HttpResponse {
    let mut response = HttpResponse::NoContent().finish();
    let headers = response.headers_mut();
    let mut allowed = vec!["OPTIONS"];
    allowed.extend(methods.iter().filter(|method| **method != "OPTIONS"));
    if let Ok(allowed) = HeaderValue::from_str(&allowed.join(", ")) {
        headers.insert(header::ALLOW, allowed.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allowed);
    }
    if let Some(settings) = settings.filter(|_| request.headers().contains_key(header::ORIGIN)) {
        allow_origin(request, settings, headers);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(REMEMBER_SECONDS_MAX));
        if let Some(asked) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
    }
    response
}
