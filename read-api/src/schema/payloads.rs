//! What mutations answer: always the same pattern. What was changed, the position from which it can be read, and
//! `errors` for everything that the sender can do something about. Only faults of ours become GraphQL errors.

use async_graphql::{Context, Interface, Result, SimpleObject};
use timeloom_commands::{CommandError, Outcome, Refusal};
use timeloom_domain::ids::{CredentialId, ExecutionId, Slug, WorkflowId};
use timeloom_store::{Position, Revision};
use uuid::Uuid;

use super::faults::fault;
use super::reading::wait_for_rows;
use super::scalars::PositionScalar;
use crate::state::ApiState;

/// The word for a revision that is not the expected one.
const REVISION_CHANGED: &str = "REVISION_CHANGED";

/// One thing that is wrong with a workflow file.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Problem {
    /// Name of the node, where it is about one.
    pub node: Option<String>,
    /// The field in the file.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// The command was refused: something in it must change.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Refused {
    /// A word for programs, for example `WORKFLOW_NOT_FOUND`.
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Which part of the mutation's arguments it is about, such as `["input", "name"]`.
    pub path: Vec<String>,
    /// What is wrong with a workflow file, piece by piece.
    pub problems: Vec<Problem>,
}

/// Somebody else changed the same thing: read it again, and send what is still wanted.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Conflict {
    /// `CONFLICT` for a change at the same moment, `REVISION_CHANGED` where `expectedRevision` is not the present one.
    pub code: String,
    /// What changed.
    pub message: String,
    /// Which part of the mutation's arguments it is about.
    pub path: Vec<String>,
    /// The revision that was expected.
    pub expected_revision: Option<u64>,
    /// The revision that it is at.
    pub actual_revision: Option<u64>,
}

/// There is too much to do: send it again after a while.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Busy {
    /// Always `BUSY`.
    pub code: String,
    /// How long to wait.
    pub message: String,
    /// Which part of the mutation's arguments it is about.
    pub path: Vec<String>,
    /// The same in milliseconds.
    pub retry_after_ms: u64,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, Interface)]
#[expect(clippy::duplicated_attributes, reason = "two fields have the same type")]
#[graphql(
    field(name = "code", ty = "&String", desc = "A word for programs."),
    field(name = "message", ty = "&String", desc = "What is wrong and what to do."),
    field(
        name = "path",
        ty = "&Vec<String>",
        desc = "Which part of the mutation's arguments it is about, such as `[\"input\", \"name\"]`."
    )
)]
pub(crate) enum UserError {
    /// The command was refused.
    Refused(Refused),
    /// Somebody else was first.
    Conflict(Conflict),
    /// Too much to do.
    Busy(Busy),
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        let problems = refusal.problems.into_iter();
        Self::Refused(Refused {
            code: refusal.code.to_owned(),
            message: refusal.message,
            path: path_of(refusal.code),
            problems: problems
                .map(|problem| Problem { node: problem.node, field: problem.field, message: problem.message })
                .collect(),
        })
    }
}

/// The argument that a refusal is about, as far as its code tells.
fn path_of(code: &str) -> Vec<String> {
    let field = match code {
        "WORKFLOW_NOT_FOUND"
        | "WORKFLOW_ARCHIVED"
        | "WORKFLOW_NOT_PUBLISHED"
        | "WORKFLOW_EXISTS"
        | "WORKFLOW_INCOMPLETE"
        | "WORKFLOW_NOT_ACTIVE" => Some("workflowId"),
        "WORKFLOW_VERSION_NOT_FOUND"
        | "PLUGIN_VERSION_NOT_FOUND"
        | "PLUGIN_VERSION_TAKEN"
        | "MODEL_VERSION_NOT_FOUND" => Some("version"),
        "NODE_NOT_FOUND" => Some("node"),
        "NO_TRIGGER" => Some("startNode"),
        code if code.starts_with("EXECUTION_") => Some("executionId"),
        "INVALID_NAME" | "PLUGIN_EXISTS" | "PLUGIN_NOT_FOUND" | "PLUGIN_RETIRED" | "MODEL_EXISTS"
        | "MODEL_NOT_FOUND" | "MODEL_RETIRED" => Some("name"),
        "CREDENTIAL_NOT_FOUND" => Some("credentialId"),
        "INVALID_FOLDER" => Some("folder"),
        "INVALID_DIGEST" => Some("digest"),
        "ACCOUNT_NOT_FOUND" | "ACCOUNT_DISABLED" | "ACCOUNT_MISSING" | "NOT_A_USER" => Some("accountId"),
        "EMAIL_TAKEN" | "INVALID_EMAIL" => Some("email"),
        "INVALID_PRINCIPAL" => Some("onBehalfOf"),
        "INVALID_ROLE" | "LAST_OWNER" => Some("role"),
        "INVALID_EXPIRY" => Some("expiresAt"),
        "INVALID_SCOPES" => Some("scopes"),
        "KEY_NOT_FOUND" => Some("key"),
        "REASON_MISSING" => Some("reason"),
        "WEAK_PASSWORD" => Some("password"),
        "WRONG_PASSWORD" | "SIGN_IN_AGAIN" | "TOO_MANY_TRIES" => Some("currentPassword"),
        "IDENTITY_TAKEN" | "IDENTITY_NOT_FOUND" | "INVALID_IDENTITY" => Some("subject"),
        "SESSION_NOT_FOUND" | "SESSION_ENDED" => Some("sessionId"),
        "CONTRADICTION" => Some("offFor"),
        "INVALID_FEATURE" | "FLAG_NOT_FOUND" => Some("feature"),
        "INVALID_PERCENT" => Some("percent"),
        "TENANT_NOT_FOUND" | "FIRST_TENANT" => Some("tenant"),
        "INVALID_FIELDS" => Some("data"),
        "INVALID_SETTINGS" => Some("settings"),
        "INVALID_ITEMS" | "TOO_MANY_ITEMS" => Some("items"),
        "EMPTY_BREAKPOINT" => Some("breakpoints"),
        "TIMEOUT_TOO_LONG" => Some("timeoutMs"),
        "LIMIT_OUT_OF_RANGE" => Some("limit"),
        "PROJECTION_NOT_FOUND" => Some("names"),
        "DUPLICATE_COMMAND_ID" => Some("commandId"),
        "REVISION_CHANGED" => Some("expectedRevision"),
        // It is about the whole of it.
        _ => None,
    };
    [Some("input"), field].into_iter().flatten().map(str::to_owned).collect()
}

/// A refusal that is found before the command is made.
pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> UserError {
    Refusal::new(code, message).into()
}

/// There is too much to do.
pub(crate) fn busy(message: String, retry_after_ms: u64) -> UserError {
    UserError::Busy(Busy { code: "BUSY".to_owned(), message, path: path_of("BUSY"), retry_after_ms })
}

/// What a command came to: an outcome, or an error for the sender. Faults are GraphQL errors.
pub(crate) fn settle<T>(result: Result<Outcome<T>, CommandError>) -> Result<Result<Outcome<T>, UserError>> {
    match result {
        Ok(outcome) => Ok(Ok(outcome)),
        Err(error) => user_error(error).map(Err),
    }
}

/// Why a command was not carried out, for the sender. A fault is a GraphQL error.
pub(crate) fn user_error(error: CommandError) -> Result<UserError> {
    match error {
        CommandError::Refused(refusal) => Ok(refusal.into()),
        CommandError::Conflict { message } => Ok(UserError::Conflict(Conflict {
            code: "CONFLICT".to_owned(),
            message,
            path: path_of("CONFLICT"),
            expected_revision: None,
            actual_revision: None,
        })),
        error @ CommandError::Unexpected { expected, actual } => Ok(UserError::Conflict(Conflict {
            code: REVISION_CHANGED.to_owned(),
            message: error.to_string(),
            path: path_of(REVISION_CHANGED),
            expected_revision: Some(expected.0),
            actual_revision: Some(actual.0),
        })),
        CommandError::Busy { retry_after } => {
            let retry_after_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
            Ok(busy(format!("the server is busy: try again in {retry_after_ms} ms"), retry_after_ms))
        }
        CommandError::Fault(error) => Err(fault(&error)),
    }
}

/// The part that every payload has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub position: Option<Position>,
    pub revision: Option<Revision>,
    pub repeated: bool,
    pub errors: Vec<UserError>,
}

impl Written {
    /// A payload's part and its value, from what a command came to.
    pub(crate) fn of<T>(settled: Result<Outcome<T>, UserError>) -> (Option<T>, Self) {
        match settled {
            Ok(outcome) => {
                let (position, revision) = (Some(outcome.position), Some(outcome.revision));
                (Some(outcome.value), Self { position, revision, repeated: outcome.repeated, errors: Vec::new() })
            }
            Err(error) => (None, Self { errors: vec![error], ..Self::default() }),
        }
    }

    /// Waits until rows show what was written.
    pub(crate) async fn visible(&self, state: &ApiState) -> Result<()> {
        match self.position {
            Some(position) => wait_for_rows(state, position).await,
            None => Ok(()),
        }
    }

    pub(crate) fn position(&self) -> Option<PositionScalar> {
        self.position.map(PositionScalar)
    }

    pub(crate) fn revision(&self) -> Option<u64> {
        self.revision.map(|revision| revision.0)
    }
}

/// The state of the API, for payloads.
pub(crate) fn state<'a>(context: &Context<'a>) -> Result<&'a ApiState> {
    super::reading::state(context)
}

/// An id as clients see it.
pub(crate) trait ShownId {
    /// Its form.
    type Shown;

    /// The id in that form.
    fn shown(&self) -> Self::Shown;
}

impl ShownId for WorkflowId {
    type Shown = Uuid;

    fn shown(&self) -> Uuid {
        self.0
    }
}

impl ShownId for ExecutionId {
    type Shown = Uuid;

    fn shown(&self) -> Uuid {
        self.0
    }
}

impl ShownId for CredentialId {
    type Shown = Uuid;

    fn shown(&self) -> Uuid {
        self.0
    }
}

impl ShownId for Slug {
    type Shown = String;

    fn shown(&self) -> String {
        self.as_str().to_owned()
    }
}

/// A payload type: the entity that was changed and the part that every payload has.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $id_field:ident: $id:ty => $id_type:ty, $(#[$entity_doc:meta])* $entity_field:ident: $entity:ty = $load:path }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name {
            pub id: Option<$id>,
            pub written: $crate::schema::payloads::Written,
        }

        impl $name {
            pub(crate) fn of(
                result: ::std::result::Result<timeloom_commands::Outcome<$id>, timeloom_commands::CommandError>,
            ) -> ::async_graphql::Result<Self> {
                let (id, written) =
                    $crate::schema::payloads::Written::of($crate::schema::payloads::settle(result)?);
                Ok(Self { id, written })
            }
        }

        impl From<$crate::schema::payloads::UserError> for $name {
            fn from(error: $crate::schema::payloads::UserError) -> Self {
                let (id, written) = $crate::schema::payloads::Written::of(Err(error));
                Self { id, written }
            }
        }

        #[::async_graphql::Object]
        impl $name {
            /// Which one was changed; absent when nothing was.
            async fn $id_field(&self) -> Option<$id_type> {
                self.id.as_ref().map($crate::schema::payloads::ShownId::shown)
            }

            $(#[$entity_doc])*
            #[graphql(complexity = "child_complexity + 5")]
            async fn $entity_field(
                &self,
                context: &::async_graphql::Context<'_>,
            ) -> ::async_graphql::Result<Option<$entity>> {
                let Some(id) = &self.id else { return Ok(None) };
                let state = $crate::schema::payloads::state(context)?;
                self.written.visible(state).await?;
                $load(state, id.clone(), None).await
            }

            /// The position from which reads show it: give it as `waitFor`.
            async fn position(&self) -> Option<$crate::schema::scalars::PositionScalar> {
                self.written.position()
            }

            /// How many events it has had.
            async fn revision(&self) -> Option<u64> {
                self.written.revision()
            }

            /// Whether this command had been carried out before.
            async fn repeated(&self) -> bool {
                self.written.repeated
            }

            /// Why the command was not carried out; empty when it was.
            async fn errors(&self) -> &[$crate::schema::payloads::UserError] {
                &self.written.errors
            }
        }
    };
}
pub(crate) use payload;

/// What is inside, or the payload that says why not.
macro_rules! taken {
    ($payload:ty, $result:expr) => {
        match $result {
            Ok(taken) => taken,
            Err(error) => return Ok(<$payload>::from(error)),
        }
    };
}
pub(crate) use taken;
