//! The log as it is stored, for backups of a running server: rows in pages and blobs by their hash, while appends go on.
//!
//! Rows are of all tenants, exactly as they lie in the log. Nothing can be written here. Invariant: that somebody reads is
//! in the log before they see anything.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde::Deserialize;
use timeloom_domain::audit::AuditEvent;
use timeloom_store::stored::EXPORT_EVENTS_MAX;
use timeloom_store::{BlobError, BlobHash, LogError, Position};

use super::Api;
use super::answer::refuse;
use super::door::seen;
use crate::state::{ApiState, StoredLog};

/// What a client sees of a fault of ours.
const FAULT: &str = "the log cannot be read: the server's own log says why";

/// Which rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rows {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// `GET /log/identity`: which log it is, and how far.
pub(super) async fn identity(request: HttpRequest, api: Data<Api>) -> HttpResponse {
    let state = seen(&request, &api);
    let stored = match audited(&state, "its identity".to_owned()).await {
        Ok(stored) => stored,
        Err(refusal) => return refusal,
    };
    match stored.log.identity().await {
        Ok(identity) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(identity),
        Err(error) => fault(&error),
    }
}

/// `GET /log/events?after=POSITION&limit=NUMBER`: rows after a position, a JSON object a line; none behind the head.
pub(super) async fn events(request: HttpRequest, api: Data<Api>, rows: Query<Rows>) -> HttpResponse {
    let state = seen(&request, &api);
    let stored = match audited(&state, format!("rows after position {}", rows.after)).await {
        Ok(stored) => stored,
        Err(refusal) => return refusal,
    };
    let limit = rows.limit.unwrap_or(EXPORT_EVENTS_MAX);
    if limit == 0 || limit > EXPORT_EVENTS_MAX {
        let message = format!("limit must be from 1 to {EXPORT_EVENTS_MAX}");
        return refuse(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", message);
    }
    let page = match stored.log.export(Position(rows.after), limit).await {
        Ok(page) => page,
        Err(error) => return fault(&error),
    };
    let mut lines = Vec::new();
    for event in &page {
        if let Err(error) = serde_json::to_writer(&mut lines, event) {
            return fault(&LogError::storage(error));
        }
        lines.push(b'\n');
    }
    HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(Bytes::from(lines))
}

/// `GET /log/blobs/{hash}`: a blob's content, checked against its hash.
pub(super) async fn blob(request: HttpRequest, api: Data<Api>, hash: Path<String>) -> HttpResponse {
    let state = seen(&request, &api);
    let stored = match stored(&state) {
        Ok(stored) => stored,
        Err(refusal) => return refusal,
    };
    let hash: BlobHash = match hash.parse() {
        Ok(hash) => hash,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", error.to_string()),
    };
    match stored.blobs.get(hash).await {
        Ok(content) => HttpResponse::Ok().content_type("application/octet-stream").body(content),
        Err(missing @ BlobError::Missing(_)) => refuse(StatusCode::NOT_FOUND, "BLOB_MISSING", missing.to_string()),
        Err(damaged @ BlobError::Damaged(_)) => refuse(StatusCode::GONE, "BLOB_DAMAGED", damaged.to_string()),
        Err(error) => {
            tracing::error!(error = %error, "a blob cannot be read");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", FAULT)
        }
    }
}

/// What is stored, once it is in the log that somebody reads which part of it. Where nobody signs in, nobody is known of
/// whom that could be told.
pub(super) async fn audited(state: &ApiState, which: String) -> Result<&StoredLog, HttpResponse> {
    let stored = stored(state)?;
    if state.principal().account.is_some() {
        let read = AuditEvent::AuditTrailRead { what: "log".to_owned(), which: Some(which) };
        let written = state.access().write_down(&state.context(None), read).await;
        written.map_err(|error| {
            tracing::error!(%error, "that the log is read could not be written down, so it was not read");
            refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                "that you read this cannot be written down: try again",
            )
        })?;
    }
    Ok(stored)
}

fn stored(state: &ApiState) -> Result<&StoredLog, HttpResponse> {
    let message = "the log of this server is in memory: there is nothing to back up";
    state.stored().ok_or_else(|| refuse(StatusCode::NOT_FOUND, "NOTHING_STORED", message))
}

pub(super) fn fault(error: &LogError) -> HttpResponse {
    tracing::error!(error = %error, "rows of the log cannot be read");
    match error {
        LogError::Corrupt { position, .. } => {
            let message = format!("the event log is damaged at position {position}: the server's own log says how");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "LOG_DAMAGED", message)
        }
        _ => refuse(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", FAULT),
    }
}
