//! The Account aggregate: somebody who may sign in, or a program with keys of its own.
//!
//! Knows no secret: of keys and links it holds digests, of a password what only the holder of a key can open. Invariant: a
//! link is used once, and a key that was revoked never lets in again.

mod command;
mod event;
mod refusal;
mod state;

pub use command::AccountCommand;
pub use event::{AccountEvent, AccountKind, SealedPassword};
pub use refusal::AccountRefusal;
pub use state::{Account, ApiKey, Identity, SignInLink};

/// Most characters of a name.
pub const NAME_CHARACTERS_MAX: usize = 200;
/// Most bytes of an address for mail.
pub const EMAIL_BYTES_MAX: usize = 254;
/// Most characters of a reason.
pub const REASON_CHARACTERS_MAX: usize = 1_000;
/// Most keys of an account that let in at the same time.
pub const KEYS_MAX: usize = 100;
/// Most identities of an account.
pub const IDENTITIES_MAX: usize = 20;
/// Links of an account that let in at the same time; the oldest makes room.
pub const LINKS_MAX: usize = 5;
/// Longest that a key may let in, in milliseconds: ten years.
pub const KEY_TIME_MAX_MS: i64 = 10 * 366 * 86_400_000;
/// Time within which another use of a key is not written down, in milliseconds: a day.
pub const KEY_USE_EVERY_MS: i64 = 86_400_000;
