//! Errors of reads, in GraphQL's `errors` with a code for programs. Never says how the server is built.

use std::error::Error as StdError;

use async_graphql::{Error, ErrorExtensions};
use timeloom_store::Position;

use crate::state::LetOut;

/// The code of a fault of ours.
const INTERNAL: &str = "INTERNAL";
/// What a client sees of a fault of ours.
const FAULT_MESSAGE: &str = "the server could not answer this: its own log says why";

/// An error with a code that programs can rely on, and with what kind of thing it is.
pub(crate) fn coded(code: &'static str, message: impl Into<String>) -> Error {
    Error::new(message).extend_with(|_, extensions| {
        extensions.set("code", code);
        extensions.set("classification", classification(code));
    })
}

/// Whose an error is: `BAD_USER_INPUT` for what was asked, `UNAVAILABLE` for what may be asked again in a moment,
/// `INTERNAL_SERVER_ERROR` for a fault of ours.
fn classification(code: &str) -> &'static str {
    match code {
        INTERNAL => "INTERNAL_SERVER_ERROR",
        "BEHIND" | "CLOSING" | "NOT_WRITTEN_DOWN" => "UNAVAILABLE",
        _ => "BAD_USER_INPUT",
    }
}

/// What the client asked cannot be understood.
pub(crate) fn bad_input(message: impl Into<String>) -> Error {
    coded("BAD_USER_INPUT", message)
}

/// Ours: the client learns only that, the server's log learns why.
pub(crate) fn fault(error: &(dyn StdError + 'static)) -> Error {
    tracing::error!(error = %error, "a request failed");
    coded(INTERNAL, FAULT_MESSAGE)
}

/// The subscriber may follow no more.
pub(crate) fn let_out(why: LetOut) -> Error {
    let code = match why {
        LetOut::NotLetIn(_) => "UNAUTHENTICATED",
        LetOut::MayLess => "FORBIDDEN",
    };
    coded(code, why.to_string())
}

/// The subscriber was too slow; `last` is where it can go on.
pub(crate) fn fell_behind(last: Position) -> Error {
    Error::new(format!("too slow for the events that came: subscribe again after position {last}")).extend_with(
        |_, extensions| {
            extensions.set("code", "FELL_BEHIND");
            extensions.set("lastPosition", last.to_string());
        },
    )
}
