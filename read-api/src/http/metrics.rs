//! `GET /metrics`: what the process counted, for Prometheus and whatever else reads its form.

use actix_web::HttpResponse;
use actix_web::web::Data;
use timeloom_monitor::{CONTENT_TYPE, Seen};

use super::Api;

/// `GET /metrics`.
pub(super) async fn metrics(api: Data<Api>) -> HttpResponse {
    let projections = api.state.read_models().status();
    let seen = Seen { head: api.state.log().head(), projections: &projections };
    match api.state.metrics().text(&seen) {
        Ok(text) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(text),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}
