//! Failures by their cause, and text in what happened.

use serde_json::{Value, json};
use timeloom_domain::execution::ExecutionEvent;
use timeloom_store::StreamKey;

use crate::support::{TENANT, TestServer, append, node_completed, started, text};

fn failed(message: &str) -> ExecutionEvent {
    let error = json!({ "name": "NodeApiError", "message": message });
    ExecutionEvent::ExecutionFailed { node: Some("Fill".to_owned()), error, at_ms: 1_002 }
}

/// Appends an execution that fails like this; its id.
async fn failure(server: &TestServer, number: u128, workflow: &str, message: &str) -> String {
    let id = uuid::Uuid::from_u128(number).to_string();
    let stream = StreamKey::new(TENANT, "execution", id.as_str());
    append(&server.log, &stream, vec![started(workflow), failed(message)]).await;
    id
}

#[tokio::test]
async fn failures_are_grouped_by_what_their_errors_have_in_common() {
    let server = TestServer::start();
    let (one, _) = server.import("one").await;
    let (two, _) = server.import("two").await;
    let first = failure(&server, 1, &one, "order 17 is not there").await;
    let then = server.log_head();
    failure(&server, 2, &two, "order 18 is not there").await;
    let last = failure(&server, 3, &two, "order 19 is not there").await;
    let other = failure(&server, 4, &one, "no paper").await;
    let query = "query($p: Position!, $asOf: AsOf, $workflow: UUID, $last: Int) {
        executionGroups(waitFor: $p, asOf: $asOf, workflowId: $workflow, last: $last) {
            nodes { fingerprint executionCount workflowCount errorMessage errorNode newest { id }
                executions(first: 2) { nodes { id errorFingerprint } } }
            pageInfo { hasPreviousPage } } }";
    let head = server.log_head();
    let ask = async |more: Value| {
        let mut variables = json!({ "p": head });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.data(query, variables).await["executionGroups"].clone()
    };
    let groups = ask(json!({})).await;
    let (paper, orders) = (&groups["nodes"][0], &groups["nodes"][1]);
    assert_eq!((&paper["errorMessage"], &paper["executionCount"]), (&json!("no paper"), &json!(1)));
    assert_eq!(paper["newest"]["id"], other);
    assert_eq!((&orders["executionCount"], &orders["workflowCount"]), (&json!(3), &json!(2)));
    assert_eq!((&orders["errorNode"], &orders["newest"]["id"]), (&json!("Fill"), &json!(last)));
    assert_eq!(orders["executions"]["nodes"][0], json!({ "id": last, "errorFingerprint": orders["fingerprint"] }));
    assert_eq!(groups["nodes"].as_array().unwrap().len(), 2);
    let end = ask(json!({ "last": 1 })).await;
    assert_eq!(
        (&end["nodes"][0]["fingerprint"], &end["pageInfo"]["hasPreviousPage"]),
        (&orders["fingerprint"], &json!(true))
    );
    let early = ask(json!({ "asOf": { "position": then } })).await;
    assert_eq!(early["nodes"].as_array().unwrap().len(), 1);
    assert_eq!((&early["nodes"][0]["executionCount"], &early["nodes"][0]["newest"]["id"]), (&json!(1), &json!(first)));
    assert_eq!(ask(json!({ "workflow": two })).await["nodes"][0]["executionCount"], 2);
    let members = "query($f: String!, $asOf: AsOf) { executions(errorFingerprint: $f, asOf: $asOf) { nodes { id } } }";
    let of = async |as_of: Value| {
        let data = server.data(members, json!({ "f": orders["fingerprint"], "asOf": as_of })).await;
        data["executions"]["nodes"].as_array().unwrap().len()
    };
    assert_eq!((of(Value::Null).await, of(json!({ "position": then })).await), (3, 1));
    server.stop().await;
}

#[tokio::test]
async fn a_dismissed_failure_leaves_the_unresolved_ones_and_stays_among_those_of_then() {
    let mut server = TestServer::start();
    server.play_engine(|| failed("no paper"));
    let (workflow, _) = server.import("w").await;
    let publish = "mutation($input: PublishWorkflowInput!) { publishWorkflow(input: $input) { errors { code } } }";
    server.data(publish, json!({ "input": { "workflowId": workflow } })).await;
    let start = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId position } }";
    let input = json!({ "workflowId": workflow, "mode": "PRODUCTION", "waitFor": "COMPLETED" });
    let started = server.data(start, json!({ "input": input })).await["startExecution"].clone();
    let dismiss =
        "mutation($input: DismissExecutionInput!) { dismissExecution(input: $input) { position errors { code } } }";
    let dismissed = server.data(dismiss, json!({ "input": { "executionId": started["executionId"] } })).await;
    let query = "query($p: Position!, $asOf: AsOf, $unresolved: Boolean!) {
        executionGroups(waitFor: $p, asOf: $asOf, unresolved: $unresolved) { nodes { executionCount } } }";
    let count = async |as_of: Value, unresolved: bool| {
        let variables =
            json!({ "p": dismissed["dismissExecution"]["position"], "asOf": as_of, "unresolved": unresolved });
        server.data(query, variables).await["executionGroups"]["nodes"].as_array().unwrap().len()
    };
    let then = json!({ "position": started["position"] });
    assert_eq!((count(Value::Null, true).await, count(Value::Null, false).await), (0, 1));
    assert_eq!((count(then.clone(), true).await, count(then, false).await), (1, 1));
    server.stop().await;
}

#[tokio::test]
async fn text_is_found_in_what_happened() {
    let server = TestServer::start();
    let stream = |number: u128| StreamKey::new(TENANT, "execution", uuid::Uuid::from_u128(number).to_string());
    for number in 1..=6 {
        let name = if number % 2 == 0 { "say \"grüezi\"\n" } else { "nothing" };
        append(&server.log, &stream(number), vec![node_completed("Start", 0, json!({ "name": name }))]).await;
    }
    let query =
        "query($q: String!, $filter: EventFilter! = {}, $first: Int, $last: Int, $after: String, $before: String) {
        searchPayloads(query: $q, filter: $filter, first: $first, last: $last, after: $after, before: $before) {
            nodes { position excerpt event { type } } extent { searchedEvents complete goOnAt }
            pageInfo { hasNextPage hasPreviousPage endCursor } } }";
    let ask = async |variables: Value| server.data(query, variables).await["searchPayloads"].clone();
    let positions = |found: &Value| -> Vec<String> {
        found["nodes"].as_array().unwrap().iter().map(|hit| text(&hit["position"])).collect()
    };
    let all = ask(json!({ "q": "say \"grüezi\"\n" })).await;
    assert_eq!(positions(&all), ["6", "4", "2"]);
    assert!(text(&all["nodes"][0]["excerpt"]).contains("say \\\"grüezi"), "{all}");
    assert_eq!(all["extent"], json!({ "searchedEvents": 6, "complete": true, "goOnAt": null }));
    let first = ask(json!({ "q": "grüezi", "first": 2 })).await;
    assert_eq!(
        (positions(&first), &first["pageInfo"]["hasNextPage"]),
        (vec!["6".to_owned(), "4".to_owned()], &json!(true))
    );
    let rest = ask(json!({ "q": "grüezi", "first": 2, "after": first["pageInfo"]["endCursor"] })).await;
    assert_eq!((positions(&rest), &rest["pageInfo"]["hasNextPage"]), (vec!["2".to_owned()], &json!(false)));
    let last = ask(json!({ "q": "grüezi", "last": 2 })).await;
    assert_eq!(
        (positions(&last), &last["pageInfo"]["hasPreviousPage"]),
        (vec!["4".to_owned(), "2".to_owned()], &json!(true))
    );
    let none = json!({ "q": "grüezi", "filter": { "categories": ["workflow"] } });
    assert_eq!(positions(&ask(none).await), Vec::<String>::new());
    let short = server.ask(query, json!({ "q": "x" })).await;
    assert_eq!(short["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    server.stop().await;
}

#[tokio::test]
async fn a_rare_text_is_found_in_both_directions_and_as_of_a_moment_without_a_look_at_everything() {
    let server = TestServer::start();
    let stream = |number: u128| StreamKey::new(TENANT, "execution", uuid::Uuid::from_u128(number).to_string());
    for number in 0..17 {
        let named = |name: &str| node_completed("Start", 0, json!({ "name": name }));
        let hay = std::iter::repeat_with(|| named("hay")).take(999);
        append(&server.log, &stream(number), hay.chain([named(&format!("needle {number}"))]).collect()).await;
    }
    let query = "query($q: String!, $at: Position, $filter: EventFilter! = {}, $first: Int, $last: Int) {
        searchPayloads(query: $q, asOf: { position: $at }, filter: $filter, first: $first, last: $last) {
            nodes { position } extent { searchedEvents complete } pageInfo { hasNextPage hasPreviousPage } } }";
    let ask = async |more: Value| {
        let mut variables = json!({ "at": "17000" });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.data(query, variables).await["searchPayloads"].clone()
    };
    let positions = |found: &Value| -> Vec<String> {
        found["nodes"].as_array().unwrap().iter().map(|hit| text(&hit["position"])).collect()
    };
    // The first 16,384 events are indexed once they are counted, which nobody announces. Before that as after it everything
    // is found.
    let waited = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        loop {
            let found = ask(json!({ "q": "needle 3" })).await;
            assert_eq!((positions(&found), &found["extent"]["complete"]), (vec!["4000".to_owned()], &json!(true)));
            if found["extent"]["searchedEvents"].as_u64().unwrap() < 2_000 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap();
    let newest = ask(json!({ "q": "needle", "first": 2 })).await;
    assert_eq!(
        (positions(&newest), &newest["pageInfo"]["hasNextPage"]),
        (vec!["17000".into(), "16000".into()], &json!(true))
    );
    let oldest = ask(json!({ "q": "needle", "last": 3 })).await;
    assert_eq!(positions(&oldest), ["3000", "2000", "1000"]);
    assert_eq!(oldest["pageInfo"]["hasPreviousPage"], true);
    assert!(oldest["extent"]["searchedEvents"].as_u64().unwrap() < 1_000, "{oldest}");
    let then = ask(json!({ "q": "needle", "at": "2500" })).await;
    assert_eq!(positions(&then), ["2000", "1000"]);
    let of_one =
        json!({ "q": "needle 7", "filter": { "stream": { "category": "execution", "id": uuid::Uuid::from_u128(7) } } });
    assert_eq!(positions(&ask(of_one).await), ["8000"]);
    for nothing in [json!({ "q": "needle 77" }), json!({ "q": "needle 7", "filter": { "categories": ["workflow"] } })] {
        let found = ask(nothing).await;
        assert_eq!((positions(&found), &found["extent"]["complete"]), (Vec::new(), &json!(true)));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_search_that_has_no_end_stops_and_says_where_to_go_on() {
    let server = TestServer::start_behind();
    let stream = StreamKey::new(TENANT, "execution", uuid::Uuid::from_u128(1).to_string());
    append(&server.log, &stream, vec![node_completed("Start", 0, json!({ "name": "needle" }))]).await;
    for _ in 0..51 {
        let hay = std::iter::repeat_with(|| node_completed("Again", 1, json!({}))).take(1_000).collect();
        append(&server.log, &stream, hay).await;
    }
    let query = "query($after: String) { searchPayloads(query: \"needle\", first: 5, after: $after) {
        nodes { position } extent { searchedEvents complete goOnAt } pageInfo { hasNextPage } } }";
    let (mut after, mut searches) = (Value::Null, 0);
    loop {
        let found = server.data(query, json!({ "after": after })).await["searchPayloads"].clone();
        searches += 1;
        assert!(found["extent"]["searchedEvents"].as_u64().unwrap() <= 50_000, "{found}");
        if found["extent"]["complete"] == true {
            assert_eq!(found["nodes"], json!([{ "position": "1" }]));
            break;
        }
        assert_eq!((&found["nodes"], &found["pageInfo"]["hasNextPage"]), (&json!([]), &json!(true)));
        after = found["extent"]["goOnAt"].clone();
    }
    assert!(searches >= 2, "one search does not look at everything");
    server.stop().await;
}
