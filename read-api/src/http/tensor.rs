//! Tensors of inferences, for people to download: the bytes that a model was asked with, or that it answered.
//!
//! They go out as they were written down, in the layout of the Open Inference Protocol's binary form. Never computes.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use timeloom_domain::ids::InferenceId;
use timeloom_domain::inference::{InferenceEvent, TensorContent, TensorRecord};
use timeloom_domain::item::BinaryData;
use timeloom_projections::ProjectionError;
use timeloom_store::codec;
use uuid::Uuid;

use super::Api;
use super::answer::refuse;
use super::binary::{file, missing};
use super::door::seen;
use crate::state::ApiState;

/// What a client sees of a fault of ours.
const FAULT: &str = "the tensor cannot be read: the server's own log says why";

/// Which tensor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Whether it was asked or answered.
    side: Side,
    /// Its name.
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Inputs,
    Outputs,
}

/// `GET /tensor/{inference}?side=inputs&name=NAME`: the bytes of a tensor as a file.
pub(super) async fn download(
    request: HttpRequest,
    api: Data<Api>,
    inference: Path<Uuid>,
    which: Query<Which>,
) -> HttpResponse {
    let state = seen(&request, &api);
    let tensors = match tensors(&state, InferenceId(*inference), which.side).await {
        Ok(Some(tensors)) => tensors,
        Ok(None) => return missing(format!("no inference {inference} was written down with such tensors")),
        Err(error) => {
            tracing::error!(%error, "an inference's events cannot be read");
            return refuse(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", FAULT);
        }
    };
    let Some(tensor) = tensors.into_iter().find(|tensor| tensor.name == which.name) else {
        return missing(format!("that inference has no tensor '{}' there", which.name));
    };
    let (data, id) = match tensor.content {
        TensorContent::Inline(data) => (data, None),
        TensorContent::Blob(id) => (String::new(), Some(id)),
        TensorContent::Omitted => {
            return missing(format!("only the digest of '{}' was written down: {}", tensor.name, tensor.digest));
        }
    };
    let file_name = Some(format!("{}.bin", tensor.name));
    let mime_type = "application/octet-stream".to_owned();
    file(&state, BinaryData { data, id, mime_type, file_name, ..BinaryData::default() }).await
}

/// The tensors on one side of an inference; `None` when it is not known, or has none there.
async fn tensors(
    state: &ApiState,
    inference: InferenceId,
    side: Side,
) -> Result<Option<Vec<TensorRecord>>, ProjectionError> {
    let (tenant, read_models) = (state.tenant(), state.read_models());
    let Some(row) = read_models.inferences_by_id(tenant, &[inference], None).await?.pop() else { return Ok(None) };
    let position = match side {
        Side::Inputs => Some(row.request_position),
        Side::Outputs => row.ended_position,
    };
    let Some(position) = position else { return Ok(None) };
    let Some(event) = read_models.event(tenant, position).await? else { return Ok(None) };
    let (request, answer) = match codec::decode(&event)? {
        InferenceEvent::InferenceRequested { request, .. } => (Some(request), None),
        InferenceEvent::InferenceCompleted { request, answer, .. } => (request, Some(answer)),
        InferenceEvent::InferenceFailed { request, .. }
        | InferenceEvent::InferenceRejected { request, .. }
        | InferenceEvent::InferenceCancelled { request, .. } => (request, None),
        InferenceEvent::InferenceStarted { .. } | InferenceEvent::InferenceWindowClosed(_) => (None, None),
    };
    Ok(match side {
        Side::Inputs => request.map(|request| request.inputs),
        Side::Outputs => answer.map(|answer| answer.outputs),
    })
}
