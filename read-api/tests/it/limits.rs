//! What one request may ask for, how documents are named in place of being sent, and what answers tell of their cost.

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};
use timeloom_read_api::{GraphqlOptions, PartialSuccess, RequestLimits, TrustedDocuments};

use crate::support::TestServer;

const QUERY: &str = "{ head { position } }";
const OTHER_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const GRAPHQL: &str = "application/graphql-response+json";

/// The status and the first error of a refusal.
async fn refusal(server: &TestServer, body: &Value) -> (u16, Value) {
    let request = server.client.post(server.url("/graphql")).header(ACCEPT, GRAPHQL).json(body);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer.get("data"), None, "{answer}");
    (status, answer["errors"][0].clone())
}

#[tokio::test]
async fn a_refusal_names_its_limit_and_what_the_limit_is() {
    let limits = RequestLimits {
        body_bytes: 10_000,
        document_bytes: 1_000,
        tokens: 60,
        depth: 4,
        fields: 20,
        root_fields: 3,
        aliases: 2,
        cost: 100,
        ..RequestLimits::default()
    };
    let server = TestServer::start_with(GraphqlOptions { limits, ..GraphqlOptions::default() });
    let cases = [
        (format!("{QUERY} # {}", "x".repeat(1_000)), "documentBytes", 1_000),
        (format!("{{ head {{ {} }} }}", "position ".repeat(61)), "tokens", 60),
        ("{ workflows { nodes { executions { nodes { id } } } } }".to_owned(), "depth", 4),
        (format!("{{ head {{ {} }} }}", "position ".repeat(21)), "fields", 20),
        (format!("{{ {} }}", "head { position } ".repeat(4)), "rootFields", 3),
        ("{ head { a: position b: position c: position } }".to_owned(), "aliases", 2),
        ("{ workflows(first: 100) { nodes { id name } } }".to_owned(), "cost", 100),
    ];
    for (query, limit, max) in cases {
        let (status, error) = refusal(&server, &json!({ "query": query })).await;
        let extensions = &error["extensions"];
        assert_eq!((status, &extensions["limit"], &extensions["max"]), (400, &json!(limit), &json!(max)), "{error}");
        assert!(error["message"].as_str().unwrap().contains(&max.to_string()), "{error}");
    }
    let large = json!({ "query": QUERY, "variables": { "a": "x".repeat(10_000) } });
    let (status, error) = refusal(&server, &large).await;
    assert_eq!((status, &error["extensions"]["code"]), (413, &json!("BODY_TOO_LARGE")));
    assert!(error["message"].as_str().unwrap().contains("10000 bytes"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_tells_what_it_cost() {
    let server = TestServer::start();
    for index in 0..3 {
        server.import(&format!("w{index}")).await;
    }
    let answer = server.ask("{ workflows(first: 10, waitFor: 3) { nodes { id name } } }", json!({})).await;
    // The list, its nodes, and two fields of each of three workflows; ten workflows might have come.
    let cost = json!({ "requested": 31, "actual": 8, "max": 20_000 });
    assert_eq!(answer["extensions"]["cost"], cost, "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_document_is_left_here_once_and_then_named_by_its_hash() {
    let server = TestServer::start();
    let url = server.url("/graphql");
    let extensions = |hash: &str| json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    let hash = {
        let (_, error) = refusal(&server, &json!({ "query": QUERY, "extensions": extensions(OTHER_HASH) })).await;
        assert_eq!(error["extensions"]["code"], "PERSISTED_QUERY_HASH_MISMATCH");
        sha256(QUERY)
    };
    let named = json!({ "extensions": extensions(&hash) });
    let (status, error) = refusal(&server, &named).await;
    assert_eq!((status, &error["message"]), (400, &json!("PersistedQueryNotFound")));
    assert_eq!(error["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND");
    let left = server.client.post(&url).json(&json!({ "query": QUERY, "extensions": extensions(&hash) }));
    assert_eq!(left.send().await.unwrap().json::<Value>().await.unwrap()["data"]["head"]["position"], "0");
    let again: Value = server.client.post(&url).json(&named).send().await.unwrap().json().await.unwrap();
    assert_eq!(again["data"]["head"]["position"], "0");
    let by_get = server.client.get(&url).query(&[("extensions", extensions(&hash).to_string())]);
    assert_eq!(by_get.send().await.unwrap().json::<Value>().await.unwrap()["data"]["head"]["position"], "0");
    let newer = json!({ "extensions": { "persistedQuery": { "version": 2, "sha256Hash": hash } } });
    let (status, error) = refusal(&server, &newer).await;
    assert_eq!((status, &error["extensions"]["code"]), (400, &json!("BAD_REQUEST")));
    server.stop().await;
}

fn sha256(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_server_with_trusted_documents_runs_no_others() {
    let trusted = TrustedDocuments::from_json(&json!({ "Head": QUERY }).to_string()).unwrap();
    let server = TestServer::start_with(GraphqlOptions { trusted: Some(trusted), ..GraphqlOptions::default() });
    let named: Value = server
        .client
        .get(server.url("/graphql"))
        .query(&[("documentId", "Head")])
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(named["data"]["head"]["position"], "0");
    assert_eq!(server.data(QUERY, json!({})).await["head"]["position"], "0");
    for body in [
        json!({ "query": "{ head { readModels } }" }),
        json!({ "query": "{ __schema { queryType { name } } }" }),
        json!({ "documentId": "Tail" }),
    ] {
        let (status, error) = refusal(&server, &body).await;
        assert_eq!((status, &error["extensions"]["code"]), (400, &json!("DOCUMENT_NOT_TRUSTED")), "{body}");
    }
    server.stop().await;
}

#[tokio::test]
async fn data_beside_errors_has_the_status_that_the_deployment_chose() {
    let query = "query($at: Position!, $of: StreamInput!) { head { position } stateAt(stream: $of, asOf: { position: $at }) { status } }";
    let variables = json!({ "at": "99", "of": { "category": "execution", "id": "x" } });
    let partial = json!({ "query": query, "variables": variables });
    for (chosen, expected) in [(PartialSuccess::Ok, 200), (PartialSuccess::PartialSuccess, 294)] {
        let server = TestServer::start_with(GraphqlOptions { partial_success: chosen, ..GraphqlOptions::default() });
        let ask = async |accept: &'static str, body: &Value| {
            let request = server.client.post(server.url("/graphql")).header(ACCEPT, accept).json(body);
            let response = request.send().await.unwrap();
            let content_type = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
            (response.status().as_u16(), content_type, response.json::<Value>().await.unwrap())
        };
        let (status, _, answer) = ask(GRAPHQL, &partial).await;
        assert_eq!(answer["data"]["head"]["position"], "0", "{answer}");
        assert_eq!(answer["errors"][0]["path"], json!(["stateAt"]), "{answer}");
        assert_eq!(status, expected);
        assert_eq!(ask("application/json", &partial).await.0, 200, "that form knows one status");
        assert_eq!(ask(GRAPHQL, &json!({ "query": QUERY })).await.0, 200, "without errors");
        server.stop().await;
    }
}
