//! Whether people and programs show who they are, and how; where this deployment may be reached.

use std::fmt;
use std::sync::Arc;

use timeloom_domain::access::Role;
use timeloom_domain::ids::TenantId;
use zeroize::Zeroizing;

/// Requests of an account in a minute when nothing else is said.
const REQUESTS_PER_MINUTE: u32 = 6_000;
/// Points of an account's requests in a minute when nothing else is said.
const POINTS_PER_MINUTE: u32 = 2_000_000;

/// Who is let in over HTTP.
#[derive(Debug, Clone, Default)]
pub enum SignIn {
    /// Whoever reaches this machine's own address, as the principal of the wiring. Nothing else can be listened on.
    #[default]
    Off,
    /// Whoever shows a key or a session.
    Required(SignInOptions),
}

/// How people and programs show who they are.
#[derive(Debug, Clone, Default)]
pub struct SignInOptions {
    /// More names under which this deployment is reached with a browser: `host`, or `host:port`.
    pub allowed_hosts: Vec<String>,
    /// How much an account may ask for.
    pub limits: RateLimits,
    /// The provider at which people may sign in.
    pub oidc: Option<OidcOptions>,
}

/// How much an account may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests in a minute; 0 = as many as they like.
    pub requests_per_minute: u32,
    /// Points of what requests cost in a minute; 0 = as many as they like.
    pub points_per_minute: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { requests_per_minute: REQUESTS_PER_MINUTE, points_per_minute: POINTS_PER_MINUTE }
    }
}

/// An identity provider that speaks OpenID Connect.
#[derive(Clone)]
pub struct OidcOptions {
    /// Its name, exactly as it says it itself: an address.
    pub issuer: String,
    /// What this deployment is called there.
    pub client_id: String,
    /// What shows it that this deployment asks; `None` of a client that has none.
    pub client_secret: Option<Arc<Zeroizing<String>>>,
    /// What people call it.
    pub name: String,
    /// The tenant in which people sign in; absent = the one that the installation began with.
    pub tenant: Option<TenantId>,
    /// What somebody is who has no account yet; absent = nobody gets one by signing in.
    pub new_accounts: Option<Role>,
    /// Whether somebody whom nobody knows gets the account with the address that the provider says is theirs.
    pub link_email: bool,
}

impl fmt::Debug for OidcOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OidcOptions").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
