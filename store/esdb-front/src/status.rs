//! What clients are told when something is not done: the codes and the `exception` that they know.

use timeloom_store::{AppendError, LogError};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

/// The trailer in which clients look for the kind of a refusal.
const EXCEPTION: &str = "exception";

fn with(code: Code, exception: &'static str, message: String) -> Status {
    let mut status = Status::new(code, message);
    status.metadata_mut().insert(EXCEPTION, MetadataValue::from_static(exception));
    status
}

/// Nobody that is known.
pub(crate) fn unauthenticated(message: String) -> Status {
    with(Code::Unauthenticated, "not-authenticated", message)
}

/// Somebody who may not.
pub(crate) fn forbidden(message: String) -> Status {
    with(Code::PermissionDenied, "access-denied", message)
}

/// What the request says makes no sense here.
pub(crate) fn invalid(message: impl Into<String>) -> Status {
    Status::invalid_argument(message)
}

/// An event lacks what it must have.
pub(crate) fn missing_metadata(message: String) -> Status {
    with(Code::InvalidArgument, "missing-required-metadata-property", message)
}

/// The log does not do that, ever.
pub(crate) fn never(message: impl Into<String>) -> Status {
    Status::failed_precondition(message)
}

/// More than one append may have.
pub(crate) fn too_large(message: String) -> Status {
    with(Code::InvalidArgument, "maximum-append-size-exceeded", message)
}

/// The client reads slower than events come.
pub(crate) fn too_slow(position: u64) -> Status {
    Status::aborted(format!("Consumer too slow: read faster, and go on after position {position}"))
}

/// The log failed.
pub(crate) fn fault(error: &LogError) -> Status {
    match error {
        LogError::Closed => Status::unavailable("the server stops: try again"),
        error => {
            tracing::error!(%error, "the log failed under a client of the EventStoreDB protocol");
            Status::internal("the log failed: the server's own log says why")
        }
    }
}

/// Why an append was not made, but for a wrong revision, which is no error in every call.
pub(crate) fn of_append(error: &AppendError) -> Status {
    match error {
        AppendError::WrongRevision { .. } => {
            with(Code::FailedPrecondition, "wrong-expected-version", error.to_string())
        }
        AppendError::DuplicateId => Status::already_exists(
            "an event with one of these ids is in the log with other content, or in another stream: use new ids",
        ),
        AppendError::TooLarge { .. } => too_large(error.to_string()),
        AppendError::Unavailable { .. } => Status::unavailable(error.to_string()),
        AppendError::Subject(error) => {
            tracing::error!(%error, "an event about a subject was not kept");
            Status::internal("the keys of subjects cannot be used: the server's own log says why")
        }
        AppendError::Log(error) => fault(error),
    }
}

/// Whether it is [`too_large`].
pub(crate) fn is_too_large(status: &Status) -> bool {
    status.metadata().get(EXCEPTION).is_some_and(|exception| exception == "maximum-append-size-exceeded")
}

/// Somebody who asks too often.
pub(crate) fn too_often(wait: std::time::Duration) -> Status {
    let seconds = wait.as_secs().saturating_add(1);
    Status::resource_exhausted(format!("you ask too often: try again in {seconds} s"))
}

/// Another process has the consumers of a group.
pub(crate) fn elsewhere() -> Status {
    never(
        "another server of this log serves the consumers of this persistent subscription: connect to that one, or to this one \
         when it has none there any more",
    )
}

/// This process has lost the consumers of a group.
pub(crate) fn lost() -> Status {
    Status::unavailable("this server has lost the persistent subscription to its others: connect again")
}

/// There is no such group of consumers.
pub(crate) fn no_group() -> Status {
    let message = "there is no such persistent subscription: create it first";
    with(Code::NotFound, "persistent-subscription-does-not-exist", message.to_owned())
}

/// There is such a group of consumers.
pub(crate) fn group_exists() -> Status {
    let message = "this persistent subscription exists: update it, or choose another name";
    with(Code::AlreadyExists, "persistent-subscription-exists", message.to_owned())
}

/// The group of consumers is gone.
pub(crate) fn dropped() -> Status {
    with(Code::Cancelled, "persistent-subscription-dropped", "the persistent subscription was deleted".to_owned())
}

/// The group has as many consumers as it may have.
pub(crate) fn too_many_consumers(most: usize) -> Status {
    let message = format!("the persistent subscription has {most} consumers, which is the most that it may have");
    with(Code::FailedPrecondition, "maximum-subscribers-reached", message)
}
