//! Keeps pages of other sites out. A browser on this machine can be made to send requests here by any page that it
//! shows (DNS rebinding, cross-site requests); such a request names another host or another origin, and is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use actix_web::HttpResponse;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::Next;
use serde_json::json;

/// Answers 403 to requests that do not come from this machine's own programs and pages.
pub(super) async fn local_only(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let port = request.app_config().local_addr().port();
    match check(text(&request, header::HOST), text(&request, header::ORIGIN), port) {
        Ok(()) => Ok(next.call(request).await?.map_into_boxed_body()),
        Err(message) => {
            let body = json!({ "errors": [{ "message": message, "extensions": { "code": "FORBIDDEN" } }] });
            Ok(request.into_response(HttpResponse::Forbidden().json(body)))
        }
    }
}

/// A header's text; a header that is no text counts as an unknown name.
fn text(request: &ServiceRequest, name: HeaderName) -> Option<&str> {
    request.headers().get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn check(host: Option<&str>, origin: Option<&str>, port: u16) -> Result<(), String> {
    let host = host.ok_or_else(|| "the Host header is missing: send it".to_owned())?;
    let own = split(host).is_some_and(|(name, asked)| is_loopback(name) && asked.unwrap_or(80) == port);
    if !own {
        return Err(format!("this server is not '{}': use http://localhost:{port}", shorten(host)));
    }
    let Some(origin) = origin else { return Ok(()) };
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    if authority.and_then(split).is_some_and(|(name, _)| is_loopback(name)) {
        Ok(())
    } else {
        Err(format!("pages of '{}' may not use this server: open http://localhost:{port}", shorten(origin)))
    }
}

/// The name and port of an authority; `None` when it is not one.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    match port.strip_prefix(':') {
        Some(port) => Some((name, Some(port.parse().ok()?))),
        None => port.is_empty().then_some((name, None)),
    }
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| {
            address == IpAddr::V4(Ipv4Addr::LOCALHOST) || address == IpAddr::V6(Ipv6Addr::LOCALHOST)
        })
}

fn shorten(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_with_the_right_port_are_let_in() {
        for host in ["localhost:4000", "127.0.0.1:4000", "[::1]:4000", "LOCALHOST:4000"] {
            assert_eq!(check(Some(host), None, 4000), Ok(()), "{host}");
            let origin = format!("http://{host}");
            assert_eq!(check(Some(host), Some(&origin), 4000), Ok(()), "{origin}");
        }
        assert_eq!(check(Some("localhost"), None, 80), Ok(()));
        assert_eq!(check(Some("localhost:4000"), Some("http://localhost:5173"), 4000), Ok(()));
    }

    #[test]
    fn other_names_ports_and_origins_are_refused() {
        for host in
            ["evil.example:4000", "localhost:4001", "localhost", "localhost.evil.example:4000", "[::2]:4000", ""]
        {
            assert!(check(Some(host), None, 4000).is_err(), "{host}");
        }
        assert!(check(None, None, 4000).is_err());
        for origin in
            ["http://evil.example", "null", "http://localhost.evil.example", "file://", "http://127.0.0.1.nip.io"]
        {
            assert!(check(Some("localhost:4000"), Some(origin), 4000).is_err(), "{origin}");
        }
    }
}
