//! What is taken of the limits of the gateway, as the counts that decide tell it.

use serde_json::{Value, json};

use crate::support::TestServer;

const LIMITS: &str = "query($asOf: AsOf) { gatewayLimits(asOf: $asOf) { name most money used left usedBy resetsAt } }";

async fn set(server: &TestServer, input: Value) {
    let set = "mutation($input: SetGatewayLimitInput!) { setGatewayLimit(input: $input) { errors { message } } }";
    let done = server.data(set, json!({ "input": input })).await;
    assert_eq!(done["setGatewayLimit"]["errors"], json!([]));
}

#[tokio::test]
async fn a_limit_tells_what_is_taken_of_it_now_and_nothing_of_an_earlier_moment() {
    let server = TestServer::start();
    set(&server, json!({ "name": "calls", "holder": "KEY", "of": "REQUESTS_PER_MINUTE", "most": 10 })).await;
    let then = server.log_head();
    let money = json!({ "name": "team", "holder": "TENANT", "of": "MONEY", "money": "2.5", "windowMs": 86_400_000 });
    set(&server, money).await;
    let now = server.data(LIMITS, json!({})).await["gatewayLimits"].clone();
    let told = |limit: &Value| ["used", "left", "usedBy", "resetsAt"].map(|field| limit[field].clone());
    let at = json!("2023-11-14T22:14:20+00:00");
    assert_eq!(told(&now[0]), [json!("5"), json!("5"), json!("busy"), at.clone()], "{now}");
    assert_eq!(told(&now[1]), [json!("1.25"), json!("1.25"), Value::Null, at], "the tenant needs no name: {now}");
    let before = server.data(LIMITS, json!({ "asOf": { "position": then } })).await["gatewayLimits"].clone();
    assert_eq!(before.as_array().unwrap().len(), 1);
    for field in ["used", "left", "usedBy", "resetsAt"] {
        assert_eq!(before[0][field], Value::Null, "{before}");
    }
    server.stop().await;
}
