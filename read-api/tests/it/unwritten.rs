//! Who looks at who has access is written down first: what could not be written down is not answered.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use timeloom_store::{EventLog as _, Position};

use crate::support::{TestServer, unknown_id};

/// Everything that is written down when somebody looks at it, each in a query of its own.
const LOOKS: [&str; 10] = [
    "{ accounts { nodes { id } } }",
    "{ apiKeys { nodes { id } } }",
    "{ sessions { nodes { id } } }",
    "query($id: UUID!) { account(id: $id) { name } }",
    "{ accessReview { nodes { account { id } } } }",
    "{ events(first: 1) { nodes { position } } }",
    "{ events(first: 1, filter: {categories: [\"account\"]}) { nodes { position } } }",
    "{ searchPayloads(query: \"ada\", first: 1) { nodes { position } } }",
    "query($id: ID!) { stateAt(entity: {kind: ACCOUNT, id: $id}) { status } }",
    "query($id: ID!) { stateDiff(entity: {kind: ACCOUNT, id: $id}, from: {revision: 1}, to: {revision: 1}) { patch } }",
];

/// How many events of the audit trail there are.
async fn written(server: &TestServer) -> usize {
    let filter = timeloom_store::Filter { categories: vec!["audit".into()], ..Default::default() };
    let (scope, forward) = (timeloom_store::TenantScope::All, timeloom_store::Direction::Forward);
    server.log.read_all(scope, Position::START, forward, &filter, 500).await.unwrap().len()
}

#[tokio::test]
async fn nothing_is_answered_that_could_not_be_written_down_first() {
    let (server, log) = TestServer::start_refusing("audit");
    let id = server.account("USER", "ada", &["OWNER"], None).await;
    server.wait_for_rows().await;
    log.refuses.store(true, Ordering::SeqCst);
    for look in LOOKS {
        let answer = server.ask(look, json!({ "id": id })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_WRITTEN_DOWN", "{look}: {answer}");
        let data = &answer["data"];
        let is_empty = data.is_null() || data.as_object().is_some_and(|fields| fields.values().all(Value::is_null));
        assert!(is_empty && !answer.to_string().contains(&id), "{look}: {answer}");
    }
    // What nobody is to know of is answered all the same.
    let other = server.ask("query($id: UUID!) { execution(id: $id) { id } }", json!({ "id": unknown_id() })).await;
    assert_eq!((other.get("errors"), &other["data"]), (None, &json!({ "execution": null })));
    assert_eq!(written(&server).await, 0);

    log.refuses.store(false, Ordering::SeqCst);
    for (before, look) in LOOKS.iter().enumerate() {
        let answer = server.ask(look, json!({ "id": id })).await;
        assert_eq!(answer.get("errors"), None, "{look}: {answer}");
        assert_eq!(written(&server).await, before + 1, "{look}");
    }
    server.stop().await;
}
