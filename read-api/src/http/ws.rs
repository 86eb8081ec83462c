//! GraphQL over WebSocket: the graphql-transport-ws protocol. Many operations share a connection.
//!
//! Invariant: every queue on the way is bounded. A client that does not read holds up only itself: the log lets its
//! subscription go and says where to resume, and a socket that takes nothing for as long as
//! [`crate::GraphqlOptions::socket_send_wait`] says is closed.

mod connection;
mod message;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use self::connection::Connection;
use super::Api;
use super::answer::refuse;
use super::door::{facts, is_somebody, seen};

/// The one protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";
/// Largest message from a client, in bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
const SEC_WEBSOCKET_PROTOCOL: HeaderName = HeaderName::from_static("sec-websocket-protocol");

/// Whether the request wants a WebSocket.
pub(super) fn is_upgrade(request: &HttpRequest) -> bool {
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// `GET /graphql/ws`, and `GET /graphql` with an upgrade.
pub(super) async fn connect(request: HttpRequest, body: Payload, api: Data<Api>) -> HttpResponse {
    if !is_upgrade(&request) {
        return refuse(StatusCode::UPGRADE_REQUIRED, "UPGRADE_REQUIRED", "open a WebSocket here");
    }
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    let spoken = offered.flat_map(|value| value.split(',')).any(|name| name.trim() == PROTOCOL);
    let (mut response, session, messages) = match actix_ws::handle(&request, body) {
        Ok(parts) => parts,
        Err(error) => return error.error_response(),
    };
    if spoken {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    }
    let messages =
        messages.max_frame_size(MESSAGE_BYTES_MAX).aggregate_continuations().max_continuation_size(MESSAGE_BYTES_MAX);
    let state = Some(seen(&request, &api)).filter(is_somebody);
    let facts = match facts(&request) {
        Ok(facts) => facts,
        Err(refusal) => return refusal,
    };
    let connection = Connection::new(Api::clone(&api), session, state, facts);
    api.state.connections().spawn_local(connection.run(messages, spoken));
    response
}
