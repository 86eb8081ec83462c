//! Failures by their cause, and text in what happened.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, StartFacts};
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
async fn what_somebody_has_to_look_after_comes_before_all_else() {
    let server = TestServer::start();
    let (workflow, _) = server.import("w").await;
    // Of the second, fourth and sixth nobody has looked after the failure.
    for number in 1..=6_u128 {
        let ExecutionEvent::ExecutionStarted(facts) = started(&workflow) else { panic!("it starts otherwise") };
        let mode = if number % 2 == 0 { ExecutionMode::Production } else { ExecutionMode::Manual };
        let began = ExecutionEvent::ExecutionStarted(Arc::new(StartFacts { mode, ..(*facts).clone() }));
        let stream = StreamKey::new(TENANT, "execution", uuid::Uuid::from_u128(number).to_string());
        append(&server.log, &stream, vec![began, failed("no paper")]).await;
    }
    let query =
        "query($p: Position!, $first: Int, $after: String, $last: Int, $before: String, $only: Boolean! = false) {
        executions(waitFor: $p, order: UNRESOLVED_FIRST, first: $first, after: $after, last: $last, before: $before,
            unresolved: $only) {
            nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let head = server.log_head();
    let ask = async |more: Value| {
        let mut variables = json!({ "p": head });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.data(query, variables).await["executions"].clone()
    };
    let numbers = |page: &Value| -> Vec<u128> {
        let ids = page["nodes"].as_array().unwrap().iter();
        ids.map(|node| uuid::Uuid::parse_str(&text(&node["id"])).unwrap().as_u128()).collect()
    };
    let order = [6, 4, 2, 5, 3, 1];
    assert_eq!(numbers(&ask(json!({ "first": 10 })).await), order);
    assert_eq!(numbers(&ask(json!({ "first": 10, "only": true })).await), order[..3]);
    for size in 1..=6 {
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        let (mut after, mut before) = (Value::Null, Value::Null);
        loop {
            let page = ask(json!({ "first": size, "after": after })).await;
            forward.extend(numbers(&page));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        loop {
            let page = ask(json!({ "last": size, "before": before })).await;
            backward.splice(0..0, numbers(&page));
            before = page["pageInfo"]["startCursor"].clone();
            if page["pageInfo"]["hasPreviousPage"] == false {
                break;
            }
        }
        assert_eq!((forward, backward), (order.to_vec(), order.to_vec()), "pages of {size}");
    }
    let by_text = server.ask("{ executions(order: UNRESOLVED_FIRST, text: \"w\") { nodes { id } } }", json!({})).await;
    assert_eq!(by_text["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
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

#[tokio::test]
async fn executions_are_found_by_when_they_began_and_by_what_people_remember_of_them() {
    let server = TestServer::start();
    let (one, _) = server.import("Invoices").await;
    let (two, _) = server.import("Reminders").await;
    let first = failure(&server, 1, &one, "order 17 is not there").await;
    let head = "{ head { recordedAt } }";
    let between = text(&server.data(head, json!({})).await["head"]["recordedAt"]);
    let second = failure(&server, 2, &two, "No paper").await;
    let last = text(&server.data(head, json!({})).await["head"]["recordedAt"]);
    let query = "query($p: Position!, $text: String, $from: DateTime, $to: DateTime, $workflow: UUID) {
        executions(waitFor: $p, text: $text, startedFrom: $from, startedTo: $to, workflowId: $workflow, first: 5) {
            nodes { id } pageInfo { hasNextPage hasPreviousPage } } }";
    let position = server.log_head();
    let ask = async |more: Value| {
        let mut variables = json!({ "p": position });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let list = server.data(query, variables).await["executions"].clone();
        assert_eq!(list["pageInfo"], json!({ "hasNextPage": false, "hasPreviousPage": false }), "{more}");
        list["nodes"].as_array().unwrap().iter().map(|node| text(&node["id"])).collect::<Vec<_>>()
    };
    for (wanted, found) in [
        ("invoi", vec![&first]),
        ("PAPER", vec![&second]),
        ("is not there", vec![&first]),
        ("fill", vec![&second, &first]),
        ("nothing of it", vec![]),
    ] {
        assert_eq!(ask(json!({ "text": wanted })).await.iter().collect::<Vec<_>>(), found, "{wanted}");
    }
    assert_eq!(ask(json!({ "text": &two[..30] })).await, std::slice::from_ref(&second), "an id is enough of it");
    assert_eq!(ask(json!({ "text": &first })).await, std::slice::from_ref(&first));
    assert_eq!(ask(json!({ "text": "fill", "workflow": one })).await, std::slice::from_ref(&first));
    // The clock of the log may stand still between two of its events.
    assert!(ask(json!({ "from": between })).await.contains(&second));
    assert!(!ask(json!({ "to": between })).await.contains(&second));
    assert_eq!(ask(json!({ "from": "2000-01-01T00:00:00Z", "to": "2000-01-02T00:00:00Z" })).await, [""; 0]);
    assert_eq!(ask(json!({ "from": "2999-01-01T00:00:00Z" })).await, [""; 0]);
    assert_eq!(ask(json!({ "from": "2000-01-01T00:00:00Z", "text": "paper" })).await, [second]);
    assert!(last >= between);
    let refused = server.ask(query, json!({ "p": position, "text": " " })).await;
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("1 to 200 characters"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn a_page_of_found_executions_is_read_on_in_both_directions() {
    let server = TestServer::start();
    let (one, _) = server.import("one").await;
    let mut wanted = Vec::new();
    for number in 1..=230_u128 {
        let id = failure(&server, number, &one, if number % 50 == 0 { "rare" } else { "common" }).await;
        if number % 50 == 0 {
            wanted.insert(0, id);
        }
    }
    let query = "query($p: Position!, $first: Int, $after: String, $last: Int) {
        executions(waitFor: $p, text: \"rare\", first: $first, after: $after, last: $last) {
            nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } }";
    let position = server.log_head();
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let list = server.data(query, json!({ "p": position, "first": 3, "after": after })).await["executions"].clone();
        found.extend(list["nodes"].as_array().unwrap().iter().map(|node| text(&node["id"])));
        if list["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = list["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(found, wanted);
    let end = server.data(query, json!({ "p": position, "last": 2 })).await["executions"].clone();
    let ids: Vec<String> = end["nodes"].as_array().unwrap().iter().map(|node| text(&node["id"])).collect();
    assert_eq!((ids.as_slice(), &end["pageInfo"]["hasPreviousPage"]), (&wanted[2..], &json!(true)));
    server.stop().await;
}

#[tokio::test]
async fn failures_of_one_cause_are_redriven_and_no_others() {
    let server = TestServer::start();
    let (one, _) = server.import("one").await;
    let publish = "mutation($input: PublishWorkflowInput!) { publishWorkflow(input: $input) { errors { message } } }";
    server.data(publish, json!({ "input": { "workflowId": one } })).await;
    let order = failure(&server, 1, &one, "order 17 is not there").await;
    failure(&server, 2, &one, "no paper").await;
    let cause = "query($p: Position!, $id: UUID!) { execution(id: $id, waitFor: $p) { errorFingerprint mode } }";
    let found = server.data(cause, json!({ "p": server.log_head(), "id": order })).await["execution"].clone();
    let redrive = "mutation($input: RedriveExecutionsInput!) { redriveExecutions(input: $input) {
        redriven { executionId } retriedCount refusedCount errors { code } } }";
    let input = json!({ "filter": { "errorFingerprint": found["errorFingerprint"] }, "from": "START" });
    let done = server.data(redrive, json!({ "input": input })).await["redriveExecutions"].clone();
    let ids: Vec<String> = done["redriven"].as_array().unwrap().iter().map(|one| text(&one["executionId"])).collect();
    let expected: &[String] = if found["mode"] == "PRODUCTION" { &[order] } else { &[] };
    assert_eq!(ids, expected, "{done}");
    server.stop().await;
}

#[tokio::test]
async fn events_are_found_by_their_story_and_their_request_and_tell_their_node() {
    let server = TestServer::start();
    let (workflow, _) = server.import("one").await;
    let (id, stream) = server.execution(&workflow).await;
    append(&server.log, &stream, vec![node_completed("Fill", 1, json!({ "a": 1 })), failed("no paper")]).await;
    let list = "query($filter: EventFilter!) { events(filter: $filter, last: 100) {
        nodes { type streamId requestId correlationId causationId node runIndex } } }";
    let ask = async |filter: Value| server.data(list, json!({ "filter": filter })).await["events"]["nodes"].clone();
    let all = ask(json!({ "stream": { "category": "execution", "id": id } })).await;
    let newest = |event_type: &str| {
        let mut events = all.as_array().unwrap().iter().rev();
        events.find(|event| event["type"] == event_type).map(|event| (event["node"].clone(), event["runIndex"].clone()))
    };
    assert_eq!(newest("NodeCompleted"), Some((json!("Fill"), json!(0))));
    assert_eq!(newest("ExecutionFailed"), Some((json!("Fill"), Value::Null)));
    assert_eq!(newest("ExecutionStarted"), Some((Value::Null, Value::Null)));
    let created = ask(json!({ "stream": { "category": "workflow", "id": workflow } })).await[0].clone();
    let brought = ask(json!({ "requestId": created["requestId"] })).await;
    assert_eq!(brought, json!([created]), "a request of its own brought it");
    assert!(created["requestId"].is_string() && created["node"].is_null(), "{created}");
    let nobody = json!({ "correlationId": "00000000-0000-0000-0000-000000000009" });
    assert_eq!(ask(nobody).await, json!([]));
    let nothing = json!({ "causationId": "00000000-0000-0000-0000-000000000009", "categories": ["execution"] });
    assert_eq!(ask(nothing).await, json!([]));
    server.stop().await;
}
