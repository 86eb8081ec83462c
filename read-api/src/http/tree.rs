//! The tree over the log and its signed checkpoints, for exports out of a running server: what is read is hashes, and
//! whoever reads computes the rest by themselves.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use timeloom_store::proofs::{CHECKPOINTS_READ_MAX, TileId};
use timeloom_store::{Direction, LogError};
use timeloom_verify::export::EarlierCheckpoint;

use super::Api;
use super::answer::refuse;
use super::door::seen;
use super::log::{audited, fault};
use crate::state::{ApiState, Proofs};

/// Which checkpoints.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sizes {
    #[serde(default)]
    from: u64,
    to: Option<u64>,
    limit: Option<usize>,
    /// Those of the most events first.
    #[serde(default)]
    newest: bool,
}

/// `GET /log/tree`: how many leaves the tree has.
pub(super) async fn size(request: HttpRequest, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    let proofs = match read_by(&state, "the tree over it".to_owned()).await {
        Ok(proofs) => proofs,
        Err(refusal) => return refusal,
    };
    match proofs.log.tree().size().await {
        Ok(size) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(json!({ "size": size })),
        Err(error) => fault(&error),
    }
}

/// `GET /log/tree/tiles/{level}/{index}`: the hashes of a tile, 32 bytes each; none when there is no such tile.
pub(super) async fn tile(request: HttpRequest, api: Data<Api>, tile: Path<(u8, u64)>) -> HttpResponse {
    let state = seen(&request, &api);
    let proofs = match proofs(&state) {
        Ok(proofs) => proofs,
        Err(refusal) => return refusal,
    };
    let (level, index) = tile.into_inner();
    let id = TileId { level, index };
    match proofs.log.tree().tiles(vec![id]).await {
        Ok(mut tiles) => {
            let hashes = tiles.remove(&id).unwrap_or_default();
            HttpResponse::Ok()
                .content_type("application/octet-stream")
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .body(hashes.as_flattened().to_vec())
        }
        Err(error) => fault(&error),
    }
}

/// `GET /log/checkpoints?from=SIZE&to=SIZE&limit=NUMBER&newest=BOOLEAN`: signed checkpoints, a JSON object a line.
pub(super) async fn checkpoints(request: HttpRequest, api: Data<Api>, sizes: Query<Sizes>) -> HttpResponse {
    let state = seen(&request, &api);
    let (from, to) = (sizes.from, sizes.to.unwrap_or(u64::MAX >> 1));
    let limit = sizes.limit.unwrap_or(CHECKPOINTS_READ_MAX);
    if limit == 0 || limit > CHECKPOINTS_READ_MAX {
        let message = format!("limit must be from 1 to {CHECKPOINTS_READ_MAX}");
        return refuse(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", message);
    }
    let proofs = match read_by(&state, format!("checkpoints from {from} on")).await {
        Ok(proofs) => proofs,
        Err(refusal) => return refusal,
    };
    let direction = if sizes.newest { Direction::Backward } else { Direction::Forward };
    let found = match proofs.log.tree().checkpoints(from..=to, direction, limit).await {
        Ok(found) => found,
        Err(error) => return fault(&error),
    };
    let mut lines = Vec::new();
    for kept in found {
        let line = EarlierCheckpoint { size: kept.size, note: kept.note };
        if let Err(error) = serde_json::to_writer(&mut lines, &line) {
            return fault(&LogError::storage(error));
        }
        lines.push(b'\n');
    }
    HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(Bytes::from(lines))
}

async fn read_by(state: &ApiState, which: String) -> Result<&Proofs, HttpResponse> {
    let proofs = proofs(state)?;
    audited(state, which).await?;
    Ok(proofs)
}

fn proofs(state: &ApiState) -> Result<&Proofs, HttpResponse> {
    let message = "the log of this server is in memory: nothing of it is proved";
    state.proofs().ok_or_else(|| refuse(StatusCode::NOT_FOUND, "NOTHING_STORED", message))
}
