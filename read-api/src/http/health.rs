//! Health: whether the process answers, and whether its answers are up to date.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use super::Api;

/// `GET /health/live`: the process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// `GET /health/ready`: reads show what is in the log.
pub(super) async fn ready(api: Data<Api>) -> HttpResponse {
    let ready = api.state.is_ready();
    let (head, rows) = (api.state.log().head(), api.state.read_models().position());
    let status = if ready { "ready" } else { "not ready" };
    let body = json!({
        "status": status,
        "head": head.to_string(),
        "readModels": { "position": rows.to_string(), "lag": head.0.saturating_sub(rows.0) },
    });
    if ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}
