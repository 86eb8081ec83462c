//! Signing in at an identity provider: OpenID Connect's code flow, with PKCE.
//!
//! What a sign-in needs until the browser comes back is sealed in a cookie, so that any process can end what another one
//! began. Invariant: nobody is let in but by a token that the provider signed for this deployment and for this very
//! sign-in, which this browser began; the token never chooses how it is checked.

mod pending;
mod provider;
mod token;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use timeloom_commands::access::{NewAccount, SignInFrom, SignedIn};
use timeloom_commands::{Access, CommandContext, CommandError};
use timeloom_domain::account::AccountKind;
use timeloom_domain::ids::{AccountId, Actor, CommandId, TenantId};
use timeloom_store::RequestFacts;
use zeroize::Zeroizing;

use self::pending::Pending;
use self::provider::{Provider, ProviderError};
use self::token::Claims;
use super::super::Api;
use super::super::door::{cookie, seen};
use super::{from, let_in, local, page, with_cookie};
use crate::sign_in::OidcOptions;
use crate::state::ApiState;

/// Where the provider sends the browser back to.
pub(super) const CALLBACK: &str = "/sign-in/callback";
/// How long a sign-in at the provider may take, in milliseconds.
const PENDING_MS_MAX: i64 = 600_000;
/// Longest name that is taken from a provider, in characters.
const NAME_CHARACTERS_MAX: usize = 100;

/// Signing in at the provider of a deployment.
#[derive(Debug)]
pub(in crate::http) struct Oidc {
    options: OidcOptions,
    provider: Provider,
    redirect_uri: String,
    cookie: &'static str,
}

/// What a provider sends back with the browser.
#[derive(Debug, Deserialize)]
pub(super) struct Callback {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

/// Why somebody who came back from the provider is not let in.
#[derive(Debug, thiserror::Error)]
enum NotIn {
    /// The sign-in was not begun in this browser, or too long ago.
    #[error("this sign-in was not begun in this browser, or took too long: begin it again")]
    NotBegun,
    /// The provider said no.
    #[error("the provider did not let you in ({0})")]
    Refused(String),
    /// What the provider sent cannot be believed.
    #[error("what the provider answered cannot be believed: ask whoever runs this server, whose log says why")]
    Unbelievable,
    /// The provider cannot be asked.
    #[error("the provider cannot be reached now: try again in a moment")]
    Unreachable,
    /// Nobody here has that identity.
    #[error("nobody here has this identity: ask an administrator for an account, or to link it to yours")]
    Unknown,
    /// Nobody here has that identity, and the provider does not say that the address is theirs.
    #[error("the provider does not say that your e-mail address is yours: have it verified there first")]
    Unverified,
    /// The account lets nobody in.
    #[error("{0}")]
    Account(String),
}

impl From<ProviderError> for NotIn {
    fn from(error: ProviderError) -> Self {
        tracing::warn!(%error, "somebody could not sign in at the provider");
        match error {
            ProviderError::Unreachable(_) => Self::Unreachable,
            ProviderError::Refused(what) => Self::Refused(what),
            _ => Self::Unbelievable,
        }
    }
}

impl Oidc {
    /// Signing in at the provider of `options`, for a deployment at that public address.
    pub(in crate::http) fn new(options: OidcOptions, public_url: &str) -> Self {
        let provider = Provider::new(&options.issuer);
        let is_secure = public_url.starts_with("https://");
        let cookie = if is_secure { "__Host-timeloom-oidc" } else { "timeloom-oidc" };
        Self { provider, redirect_uri: format!("{public_url}{CALLBACK}"), cookie, options }
    }

    /// What people call the provider.
    pub(super) fn name(&self) -> &str {
        &self.options.name
    }

    /// The cookie of a sign-in under way; an empty one ends it.
    fn cookie(&self, value: &str) -> HeaderValue {
        let secure = if self.cookie.starts_with("__Host-") { "; Secure" } else { "" };
        let seconds = if value.is_empty() { 0 } else { PENDING_MS_MAX / 1_000 };
        let text = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.cookie);
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }

    fn secret(&self) -> Option<&Arc<Zeroizing<String>>> {
        self.options.client_secret.as_ref()
    }
}

/// `GET /sign-in/with`: to the provider.
pub(super) async fn begin(request: HttpRequest, place: Query<super::Place>, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    let Some(oidc) = api.oidc.as_deref() else { return HttpResponse::NotFound().finish() };
    match begun(oidc, &state, local(place.next.as_deref())).await {
        Ok((address, sealed)) => {
            let mut response = HttpResponse::SeeOther();
            response.insert_header((header::LOCATION, address)).insert_header((header::CACHE_CONTROL, "no-store"));
            with_cookie(response.finish(), oidc.cookie(&sealed))
        }
        Err(why) => page::not_in(&state, &why.to_string(), StatusCode::BAD_GATEWAY),
    }
}

async fn begun(oidc: &Oidc, state: &ApiState, next: &str) -> Result<(String, String), NotIn> {
    let metadata = oidc.provider.metadata(now_s(state)).await?;
    let pending = Pending::new(next, state.commands().clock().now_ms() + PENDING_MS_MAX).ok_or(NotIn::Unreachable)?;
    let key = state.access().sealing_key(pending::PURPOSE).map_err(|error| {
        tracing::error!(%error, "signing in at the provider needs the key of credentials");
        NotIn::Unreachable
    })?;
    let mut address = metadata.authorization_endpoint.clone();
    address
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &oidc.options.client_id)
        .append_pair("redirect_uri", &oidc.redirect_uri)
        .append_pair("scope", "openid email profile")
        .append_pair("state", &pending.state)
        .append_pair("nonce", &pending.nonce)
        .append_pair("code_challenge", &pending.challenge())
        .append_pair("code_challenge_method", "S256");
    let sealed = pending.seal(&key, &oidc.options.issuer).ok_or(NotIn::Unreachable)?;
    Ok((address.into(), sealed))
}

/// `GET /sign-in/callback`: back from the provider.
pub(super) async fn back(request: HttpRequest, callback: Query<Callback>, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    let Some(oidc) = api.oidc.as_deref() else { return HttpResponse::NotFound().finish() };
    let from = from(&request, &state);
    if let Err(wait) = api.attempts.take(from.address.as_deref(), None) {
        return page::too_often(&state, wait);
    }
    let sealed = cookie(request.headers(), oidc.cookie).unwrap_or_default();
    let response = match come_back(oidc, &state, sealed, &callback, from).await {
        Ok((signed_in, next)) => let_in(&api, &signed_in, local(Some(&next))),
        Err(why) => page::not_in(&state, &why.to_string(), StatusCode::FORBIDDEN),
    };
    // Whatever came of it: a sign-in comes back once.
    with_cookie(response, oidc.cookie(""))
}

async fn come_back(
    oidc: &Oidc,
    state: &ApiState,
    sealed: &str,
    callback: &Callback,
    from: SignInFrom,
) -> Result<(SignedIn, String), NotIn> {
    let now_ms = state.commands().clock().now_ms();
    let key = state.access().sealing_key(pending::PURPOSE).map_err(|_| NotIn::Unreachable)?;
    let pending = Pending::open(sealed, &key, &oidc.options.issuer, now_ms).ok_or(NotIn::NotBegun)?;
    if !callback.state.as_deref().is_some_and(|state| pending.is_of(state)) {
        return Err(NotIn::NotBegun);
    }
    let metadata = oidc.provider.metadata(now_s(state)).await?;
    let needs_issuer = metadata.authorization_response_iss_parameter_supported;
    if callback.iss.as_deref().map_or(needs_issuer, |issuer| issuer != oidc.options.issuer) {
        return Err(ProviderError::NotBelieved("the browser came back from another provider").into());
    }
    if let Some(error) = &callback.error {
        return Err(NotIn::Refused(error.chars().filter(char::is_ascii_graphic).take(100).collect()));
    }
    let code = callback.code.as_deref().ok_or(ProviderError::NotBelieved("there is no code"))?;
    let exchange = provider::Exchange {
        client_id: &oidc.options.client_id,
        client_secret: oidc.secret().map(|secret| secret.as_str()),
        redirect_uri: &oidc.redirect_uri,
        code,
        verifier: &pending.verifier,
    };
    let tokens = oidc.provider.exchange(&metadata, &exchange).await?;
    let expected =
        token::Expected { issuer: &oidc.options.issuer, client_id: &oidc.options.client_id, nonce: &pending.nonce };
    let mut claims = oidc.provider.verified(&metadata, &tokens.id_token, &expected, now_s(state)).await?;
    let signed_in = let_in_by(oidc, state, &metadata, &tokens, &mut claims, from).await?;
    Ok((signed_in, pending.next.clone()))
}

/// Lets in whom the claims are about: by the identity, or after it was linked to an account as the deployment allows.
async fn let_in_by(
    oidc: &Oidc,
    state: &ApiState,
    metadata: &provider::Metadata,
    tokens: &provider::Tokens,
    claims: &mut Claims,
    from: SignInFrom,
) -> Result<SignedIn, NotIn> {
    let (access, tenant) = (state.access(), oidc.options.tenant.unwrap_or(state.home()));
    let known = access.directory().now().account_by_identity(tenant, &oidc.options.issuer, &claims.sub).is_some();
    if !known && (oidc.options.link_email || oidc.options.new_accounts.is_some()) {
        if claims.email.is_none() {
            oidc.provider.complete(metadata, tokens, claims).await?;
        }
        meet(oidc, access, state, tenant, claims, &from).await?;
    }
    let signed_in = access.sign_in_by_identity(tenant, &oidc.options.issuer, &claims.sub, from).await;
    signed_in.map_err(|error| match error {
        timeloom_commands::access::SignInError::Refused(refusal) => NotIn::Account(refusal.to_string()),
        timeloom_commands::access::SignInError::Failed(error) => failed(&error),
    })
}

/// Links an identity that nobody has to the account with its address, or to a new one.
async fn meet(
    oidc: &Oidc,
    access: &Access,
    state: &ApiState,
    tenant: TenantId,
    claims: &Claims,
    from: &SignInFrom,
) -> Result<(), NotIn> {
    let email = claims.verified_email().ok_or(NotIn::Unverified)?;
    let found = access.directory().now().account_by_email(tenant, email).map(|entry| entry.id);
    let account = match (found, oidc.options.new_accounts) {
        (Some(account), _) if oidc.options.link_email => account,
        (None, Some(role)) => {
            let name = claims.name.as_deref().map(str::trim).filter(|name| !name.is_empty()).unwrap_or(email);
            let new = NewAccount {
                kind: AccountKind::User,
                name: name.chars().take(NAME_CHARACTERS_MAX).collect(),
                email: Some(email.to_owned()),
                on_behalf_of: None,
                roles: vec![role],
            };
            let reason = "signed in at the identity provider for the first time";
            access
                .create_account(&context(state, tenant, reason, from), new)
                .await
                .map_err(|error| failed(&error))?
                .value
        }
        _ => return Err(NotIn::Unknown),
    };
    link(oidc, access, state, (tenant, account), claims, from).await
}

async fn link(
    oidc: &Oidc,
    access: &Access,
    state: &ApiState,
    (tenant, account): (TenantId, AccountId),
    claims: &Claims,
    from: &SignInFrom,
) -> Result<(), NotIn> {
    let context = context(state, tenant, "the identity provider vouches for the e-mail address", from);
    let linked = access.link_identity(&context, account, oidc.options.issuer.clone(), claims.sub.clone()).await;
    linked.map(|_| ()).map_err(|error| failed(&error))
}

/// The context of what signing in at a provider changes.
fn context(state: &ApiState, tenant: TenantId, reason: &str, from: &SignInFrom) -> CommandContext {
    let command = CommandId(state.commands().ids().uuid());
    let facts = RequestFacts {
        reason: Some(reason.to_owned()),
        request_id: from.request_id.clone(),
        ..RequestFacts::default()
    };
    let trusted = CommandContext::trusted(tenant, Actor::System("sign-in".to_owned()), command);
    CommandContext { request: Some(Arc::new(facts)), ..trusted }
}

fn failed(error: &CommandError) -> NotIn {
    match error {
        CommandError::Refused(refusal) => NotIn::Account(refusal.message.clone()),
        error => {
            tracing::error!(%error, "somebody could not sign in");
            NotIn::Unreachable
        }
    }
}

/// Seconds since 1970.
fn now_s(state: &ApiState) -> i64 {
    state.commands().clock().now_ms().div_euclid(1_000)
}
