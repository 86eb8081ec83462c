//! Ids of everything that events name. Ids are made outside this crate and come in as parameters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// Id of a workflow.
    WorkflowId
);
uuid_id!(
    /// Id of one execution of a workflow.
    ExecutionId
);
uuid_id!(
    /// Id of a listener: it follows from workflow and node.
    ListenerId
);
uuid_id!(
    /// Id of a credential: it follows from tenant, type and name.
    CredentialId
);
uuid_id!(
    /// Id of a data table.
    DataTableId
);
uuid_id!(
    /// Id of an account: of a user, a service or an agent.
    AccountId
);
uuid_id!(
    /// Id of a session: what a browser shows after its user signed in.
    SessionId
);
uuid_id!(
    /// Id of an inference: of one model's answer to one request.
    InferenceId
);
uuid_id!(
    /// Id of a call: of one question to a language model by the gateway, with all its attempts.
    ModelCallId
);
uuid_id!(
    /// Id of a run of an agent: of one task from its beginning to its answer.
    AgentRunId
);
uuid_id!(
    /// Id of a load: of one version of a model in the memory of one worker.
    ModelLoadId
);
uuid_id!(
    /// Id of an inference worker: of one life of one process that computes models.
    InferenceWorkerId
);
uuid_id!(
    /// Id of a command: the same id sent again is the same command.
    CommandId
);
uuid_id!(
    /// Id of an event.
    EventId
);

/// A name that people give to a plugin or a model: lower-case letters, digits, `-`, `_`, `.` and `/`; 1 to 100 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// Most characters that a [`Slug`] may have.
pub const SLUG_CHARACTERS_MAX: usize = 100;

/// The text is not a [`Slug`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a valid name: use 1 to {SLUG_CHARACTERS_MAX} lower-case letters, digits, '-', '_', '.' or '/', beginning with a letter or digit"
)]
pub struct InvalidSlug(pub String);

impl Slug {
    /// Checks `text` and takes it as a name.
    ///
    /// ```
    /// use timeloom_domain::ids::Slug;
    ///
    /// assert_eq!(Slug::try_new("acme/mailer-2")?.as_str(), "acme/mailer-2");
    /// assert!(Slug::try_new("Acme Mailer").is_err());
    /// # Ok::<(), timeloom_domain::ids::InvalidSlug>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidSlug`] when a character or the length is not allowed.
    pub fn try_new(text: impl Into<String>) -> Result<Self, InvalidSlug> {
        let text = text.into();
        let begins_well = text.chars().next().is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit());
        let allowed = |letter: char| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_' | '.' | '/')
        };
        if begins_well && text.len() <= SLUG_CHARACTERS_MAX && text.chars().all(allowed) {
            Ok(Self(text))
        } else {
            Err(InvalidSlug(text.chars().take(SLUG_CHARACTERS_MAX).collect()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidSlug;

    fn try_from(text: String) -> Result<Self, InvalidSlug> {
        Self::try_new(text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Who owns the data: every stream, row and read belongs to one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct TenantId(pub u32);

impl TenantId {
    /// What comes before the paths of a tenant's webhooks and forms: nothing for the one that every installation begins
    /// with, `/t/7` for number 7.
    ///
    /// ```
    /// use timeloom_domain::ids::TenantId;
    ///
    /// assert_eq!(TenantId(0).path(), "");
    /// assert_eq!(TenantId(7).path(), "/t/7");
    /// ```
    pub fn path(self) -> String {
        match self.0 {
            0 => String::new(),
            number => format!("/t/{number}"),
        }
    }
}

/// The tenant that runs the installation, and is there from the beginning.
pub const FIRST_TENANT: TenantId = TenantId(0);

/// Who or what sent a command. Recorded with every event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Actor {
    /// Somebody on this machine: the command line on a data folder, or an API that asks nobody to sign in.
    Local(String),
    /// A part of Timeloom itself, such as the engine.
    System(String),
    /// A role of the database that appended to an external category by itself.
    External(String),
    /// Somebody who signed in, or one of their keys.
    User(AccountId),
    /// A program with an account of its own.
    Service(AccountId),
    /// An agent with an account of its own, which acts for somebody.
    Agent(AccountId),
}

/// The text is no [`Actor`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown actor '{0}'")]
pub struct UnknownActor(pub String);

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(name) => write!(formatter, "local:{name}"),
            Self::System(name) => write!(formatter, "system:{name}"),
            Self::External(name) => write!(formatter, "external:{name}"),
            Self::User(id) => write!(formatter, "user:{id}"),
            Self::Service(id) => write!(formatter, "service:{id}"),
            Self::Agent(id) => write!(formatter, "agent:{id}"),
        }
    }
}

impl FromStr for Actor {
    type Err = UnknownActor;

    fn from_str(text: &str) -> Result<Self, UnknownActor> {
        let unknown = || UnknownActor(text.to_owned());
        let (kind, name) = text.split_once(':').ok_or_else(unknown)?;
        let account = || name.parse().map_err(|_| unknown());
        Ok(match kind {
            "local" => Self::Local(name.to_owned()),
            "system" => Self::System(name.to_owned()),
            "external" => Self::External(name.to_owned()),
            "user" => Self::User(account()?),
            "service" => Self::Service(account()?),
            "agent" => Self::Agent(account()?),
            _ => return Err(unknown()),
        })
    }
}
