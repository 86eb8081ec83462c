//! What is refused, in the words of the routes at which models are asked.

use actix_web::HttpRequest;
use timeloom_commands::CommandError;
use timeloom_domain::access::Permission;
use timeloom_domain::model::ModelRefusal;
use timeloom_inference::models::{StoreError, UploadError};
use timeloom_inference_front::v2::{Refusal, RefusalKind};
use timeloom_inference_worker::{NotInferred, NotRecorded};
use timeloom_read_api::ApiState;

use super::NotAdded;

/// Who sends a request, once they may do what needs `permission`.
pub fn who(request: &HttpRequest, permission: Permission) -> Result<ApiState, Refusal> {
    let state = ApiState::asking(request);
    let state = state.ok_or_else(|| Refusal::new(RefusalKind::Unauthenticated, "show who you are"))?;
    require(&state, permission)?;
    Ok(state)
}

/// Refuses who may not do what needs `permission`.
pub fn require(state: &ApiState, permission: Permission) -> Result<(), Refusal> {
    state.require(permission).map_err(|error| Refusal::new(RefusalKind::Forbidden, error.to_string()))
}

pub fn not_inferred(why: NotInferred) -> Refusal {
    let kind = match &why {
        NotInferred::Refused(refusal) => match refusal {
            ModelRefusal::Disabled | ModelRefusal::NothingPromoted => RefusalKind::Conflict,
            _ => RefusalKind::NotFound,
        },
        NotInferred::Inputs(_) => RefusalKind::Invalid,
        NotInferred::NotLoaded { .. } | NotInferred::Draining => RefusalKind::Unavailable,
        NotInferred::NotComputed(why) => return why.clone().into(),
        NotInferred::NotRecorded(why) => return not_recorded(why),
    };
    Refusal::new(kind, why.to_string())
}

pub fn not_recorded(why: &NotRecorded) -> Refusal {
    let kind = match why {
        NotRecorded::Behind | NotRecorded::Closed => RefusalKind::Unavailable,
        NotRecorded::Failed(_) => RefusalKind::Fault,
    };
    Refusal::new(kind, why.to_string())
}

pub fn command(error: &CommandError) -> Refusal {
    let kind = match error {
        CommandError::Refused(refusal) if refusal.code == "FORBIDDEN" => RefusalKind::Forbidden,
        CommandError::Refused(refusal) if refusal.code.ends_with("_NOT_FOUND") => RefusalKind::NotFound,
        CommandError::Refused(_) => RefusalKind::Conflict,
        _ => RefusalKind::Fault,
    };
    Refusal::new(kind, error.to_string())
}

pub fn not_added(error: &NotAdded) -> Refusal {
    let kind = match error {
        NotAdded::Rejected(_) => RefusalKind::Invalid,
        NotAdded::NoRuntime(_) => RefusalKind::Unavailable,
        NotAdded::Store(error) => return store(error),
        NotAdded::Command(error) => return command(error),
        NotAdded::Fault(_) => RefusalKind::Fault,
    };
    Refusal::new(kind, error.to_string())
}

pub fn store(error: &StoreError) -> Refusal {
    let kind = match error {
        StoreError::Unknown(_) => RefusalKind::NotFound,
        StoreError::Disk(_) => RefusalKind::Fault,
        StoreError::OtherDigest { .. } | StoreError::TooLarge(_) | StoreError::Beside { .. } => RefusalKind::Invalid,
    };
    Refusal::new(kind, error.to_string())
}

pub fn upload(error: &UploadError) -> Refusal {
    let kind = match error {
        UploadError::Unknown(_) => RefusalKind::NotFound,
        UploadError::Offset { .. } | UploadError::Incomplete { .. } => RefusalKind::Conflict,
        UploadError::Beyond(_) | UploadError::Piece(_) => RefusalKind::Invalid,
        UploadError::TooMany(_) | UploadError::TooMuch(_) => RefusalKind::Limited,
        UploadError::Store(error) => return store(error),
        UploadError::Disk(_) => RefusalKind::Fault,
    };
    Refusal::new(kind, error.to_string())
}
