//! What is attached to the AI Agent of workflow files, run for real: workflows and collections of vectors as its tools, a parser
//! of its answer, a second model.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::agent_nodes::{DOWN, Provider, ran, route, set_up};
use super::server::{Server, chain, verb, verb_json};

const PACKAGE: &str = "@n8n/n8n-nodes-langchain";

/// A provider that fills in these arguments, and a server that asks it.
async fn world(folder: &tempfile::TempDir, arguments: Value, says: &[&'static str]) -> (Arc<Provider>, Server) {
    let says = Mutex::new(says.iter().copied().collect::<VecDeque<_>>());
    let provider = Arc::new(Provider { arguments, says, ..Provider::default() });
    let host = provider.serve().await;
    let server = Server::start(folder.path(), &["--allow-private-hosts", &host]);
    set_up(&server, &host).await;
    (provider, server)
}

/// A node of the package, without a place.
fn node(name: &str, kind: &str, version: f64, parameters: Value) -> Value {
    json!({"id": name, "name": name, "type": format!("{PACKAGE}.{kind}"), "typeVersion": version, "position": [0, 200],
        "parameters": parameters})
}

/// Attaches a node to another one.
fn attach(definition: &mut Value, helper: Value, (to, kind, place): (&str, &str, usize)) {
    definition["connections"][helper["name"].as_str().unwrap()] =
        json!({kind: [[{"node": to, "type": kind, "index": place}]]});
    definition["nodes"].as_array_mut().unwrap().push(helper);
}

/// A workflow with an agent that is given a task, and its model.
fn agent(version: f64, parameters: Value) -> Value {
    let item = json!({"name": "Item", "type": "n8n-nodes-base.code", "typeVersion": 2, "parameters": {
        "jsCode": "return [{ json: { chatInput: 'Do it.', hall: 'east', guests: 3 } }];"}});
    let mut definition = chain("Agent", &[item, node("Agent", "agent", version, parameters)]);
    let model =
        node("Model", "lmChatOpenAi", 1.2, json!({"model": {"__rl": true, "mode": "id", "value": "gpt-4o-mini"}}));
    attach(&mut definition, model, ("Agent", "ai_languageModel", 0));
    definition
}

/// A workflow that gives what it was called with, as text.
fn called() -> Value {
    let echo = json!({"id": "echo", "name": "Echo", "type": "n8n-nodes-base.code", "typeVersion": 2, "position": [200, 0],
        "parameters": {"jsCode": "return [{ json: { seen: JSON.stringify($input.first().json) } }];"}});
    let trigger = json!({"id": "start", "name": "Start", "type": "n8n-nodes-base.executeWorkflowTrigger",
        "typeVersion": 1.1, "position": [0, 0], "parameters": {"inputSource": "passthrough"}});
    json!({"name": "Seats", "nodes": [trigger, echo],
        "connections": {"Start": {"main": [[{"node": "Echo", "type": "main", "index": 0}]]}},
        "settings": {"executionOrder": "v1"}})
}

fn publish(server: &Server, workflow: &str) {
    let done = verb(&["workflow", "publish", workflow, "--server", &server.url]);
    assert!(done.status.success(), "{done:?}");
}

/// The results of tools in a run, by the tools' names: the JSON of what each gave.
fn told(server: &Server, item: &Value) -> Value {
    let run = item["runId"].as_str().unwrap_or_else(|| panic!("{item}"));
    let transcript = verb_json(&["agent", "transcript", run, "--json", "--server", &server.url]);
    let events = transcript["events"].as_array().unwrap();
    let of =
        |kind: &'static str| events.iter().filter(move |event| event["type"] == kind).map(|event| &event["payload"]);
    let named = of("AgentToolCalled").filter_map(|called| {
        let answered = of("AgentToolAnswered").find(|answered| answered["call"] == called["call"])?;
        let content = answered["content"].as_str()?;
        Some((called["tool"].as_str()?.to_owned(), serde_json::from_str(content).unwrap_or_else(|_| json!(content))))
    });
    Value::Object(named.collect())
}

/// What the called workflow saw.
fn seen(told: &Value) -> Value {
    let text = told["seen"].as_str().unwrap_or_else(|| panic!("{told}"));
    serde_json::from_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workflows_as_tools_get_what_the_model_filled_in_and_what_the_item_says_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = json!({"Mapped": {"the_row": "C"}, "seats": {"row": "D"}, "Asked": {"query": "any?"}, "Brought": {"query": "own?"}});
    let (provider, server) = world(&folder, arguments, &[]).await;
    let called_id = server.import(&called()).await;
    publish(&server, &called_id);
    let by_id = json!({"__rl": true, "mode": "list", "value": called_id});
    let mut definition = agent(2.2, json!({}));
    let mut tool = |name: &str, version: f64, parameters: Value| {
        attach(&mut definition, node(name, "toolWorkflow", version, parameters), ("Agent", "ai_tool", 0));
    };
    // What the model fills and what the item says, into fields of the called workflow.
    tool(
        "Mapped",
        2.2,
        json!({"description": "Tells a seat.", "workflowId": by_id, "workflowInputs": {
            "mappingMode": "defineBelow", "attemptToConvertTypes": true,
            "schema": [{"id": "row", "type": "string"}, {"id": "guests", "type": "string"}],
            "convertFieldsToString": true,
            "value": {"row": "={{ $fromAI('the_row', 'the row', 'string') }}", "guests": "={{ $json.guests }}"},
        }}),
    );
    // As older files have it: a schema of its own, and further fields.
    tool(
        "Older",
        1.3,
        json!({"name": "seats", "description": "Tells a seat.", "workflowId": by_id,
        "specifyInputSchema": true, "jsonSchemaExample": "{\"row\": \"B\"}",
        "fields": {"values": [{"name": "hall", "type": "stringValue", "stringValue": "={{ $json.hall }}"}]}}),
    );
    tool("Asked", 2.0, json!({"description": "Answers.", "workflowId": by_id}));
    tool(
        "Brought",
        1.2,
        json!({"name": "Brought", "description": "Answers.", "source": "parameter",
        "workflowJson": called().to_string()}),
    );
    let workflow = server.import(&definition).await;
    let (id, item) = ran(&server, &workflow).await;
    let told = told(&server, &item);
    assert_eq!(seen(&told["Mapped"]), json!({"row": "C", "guests": "3"}), "{told}");
    assert_eq!(seen(&told["seats"]), json!({"row": "D", "hall": "east"}), "{told}");
    assert_eq!(seen(&told["Asked"]), json!({"query": "any?"}), "{told}");
    assert_eq!(seen(&told["Brought"]), json!({"query": "own?"}), "{told}");
    let asked = provider.questions.lock().unwrap()[0].clone();
    let mapped = asked["tools"].as_array().unwrap().iter().find(|tool| tool["function"]["name"] == "Mapped").unwrap();
    let parameters = &mapped["function"]["parameters"];
    assert_eq!(parameters["properties"], json!({"the_row": {"type": "string", "description": "the row"}}), "{mapped}");

    let replay = verb_json(&["replay", &id, "--json", "--server", &server.url]);
    assert_eq!((&replay["sameCount"], &replay["differCount"]), (&json!(1), &json!(0)), "{replay}");
    assert_eq!(provider.count(), 2, "a replay asks nobody");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_as_a_tool_that_was_not_published_fails_the_call_and_the_model_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (provider, server) = world(&folder, json!({"Draft": {"query": "any?"}}), &[]).await;
    let draft = server.import(&called()).await;
    let mut definition = agent(2.2, json!({}));
    let tool = node("Draft", "toolWorkflow", 2.2, json!({"description": "Answers.", "workflowId": {"value": draft}}));
    attach(&mut definition, tool, ("Agent", "ai_tool", 0));
    let workflow = server.import(&definition).await;
    let (_, item) = ran(&server, &workflow).await;
    assert_eq!(told(&server, &item), json!({}), "it gave nothing");
    let second = provider.questions.lock().unwrap()[1]["messages"].to_string();
    assert!(second.contains("publish"), "{second}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_as_a_tool_is_searched_for_what_the_model_asks() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = json!({"company_knowledge": {"input": "When does it open?"}});
    let (_provider, server) = world(&folder, arguments, &[]).await;
    route(&server, "embedder", "e").await;
    let embedding = || node("Embedding", "embeddingsOpenAi", 1.2, json!({"model": "embedder"}));
    let texts = json!({"name": "Texts", "type": "n8n-nodes-base.code", "typeVersion": 2, "parameters": {"jsCode":
        "return ['Doors open at nine.', 'The price is twelve.'].map(text => ({ json: { text } }));"}});
    let key = json!({"__rl": true, "mode": "list", "value": "halls"});
    let store = node("Store", "vectorStoreInMemory", 1.2, json!({"mode": "insert", "memoryKey": key}));
    let mut filling = chain("Filling", &[texts, store]);
    attach(&mut filling, embedding(), ("Store", "ai_embedding", 0));
    let loader = json!({"jsonMode": "expressionData", "jsonData": "={{ $json.text }}"});
    attach(&mut filling, node("Loader", "documentDefaultDataLoader", 1.0, loader), ("Store", "ai_document", 0));
    let filling = server.import(&filling).await;
    ran(&server, &filling).await;

    let mut definition = agent(2.2, json!({}));
    let tool = json!({"mode": "retrieve-as-tool", "toolName": "company_knowledge", "toolDescription": "What is known.",
        "memoryKey": key, "topK": 1});
    attach(&mut definition, node("Halls", "vectorStoreInMemory", 1.2, tool), ("Agent", "ai_tool", 0));
    attach(&mut definition, embedding(), ("Halls", "ai_embedding", 0));
    let workflow = server.import(&definition).await;
    let (id, item) = ran(&server, &workflow).await;
    let told = told(&server, &item);
    let found = &told["company_knowledge"]["document"]["pageContent"];
    assert_eq!(found, "Doors open at nine.", "{told}");
    let replay = verb_json(&["replay", &id, "--json", "--server", &server.url]);
    assert_eq!(replay["differCount"], json!(0), "{replay}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_fit_the_parser_is_sent_back_and_becomes_data() {
    let folder = tempfile::tempdir().unwrap();
    let says = [r#"{"city": "Rome"}"#, r#"{"city": "Rome", "people": 3}"#];
    let (provider, server) = world(&folder, json!({}), &says).await;
    let mut definition = agent(2.2, json!({"hasOutputParser": true}));
    let parser = json!({"jsonSchemaExample": r#"{"city": "Paris", "people": 2}"#});
    let parser = node("Parser", "outputParserStructured", 1.3, parser);
    attach(&mut definition, parser, ("Agent", "ai_outputParser", 0));
    let workflow = server.import(&definition).await;
    let (_, item) = ran(&server, &workflow).await;
    assert_eq!(item["output"], json!({"city": "Rome", "people": 3}), "{item}");
    assert_eq!(provider.count(), 2, "it was told what was wrong, and asked once more");
    let second = provider.questions.lock().unwrap()[1]["messages"].to_string();
    assert!(second.contains("people"), "{second}");

    let mut missing = definition;
    missing["nodes"].as_array_mut().unwrap().retain(|node| node["name"] != "Parser");
    missing["connections"].as_object_mut().unwrap().remove("Parser");
    let workflow = server.import(&missing).await;
    let refused = verb(&["workflow", "publish", &workflow, "--server", &server.url]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    let activated = verb(&["workflow", "activate", &workflow, "--server", &server.url]);
    let said = said + &String::from_utf8_lossy(&activated.stderr);
    assert!(said.contains("it has no output parser"), "{said}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_model_answers_in_place_of_the_first_where_the_node_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (provider, server) = world(&folder, json!({}), &["The second one.", "The second one."]).await;
    route(&server, "gpt-4o-mini", DOWN).await;
    route(&server, "steady", "s").await;
    let with = |parameters: Value| {
        let mut definition = agent(2.2, parameters);
        let second = node("Second", "lmChatAnthropic", 1.3, json!({"model": {"value": "steady"}}));
        attach(&mut definition, second, ("Agent", "ai_languageModel", 1));
        definition
    };
    let workflow = server.import(&with(json!({"needsFallback": true}))).await;
    let (id, item) = ran(&server, &workflow).await;
    assert_eq!(item["output"], "The second one.", "{item}");
    let calls = "query($run: UUID) { modelCalls(first: 10, filter: { agentRun: $run }) { nodes { route status } } }";
    let calls = server.ask(calls, json!({ "run": item["runId"] })).await;
    let calls = &calls["modelCalls"]["nodes"];
    assert_eq!(
        *calls,
        json!([{"route": "steady", "status": "COMPLETED"}, {"route": "gpt-4o-mini", "status": "FAILED"}])
    );
    let replay = verb_json(&["replay", &id, "--json", "--server", &server.url]);
    assert_eq!(replay["differCount"], json!(0), "{replay}");
    assert_eq!(provider.count(), 1, "the first one never heard of it, and a replay asks nobody");
    server.stop();
}
