//! What may be asked of an account.

use super::{AccountKind, SealedPassword};
use crate::access::{Permissions, Role};
use crate::ids::AccountId;

/// A request to change one account.
#[derive(Debug, Clone, PartialEq)]
pub enum AccountCommand {
    /// Make it.
    Create {
        /// Whose it is.
        kind: AccountKind,
        /// What it is called.
        name: String,
        /// Where its user gets mail.
        email: Option<String>,
        /// For whom an agent acts.
        on_behalf_of: Option<AccountId>,
        /// What it is at first.
        roles: Vec<Role>,
    },
    /// Call it otherwise.
    Rename {
        /// What it is called.
        name: String,
        /// Where its user gets mail.
        email: Option<String>,
    },
    /// Give it a role.
    Grant(Role),
    /// Take a role from it.
    Revoke {
        /// The role.
        role: Role,
        /// Whether another account that lets in is owner.
        others_own: bool,
    },
    /// Let nobody in any more.
    Disable {
        /// Whether another account that lets in is owner.
        others_own: bool,
    },
    /// Let in again.
    Enable,
    /// Let in who is known to an identity provider by a name.
    LinkIdentity {
        /// The provider's address.
        issuer: String,
        /// The name there.
        subject: String,
    },
    /// Not any more.
    UnlinkIdentity {
        /// The provider's address.
        issuer: String,
        /// The name there.
        subject: String,
    },
    /// Take a password.
    SetPassword(SealedPassword),
    /// Put the same password under another key.
    ResealPassword {
        /// What was opened.
        from: SealedPassword,
        /// The same under another key.
        sealed: SealedPassword,
    },
    /// Take no password any more.
    RemovePassword,
    /// Let in once who has the link.
    MakeLink {
        /// Which.
        link: String,
        /// SHA-256 of its secret, in hexadecimal.
        digest: String,
        /// Until when, in milliseconds since 1970.
        expires_at_ms: i64,
    },
    /// Use a link up.
    UseLink {
        /// Which.
        link: String,
        /// SHA-256 of the secret that came with it, in hexadecimal.
        digest: String,
        /// When, in milliseconds since 1970.
        now_ms: i64,
    },
    /// Let in who has the key.
    MakeKey {
        /// Which.
        key: String,
        /// What it is for.
        name: String,
        /// SHA-256 of its secret, in hexadecimal.
        digest: String,
        /// What it may do, of what its account may.
        scopes: Option<Permissions>,
        /// Until when, in milliseconds since 1970.
        expires_at_ms: Option<i64>,
        /// When, in milliseconds since 1970.
        now_ms: i64,
    },
    /// Write down that a key let in, unless that was written down within a day.
    NoteKeyUse {
        /// Which.
        key: String,
        /// When, in milliseconds since 1970.
        now_ms: i64,
    },
    /// Let a key in no more.
    RevokeKey {
        /// Which.
        key: String,
    },
}
