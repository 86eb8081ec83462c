//! Who may call a webhook: by address, by what a caller says it is, and by the secret of the node's credential.
//!
//! Secrets are compared in a time that does not tell how much of them was right, and are in no answer and no log line.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use timeloom_commands::SecretTexts;
use timeloom_domain::item::{Item, JsonObject};

use super::jwt;
use super::refusal::Refusal;
use super::settings::{Authentication, Settings};
use crate::state::ApiState;

/// What tells callers how to show who they are.
const BASIC_CHALLENGE: &str = "Basic realm=\"Webhook\"";
/// The same for tokens.
const BEARER_CHALLENGE: &str = "Bearer realm=\"Webhook\"";
/// Parts of the names that robots give themselves.
const ROBOTS: [&str; 18] = [
    "bot",
    "crawl",
    "spider",
    "slurp",
    "facebookexternalhit",
    "whatsapp",
    "preview",
    "scrap",
    "fetcher",
    "archiver",
    "monitor",
    "lighthouse",
    "headlesschrome",
    "phantomjs",
    "pingdom",
    "skypeuripreview",
    "embedly",
    "validator",
];

/// The caller's address: that of the connection, or what the last of `proxy_hops` own proxies says that it saw.
pub(in crate::http) fn caller_address(request: &HttpRequest, proxy_hops: usize) -> Option<IpAddr> {
    let peer = request.peer_addr().map(|address| address.ip().to_canonical());
    if proxy_hops == 0 {
        return peer;
    }
    let forwarded = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let seen: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    let place = seen.len().checked_sub(proxy_hops)?;
    seen.get(place).and_then(|text| text.parse::<IpAddr>().ok()).map(|address| address.to_canonical())
}

/// A caller that was let in.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    /// The claims of its token, where that is how callers show who they are.
    pub(super) claims: Option<Value>,
    /// By what it showed who it is.
    secrets: SecretTexts,
}

impl Admitted {
    /// Puts marks in place of what the caller proved itself by: who may see the execution may not call in its name.
    pub(super) fn hide_proof(&self, item: &mut Item) {
        if let Some(finder) = self.secrets.finder() {
            finder.hide_in_item(item);
        }
    }
}

/// Refuses callers that the node does not let in.
pub(super) async fn check(
    request: &HttpRequest,
    settings: &Settings,
    caller: Option<IpAddr>,
    state: &ApiState,
) -> Result<Admitted, Refusal> {
    let forbidden = |message: &str| Refusal::new(StatusCode::FORBIDDEN, message);
    if let Some(allowed) = settings.allowed_addresses()
        && !caller.is_some_and(|caller| is_allowed(allowed, caller))
    {
        return Err(forbidden("IP is not allowed to access the webhook!"));
    }
    if settings.ignores_bots() && is_robot(request.headers()) {
        return Err(forbidden("Authorization data is wrong!"));
    }
    let authentication = settings.authentication();
    if authentication == Authentication::None {
        return Ok(Admitted::default());
    }
    let undefined = || {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "No authentication data defined on node!")
            .hint("save the credential that the webhook's node names")
    };
    let credential_type = authentication.credential_type().ok_or_else(undefined)?;
    let (id, name) = settings.credential(credential_type);
    let secret = state.credentials().credential(state.tenant(), credential_type, id, name).await;
    let secret = secret.map_err(|error| Refusal::fault(&error))?;
    let secret = secret.ok_or_else(undefined)?;
    let mut admitted = Admitted::default();
    let called = name.or(id).unwrap_or(credential_type);
    admitted.secrets.note_credential(called, credential_type, &secret);
    match authentication {
        Authentication::Basic => check_basic(request.headers(), &secret)?,
        Authentication::Header => check_header(request.headers(), &secret)?,
        _ => {
            let now_ms = state.commands().clock().now_ms();
            admitted.claims = Some(check_token(request.headers(), &secret, now_ms)?);
            // Until it runs out, the token is as good as the secret that signed it.
            let token = credentials_of(request.headers(), "bearer").unwrap_or_default();
            admitted.secrets.note(called, token);
        }
    }
    Ok(admitted)
}

fn check_basic(headers: &HeaderMap, secret: &JsonObject) -> Result<(), Refusal> {
    let missing = || Refusal::new(StatusCode::UNAUTHORIZED, "Authorization is required!").challenge(BASIC_CHALLENGE);
    let encoded = credentials_of(headers, "basic").ok_or_else(missing)?;
    let given = STANDARD.decode(encoded.trim()).map_err(|_| missing())?;
    let (user, password) = (text(secret, "user"), text(secret, "password"));
    let expected = format!("{}:{}", user.unwrap_or_default(), password.unwrap_or_default());
    let is_defined = user.is_some_and(|user| !user.is_empty()) && password.is_some_and(|password| !password.is_empty());
    if is_defined && is_same(&given, expected.as_bytes()) { Ok(()) } else { Err(wrong()) }
}

fn check_header(headers: &HeaderMap, secret: &JsonObject) -> Result<(), Refusal> {
    let name = text(secret, "name").filter(|name| !name.is_empty());
    let expected = text(secret, "value").filter(|value| !value.is_empty());
    let given = name.and_then(|name| headers.get(name));
    match (given, expected) {
        (Some(given), Some(expected)) if is_same(given.as_bytes(), expected.as_bytes()) => Ok(()),
        _ => Err(wrong()),
    }
}

fn check_token(headers: &HeaderMap, secret: &JsonObject, now_ms: i64) -> Result<Value, Refusal> {
    let token = credentials_of(headers, "bearer")
        .ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "No token provided").challenge(BEARER_CHALLENGE))?;
    let key = jwt::Key::of(secret);
    let claims = key.and_then(|key| jwt::verify(token.trim(), &key, now_ms));
    claims.map_err(|error| Refusal::new(StatusCode::FORBIDDEN, error.to_string()))
}

fn wrong() -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "Authorization data is wrong!")
}

fn text<'a>(secret: &'a JsonObject, name: &str) -> Option<&'a str> {
    secret.get(name).and_then(Value::as_str)
}

/// What comes after the scheme in the authorization header.
fn credentials_of<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, credentials) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then_some(credentials)
}

/// Whether two texts are the same, in a time that depends on neither: their codes under a key that nobody chose are compared.
pub(in crate::http) fn is_same(given: &[u8], expected: &[u8]) -> bool {
    let code = |text: &[u8]| Hmac::<Sha256>::new_from_slice(b"timeloom compares").map(|code| code.chain_update(text));
    match (code(given), code(expected)) {
        (Ok(given), Ok(expected)) => expected.verify(&given.finalize().into_bytes()).is_ok(),
        _ => false,
    }
}

fn is_robot(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let agent = agent.to_ascii_lowercase();
    ROBOTS.iter().any(|robot| agent.contains(robot))
}

/// Whether an address is in a list of addresses and networks (`10.0.0.0/8`), parted by commas.
fn is_allowed(list: &str, caller: IpAddr) -> bool {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| match entry.split_once('/') {
        Some((network, length)) => {
            let network = network.parse::<IpAddr>().map(|network| network.to_canonical());
            matches!((network, length.parse()), (Ok(network), Ok(length)) if is_in(network, length, caller))
        }
        None => entry.parse::<IpAddr>().is_ok_and(|allowed| allowed.to_canonical() == caller),
    })
}

fn is_in(network: IpAddr, length: u32, caller: IpAddr) -> bool {
    match (network, caller) {
        (IpAddr::V4(network), IpAddr::V4(caller)) if length <= 32 => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            network.to_bits() & mask == caller.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(caller)) if length <= 128 => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            network.to_bits() & mask == caller.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_let_in_and_no_others() {
        let list = " 127.0.0.1, 10.1.0.0/16 ,2001:db8::/32, nonsense, 1.2.3.4/99, /8";
        let allowed = |caller: &str| is_allowed(list, caller.parse::<IpAddr>().unwrap().to_canonical());
        assert!(["127.0.0.1", "10.1.255.3", "2001:db8:5::1", "::ffff:10.1.2.3"].into_iter().all(allowed));
        assert!(!["127.0.0.2", "10.2.0.1", "2001:db9::1", "1.2.3.4", "::1"].into_iter().any(allowed));
        assert!(is_allowed("0.0.0.0/0", "8.8.8.8".parse().unwrap()));
    }

    #[test]
    fn only_the_same_text_is_the_same() {
        assert!(is_same(b"secret", b"secret") && is_same(b"", b""));
        assert!(!is_same(b"secret", b"secrets") && !is_same(b"Secret", b"secret") && !is_same(b"", b"x"));
    }
}
