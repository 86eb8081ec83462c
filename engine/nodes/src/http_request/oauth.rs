//! Tokens that run out: got with a client's credentials, renewed when the other side no longer takes them.
//!
//! A renewed token is kept in memory alone, for as long as the process lives and the credential stays as it is. Invariant: all
//! node types of a process have one keeper of tokens, and of one credential one token at a time is asked for: where a refresh
//! token counts once, two that renewed apart would shut each other out.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, OutboundPolicy, SecretTexts};
use tokio::sync::Semaphore;
use url::form_urlencoded;

use super::request::{Request, Transport, address};
use super::send::{Clients, send};

/// Credentials of which renewed tokens are kept.
const TOKENS_MAX: usize = 1_024;

/// A credential with a token that can be renewed.
#[derive(Clone)]
pub struct OAuth2 {
    fields: JsonObject,
    /// Where the tokens are noted that the run is given.
    secrets: SecretTexts,
    /// What the credential is called there.
    name: String,
}

/// The renewed tokens of this process, whichever node type renewed them.
pub(super) fn tokens() -> &'static Tokens {
    static TOKENS: LazyLock<Tokens> = LazyLock::new(Tokens::default);
    &TOKENS
}

/// Renewed tokens, by what they were renewed from.
#[derive(Default)]
pub(super) struct Tokens {
    by_origin: Mutex<HashMap<[u8; 32], Arc<Place>>>,
}

/// Where the token of one credential is kept.
struct Place {
    token: Mutex<Option<Token>>,
    /// When the last ask that failed ended, and why.
    failed: Mutex<Option<(Instant, NodeError)>>,
    /// The right to ask for another one.
    turn: Semaphore,
}

#[derive(Clone)]
struct Token {
    access: String,
    refresh: Option<String>,
    since: Instant,
}

impl Place {
    fn token(&self) -> Option<Token> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, token: Token) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Takes down why an ask failed: those who waited for it meanwhile do not send the same refresh token again.
    fn fail(&self, error: &NodeError) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), error.clone()));
    }

    /// Why an ask failed that ended after `begun`.
    ///
    /// # Errors
    /// That error.
    fn failed_since(&self, begun: Instant) -> Result<(), NodeError> {
        match &*self.failed.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((at, error)) if *at > begun => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

impl OAuth2 {
    /// The credential with these fields, whose tokens are noted in `secrets` under that name.
    pub fn read(fields: &JsonObject, secrets: SecretTexts, name: String) -> Self {
        Self { fields: fields.clone(), secrets, name }
    }

    fn note(&self, token: &Token) {
        for secret in [Some(&token.access), token.refresh.as_ref()].into_iter().flatten() {
            self.secrets.note(&self.name, secret);
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn stored(&self, name: &str) -> Option<&str> {
        self.fields.get("oauthTokenData")?.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// What tells this credential, as it is stored, from others. Its secrets are a part of it: who does not know them is
    /// not given a token that somebody else got.
    fn origin(&self) -> [u8; 32] {
        let stored = [self.stored("access_token"), self.stored("refresh_token")];
        let named = ["accessTokenUrl", "clientId", "clientSecret", "scope", "resource"].map(|name| self.text(name));
        let mut hash = Sha256::new();
        for part in named.into_iter().chain(stored).map(Option::unwrap_or_default) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// The form that asks for a token.
    fn question(&self, refresh: Option<&str>) -> Result<Request, NodeError> {
        let lacking = |name: &str| {
            NodeError::operation(format!("the credential of type 'oAuth2Api' lacks the field '{name}'"))
                .described("save the credential again with all its fields")
        };
        let url = address(self.text("accessTokenUrl").ok_or_else(|| lacking("accessTokenUrl"))?)?;
        let mut form = form_urlencoded::Serializer::new(String::new());
        match refresh {
            Some(token) => {
                form.append_pair("refresh_token", token).append_pair("grant_type", "refresh_token");
            }
            None => {
                form.append_pair("grant_type", "client_credentials");
                if let Some(scope) = self.text("scope") {
                    form.append_pair("scope", scope);
                }
            }
        }
        // For which server the token is, where whoever gives it out has tokens for several (RFC 8707).
        if let Some(resource) = self.text("resource") {
            form.append_pair("resource", resource);
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let (id, secret) = (self.text("clientId").unwrap_or_default(), self.text("clientSecret").unwrap_or_default());
        if secret.is_empty() {
            // A client without a secret says only which one it is.
            form.append_pair("client_id", id);
        } else if self.text("authentication") == Some("body") {
            form.append_pair("client_id", id).append_pair("client_secret", secret);
        } else {
            let value = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
            let value = HeaderValue::from_str(&value).map_err(|_| lacking("clientId"))?;
            headers.insert(AUTHORIZATION, value);
        }
        let body = Some(form.finish().into_bytes().into());
        let transport = Transport::default();
        Ok(Request { method: Method::POST, url, headers, body, transport, secret_headers: Vec::new() })
    }
}

/// Tokens for node types that send their requests by themselves: got, kept and renewed as HTTP Request has them.
#[derive(Default)]
pub struct Bearers {
    clients: Clients,
}

impl Bearers {
    /// The token to send; got first where the credential holds none.
    ///
    /// # Errors
    /// [`NodeError`] when no token can be had.
    pub async fn current(&self, credential: &OAuth2, policy: &OutboundPolicy) -> Result<String, NodeError> {
        tokens().current(credential, &self.clients, policy).await
    }

    /// A new token in place of the one that was refused; `None` when there is no way to get one.
    ///
    /// # Errors
    /// [`NodeError`] when whoever gives tokens out refuses, or cannot be reached.
    pub async fn renewed(
        &self,
        credential: &OAuth2,
        refused: &str,
        policy: &OutboundPolicy,
    ) -> Result<Option<String>, NodeError> {
        tokens().renewed(credential, refused, &self.clients, policy).await
    }
}

impl Tokens {
    /// The token to send; got first where the credential holds none.
    pub async fn current(
        &self,
        oauth: &OAuth2,
        clients: &Clients,
        policy: &OutboundPolicy,
    ) -> Result<String, NodeError> {
        if let Some(token) = self.kept(oauth) {
            return Ok(taken(oauth, token));
        }
        if let Some(access) = oauth.stored("access_token") {
            return Ok(access.to_owned());
        }
        if oauth.text("grantType") != Some("clientCredentials") {
            return Err(NodeError::operation("the OAuth2 credential holds no token")
                .described("connect the credential in the program that made it, then save it again"));
        }
        let (place, begun) = (self.place(oauth), Instant::now());
        let _turn = place.turn.acquire().await;
        // Who had the turn before may have got one.
        if let Some(token) = place.token() {
            return Ok(taken(oauth, token));
        }
        place.failed_since(begun)?;
        ask(oauth, &place, None, clients, policy).await
    }

    /// A new token in place of the one that was refused; `None` when there is no way to get one.
    pub async fn renewed(
        &self,
        oauth: &OAuth2,
        refused: &str,
        clients: &Clients,
        policy: &OutboundPolicy,
    ) -> Result<Option<String>, NodeError> {
        let (place, begun) = (self.place(oauth), Instant::now());
        let _turn = place.turn.acquire().await;
        // Who had the turn before may have renewed it.
        let kept = match place.token() {
            Some(token) if token.access != refused => return Ok(Some(taken(oauth, token))),
            kept => kept.and_then(|token| token.refresh),
        };
        let refresh = kept.or_else(|| oauth.stored("refresh_token").map(str::to_owned));
        if refresh.is_none() && oauth.text("grantType") != Some("clientCredentials") {
            return Ok(None);
        }
        place.failed_since(begun)?;
        ask(oauth, &place, refresh.as_deref(), clients, policy).await.map(Some)
    }

    fn kept(&self, oauth: &OAuth2) -> Option<Token> {
        self.by_origin.lock().unwrap_or_else(PoisonError::into_inner).get(&oauth.origin())?.token()
    }

    /// The credential's place. Where there are too many it takes that of one that nobody uses now, whose token is the oldest.
    fn place(&self, oauth: &OAuth2) -> Arc<Place> {
        let origin = oauth.origin();
        let mut by_origin = self.by_origin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = by_origin.get(&origin) {
            return Arc::clone(place);
        }
        if by_origin.len() >= TOKENS_MAX {
            let age = |place: &Arc<Place>| (Arc::strong_count(place) > 1, place.token().map(|token| token.since));
            let oldest = by_origin.iter().min_by_key(|(_, place)| age(place)).map(|(origin, _)| *origin);
            if let Some(oldest) = oldest {
                by_origin.remove(&oldest);
            }
        }
        let place = Arc::new(Place { token: Mutex::new(None), failed: Mutex::new(None), turn: Semaphore::new(1) });
        by_origin.insert(origin, Arc::clone(&place));
        place
    }
}

/// What is sent of a token that somebody got before.
fn taken(oauth: &OAuth2, token: Token) -> String {
    oauth.note(&token);
    token.access
}

async fn ask(
    oauth: &OAuth2,
    place: &Place,
    refresh: Option<&str>,
    clients: &Clients,
    policy: &OutboundPolicy,
) -> Result<String, NodeError> {
    let asked = get(oauth, refresh, clients, policy).await;
    let token = asked.inspect_err(|error| place.fail(error))?;
    let access = token.access.clone();
    oauth.note(&token);
    place.keep(token);
    Ok(access)
}

/// A token, from whoever gives tokens out.
async fn get(
    oauth: &OAuth2,
    refresh: Option<&str>,
    clients: &Clients,
    policy: &OutboundPolicy,
) -> Result<Token, NodeError> {
    let received = send(clients, &oauth.question(refresh)?, policy).await?;
    let answer: Value = serde_json::from_slice(&received.body).unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    let (true, Some(access)) = (received.status.is_success(), text("access_token")) else {
        let host = received.url.host_str().unwrap_or_default();
        let message = format!("{host} gave no token: it answered with status {}", received.status.as_u16());
        return Err(NodeError::api(message).described("connect the credential anew, then save it again"));
    };
    let refresh = text("refresh_token").or(refresh.map(str::to_owned));
    Ok(Token { access, refresh, since: Instant::now() })
}
