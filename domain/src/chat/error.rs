//! Why a call to a model came to nothing, in classes by which it is decided what to do next.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// What kind of failure it was.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorClass {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorClass {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name, as routes are written with.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

classes! {
    /// Too many requests or tokens for the account.
    RateLimited = "rate_limited";
    /// The provider has more to do than it can.
    Overloaded = "overloaded";
    /// No answer in time.
    Timeout = "timeout";
    /// No connection, or it broke.
    Unreachable = "unreachable";
    /// The provider failed.
    Server = "server";
    /// What came was no answer of the protocol.
    Garbage = "garbage";
    /// The account may not, or the key is wrong.
    Unauthorized = "unauthorized";
    /// The account has no money left at the provider.
    OutOfCredit = "out_of_credit";
    /// There is no such model, or no such address.
    NotFound = "not_found";
    /// The provider holds such content back.
    ContentFiltered = "content_filtered";
    /// More tokens than the model can read.
    TooLong = "too_long";
    /// The request is wrong.
    BadRequest = "bad_request";
    /// This provider cannot do what is asked.
    Unsupported = "unsupported";
}

impl ErrorClass {
    /// Whether it says that something is wrong with the provider, rather than with the request or the account.
    pub fn is_providers_fault(self) -> bool {
        matches!(self, Self::Overloaded | Self::Timeout | Self::Unreachable | Self::Server | Self::Garbage)
    }

    /// Whether the same request at the same provider may do better a little later.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::RateLimited | Self::Overloaded | Self::Unreachable | Self::Server)
    }

    /// Whether another provider may do better with the same request.
    pub fn is_better_elsewhere(self) -> bool {
        !matches!(self, Self::BadRequest | Self::ContentFiltered)
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The text names no [`ErrorClass`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no class of errors: rate_limited, overloaded, timeout and server are some; docs/gateway.md lists them all"
)]
pub struct InvalidErrorClass(String);

impl FromStr for ErrorClass {
    type Err = InvalidErrorClass;

    fn from_str(text: &str) -> Result<Self, InvalidErrorClass> {
        let named = Self::ALL.iter().find(|class| class.name() == text);
        named.copied().ok_or_else(|| InvalidErrorClass(text.chars().take(40).collect()))
    }
}
