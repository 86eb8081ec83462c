//! Relay's rules: ids that find their thing, pages from either end.

use serde_json::{Value, json};

use crate::support::{TestServer, completed, text, unknown_id};

#[tokio::test]
async fn everything_that_has_an_id_is_found_by_it() {
    let server = TestServer::start();
    let (workflow, _) = server.import("w").await;
    let (execution, _) = server.execution(&workflow).await;
    server.data("mutation { registerPlugin(input: {name: \"pdf\"}) { name } registerModel(input: {name: \"pdf\"}) { name } }", json!({})).await;
    let save = "mutation($data: JSON!) { saveCredential(input: {name: \"c\", type: \"httpBasicAuth\", data: $data}) { credentialId position } }";
    let saved = server.data(save, json!({ "data": { "user": "u", "password": "p" } })).await["saveCredential"].clone();
    let query = "query($id: UUID!, $from: Position!) {
        execution(id: $id, waitFor: $from) { id events { nodes { id } } nodeRuns { nodes { id } } }
        plugins { nodes { id } } models { nodes { id } } }";
    let data = server.data(query, json!({ "id": execution, "from": saved["position"] })).await;
    let ids: Vec<Value> = vec![
        json!(workflow),
        data["execution"]["id"].clone(),
        data["execution"]["nodeRuns"]["nodes"][1]["id"].clone(),
        data["execution"]["events"]["nodes"][0]["id"].clone(),
        saved["credentialId"].clone(),
        data["plugins"]["nodes"][0]["id"].clone(),
        data["models"]["nodes"][0]["id"].clone(),
    ];
    let nothing = [json!(unknown_id()), json!("no-such-id"), json!("plugin/none")];
    let all: Vec<Value> = ids.iter().chain(&nothing).cloned().collect();
    let many = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let nodes = server.data(many, json!({ "ids": all })).await["nodes"].clone();
    let types = ["Workflow", "Execution", "NodeRun", "Event", "Credential", "Plugin", "Model"];
    for (place, (kind, id)) in types.iter().zip(&ids).enumerate() {
        assert_eq!(nodes[place], json!({ "__typename": kind, "id": id }));
        let one = server.data("query($id: ID!) { node(id: $id) { __typename id } }", json!({ "id": id })).await;
        assert_eq!(one["node"], nodes[place]);
    }
    assert_eq!(nodes.as_array().unwrap()[types.len()..], [Value::Null, Value::Null, Value::Null]);
    let before = "query($id: ID!) { node(id: $id, asOf: {position: 1}) { id } }";
    assert_eq!(server.data(before, json!({ "id": execution })).await["node"], Value::Null, "it had not begun");
    let too_many = server.ask(many, json!({ "ids": vec!["x"; 101] })).await;
    assert_eq!(too_many["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    server.stop().await;
}

/// The cursors of a page, and what its `pageInfo` says lies before and behind it.
pub(crate) fn page(connection: &Value) -> (Vec<String>, bool, bool) {
    let edges = connection["edges"].as_array().unwrap();
    let cursors: Vec<String> = edges.iter().map(|edge| text(&edge["cursor"])).collect();
    let info = &connection["pageInfo"];
    assert_eq!(info["startCursor"], json!(cursors.first()));
    assert_eq!(info["endCursor"], json!(cursors.last()));
    (cursors, info["hasPreviousPage"].as_bool().unwrap(), info["hasNextPage"].as_bool().unwrap())
}

#[tokio::test]
async fn every_list_is_paged_from_either_end_in_one_order() {
    let server = TestServer::start();
    let (workflow, _) = server.import("first").await;
    for index in 0..4 {
        server.import(&format!("w{index}")).await;
        server.execution(&workflow).await;
        let name = format!("n{index}");
        let both = "mutation($name: String!) { registerPlugin(input: {name: $name}) { name } registerModel(input: {name: $name}) { name } }";
        server.data(both, json!({ "name": name })).await;
        let save = "mutation($name: String!, $data: JSON!) { saveCredential(input: {name: $name, type: \"t\", data: $data}) { position } }";
        server.data(save, json!({ "name": name, "data": { "a": "b" } })).await;
    }
    let (_, busy) = server.execution(&workflow).await;
    let more = std::iter::repeat_with(completed).take(3).collect();
    let position = crate::support::append(&server.log, &busy, more).await.to_string();
    server.data("query($p: Position!) { workflows(waitFor: $p) { nodes { id } } }", json!({ "p": position })).await;
    let shown = "edges { cursor } pageInfo { startCursor endCursor hasNextPage hasPreviousPage }";
    let execution = busy.id.to_string();
    for list in
        ["workflows", "executions", "plugins", "models", "credentials", "events", "events(direction: BACKWARD,)"]
    {
        let name = list.split('(').next().unwrap();
        let fixed = list.strip_prefix("events(").map_or("", |rest| rest.trim_end_matches(')'));
        // Whoever reads the whole log is written down, which is one more event of it.
        let fixed = match name {
            "events" => format!("asOf: {{position: {position}}}, {fixed}"),
            _ => fixed.to_owned(),
        };
        let ask = async |arguments: &str| {
            let query = format!("{{ list: {name}({fixed} {arguments}) {{ {shown} }} }}");
            page(&server.data(&query, json!({})).await["list"])
        };
        walk(list, &ask).await;
    }
    for list in ["nodeRuns", "events"] {
        let ask = async |arguments: &str| {
            let query =
                format!("query($id: UUID!) {{ execution(id: $id) {{ list: {list}({arguments}) {{ {shown} }} }} }}");
            page(&server.data(&query, json!({ "id": execution })).await["execution"]["list"])
        };
        walk(list, &ask).await;
    }
    server.stop().await;
}

/// Asks for pages of a list of which there are at least two entries.
pub(crate) async fn walk(list: &str, ask: &impl AsyncFn(&str) -> (Vec<String>, bool, bool)) {
    let (all, false, false) = ask("first: 100").await else { panic!("{list}: everything is one page") };
    assert!(all.len() >= 2, "{list}");
    assert_eq!(ask("last: 100").await, (all.clone(), false, false), "{list}");
    let (first, last) = (all.first().unwrap(), all.last().unwrap());
    assert_eq!(ask("first: 1").await, (vec![first.clone()], false, true), "{list}");
    assert_eq!(ask("last: 1").await, (vec![last.clone()], true, false), "{list}");
    assert_eq!(ask("first: 0").await, (vec![], false, true), "{list}");
    assert_eq!(ask(&format!("first: 100, after: \"{first}\"")).await, (all[1..].to_vec(), true, false), "{list}");
    let behind = all.len() - 1;
    assert_eq!(ask(&format!("last: 100, before: \"{last}\"")).await, (all[..behind].to_vec(), false, true), "{list}");
    assert_eq!(
        ask(&format!("last: 1, before: \"{last}\"")).await,
        (vec![all[behind - 1].clone()], behind > 1, true),
        "{list}"
    );
    let between = ask(&format!("first: 100, after: \"{first}\", before: \"{last}\"")).await;
    assert_eq!(between, (all[1..behind].to_vec(), true, true), "{list}");
}

#[tokio::test]
async fn pages_that_make_no_sense_are_refused() {
    let server = TestServer::start();
    for list in ["workflows", "executions", "deadLetters", "plugins", "models", "credentials", "events"] {
        for arguments in [
            "first: -1",
            "last: -1",
            "first: 101",
            "last: 1000000",
            "first: 1, last: 1",
            "after: \"%%\"",
            "before: \"7\"",
        ] {
            let answer =
                server.ask(&format!("{{ {list}({arguments}) {{ nodes {{ __typename }} }} }}"), json!({})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{list}({arguments}): {answer}");
        }
    }
    server.stop().await;
}

/// Statements that a question takes of the rows, and reads that it takes of the log.
#[tokio::test]
async fn a_list_takes_as_many_statements_as_it_has_levels_however_long_it_is() {
    let server = TestServer::start();
    let query = "query($p: Position) { executions(first: 100, waitFor: $p) { nodes {
        workflow { name executions(first: 2) { nodes { id } } }
        nodeRuns(first: 5) { nodes { node output } } } } }";
    let mut taken = Vec::new();
    for entries in [2, 30] {
        let mut position = String::new();
        for index in 0..entries {
            let (workflow, _) = server.import(&format!("w{entries}-{index}")).await;
            server.execution(&workflow).await;
            position = server.log_head();
        }
        server.data("query($p: Position) { workflows(waitFor: $p) { nodes { id } } }", json!({ "p": position })).await;
        let before = server.statements();
        let data = server.data(query, json!({ "p": position })).await;
        taken.push(server.statements() - before);
        let nodes = data["executions"]["nodes"].as_array().unwrap();
        assert!(nodes.len() >= entries);
        assert!(nodes.iter().all(|node| node["nodeRuns"]["nodes"][1]["output"][0][0]["json"]["n"] == 2), "{data}");
    }
    assert_eq!(taken, [4, 4], "executions, their workflows, the workflows' executions, node runs");
    server.stop().await;
}
