//! The Session aggregate: a browser whose user signed in.
//!
//! Knows no secret: of what the browser shows it holds a digest. Invariant: a session that ended never lets in again.

mod event;
mod state;

pub use event::{SessionEnd, SessionEvent, SignInMethod};
pub use state::{Session, SessionCommand, SessionRefusal};

/// Longest that a session lets in, in milliseconds: twelve hours.
pub const SESSION_TIME_MAX_MS: i64 = 12 * 3_600_000;
/// Time without a use after which it lets in no more, in milliseconds: an hour.
pub const SESSION_IDLE_MAX_MS: i64 = 3_600_000;
/// Time within which another use is not written down, in milliseconds: five minutes.
pub const SESSION_USE_EVERY_MS: i64 = 300_000;
