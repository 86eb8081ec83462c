//! How a server lets clients in by OAuth: what it says of itself (RFC 9728), what whoever gives tokens out says of itself
//! (RFC 8414), and a client that is made there (RFC 7591).
//!
//! What is found is told to a person, who enters it as a credential: nothing is found out while a workflow runs. Goes only where
//! the outbound policy lets nodes go. Invariant: permission is never asked for where the proof that the client is the same one
//! (PKCE) is not known.

use std::time::Duration;

use reqwest::header::{ACCEPT, WWW_AUTHENTICATE};
use reqwest::{Method, Response, Url};
use serde_json::{Value, json};
use timeloom_domain::item::JsonObject;
use timeloom_egress::OutboundPolicy;
use timeloom_engine::node::NodeError;

use super::message::{REVISIONS, question};

/// Longest wait for one answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);
/// Largest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Most scopes that are taken from what a server says.
const SCOPES_MAX: usize = 100;
/// Where a server says by whom its tokens are given out.
const OF_RESOURCE: &str = "oauth-protected-resource";
/// Where whoever gives tokens out says how.
const OF_ISSUER: [&str; 2] = ["oauth-authorization-server", "openid-configuration"];
/// The only way of PKCE that is spoken.
const CHALLENGE_METHOD: &str = "S256";

/// How a server lets clients in by OAuth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The address that tokens are for.
    pub resource: String,
    /// Who gives tokens out.
    pub issuer: String,
    /// Where people give permission.
    pub authorization_endpoint: String,
    /// Where tokens are given out.
    pub token_endpoint: String,
    /// Where clients can make themselves known, where they can.
    pub registration_endpoint: Option<String>,
    /// What to ask for, with spaces between; empty where the server does not say.
    pub scope: String,
    /// How a client may prove itself where tokens are given out: `none`, `client_secret_basic`, `client_secret_post`.
    pub client_authentication: Vec<String>,
    /// The client that was made, and its secret where it has one.
    pub client: Option<(String, Option<String>)>,
}

impl Discovered {
    /// The fields of a credential of type `oAuth2Api`; without a client of its own `clientId` is left empty.
    pub fn fields(&self) -> JsonObject {
        let authentication = if self.takes("client_secret_basic") { "header" } else { "body" };
        let (id, secret) = self.client.clone().unwrap_or_default();
        let mut fields = JsonObject::from_iter([
            ("grantType".to_owned(), json!("pkce")),
            ("authUrl".to_owned(), json!(self.authorization_endpoint)),
            ("accessTokenUrl".to_owned(), json!(self.token_endpoint)),
            ("clientId".to_owned(), json!(id)),
            ("scope".to_owned(), json!(self.scope)),
            ("resource".to_owned(), json!(self.resource)),
            ("authentication".to_owned(), json!(authentication)),
        ]);
        if let Some(secret) = secret {
            fields.insert("clientSecret".to_owned(), json!(secret));
        }
        fields
    }

    fn takes(&self, way: &str) -> bool {
        self.client_authentication.iter().any(|known| known == way)
    }
}

/// Finds out how the server at an address lets clients in.
///
/// # Errors
/// [`NodeError`] where it does not tell, lets everybody in, or cannot be reached.
pub async fn discover(server: &str, policy: &OutboundPolicy) -> Result<Discovered, NodeError> {
    let server = Url::parse(server.trim()).map_err(|error| {
        NodeError::operation(format!("the address of the server is none: {error}"))
            .described("give one such as https://mcp.example.org/mcp")
    })?;
    let (is_open, challenge) = challenged(&server, policy).await?;
    let told = challenge.as_deref().and_then(|challenge| parameter(challenge, "resource_metadata"));
    let told = told.and_then(|address| server.join(&address).ok());
    let mut places = vec![well_known(&server, OF_RESOURCE), server_wide(&server, OF_RESOURCE)];
    places.splice(0..0, told);
    let resource = first_of(&places, policy).await?;
    let asked = challenge.as_deref().and_then(|challenge| parameter(challenge, "scope"));
    let (resource, issuer, scope) = match &resource {
        Some(metadata) => of_resource(&server, metadata)?,
        // Servers of the revision of March 2025 give their tokens out themselves.
        None => (server.to_string(), origin(&server), String::new()),
    };
    let issuer_url = Url::parse(&issuer).map_err(|_| says_wrongly("who gives its tokens out", &issuer))?;
    let Some(metadata) = first_of(&of_issuer(&issuer_url), policy).await? else {
        return Err(nothing_told(is_open, &issuer));
    };
    let found = read(&server, &issuer, &metadata)?;
    Ok(Discovered { resource, scope: asked.unwrap_or(scope), ..found })
}

/// Makes a client known whose browser comes back to `callback`.
///
/// # Errors
/// [`NodeError`] where clients cannot make themselves known, or are refused.
pub async fn register(found: Discovered, callback: &str, policy: &OutboundPolicy) -> Result<Discovered, NodeError> {
    let Some(endpoint) = &found.registration_endpoint else {
        return Err(NodeError::operation(format!("at {} clients cannot make themselves known", found.issuer))
            .described("register a client there by hand, and enter its id"));
    };
    let way = ["none", "client_secret_basic", "client_secret_post"].into_iter().find(|way| found.takes(way));
    let mut wanted = json!({
        "client_name": "Timeloom",
        "redirect_uris": [callback],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": way.unwrap_or("none"),
    });
    if !found.scope.is_empty() {
        wanted["scope"] = json!(found.scope);
    }
    let url = Url::parse(endpoint).map_err(|_| says_wrongly("where clients make themselves known", endpoint))?;
    let response = sent(Method::POST, &url, Some(&wanted), policy).await?;
    let status = response.status();
    let answer = body(response).await?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    match text("client_id").filter(|_| status.is_success()) {
        Some(id) => Ok(Discovered { client: Some((id, text("client_secret"))), ..found }),
        None => {
            let why = text("error_description").or_else(|| text("error")).unwrap_or_default();
            let why: String = why.chars().filter(|sign| !sign.is_control()).take(200).collect();
            Err(NodeError::api(format!("{url} did not take the client: status {} {why}", status.as_u16()))
                .described("register a client there by hand, and enter its id"))
        }
    }
}

/// Whether a server lets in who proves nothing, and what it says of how to prove something.
async fn challenged(server: &Url, policy: &OutboundPolicy) -> Result<(bool, Option<String>), NodeError> {
    let params = json!({
        "protocolVersion": REVISIONS[0],
        "capabilities": {},
        "clientInfo": {"name": "timeloom", "version": env!("CARGO_PKG_VERSION")},
    });
    let response = sent(Method::POST, server, Some(&question(1, "initialize", &params)), policy).await?;
    let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let challenges: Vec<&str> = challenges.collect();
    Ok((response.status().is_success(), (!challenges.is_empty()).then(|| challenges.join(", "))))
}

/// The first of these documents that is there.
async fn first_of(places: &[Url], policy: &OutboundPolicy) -> Result<Option<Value>, NodeError> {
    for place in places {
        let response = sent(Method::GET, place, None, policy).await?;
        if !response.status().is_success() {
            continue;
        }
        // A site that answers everything with a page has no such document.
        if let document @ Value::Object(_) = body(response).await? {
            return Ok(Some(document));
        }
    }
    Ok(None)
}

async fn sent(
    method: Method,
    url: &Url,
    message: Option<&Value>,
    policy: &OutboundPolicy,
) -> Result<Response, NodeError> {
    let client = timeloom_nodes::client_for(url, policy)?;
    let mut request = client.request(method, url.clone()).header(ACCEPT, "application/json, text/event-stream");
    if let Some(message) = message {
        request = request.json(message);
    }
    let failed = |why: String| {
        NodeError::api(format!("{url} could not be asked: {why}"))
            .described("check the address, and whether the server is running")
    };
    let answered = tokio::time::timeout(ANSWER_TIME_MAX, request.send()).await;
    let answered = answered.map_err(|_| failed(format!("no answer within {} s", ANSWER_TIME_MAX.as_secs())))?;
    answered.map_err(|error| failed(error.without_url().to_string()))
}

/// The document in an answer; null where it is none.
async fn body(mut response: Response) -> Result<Value, NodeError> {
    let url = response.url().clone();
    let reading = async {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(NodeError::api(format!("the answer of {url} has more than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    };
    let read = tokio::time::timeout(ANSWER_TIME_MAX, reading).await;
    read.unwrap_or_else(|_| Err(NodeError::api(format!("the answer of {url} did not come to its end in time"))))
}

/// Address that tokens are for, who gives them out, and the scopes that there are, as a server says.
fn of_resource(server: &Url, metadata: &Value) -> Result<(String, String, String), NodeError> {
    let resource = metadata.get("resource").and_then(Value::as_str).unwrap_or_default();
    let is_ours = Url::parse(resource).is_ok_and(|resource| {
        let (path, of) = (server.path(), resource.path().trim_end_matches('/'));
        let below = path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        resource.origin() == server.origin() && below
    });
    if !is_ours {
        // Tokens for another server are not to be asked for in the name of this one.
        return Err(says_wrongly("which server its tokens are for", resource));
    }
    let issuers = metadata.get("authorization_servers").and_then(Value::as_array);
    let issuer = issuers.and_then(|issuers| issuers.first()).and_then(Value::as_str);
    let issuer = issuer.map_or_else(|| origin(server), str::to_owned);
    Ok((resource.to_owned(), issuer, texts(metadata, "scopes_supported").join(" ")))
}

/// What whoever gives tokens out says of itself.
fn read(server: &Url, issuer: &str, metadata: &Value) -> Result<Discovered, NodeError> {
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("issuer").trim_end_matches('/') != issuer.trim_end_matches('/') {
        return Err(says_wrongly("who gives its tokens out", text("issuer")));
    }
    if !texts(metadata, "code_challenge_methods_supported").iter().any(|method| method == CHALLENGE_METHOD) {
        return Err(NodeError::operation(format!("{issuer} does not say that it knows PKCE by {CHALLENGE_METHOD}"))
            .described(
                "without it a code can be stolen on its way: ask its operator, or use a token of another kind",
            ));
    }
    let address = |name: &str| {
        let url = Url::parse(text(name)).ok();
        let safe = url.filter(|url| url.scheme() == "https" || (url.scheme() == "http" && server.scheme() == "http"));
        safe.map(String::from).ok_or_else(|| says_wrongly(name, text(name)))
    };
    let ways = match texts(metadata, "token_endpoint_auth_methods_supported") {
        ways if ways.is_empty() => vec!["client_secret_basic".to_owned()],
        ways => ways,
    };
    Ok(Discovered {
        resource: String::new(),
        issuer: issuer.to_owned(),
        authorization_endpoint: address("authorization_endpoint")?,
        token_endpoint: address("token_endpoint")?,
        registration_endpoint: address("registration_endpoint").ok(),
        scope: String::new(),
        client_authentication: ways,
        client: None,
    })
}

fn says_wrongly(what: &str, said: &str) -> NodeError {
    let said: String = said.chars().filter(|sign| !sign.is_control()).take(200).collect();
    NodeError::api(format!("what is said of {what} cannot be used: '{said}'"))
        .described("the server has to be mended, or the address is another one")
}

fn nothing_told(is_open: bool, issuer: &str) -> NodeError {
    if is_open {
        return NodeError::operation("the server lets everybody in, and says nothing of OAuth")
            .described("it needs no credential");
    }
    NodeError::operation(format!("neither the server nor {issuer} says how clients are let in by OAuth"))
        .described("ask its operator for a token, and use Bearer Auth or Header Auth")
}

fn texts(metadata: &Value, name: &str) -> Vec<String> {
    let listed = metadata.get(name).and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(Value::as_str).take(SCOPES_MAX).map(str::to_owned).collect()
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Where a document about an address is: its path behind the name.
fn well_known(of: &Url, name: &str) -> Url {
    with_path(of, &format!("/.well-known/{name}{}", of.path().trim_end_matches('/')))
}

/// Where a document about all of a server is.
fn server_wide(of: &Url, name: &str) -> Url {
    with_path(of, &format!("/.well-known/{name}"))
}

fn with_path(of: &Url, path: &str) -> Url {
    let mut url = of.clone();
    url.set_path(path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Where whoever gives tokens out may say how, in the order in which it is looked for.
fn of_issuer(issuer: &Url) -> Vec<Url> {
    let mut places: Vec<Url> = OF_ISSUER.iter().map(|name| well_known(issuer, name)).collect();
    let path = issuer.path().trim_end_matches('/');
    if !path.is_empty() {
        let [_, openid] = OF_ISSUER;
        places.push(with_path(issuer, &format!("{path}/.well-known/{openid}")));
    }
    places
}

/// A parameter of a challenge, quoted or not.
fn parameter(challenge: &str, name: &str) -> Option<String> {
    let mut left = challenge;
    loop {
        let at = left.to_ascii_lowercase().find(&format!("{name}="))?;
        let is_whole = left.get(..at)?.chars().next_back().is_none_or(|before| matches!(before, ' ' | ','));
        let value = left.get(at + name.len() + 1..)?;
        if !is_whole {
            left = value;
            continue;
        }
        return match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').map(|(value, _)| value.to_owned()),
            None => value.split([',', ' ']).next().map(str::to_owned),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn issuer() -> Value {
        json!({
            "issuer": "https://id.example/tenant",
            "authorization_endpoint": "https://id.example/authorize",
            "token_endpoint": "https://id.example/token",
            "registration_endpoint": "https://id.example/register",
            "code_challenge_methods_supported": ["plain", "S256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
        })
    }

    #[test]
    fn documents_are_looked_for_where_the_standards_have_them() {
        let server = url("https://mcp.example/shop/mcp?x=1");
        assert_eq!(
            well_known(&server, OF_RESOURCE).as_str(),
            "https://mcp.example/.well-known/oauth-protected-resource/shop/mcp"
        );
        let places: Vec<String> = of_issuer(&url("https://id.example/tenant/")).into_iter().map(String::from).collect();
        let wanted = [
            "https://id.example/.well-known/oauth-authorization-server/tenant",
            "https://id.example/.well-known/openid-configuration/tenant",
            "https://id.example/tenant/.well-known/openid-configuration",
        ];
        assert_eq!(places, wanted);
        assert_eq!(of_issuer(&url("https://id.example")).len(), 2);
    }

    #[test]
    fn a_challenge_tells_where_to_look_and_what_to_ask_for() {
        let challenge = r#"Bearer error="invalid_token", resource_metadata="https://mcp.example/m", scope="a b""#;
        assert_eq!(parameter(challenge, "resource_metadata").as_deref(), Some("https://mcp.example/m"));
        assert_eq!(parameter(challenge, "scope").as_deref(), Some("a b"));
        assert_eq!(parameter("Bearer x_scope=no, Scope=yes", "scope").as_deref(), Some("yes"));
        assert_eq!(parameter("Bearer realm=\"a\"", "scope"), None);
        assert_eq!(parameter("Bearer scope=\"never ends", "scope"), None);
    }

    #[test]
    fn tokens_for_another_server_are_not_asked_for() {
        let server = url("https://mcp.example/shop/mcp");
        let of = |resource: &str| of_resource(&server, &json!({"resource": resource, "scopes_supported": ["a", "b"]}));
        for ours in ["https://mcp.example/shop/mcp", "https://mcp.example/shop/", "https://mcp.example"] {
            let (resource, issuer, scope) = of(ours).unwrap();
            let wanted = (ours, "https://mcp.example", "a b");
            assert_eq!((resource.as_str(), issuer.as_str(), scope.as_str()), wanted);
        }
        for other in
            ["https://bank.example/shop/mcp", "https://mcp.example/sho", "http://mcp.example/shop/mcp", "x", ""]
        {
            assert!(of(other).is_err(), "{other}");
        }
    }

    #[test]
    fn what_gives_tokens_out_is_held_to_its_name_to_pkce_and_to_secured_addresses() {
        let server = url("https://mcp.example/mcp");
        let read = |metadata: &Value| read(&server, "https://id.example/tenant/", metadata);
        let found = read(&issuer()).unwrap();
        assert_eq!(found.token_endpoint, "https://id.example/token");
        assert_eq!(found.registration_endpoint.as_deref(), Some("https://id.example/register"));
        assert_eq!(found.fields()["authentication"], "body");
        for (field, value, why) in [
            ("issuer", json!("https://evil.example"), "evil.example"),
            ("code_challenge_methods_supported", json!(["plain"]), "PKCE"),
            ("code_challenge_methods_supported", Value::Null, "PKCE"),
            ("token_endpoint", json!("http://id.example/token"), "token_endpoint"),
            ("authorization_endpoint", json!("javascript:alert(1)"), "authorization_endpoint"),
        ] {
            let mut other = issuer();
            other[field] = value;
            let refused = read(&other).unwrap_err();
            assert!(refused.message.contains(why), "{refused}");
        }
    }
}
