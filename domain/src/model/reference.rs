//! How a model is named where it is asked: `sentiment`, `sentiment@prod`, `sentiment@3`.

use std::fmt;
use std::str::FromStr;

use crate::ids::{InvalidSlug, Slug};

/// A model, and which of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelReference {
    /// The model's name.
    pub name: Slug,
    /// Which version of it.
    pub version: VersionReference,
}

/// Which version of a model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VersionReference {
    /// The promoted one, or the one that a rollout tries.
    Promoted,
    /// The one that an alias names.
    Alias(Slug),
    /// The one of that number.
    Number(u32),
}

/// The text names no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidModelReference {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] InvalidSlug),
    /// What follows the `@` is neither a number nor an alias.
    #[error("'{0}' is neither a version's number nor an alias: write NAME, NAME@VERSION or NAME@ALIAS")]
    Version(String),
}

impl FromStr for VersionReference {
    type Err = InvalidModelReference;

    fn from_str(text: &str) -> Result<Self, InvalidModelReference> {
        let invalid = || InvalidModelReference::Version(text.chars().take(100).collect());
        if text.bytes().all(|digit| digit.is_ascii_digit()) {
            return text.parse().ok().filter(|number| *number > 0).map(Self::Number).ok_or_else(invalid);
        }
        Slug::try_new(text).map(Self::Alias).map_err(|_| invalid())
    }
}

impl FromStr for ModelReference {
    type Err = InvalidModelReference;

    /// ```
    /// use timeloom_domain::model::{ModelReference, VersionReference};
    ///
    /// let reference: ModelReference = "acme/sentiment@3".parse()?;
    /// assert_eq!(reference.version, VersionReference::Number(3));
    /// assert_eq!(reference.to_string(), "acme/sentiment@3");
    /// assert!("sentiment@".parse::<ModelReference>().is_err());
    /// # Ok::<(), timeloom_domain::model::InvalidModelReference>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, InvalidModelReference> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, version.parse()?),
            None => (text, VersionReference::Promoted),
        };
        Ok(Self { name: Slug::try_new(name)?, version })
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            VersionReference::Promoted => write!(formatter, "{}", self.name),
            VersionReference::Alias(alias) => write!(formatter, "{}@{alias}", self.name),
            VersionReference::Number(number) => write!(formatter, "{}@{number}", self.name),
        }
    }
}
