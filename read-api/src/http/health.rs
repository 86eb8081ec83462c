//! Health: whether the process answers, and whether its answers are up to date.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};
use timeloom_projections::ProjectionStatus;

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
        "readModels": {
            "position": rows.to_string(),
            "lag": head.0.saturating_sub(rows.0),
            "fault": api.state.read_models().fault(),
            "projections": api.state.read_models().status().iter().map(projection).collect::<Vec<_>>(),
        },
    });
    if ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

fn projection(status: &ProjectionStatus) -> Value {
    let first = status.first_parked.as_ref();
    json!({
        "name": status.name,
        "position": status.position.to_string(),
        "lag": status.lag,
        "eventsPerSecond": status.events_per_second.round(),
        "parked": status.parked,
        "firstParked": first.map(|event| json!({ "position": event.position.to_string(), "error": event.reason() })),
        "stopped": status.stopped.as_ref().map(|stopped| &stopped.error),
        "building": status.building.map(|position| position.to_string()),
        "lastError": status.last_error.as_ref().map(|last| json!({ "error": last.error, "secondsAgo": last.ago.as_secs() })),
    })
}
