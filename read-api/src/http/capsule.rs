//! An execution as a file: everything that belongs to it, with the proofs that it was recorded, for whoever may read both
//! executions and workflows.
//!
//! Never a key, a secret or the content of a sealed field. Invariant: that somebody takes one is in the log before they get it.

use std::io::Cursor;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use timeloom_domain::access::Permission;
use timeloom_domain::audit::AuditEvent;
use timeloom_domain::ids::ExecutionId;
use timeloom_history::capsule::{ATTACHMENT_BYTES_DEFAULT, CapsuleMakeError, CapsuleOptions, CapsuleSource, make};
use timeloom_store::proofs::ProofsError;
use timeloom_verify::capsule::UNPACKED_BYTES_MAX;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::Api;
use super::answer::refuse;
use super::door::seen;
use crate::state::ApiState;

/// Capsules that are made at the same time: each may be large.
const MAKING_MAX: usize = 2;
static MAKING: Semaphore = Semaphore::const_new(MAKING_MAX);

/// What goes into it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Bytes of attachments at most.
    attachments: Option<u64>,
}

/// `GET /capsules/{execution}?attachments=BYTES`: a capsule of an execution that has ended.
pub(super) async fn download(
    request: HttpRequest,
    api: Data<Api>,
    execution: Path<Uuid>,
    which: Query<Which>,
) -> HttpResponse {
    let state = seen(&request, &api);
    // The door let in who may read executions; workflows come along.
    if let Err(forbidden) = state.require(Permission::WorkflowRead) {
        return refuse(StatusCode::FORBIDDEN, "FORBIDDEN", forbidden.to_string());
    }
    let Ok(_turn) = MAKING.try_acquire() else {
        let message = format!("{MAKING_MAX} capsules are being made at this moment: try again");
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message);
    };
    let (Some(stored), Some(proofs)) = (state.stored(), state.proofs()) else {
        let message = "the log of this server is in memory: nothing proves it";
        return refuse(StatusCode::NOT_FOUND, "NOTHING_STORED", message);
    };
    if let Err(refusal) = written_down(&state, *execution).await {
        return refusal;
    }
    let source = CapsuleSource { log: state.log(), stored: &*stored.log, blobs: &*stored.blobs, proofs: &proofs.log };
    let options = CapsuleOptions {
        attachment_bytes_max: which.attachments.unwrap_or(ATTACHMENT_BYTES_DEFAULT).min(UNPACKED_BYTES_MAX),
        ..CapsuleOptions::made_by(format!("timeloom {}", env!("CARGO_PKG_VERSION")))
    };
    let capsule = match make(source, state.tenant(), ExecutionId(*execution), &options).await {
        Ok(capsule) => capsule,
        Err(error) => return told(&error),
    };
    // Packing takes time.
    let packed = tokio::task::spawn_blocking(move || capsule.write(Cursor::new(Vec::new()))).await;
    match packed {
        Ok(Ok(file)) => HttpResponse::Ok()
            .content_type("application/zip")
            .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{execution}.capsule\"")))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::CACHE_CONTROL, "private, no-store"))
            .body(file.into_inner()),
        Ok(Err(error)) => told(&error.into()),
        Err(error) => {
            tracing::error!(%error, "a capsule cannot be packed");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", FAULT)
        }
    }
}

/// What a client sees of a fault of ours.
const FAULT: &str = "the capsule cannot be made: the server's own log says why";

/// Writes down that somebody takes a capsule. Where nobody signs in, nobody is known of whom that could be told.
async fn written_down(state: &ApiState, execution: Uuid) -> Result<(), HttpResponse> {
    if state.principal().account.is_none() {
        return Ok(());
    }
    let read = AuditEvent::AuditTrailRead { what: "capsule".to_owned(), which: Some(format!("execution {execution}")) };
    let written = state.access().write_down(&state.context(None), read).await;
    written.map(drop).map_err(|error| {
        tracing::error!(%error, "that a capsule is taken could not be written down, so it was not given");
        let message = "that you take this cannot be written down: try again";
        refuse(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message)
    })
}

fn told(error: &CapsuleMakeError) -> HttpResponse {
    let (status, code) = match error {
        CapsuleMakeError::Unknown(_) => (StatusCode::NOT_FOUND, "STREAM_NOT_FOUND"),
        CapsuleMakeError::NotEnded(_) => (StatusCode::CONFLICT, "NOT_ENDED"),
        CapsuleMakeError::Gone(_) => (StatusCode::GONE, "GONE"),
        CapsuleMakeError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "CAPSULE_TOO_LARGE"),
        CapsuleMakeError::Proofs(ProofsError::Behind { .. } | ProofsError::NoCheckpoint { .. }) => {
            (StatusCode::CONFLICT, "BEHIND")
        }
        CapsuleMakeError::Proofs(_)
        | CapsuleMakeError::Damaged { .. }
        | CapsuleMakeError::Capsule(_)
        | CapsuleMakeError::Log(_) => {
            tracing::error!(%error, "a capsule cannot be made");
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", FAULT);
        }
    };
    refuse(status, code, error.to_string())
}
