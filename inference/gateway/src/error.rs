//! Why a call to a provider came to nothing.

use timeloom_domain::chat::ErrorClass;

use crate::ports::Secret;
use crate::wire::Misfit;

/// Most characters of a provider's own words that are told.
pub const MESSAGE_CHARACTERS_MAX: usize = 500;
/// Most characters that are kept until secrets are hidden in them: cut before, a part of a secret could stay.
const UNCUT_CHARACTERS_MAX: usize = 64 << 10;

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// What kind of failure it was.
    pub class: ErrorClass,
    /// Status of the HTTP answer, if there was one.
    pub status: Option<u16>,
    /// After how many milliseconds the provider wants to be asked again.
    pub retry_after_ms: Option<u64>,
    /// What happened and what to do; what a provider tells is without its key, and cut to [`MESSAGE_CHARACTERS_MAX`].
    pub message: String,
}

impl CallError {
    /// A failure of that class.
    pub fn new(class: ErrorClass, message: impl AsRef<str>) -> Self {
        let message = message.as_ref().chars().take(UNCUT_CHARACTERS_MAX).collect();
        Self { class, status: None, retry_after_ms: None, message }
    }

    /// With the status of the HTTP answer.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Without these secrets, and cut to what is told.
    #[must_use]
    pub fn without<'s>(mut self, secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        for secret in secrets {
            self.message = secret.hide_in(&self.message);
        }
        self.message = self.message.chars().take(MESSAGE_CHARACTERS_MAX).collect();
        self
    }

    /// What came was no answer of the protocol.
    pub fn garbage(what: impl AsRef<str>) -> Self {
        Self::new(ErrorClass::Garbage, format!("the provider's answer cannot be read: {}", what.as_ref()))
    }

    /// The provider's protocol has no word for what is asked.
    pub fn unsupported(what: impl AsRef<str>) -> Self {
        Self::new(ErrorClass::Unsupported, format!("{}: send it by another route", what.as_ref()))
    }
}

impl From<Misfit> for CallError {
    fn from(misfit: Misfit) -> Self {
        Self::garbage(misfit.to_string())
    }
}
