//! Attachments of executions, for people to download: what a node's item had, as a file.
//!
//! A browser is never made to show one: it may be a page that somebody else wrote. Nothing is held in memory as a whole.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use serde::Deserialize;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::{BinaryData, Outputs};
use timeloom_store::{BlobError, BlobHash, BlobReader, Direction, LogError, Revision, StreamKey, codec};
use uuid::Uuid;

use super::Api;
use super::answer::refuse;
use super::door::seen;
use crate::state::ApiState;

/// Events of an execution that are read at a time: each may have large items.
const EVENTS_PER_READ: usize = 16;
/// Most streams of an execution, one after the other, in which the node run is looked for.
const LINKS_MAX: usize = 1_000;
/// What a client sees of a fault of ours.
const FAULT: &str = "the attachment cannot be read: the server's own log says why";

/// Which attachment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Name of the node.
    node: String,
    /// Which run of it.
    #[serde(default)]
    run: usize,
    /// Which of its outputs.
    #[serde(default)]
    output: usize,
    /// Which item.
    #[serde(default)]
    item: usize,
    /// Name of the attachment.
    #[serde(default = "data")]
    name: String,
}

fn data() -> String {
    "data".to_owned()
}

/// `GET /binary/{execution}?node=NAME&run=0&output=0&item=0&name=data`: an attachment as a file.
pub(super) async fn download(
    request: HttpRequest,
    api: Data<Api>,
    execution: Path<Uuid>,
    which: Query<Which>,
) -> HttpResponse {
    let state = seen(&request, &api);
    let outputs = match outputs(&state, ExecutionId(*execution), &which).await {
        Ok(Some(outputs)) => outputs,
        Ok(None) => {
            return missing(format!("no run {} of node '{}' has ended in that execution", which.run, which.node));
        }
        Err(error) => return fault(&error),
    };
    let item = outputs.get(which.output).and_then(|items| items.get(which.item));
    let attachment = item.and_then(|item| item.binary.as_ref()?.get(&which.name)).cloned();
    // The items may be many, and what follows may take its time.
    drop(outputs);
    match attachment {
        Some(attachment) => file(&state, attachment).await,
        None => missing(format!("item {} has no attachment '{}'", which.item, which.name)),
    }
}

/// What a run of a node gave; `None` when it has not ended, or never was.
async fn outputs(state: &ApiState, execution: ExecutionId, which: &Which) -> Result<Option<Outputs>, LogError> {
    let mut link = execution;
    for _ in 0..LINKS_MAX {
        let stream = StreamKey::new(state.tenant(), ExecutionEvent::CATEGORY, link.to_string());
        let mut after = Revision::default();
        let mut next = None;
        loop {
            let read = state.log().read_stream(&stream, after, Direction::Forward, EVENTS_PER_READ).await?;
            let Some(last) = read.last() else { break };
            after = last.revision;
            for recorded in &read {
                if !matches!(&*recorded.event_type, "NodeCompleted" | "NodeFailed" | "ExecutionContinuedAsNew") {
                    continue;
                }
                match codec::decode(recorded)? {
                    ExecutionEvent::NodeCompleted { run, outputs, .. }
                    | ExecutionEvent::NodeFailed { run, outputs: Some(outputs), .. }
                        if run.node == which.node && run.run_index == which.run =>
                    {
                        return Ok(Some(outputs));
                    }
                    ExecutionEvent::ExecutionContinuedAsNew { next: following, .. } => next = Some(following),
                    _ => {}
                }
            }
        }
        match next {
            Some(following) => link = following,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// An attachment as a file, wherever its content is.
pub(super) async fn file(state: &ApiState, attachment: BinaryData) -> HttpResponse {
    let Some(hash) = attachment.id.as_deref().and_then(BlobHash::of_attachment) else {
        let is_elsewhere = attachment.data.is_empty() && attachment.id.is_some();
        return match STANDARD.decode(attachment.data.as_bytes()) {
            Ok(content) if !is_elsewhere => answer(&attachment).body(content),
            _ => missing("the attachment is damaged, or stored with another program".to_owned()),
        };
    };
    let Some(stored) = state.stored() else {
        return missing("the log of this server is in memory: long attachments cannot be downloaded".to_owned());
    };
    let mut reader = BlobReader::new(Arc::clone(&stored.blobs), hash);
    // Before the answer begins: later there is no way to say that there is none.
    let first = match reader.next().await {
        Ok(first) => first.unwrap_or_default(),
        Err(gone @ BlobError::Missing(_)) => return missing(gone.to_string()),
        Err(damaged @ BlobError::Damaged(_)) => {
            return refuse(StatusCode::GONE, "BLOB_DAMAGED", damaged.to_string());
        }
        Err(error) => {
            tracing::error!(%error, "an attachment cannot be read");
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", FAULT);
        }
    };
    let rest = stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(part) => Some((Ok(part?), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    });
    let parts = stream::iter([Ok::<Bytes, BlobError>(first)]).chain(rest);
    answer(&attachment).streaming(parts.map(|part| part.map_err(actix_web::error::ErrorInternalServerError)))
}

/// The head of an answer with a file.
fn answer(attachment: &BinaryData) -> actix_web::HttpResponseBuilder {
    let content_type = HeaderValue::from_str(&attachment.mime_type).ok().filter(|value| !value.is_empty());
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((
            header::CONTENT_TYPE,
            content_type.unwrap_or(HeaderValue::from_static("application/octet-stream")),
        ))
        .insert_header((header::CONTENT_DISPOSITION, disposition(attachment.file_name.as_deref().unwrap_or("file"))))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .insert_header((header::CACHE_CONTROL, "private, no-store"));
    answer
}

/// Says that it is a file to be kept, and its name: in letters that every header may have, and then as it is.
fn disposition(file_name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' };
    let plain: String = file_name.chars().map(plain).collect();
    let mut encoded = String::new();
    for byte in file_name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

pub(super) fn missing(message: String) -> HttpResponse {
    refuse(StatusCode::NOT_FOUND, "ATTACHMENT_MISSING", message)
}

fn fault(error: &LogError) -> HttpResponse {
    tracing::error!(%error, "an execution's events cannot be read");
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", FAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_breaks_out_of_its_header() {
        assert_eq!(disposition("a b.txt"), "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt");
        let hostile = disposition("x\"\r\nset-cookie: a=\u{e9}");
        assert!(!hostile.contains(['\r', '\n']) && hostile.matches('"').count() == 2, "{hostile}");
        assert!(hostile.ends_with("UTF-8''x%22%0D%0Aset-cookie%3A%20a%3D%C3%A9"), "{hostile}");
    }
}
