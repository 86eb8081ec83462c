//! What can happen to an account.

use serde::{Deserialize, Serialize};

use crate::access::{Permissions, Role};
use crate::event::Event;
use crate::ids::AccountId;
use crate::subject;

/// Whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// A person's.
    #[default]
    User,
    /// A program's.
    Service,
    /// An agent's, which acts for somebody.
    Agent,
}

impl AccountKind {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Agent => "agent",
        }
    }
}

/// A password's digest that only the holder of a key can open: AES-256-GCM, bound to the tenant and the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPassword {
    /// Fingerprint of the key that opens it.
    pub key: String,
    /// The number that was used for this seal alone, in base64.
    pub nonce: String,
    /// What is sealed, in base64.
    pub ciphertext: String,
}

/// A fact about one account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AccountEvent {
    /// It was made.
    AccountCreated {
        /// Whose it is.
        kind: AccountKind,
        /// What it is called.
        name: String,
        /// Where its user gets mail, which is also the name to sign in with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        /// For whom an agent acts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_behalf_of: Option<AccountId>,
    },
    /// It is called otherwise now.
    AccountRenamed {
        /// What it is called.
        name: String,
        /// Where its user gets mail.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
    },
    /// It was given a role.
    RoleGranted {
        /// The role.
        role: Role,
    },
    /// A role was taken from it.
    RoleRevoked {
        /// The role.
        role: Role,
    },
    /// It lets nobody in any more.
    AccountDisabled {},
    /// It lets in again.
    AccountEnabled {},
    /// Who is known to an identity provider by that name signs in to it.
    IdentityLinked {
        /// The provider's address.
        issuer: String,
        /// The name there.
        subject: String,
    },
    /// Not any more.
    IdentityUnlinked {
        /// The provider's address.
        issuer: String,
        /// The name there.
        subject: String,
    },
    /// Its user chose a password.
    PasswordSet {
        /// Its digest.
        sealed: SealedPassword,
    },
    /// The same digest was sealed under another key.
    PasswordResealed {
        /// The digest.
        sealed: SealedPassword,
    },
    /// No password lets in any more.
    PasswordRemoved {},
    /// A link was made that lets in once.
    SignInLinkMade {
        /// Which.
        link: String,
        /// SHA-256 of its secret, in hexadecimal.
        digest: String,
        /// Until when it lets in, in milliseconds since 1970.
        expires_at_ms: i64,
    },
    /// It let in.
    SignInLinkUsed {
        /// Which.
        link: String,
    },
    /// A key was made.
    ApiKeyMade {
        /// Which: the part of the key that may be seen.
        key: String,
        /// What it is for.
        name: String,
        /// SHA-256 of its secret, in hexadecimal.
        digest: String,
        /// What it may do, of what its account may; absent = all of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scopes: Option<Permissions>,
        /// Until when it lets in, in milliseconds since 1970; absent = until it is revoked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at_ms: Option<i64>,
    },
    /// A key let in, for the first time in a day.
    ApiKeyUsed {
        /// Which.
        key: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A key lets in no more.
    ApiKeyRevoked {
        /// Which.
        key: String,
    },
}

impl Event for AccountEvent {
    const CATEGORY: &'static str = "account";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("AccountCreated", 1),
        ("AccountRenamed", 1),
        ("RoleGranted", 1),
        ("RoleRevoked", 1),
        ("AccountDisabled", 1),
        ("AccountEnabled", 1),
        ("IdentityLinked", 1),
        ("IdentityUnlinked", 1),
        ("PasswordSet", 1),
        ("PasswordResealed", 1),
        ("PasswordRemoved", 1),
        ("SignInLinkMade", 1),
        ("SignInLinkUsed", 1),
        ("ApiKeyMade", 1),
        ("ApiKeyUsed", 1),
        ("ApiKeyRevoked", 1),
    ];

    fn subject(&self, stream_id: &str) -> Option<String> {
        Some(subject::of_account(stream_id))
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::AccountCreated { .. } => "AccountCreated",
            Self::AccountRenamed { .. } => "AccountRenamed",
            Self::RoleGranted { .. } => "RoleGranted",
            Self::RoleRevoked { .. } => "RoleRevoked",
            Self::AccountDisabled {} => "AccountDisabled",
            Self::AccountEnabled {} => "AccountEnabled",
            Self::IdentityLinked { .. } => "IdentityLinked",
            Self::IdentityUnlinked { .. } => "IdentityUnlinked",
            Self::PasswordSet { .. } => "PasswordSet",
            Self::PasswordResealed { .. } => "PasswordResealed",
            Self::PasswordRemoved {} => "PasswordRemoved",
            Self::SignInLinkMade { .. } => "SignInLinkMade",
            Self::SignInLinkUsed { .. } => "SignInLinkUsed",
            Self::ApiKeyMade { .. } => "ApiKeyMade",
            Self::ApiKeyUsed { .. } => "ApiKeyUsed",
            Self::ApiKeyRevoked { .. } => "ApiKeyRevoked",
        }
    }
}
