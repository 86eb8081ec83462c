//! What can happen to a session.

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::ids::AccountId;
use crate::subject::of_account;

/// How somebody showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInMethod {
    /// By a link that lets in once.
    Link,
    /// By a password.
    Password,
    /// At an identity provider.
    Oidc,
}

impl SignInMethod {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Password => "password",
            Self::Oidc => "oidc",
        }
    }
}

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// Its user signed out.
    SignedOut,
    /// Somebody else ended it.
    Revoked,
}

/// A fact about one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SessionEvent {
    /// Somebody signed in.
    SessionStarted {
        /// Whose it is.
        account: AccountId,
        /// How they showed who they are.
        method: SignInMethod,
        /// SHA-256 of its secret, in hexadecimal.
        digest: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
        /// Until when it lets in at most, in milliseconds since 1970.
        expires_at_ms: i64,
        /// From which address, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// What the browser says it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_agent: Option<String>,
    },
    /// It let in, for the first time in five minutes.
    SessionUsed {
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It lets in no more.
    SessionEnded {
        /// Why.
        why: SessionEnd,
    },
}

impl Event for SessionEvent {
    const CATEGORY: &'static str = "session";
    const TYPES: &'static [(&'static str, u16)] = &[("SessionStarted", 1), ("SessionUsed", 1), ("SessionEnded", 1)];

    fn subject(&self, _: &str) -> Option<String> {
        match self {
            Self::SessionStarted { account, .. } => Some(of_account(account)),
            Self::SessionUsed { .. } | Self::SessionEnded { .. } => None,
        }
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::SessionStarted { .. } => "SessionStarted",
            Self::SessionUsed { .. } => "SessionUsed",
            Self::SessionEnded { .. } => "SessionEnded",
        }
    }
}
