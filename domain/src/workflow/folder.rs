//! Where people keep a workflow: a path of folders. Nothing about how it runs depends on it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most folders within each other.
const DEPTH_MAX: usize = 8;
/// Most characters of a folder's name.
const NAME_CHARACTERS_MAX: usize = 60;

/// A path of folders such as `Billing/Reminders`; empty for a workflow that lies in none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Folder(String);

/// The text is not a path of folders.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a folder is 1 to {DEPTH_MAX} names with '/' between them, each of 1 to {NAME_CHARACTERS_MAX} characters without \
     spaces around it or control characters; empty for none"
)]
pub struct InvalidFolder;

impl Folder {
    /// Checks `text` and takes it as a path.
    ///
    /// ```
    /// use timeloom_domain::workflow::Folder;
    ///
    /// assert_eq!(Folder::try_new("Billing/Reminders")?.as_str(), "Billing/Reminders");
    /// assert_eq!(Folder::try_new("")?, Folder::default());
    /// assert!(Folder::try_new("Billing//Reminders").is_err());
    /// # Ok::<(), timeloom_domain::workflow::InvalidFolder>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidFolder`] when a name, or how many there are, is not allowed.
    pub fn try_new(text: impl Into<String>) -> Result<Self, InvalidFolder> {
        let text = text.into();
        let is_name = |name: &str| {
            !name.is_empty()
                && name.trim() == name
                && name.chars().count() <= NAME_CHARACTERS_MAX
                && !name.chars().any(char::is_control)
        };
        let is_path = text.is_empty() || (text.split('/').count() <= DEPTH_MAX && text.split('/').all(is_name));
        if is_path { Ok(Self(text)) } else { Err(InvalidFolder) }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path with a '/' on both sides: that of a folder begins with that of every folder in which it lies.
    ///
    /// ```
    /// use timeloom_domain::workflow::Folder;
    ///
    /// let (outer, inner) = (Folder::try_new("Billing")?, Folder::try_new("Billing/Reminders")?);
    /// assert!(inner.enclosed().starts_with(&outer.enclosed()));
    /// assert_eq!(Folder::default().enclosed(), "/");
    /// # Ok::<(), timeloom_domain::workflow::InvalidFolder>(())
    /// ```
    pub fn enclosed(&self) -> String {
        if self.0.is_empty() { "/".to_owned() } else { format!("/{}/", self.0) }
    }
}

impl TryFrom<String> for Folder {
    type Error = InvalidFolder;

    fn try_from(text: String) -> Result<Self, InvalidFolder> {
        Self::try_new(text)
    }
}

impl FromStr for Folder {
    type Err = InvalidFolder;

    fn from_str(text: &str) -> Result<Self, InvalidFolder> {
        Self::try_new(text)
    }
}

impl From<Folder> for String {
    fn from(folder: Folder) -> Self {
        folder.0
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
