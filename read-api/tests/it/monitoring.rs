//! Metrics, health and request ids as those who watch over a server meet them.

use reqwest::header::{CONTENT_TYPE, HOST};
use serde_json::json;

use crate::support::TestServer;

async fn metrics(server: &TestServer) -> String {
    let answer = server.client.get(server.url("/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let media_type = answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    assert_eq!(media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    answer.text().await.unwrap()
}

/// The value of the series with exactly this name and these labels.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let server = TestServer::start();
    server.data("{ head { position } }", json!({})).await;
    server.data("{ head { position } }", json!({})).await;
    assert_eq!(server.client.get(server.url("/nobody/here-1")).send().await.unwrap().status(), 404);
    assert_eq!(server.client.get(server.url("/nobody/here-2")).send().await.unwrap().status(), 404);
    let text = metrics(&server).await;
    let counted = |labels: &str| value(&text, &format!("timeloom_http_requests_total{{{labels}}}"));
    assert_eq!(counted("route=\"/graphql\",method=\"POST\",status=\"200\""), Some(2.0), "{text}");
    assert_eq!(counted("route=\"none\",method=\"GET\",status=\"404\""), Some(2.0), "{text}");
    assert_eq!(value(&text, "timeloom_http_request_duration_seconds_count{route=\"/graphql\"}"), Some(2.0));
    assert!(!text.contains("here-1"), "a path has become a label: {text}");
    server.stop().await;
}

#[tokio::test]
async fn read_models_and_the_log_are_told_of() {
    let server = TestServer::start();
    let register = "mutation { registerPlugin(input: { name: \"acme/one\" }) { name } }";
    server.data(register, json!({})).await;
    server.wait_for_rows().await;
    let text = metrics(&server).await;
    assert_eq!(value(&text, "timeloom_log_head_position"), Some(1.0), "{text}");
    assert_eq!(value(&text, "timeloom_projection_position{projection=\"plugins\"}"), Some(1.0), "{text}");
    assert_eq!(value(&text, "timeloom_projection_lag_events{projection=\"plugins\"}"), Some(0.0), "{text}");
    assert_eq!(value(&text, "timeloom_projection_parked_events{projection=\"plugins\"}"), Some(0.0), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn health_is_where_orchestrators_look_for_it() {
    let server = TestServer::start_behind();
    let status = async |path: &str| server.client.get(server.url(path)).send().await.unwrap().status().as_u16();
    assert_eq!(status("/healthz").await, 200);
    server.catch_up();
    server.wait_for_rows().await;
    assert_eq!(status("/readyz").await, 200);
    for path in ["/healthz", "/readyz", "/metrics"] {
        let foreign = server.client.get(server.url(path)).header(HOST, "evil.example").send().await.unwrap();
        assert_eq!(foreign.status(), 403, "{path}");
        assert_eq!(server.client.post(server.url(path)).send().await.unwrap().status(), 405, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request() {
    let server = TestServer::start();
    let id_of = async |asked: Option<&str>| {
        let request = server.client.get(server.url("/healthz"));
        let request = asked.iter().fold(request, |request, id| request.header("x-request-id", *id));
        request.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(id_of(Some("order-17_a.b:c")).await, "order-17_a.b:c");
    let (one, other) = (id_of(None).await, id_of(None).await);
    assert_ne!(one, other);
    assert!(uuid::Uuid::parse_str(&one).is_ok(), "{one}");
    for odd in ["", "a b", "\"><script>", &"x".repeat(129)] {
        assert!(uuid::Uuid::parse_str(&id_of(Some(odd)).await).is_ok(), "{odd} was taken");
    }
    // Refusals have one as well.
    let refused = server.client.get(server.url("/graphql")).header(HOST, "evil.example").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("x-request-id")), (403, true));
    server.stop().await;
}
