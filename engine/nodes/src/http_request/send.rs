//! Sends one request and follows its redirects, each hop checked, all within one time and size limit.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, LOCATION,
    TRANSFER_ENCODING,
};
use reqwest::{Client, ClientBuilder, Method, Proxy, StatusCode, redirect};
use timeloom_engine::node::{Binaries, BinaryWriter, NodeError, OutboundPolicy};
use url::Url;

use super::auth::Authentication;
use super::base::Base;
use super::content::Content;
use super::guard::{NotPublic, PublicResolver, Reach, reach, refusal, resolves_publicly};
use super::oauth::tokens;
use super::request::{Request, Transport};
use super::respond::is_file;

/// What came back.
pub(crate) struct Received {
    /// Where the last hop led.
    pub url: Url,
    /// Status of the last hop.
    pub status: StatusCode,
    /// Headers of the last hop.
    pub headers: HeaderMap,
    /// Body of the last hop; empty where it is in a file.
    pub body: Vec<u8>,
    /// The body on its way into an attachment, where the request asked for that.
    pub file: Option<BinaryWriter>,
}

/// The clients, made when the first request is sent.
#[derive(Default)]
pub(crate) struct Clients {
    /// By reach, and by whether any certificate will do.
    kept: [[OnceLock<Client>; 2]; 2],
}

impl Clients {
    fn get(&self, reach: Reach, transport: &Transport, policy: &OutboundPolicy) -> Result<Client, NodeError> {
        if let Some(proxy) = &transport.proxy {
            // The proxy is what is connected to: it is held to the same rules as any other host.
            let reach = self::reach(proxy, policy)?;
            let host = proxy.host_str().unwrap_or_default();
            let proxy = Proxy::all(proxy.clone()).map_err(|error| failure(&error, host))?;
            let client = builder(reach, transport.any_certificate).proxy(proxy).build();
            return client.map_err(|error| failure(&error, host));
        }
        let [public, open] = &self.kept;
        let slots = if reach == Reach::PublicOnly { public } else { open };
        let slot = &slots[usize::from(transport.any_certificate)];
        if let Some(client) = slot.get() {
            return Ok(client.clone());
        }
        let client = builder(reach, transport.any_certificate).build().map_err(|error| failure(&error, ""))?;
        Ok(slot.get_or_init(|| client).clone())
    }
}

/// A client for one address that is held to the same rules as requests of nodes. It follows no redirect.
///
/// # Errors
/// [`NodeError`] when the address may not be reached, or no client can be made.
pub fn client_for(url: &Url, policy: &OutboundPolicy) -> Result<Client, NodeError> {
    let host = url.host_str().unwrap_or_default();
    builder(self::reach(url, policy)?, false).build().map_err(|error| failure(&error, host))
}

/// The same that takes any certificate, for credentials that say so.
///
/// # Errors
/// As [`client_for`].
pub fn client_for_any_certificate(url: &Url, policy: &OutboundPolicy) -> Result<Client, NodeError> {
    let host = url.host_str().unwrap_or_default();
    builder(self::reach(url, policy)?, true).build().map_err(|error| failure(&error, host))
}

/// Redirects are followed here, hop by hop; a proxy of the environment would step around the checks.
fn builder(reach: Reach, any_certificate: bool) -> ClientBuilder {
    let builder = Client::builder().redirect(redirect::Policy::none()).no_proxy();
    let builder = builder.danger_accept_invalid_certs(any_certificate);
    match reach {
        Reach::PublicOnly => builder.dns_resolver(std::sync::Arc::new(PublicResolver)),
        Reach::Anywhere => builder,
    }
}

/// Sends `request` and reads the answer to its end.
///
/// # Errors
/// [`NodeError`] when an address is refused, a limit is met, or no answer comes.
pub(crate) async fn send(clients: &Clients, request: &Request, policy: &OutboundPolicy) -> Result<Received, NodeError> {
    let longest =
        request.transport.timeout.map_or(policy.request_time_max, |timeout| timeout.min(policy.request_time_max));
    match tokio::time::timeout(longest, hops(clients, request, policy)).await {
        Ok(received) => received,
        Err(_) => Err(too_slow(&request.url, longest)),
    }
}

fn too_slow(url: &Url, longest: Duration) -> NodeError {
    let host = url.host_str().unwrap_or_default();
    NodeError::api(format!("the request to {host} got no full answer within {} ms", longest.as_millis()))
        .described("raise the Timeout option, or set the node to retry on failure")
}

/// Sends requests with what proves who asks, and renews tokens that have run out.
#[derive(Default)]
pub(crate) struct Sender {
    clients: Clients,
}

impl Sender {
    /// Sends `request`; once more with a renewed token where the first was refused.
    ///
    /// # Errors
    /// As [`send`]; also when no token can be had.
    pub async fn send(
        &self,
        authentication: &Authentication,
        request: Request,
        policy: &OutboundPolicy,
    ) -> Result<Received, NodeError> {
        let request = authentication.applied(request)?;
        if let Some(login) = &authentication.login {
            let received = send(&self.clients, &request, policy).await?;
            let asked = received.status == StatusCode::UNAUTHORIZED && received.url.origin() == request.url.origin();
            return match login.answer(&received.headers, &request).filter(|_| asked) {
                Some(proof) => send(&self.clients, &Authentication::proved(proof, request)?, policy).await,
                None => Ok(received),
            };
        }
        if let Some(aws) = &authentication.aws {
            let signed = aws.signed(request.clone(), aws.clock.now()).await?;
            let received = send(&self.clients, &signed, policy).await?;
            return match aws.clock.their_time(received.status, &received.headers) {
                Some(theirs) => send(&self.clients, &aws.signed(request, theirs).await?, policy).await,
                None => Ok(received),
            };
        }
        if let Some(azure) = &authentication.azure {
            let received = send(&self.clients, &azure.signed(request.clone(), azure.clock.now())?, policy).await?;
            return match azure.clock.their_time(received.status, &received.headers) {
                Some(theirs) => send(&self.clients, &azure.signed(request, theirs)?, policy).await,
                None => Ok(received),
            };
        }
        let Some(oauth) = &authentication.oauth else { return send(&self.clients, &request, policy).await };
        let token = tokens().current(oauth, &self.clients, policy).await?;
        let received = send(&self.clients, &Authentication::with_token(&token, request.clone())?, policy).await?;
        if received.status != StatusCode::UNAUTHORIZED {
            return Ok(received);
        }
        match tokens().renewed(oauth, &token, &self.clients, policy).await? {
            Some(token) => send(&self.clients, &Authentication::with_token(&token, request)?, policy).await,
            None => Ok(received),
        }
    }
}

/// What the next hop is to be.
struct Hop {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Content>,
}

async fn hops(clients: &Clients, request: &Request, policy: &OutboundPolicy) -> Result<Received, NodeError> {
    let mut hop = Hop {
        method: request.method.clone(),
        url: request.url.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
    };
    let mut followed = 0;
    loop {
        let reach = reach(&hop.url, policy)?;
        let client = clients.get(reach, &request.transport, policy)?;
        if request.transport.proxy.is_some() && reach == Reach::PublicOnly {
            resolves_publicly(&hop.url).await?;
        }
        let host = hop.url.host_str().unwrap_or_default().to_owned();
        let mut outgoing = client.request(hop.method.clone(), hop.url.clone()).headers(hop.headers.clone());
        if let Some(body) = &hop.body {
            let (body, length) = body.body()?;
            outgoing = outgoing.body(body);
            // A body whose length is told is one that every server takes.
            if let Some(length) = length {
                outgoing = outgoing.header(CONTENT_LENGTH, length);
            }
        }
        let response = outgoing.send().await.map_err(|error| failure(&error, &host))?;
        if let Some(target) = redirect_target(&response, &hop.url).filter(|_| request.transport.redirects_max > 0) {
            if followed == request.transport.redirects_max {
                let message = format!("the request to {host} was redirected more than {followed} times");
                return Err(NodeError::api(message));
            }
            followed += 1;
            let within = request.transport.within.as_ref();
            hop = next_hop(hop, response.status(), target, (&request.secret_headers, within));
            continue;
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let into = request.transport.into_file.as_ref().filter(|into| is_file(status, &headers, &into.answer));
        let (body, file) = match into {
            Some(into) => (Vec::new(), Some(store_body(response, &into.binaries, policy, &host).await?)),
            None => (read_body(response, policy, &host).await?, None),
        };
        return Ok(Received { url: hop.url, status, headers, body, file });
    }
}

fn redirect_target(response: &reqwest::Response, base: &Url) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    base.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}

/// The hop to `target`: as browsers do, POST becomes GET unless the status keeps the method; what is secret stays
/// with the host it was meant for, and below the base of the credential where it says where requests begin.
fn next_hop(
    mut hop: Hop,
    status: StatusCode,
    target: Url,
    (secret_headers, within): (&[HeaderName], Option<&Base>),
) -> Hop {
    let keeps_method = matches!(status.as_u16(), 307 | 308) || matches!(hop.method, Method::GET | Method::HEAD);
    if status.as_u16() == 303 && hop.method != Method::HEAD || !keeps_method {
        hop.method = Method::GET;
        hop.body = None;
        for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
            hop.headers.remove(name);
        }
    }
    let same_origin = (hop.url.scheme(), hop.url.host_str(), hop.url.port_or_known_default())
        == (target.scheme(), target.host_str(), target.port_or_known_default());
    let is_within = within.is_none_or(|base| base.holds(&target));
    if !same_origin || !is_within {
        for name in [AUTHORIZATION, COOKIE] {
            hop.headers.remove(name);
        }
        for name in secret_headers {
            hop.headers.remove(name);
        }
    }
    hop.url = target;
    hop
}

/// Takes the body into memory.
async fn read_body(mut response: reqwest::Response, policy: &OutboundPolicy, host: &str) -> Result<Vec<u8>, NodeError> {
    let bytes_max = policy.response_bytes_max;
    let mut body = Vec::with_capacity(told_length(&response, bytes_max, host)?);
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error, host))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(too_large(host, bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Takes the body into an attachment, past the memory.
async fn store_body(
    mut response: reqwest::Response,
    binaries: &Binaries,
    policy: &OutboundPolicy,
    host: &str,
) -> Result<BinaryWriter, NodeError> {
    let bytes_max = policy.file_bytes_max;
    told_length(&response, bytes_max, host)?;
    let mut writer = binaries.writer(bytes_max);
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error, host))? {
        if writer.bytes() + chunk.len() > bytes_max {
            return Err(too_large(host, bytes_max));
        }
        writer.write(chunk).await?;
    }
    Ok(writer)
}

/// The length that the answer tells; 0 when it tells none.
fn told_length(response: &reqwest::Response, bytes_max: usize, host: &str) -> Result<usize, NodeError> {
    let told = response.content_length().unwrap_or_default();
    usize::try_from(told).ok().filter(|length| *length <= bytes_max).ok_or_else(|| too_large(host, bytes_max))
}

fn too_large(host: &str, bytes_max: usize) -> NodeError {
    NodeError::api(format!("the answer of {host} is larger than {bytes_max} bytes"))
        .described("ask for less, page by page, or have the operator raise the limit")
}

/// Why no answer came, from the innermost cause.
fn failure(error: &reqwest::Error, host: &str) -> NodeError {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    loop {
        if cause.downcast_ref::<NotPublic>().is_some() {
            return refusal(host);
        }
        match cause.source() {
            Some(source) => cause = source,
            None => break,
        }
    }
    let what = if error.is_connect() {
        format!("the server {host} could not be reached")
    } else {
        format!("the request to {host} failed")
    };
    NodeError::api(format!("{what}: {cause}")).described("check the URL, and whether the server is running")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(method: Method) -> Hop {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "secret".parse().unwrap());
        headers.insert(CONTENT_TYPE, "text/plain".parse().unwrap());
        Hop { method, url: Url::parse("http://a.example/x").unwrap(), headers, body: Some(b"body".to_vec().into()) }
    }

    #[test]
    fn a_redirected_post_becomes_a_get_unless_the_status_keeps_it() {
        let target = Url::parse("http://a.example/y").unwrap();
        let found = next_hop(hop(Method::POST), StatusCode::FOUND, target.clone(), (&[], None));
        assert!(found.method == Method::GET && found.body.is_none());
        assert!(!found.headers.contains_key(CONTENT_TYPE) && found.headers.contains_key(AUTHORIZATION));
        let kept = next_hop(hop(Method::POST), StatusCode::TEMPORARY_REDIRECT, target, (&[], None));
        assert_eq!((kept.method, kept.body.unwrap().whole()), (Method::POST, b"body".to_vec()));
    }

    #[test]
    fn secrets_stay_with_their_host() {
        for target in ["http://b.example/", "https://a.example/", "http://a.example:81/"] {
            let secret = HeaderName::from_static("x-key");
            let mut first = hop(Method::GET);
            first.headers.insert(secret.clone(), "secret".parse().unwrap());
            let next =
                next_hop(first, StatusCode::FOUND, Url::parse(target).unwrap(), (std::slice::from_ref(&secret), None));
            assert!(!next.headers.contains_key(AUTHORIZATION), "{target}");
            assert!(!next.headers.contains_key(secret) && next.headers.contains_key(CONTENT_TYPE), "{target}");
        }
    }
}
