//! Agents over GraphQL: versions and schemas, runs as of any moment, approvals that nobody asked for, who may.

use serde_json::{Value, json};

use crate::support::TestServer;

async fn change(server: &TestServer, field: &str, kind: &str, input: Value) -> Value {
    let shown = match kind.contains("Run") || kind.contains("Approval") {
        true => "runId run { status failureCode failureMessage input turn lineage { runId turn } }",
        false => "name agent { state owner config newestVersion { version tools digest } }",
    };
    let query = format!(
        "mutation($input: {kind}!) {{ {field}(input: $input) {{ position revision repeated
            errors {{ code path message }} {shown} }} }}"
    );
    server.data(&query, json!({ "input": input })).await[field].clone()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["code"].as_str().unwrap_or("done")
}

async fn with_agent() -> TestServer {
    let server = TestServer::start();
    let register = json!({ "name": "support", "description": "Answers.", "owner": "ops" });
    assert_eq!(code(&change(&server, "registerAgent", "RegisterAgentInput", register).await), "done");
    let record = json!({
        "model": "fast", "input_schema": {"type": "string"}, "config": {"tone": "kind"},
        "config_schema": {"properties": {"tone": {"type": "string"}}},
        "tools": [{"name": "refund", "does": {"kind": "workflow", "workflow": "Refund"}, "approval": "always"}],
    });
    let input = json!({ "name": "support", "record": record });
    let published = change(&server, "publishAgentVersion", "PublishAgentVersionInput", input).await;
    assert_eq!(published["agent"]["newestVersion"]["version"], 1, "{published}");
    server
}

#[tokio::test]
async fn records_that_do_not_hold_are_refused_with_what_to_do() {
    let server = with_agent().await;
    let publish = async |record: Value| {
        let input = json!({ "name": "support", "record": record });
        change(&server, "publishAgentVersion", "PublishAgentVersionInput", input).await
    };
    for (record, message) in [
        (json!({"modle": "fast"}), "the record has no 'modle'"),
        (json!({"model": "fast", "output_schema": {"type": 7}}), "output_schema: the schema is not valid"),
        (json!([]), "the record is no JSON object"),
    ] {
        let refused = publish(record).await;
        assert_eq!(code(&refused), "INVALID_AGENT");
        assert!(refused["errors"][0]["message"].as_str().unwrap().starts_with(message), "{refused}");
    }
    let input = json!({ "name": "support", "config": {"tone": 7} });
    assert_eq!(code(&change(&server, "configureAgent", "ConfigureAgentInput", input).await), "INVALID_CONFIG");
    let input = json!({ "name": "nobody", "reason": "old" });
    let refused = change(&server, "deprecateAgent", "DeprecateAgentInput", input).await;
    assert_eq!(code(&refused), "AGENT_NOT_FOUND");
    assert!(refused["errors"][0]["message"].as_str().unwrap().starts_with("there is no agent 'nobody'"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn an_agent_and_its_runs_are_told_for_any_moment() {
    let server = with_agent().await;
    let input = json!({ "agent": "support", "input": "Where is order 7?" });
    let begun = change(&server, "startAgentRun", "StartAgentRunInput", input).await;
    assert_eq!((&begun["run"]["status"], &begun["run"]["turn"]), (&json!("RUNNING"), &json!(1)), "{begun}");
    let run = begun["runId"].clone();
    let input = json!({ "agent": "support", "input": 7 });
    assert_eq!(code(&change(&server, "startAgentRun", "StartAgentRunInput", input).await), "INVALID_INPUT");
    let input = json!({ "runId": run, "approves": true });
    assert_eq!(code(&change(&server, "giveApproval", "GiveApprovalInput", input).await), "NOTHING_TO_APPROVE");
    let input = json!({ "runId": run, "reason": "enough" });
    let cancelled = change(&server, "cancelAgentRun", "AgentRunReasonInput", input.clone()).await;
    assert_eq!(cancelled["run"]["failureMessage"], "enough", "{cancelled}");
    let again = change(&server, "cancelAgentRun", "AgentRunReasonInput", input).await;
    assert_eq!((code(&again), &again["repeated"]), ("done", &json!(true)));
    let input = json!({ "name": "support", "reason": "a better one", "replacement": "support-2" });
    let deprecated = change(&server, "deprecateAgent", "DeprecateAgentInput", input).await;
    assert_eq!(deprecated["agent"]["state"], "DEPRECATED");

    let query = "query($id: UUID!, $at: Position!) {
        agent(name: \"support\", asOf: {position: $at}) { state runs { nodes { status } } }
        agentRun(id: $id, asOf: {position: $at}) { status input events { type revision } forks { nodes { id } } }
        agentRuns(filter: {agent: \"support\", status: RUNNING}, asOf: {position: $at}) { nodes { id } } }";
    let then = server.data(query, json!({ "id": run, "at": begun["position"] })).await;
    assert_eq!(then["agent"], json!({ "state": "ACTIVE", "runs": {"nodes": [{"status": "RUNNING"}]} }));
    assert_eq!(then["agentRun"]["events"], json!([{ "type": "AgentRunStarted", "revision": 1 }]));
    assert_eq!(then["agentRun"]["input"], "Where is order 7?");
    assert_eq!(then["agentRuns"]["nodes"], json!([{ "id": run }]));
    let now = server.data(query, json!({ "id": run, "at": deprecated["position"] })).await;
    assert_eq!((&now["agent"]["state"], &now["agentRun"]["status"]), (&json!("DEPRECATED"), &json!("CANCELLED")));
    assert_eq!(now["agentRuns"]["nodes"], json!([]));
    let replay = "query($id: UUID!) { agentRunReplay(id: $id) { same events deviation { message } } }";
    let replay = server.data(replay, json!({ "id": run })).await["agentRunReplay"].clone();
    assert_eq!(replay, json!({ "same": true, "events": 2, "deviation": null }));
    server.stop().await;
}

#[tokio::test]
async fn a_fork_knows_from_where_it_goes_on() {
    let server = with_agent().await;
    let input = json!({ "agent": "support", "input": "Hello" });
    let run = change(&server, "startAgentRun", "StartAgentRunInput", input).await["runId"].clone();
    let fork = async |more: Value| {
        let mut input = json!({ "runId": run });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        change(&server, "forkAgentRun", "ForkAgentRunInput", input).await
    };
    let forked = fork(json!({ "prompt": "Be brief." })).await;
    assert_eq!(forked["run"]["lineage"], json!({ "runId": run, "turn": 1 }), "{forked}");
    assert_eq!(code(&fork(json!({ "turn": 3 })).await), "INVALID_FORK");
    let lost = json!({ "toolResults": [{ "call": "1.0", "content": "lost" }] });
    assert_eq!(code(&fork(lost).await), "INVALID_FORK");
    let query = "query($id: UUID!) { agentRun(id: $id) { forks { nodes { id prompt } } } }";
    let forks = server.data(query, json!({ "id": run })).await["agentRun"]["forks"]["nodes"].clone();
    assert_eq!(forks, json!([{ "id": forked["runId"], "prompt": "Be brief." }]));
    server.stop().await;
}
