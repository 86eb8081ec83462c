//! Why an account says no. Never tells a secret.

use super::{EMAIL_BYTES_MAX, IDENTITIES_MAX, KEYS_MAX, NAME_CHARACTERS_MAX};
use crate::access::Role;

/// Why an account says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountRefusal {
    /// It is there already.
    #[error("this account exists already")]
    AlreadyExists,
    /// There is none.
    #[error("there is no such account: `timeloom account list` shows which there are")]
    NotFound,
    /// The name is not one.
    #[error(
        "a name has 1 to {NAME_CHARACTERS_MAX} characters, none of them a control character, and no space around it"
    )]
    InvalidName,
    /// The address is not one.
    #[error("an address for mail has a name, '@' and a domain, no spaces, and at most {EMAIL_BYTES_MAX} bytes")]
    InvalidEmail,
    /// A user has no address.
    #[error("a user needs an address for mail: it is the name to sign in with")]
    NoEmail,
    /// A program has one.
    #[error("only users have an address for mail")]
    OnlyUsersHaveEmail,
    /// An agent acts for nobody.
    #[error("an agent acts for somebody: name the account for which it does")]
    NoPrincipal,
    /// Another kind acts for somebody.
    #[error("only agents act for somebody else")]
    OnlyAgentsAct,
    /// Owners are people and services.
    #[error("an agent is never {0}: give it a role that may do less")]
    RoleNotForAgents(Role),
    /// The last owner would be gone.
    #[error("this is the last owner: make somebody else owner first")]
    LastOwner,
    /// It lets nobody in.
    #[error("the account is disabled: enable it first")]
    Disabled,
    /// Only people sign in.
    #[error("only users sign in: make a key for a service or an agent")]
    OnlyUsersSignIn,
    /// There are too many identities.
    #[error("an account has at most {IDENTITIES_MAX} identities: unlink one first")]
    TooManyIdentities,
    /// The identity is none.
    #[error("an identity has an issuer and a subject, of 1 to 500 characters each")]
    InvalidIdentity,
    /// The identity is not there.
    #[error("the account has no such identity")]
    IdentityNotFound,
    /// It was set anew meanwhile.
    #[error("the password was set anew meanwhile: seal it again")]
    PasswordChanged,
    /// The link does not let in.
    #[error("this link does not let in: it was used, has expired, or never was one; ask for a new one")]
    LinkNotValid,
    /// There are too many keys.
    #[error("an account has at most {KEYS_MAX} keys: revoke one that is not needed")]
    TooManyKeys,
    /// The name of a key is taken.
    #[error("the account has a key with this id already: try again")]
    KeyTaken,
    /// The time is wrong.
    #[error("a key expires in the future, and within ten years")]
    InvalidExpiry,
    /// A key that may do nothing.
    #[error("a key needs at least one permission: leave them out for all that its account has")]
    NoScopes,
    /// The key is not there.
    #[error("the account has no such key: `timeloom key list` shows which there are")]
    KeyNotFound,
}
