//! Integers that an `Int` does not hold are refused before anything is done, whether a resolver comes to see them or not.

use serde_json::{Value, json};

use crate::support::TestServer;

/// The message of the one error of an answer without data; null where there is data.
async fn refused(server: &TestServer, query: &str, variables: Value) -> Value {
    let answer = server.ask(query, variables).await;
    if answer.get("data").is_some() {
        return Value::Null;
    }
    assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{answer}");
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{answer}");
    answer["errors"][0]["message"].clone()
}

#[tokio::test]
async fn a_literal_that_no_int_holds_is_refused_where_no_resolver_comes_to_it() {
    let server = TestServer::start();
    // There is no such workflow, so that nothing below it is resolved.
    let query = |version: &str| {
        format!(r#"{{ workflow(id: "01890000-0000-7000-8000-000000000000") {{ definition(version: {version}) }} }}"#)
    };
    for outside in ["-16718498665", "2147483648", "-2147483649", "9223372036854775807", "18446744073709551615"] {
        let message =
            format!("'version' is {outside}, which is no Int: give a whole number from -2147483648 to 2147483647");
        assert_eq!(refused(&server, &query(outside), json!({})).await, message);
    }
    for inside in ["2147483647", "-2147483648", "0"] {
        assert_eq!(refused(&server, &query(inside), json!({})).await, Value::Null, "{inside}");
    }
    let hidden = r#"{ head { position } ... on Query { ...Far @skip(if: true) } }
        fragment Far on Query { workflows(first: 4294967296) { nodes { id } } }"#;
    let message = refused(&server, hidden, json!({})).await;
    assert!(message.as_str().unwrap().starts_with("'first' is 4294967296"), "{message}");
    server.stop().await;
}

#[tokio::test]
async fn a_variable_that_no_int_holds_is_refused_alone_in_a_list_or_in_an_input() {
    let server = TestServer::start();
    let by_default = "query($first: Int = 4294967296) { workflows(first: $first) { nodes { id } } }";
    let nodes = "query($first: Int) { workflows(first: $first) { nodes { id } } }";
    let outside = |message: &Value, name: &str| message.as_str().is_some_and(|message| message.starts_with(name));
    assert!(outside(&refused(&server, nodes, json!({ "first": -16718498665_i64 })).await, "'first' is -16718498665"));
    assert!(!refused(&server, by_default, json!({})).await.is_null(), "by its default");
    assert_eq!(refused(&server, nodes, json!({ "first": 5 })).await, Value::Null);
    let input = "query($asOf: AsOf) { workflows(first: 1, asOf: $asOf) { nodes { id } } }";
    let message = refused(&server, input, json!({ "asOf": { "revision": 4_294_967_296_u64 } })).await;
    assert!(outside(&message, "'revision' is 4294967296"), "{message}");
    // Positions are no Int: they may be as large as they are.
    assert_eq!(refused(&server, input, json!({ "asOf": { "position": "0" } })).await, Value::Null);
    server.stop().await;
}

#[tokio::test]
async fn what_needs_more_than_32_bits_may_have_as_many_as_json_holds() {
    let server = TestServer::start();
    let set = "mutation($input: SetGatewayLimitInput!) { setGatewayLimit(input: $input) { errors { code } } }";
    let month = |window_ms: u64| json!({ "input": { "name": "team", "holder": "TENANT", "of": "MONEY", "money": "20", "windowMs": window_ms } });
    let done = server.data(set, month(30 * 24 * 3_600_000)).await;
    assert_eq!(done["setGatewayLimit"]["errors"], json!([]));
    let message = refused(&server, set, month(1 << 53)).await;
    assert!(message.as_str().unwrap().contains("to 9007199254740991"), "{message}");
    server.stop().await;
}
