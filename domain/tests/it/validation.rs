//! Every kind of bad workflow file is refused, with the node and the field named.

use serde_json::{Value, json};
use timeloom_domain::definition::{
    DEFINITION_BYTES_MAX, DefinitionError, Gap, NODES_MAX, Problem, WorkflowDefinition, gaps, parse, validate,
};

use crate::samples::{catalogue, link, node, read};

fn check(file: &Value) -> Result<WorkflowDefinition, DefinitionError> {
    let definition = parse(file.to_string().as_bytes())?;
    validate(&definition, &catalogue())?;
    Ok(definition)
}

fn problems(file: &Value) -> Vec<Problem> {
    match check(file) {
        Err(DefinitionError::Invalid(problems)) => problems,
        other => panic!("expected problems, got {other:?}"),
    }
}

fn unreadable(text: &[u8]) -> String {
    match parse(text) {
        Err(DefinitionError::Unreadable(message)) => message,
        other => panic!("expected an unreadable file, got {other:?}"),
    }
}

/// The only problem is about this node and field, and its message contains `part`.
#[track_caller]
fn assert_problem(file: &Value, node: Option<&str>, field: &str, part: &str) {
    let problems = problems(file);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].node.as_deref(), problems[0].field.as_str()), (node, field));
    assert!(problems[0].message.contains(part), "'{}' lacks '{part}'", problems[0].message);
}

fn trigger() -> Value {
    node("Start", "n8n-nodes-base.manualTrigger")
}

fn set(name: &str) -> Value {
    node(name, "n8n-nodes-base.set")
}

#[test]
fn a_good_file_is_read_and_valid() {
    let file = json!({"name": "good", "nodes": [trigger(), set("Set")], "connections": link(&[("Start", "Set")])});
    assert_eq!(check(&file).unwrap().nodes.len(), 2);
    assert_eq!(check(&json!([file])).unwrap().name, "good", "a file may wrap its workflow in a list of one");
}

#[test]
fn nulls_and_older_forms_of_real_files_are_read() {
    let mut noted = set("Set");
    noted["notes"] = Value::Null;
    noted["parameters"] = json!([]);
    let file = json!({"nodes": [trigger(), noted], "connections": null, "settings": null, "pinData": null});
    assert!(check(&file).unwrap().pin_data.is_empty());
}

fn gaps_of(nodes: Value) -> Vec<Gap> {
    gaps(&check(&json!({ "nodes": nodes })).unwrap(), &catalogue())
}

#[test]
fn an_unknown_node_type_is_a_gap_with_what_the_node_wanted() {
    let mut odd = node("Odd", "n8n-nodes-base.telepathy");
    odd["parameters"] = json!({"resource": "thought", "operation": "send"});
    let found = gaps_of(json!([trigger(), set("Set"), odd]));
    assert_eq!(found.len(), 1);
    let problem = found[0].problem();
    assert_eq!((problem.node.as_deref(), problem.field.as_str()), (Some("Odd"), "type"));
    for part in ["n8n-nodes-base.telepathy", "resource 'thought', operation 'send'", "HTTP Request"] {
        assert!(problem.message.contains(part), "{}", problem.message);
    }
    assert_eq!(found[0].replacement, None);
}

#[test]
fn a_node_that_names_its_address_is_offered_as_an_http_request() {
    let mut odd = node("Odd", "n8n-nodes-base.telepathy");
    odd["parameters"] = json!({"endpoint": "=https://mind.example/{{ $json.id }}", "requestMethod": "post"});
    let found = gaps_of(json!([trigger(), odd]));
    let made = found[0].replacement.as_ref().unwrap();
    let offered = &made.node;
    assert_eq!((offered.name.as_str(), offered.node_type.as_str()), ("Odd", "n8n-nodes-base.httpRequest"));
    let parameters = json!({"method": "POST", "url": "=https://mind.example/{{ $json.id }}", "options": {}});
    assert_eq!(offered.parameters, parameters);
    assert!(found[0].service.is_none() && made.dropped.is_empty(), "{:?}", made.dropped);
}

#[test]
fn a_node_of_a_service_is_offered_as_the_request_that_it_sends() {
    let mut told = node("Tell", "n8n-nodes-base.slack");
    told["typeVersion"] = json!(2.3);
    told["parameters"] = json!({"select": "channel", "channelId": "C1", "text": "hi"});
    let mut sent = node("Send", "n8n-nodes-base.slack");
    sent["typeVersion"] = json!(2.3);
    sent["parameters"] = json!({"resource": "file", "operation": "upload"});
    let found = gaps_of(json!([trigger(), told, sent]));
    let service = found[0].service.as_ref().unwrap();
    assert_eq!((service.name, &service.refusal), ("Slack", &None));
    assert_eq!(
        found[0].service_replacement().unwrap().node.parameters["url"],
        "https://slack.com/api/chat.postMessage"
    );
    assert!(found[0].message.contains("`replaceServiceNodes` puts it there"), "{}", found[0].message);
    assert_eq!(found[1].service_replacement(), None);
    for part in ["'upload' of 'file'", "https://slack.com/api", "https://api.slack.com/methods"] {
        assert!(found[1].message.contains(part), "'{part}' is not in: {}", found[1].message);
    }
}

#[test]
fn a_node_to_which_others_are_attached_is_not_offered() {
    let mut model = node("Model", "n8n-nodes-base.telegram");
    model["typeVersion"] = json!(1.2);
    model["parameters"] = json!({"chatId": "1", "text": "hi"});
    let tool = node("Tool", "n8n-nodes-base.set");
    let connections = json!({"Tool": {"ai_tool": [[{"node": "Model", "type": "ai_tool", "index": 0}]]}});
    let file = json!({"nodes": [trigger(), model, tool], "connections": connections});
    let found = gaps(&check(&file).unwrap(), &catalogue());
    let refusal = found[0].service.as_ref().unwrap().refusal.as_ref().unwrap();
    assert!(refusal.contains("attached") && found[0].replacement.is_none(), "{refusal}");
}

#[test]
fn the_trigger_of_a_service_is_told_what_can_stand_for_it() {
    let found = gaps_of(json!([trigger(), node("Hear", "n8n-nodes-base.telegramTrigger")]));
    assert!(found[0].message.contains("a Webhook that the service calls"), "{}", found[0].message);
}

#[test]
fn an_unknown_version_is_a_gap_with_the_known_ones() {
    let mut newer = set("Set");
    newer["typeVersion"] = json!(3);
    let found = gaps_of(json!([trigger(), newer]));
    assert_eq!(
        (found[0].known_versions.as_slice(), found[0].problem().field.as_str()),
        (&[1.0, 2.0][..], "typeVersion")
    );
    assert!(found[0].message.contains("use one of 1, 2"), "{}", found[0].message);
}

#[test]
fn what_is_switched_off_is_no_gap() {
    let mut odd = node("Odd", "n8n-nodes-base.telepathy");
    odd["disabled"] = json!(true);
    assert!(gaps_of(json!([trigger(), odd])).is_empty());
}

#[test]
fn a_missing_required_parameter_is_refused() {
    let file = json!({"nodes": [trigger(), node("Fetch", "n8n-nodes-base.httpRequest")]});
    assert_problem(&file, Some("Fetch"), "parameters.url", "Where to.");
}

#[test]
fn a_connection_to_a_missing_node_is_refused() {
    let file = json!({"nodes": [trigger()], "connections": link(&[("Start", "Gone")])});
    assert_problem(&file, Some("Start"), "connections.main[0]", "'Gone', which does not exist");
}

#[test]
fn a_connection_from_a_missing_node_is_refused() {
    let file = json!({"nodes": [trigger()], "connections": link(&[("Gone", "Start")])});
    assert_problem(&file, Some("Gone"), "connections", "leaves a node that does not exist");
}

#[test]
fn an_input_index_out_of_bounds_is_refused() {
    let connections = json!({"Start": {"main": [[{"node": "Set", "type": "main", "index": 100}]]}});
    let file = json!({"nodes": [trigger(), set("Set")], "connections": connections});
    assert_problem(&file, Some("Start"), "connections.main[0]", "at most 100 inputs");
}

#[test]
fn a_cycle_that_nothing_ends_is_refused() {
    let file = json!({
        "nodes": [trigger(), set("A"), set("B")],
        "connections": link(&[("Start", "A"), ("A", "B"), ("B", "A")]),
    });
    assert_problem(&file, Some("A"), "connections", "put a Loop Over Items, If or Switch node");
    let itself = json!({"nodes": [trigger(), set("A")], "connections": link(&[("Start", "A"), ("A", "A")])});
    assert_problem(&itself, Some("A"), "connections", "cycle");
}

#[test]
fn a_cycle_that_a_node_ends_is_allowed() {
    let around = |mut middle: Value, change: Value| {
        middle["name"] = json!("B");
        for (field, value) in change.as_object().unwrap() {
            middle[field] = value.clone();
        }
        let connections = link(&[("Start", "A"), ("A", "B"), ("B", "A")]);
        json!({"nodes": [trigger(), set("A"), middle], "connections": connections})
    };
    for ending in ["n8n-nodes-base.if", "n8n-nodes-base.splitInBatches"] {
        check(&around(node("B", ending), json!({}))).unwrap();
    }
    check(&around(set("B"), json!({"onError": "continueErrorOutput"}))).unwrap();
    let disabled = around(node("B", "n8n-nodes-base.if"), json!({"disabled": true}));
    assert_problem(&disabled, Some("A"), "connections", "cycle");
}

#[test]
fn a_name_of_two_different_nodes_is_refused() {
    let file = json!({"nodes": [trigger(), set("Set"), node("Set", "n8n-nodes-base.if")]});
    assert_problem(&file, Some("Set"), "name", "rename one");
}

#[test]
fn copies_of_a_node_that_differ_by_id_alone_are_one_node() {
    let mut copy = set("Set");
    copy["id"] = json!("another");
    assert_eq!(check(&json!({"nodes": [trigger(), set("Set"), copy]})).unwrap().nodes.len(), 2);
}

#[test]
fn an_empty_name_is_refused() {
    assert_problem(&json!({"nodes": [trigger(), set("")]}), Some(""), "name", "give each node a name");
}

#[test]
fn a_field_of_the_wrong_shape_is_refused_with_its_name() {
    for (field, value) in [
        ("typeVersion", json!("new")),
        ("position", json!("left")),
        ("disabled", json!("yes")),
        ("onError", json!("panic")),
        ("name", json!(7)),
    ] {
        let mut odd = set("Set");
        odd[field] = value;
        let problems = problems(&json!({"nodes": [trigger(), odd]}));
        assert_eq!(problems[0].field, format!("nodes[1].{field}"));
        assert_eq!(problems[0].node.as_deref(), (field != "name").then_some("Set"));
    }
    let nameless = json!({"nodes": [trigger(), {"type": "n8n-nodes-base.set"}]});
    assert_problem(&nameless, None, "nodes[1]", "missing field `name`");
    assert_problem(&json!({"nodes": [trigger(), 7]}), None, "nodes[1]", "invalid type");
}

#[test]
fn a_time_zone_that_cannot_be_one_is_refused() {
    let zone = |text: &str| json!({"nodes": [trigger()], "settings": {"timezone": text}});
    check(&zone("Europe/Berlin")).unwrap();
    for text in ["", "Berlin time", "\u{7}", &"z".repeat(65)] {
        assert_problem(&zone(text), None, "settings.timezone", "Europe/Berlin");
    }
}

#[test]
fn settings_of_how_a_workflow_runs_are_refused_outside_their_bounds() {
    let file = |field: &str, value: &Value| json!({"nodes": [trigger()], "settings": {field: value}});
    let settings = json!({
        "concurrency": 10_000, "priority": -1_000, "parallelBranches": true, "durability": "relaxed",
        "executionTimeout": -1, "errorWorkflow": "abc", "timezone": "Europe/Berlin",
    });
    for (field, value) in settings.as_object().unwrap() {
        check(&file(field, value)).unwrap();
    }
    for (field, value, part) in [
        ("concurrency", json!(0), "0 is not a whole number from 1 to 10000"),
        ("concurrency", json!(10_001), "from 1 to 10000"),
        ("concurrency", json!(-1), "-1 is not a whole number"),
        ("concurrency", json!(1.5), "1.5 is not a whole number"),
        ("priority", json!(1_001), "from -1000 to 1000"),
        ("priority", json!("high"), "\"high\" is not a whole number"),
        ("parallelBranches", json!("yes"), "true or false"),
        ("durability", json!("some"), "'strict' or 'relaxed'"),
        ("executionTimeout", json!("long"), "a number of seconds"),
        ("errorWorkflow", json!({}), "a text"),
    ] {
        assert_problem(&file(field, &value), None, &format!("settings.{field}"), part);
    }
    let two = json!({"nodes": [trigger()], "settings": {"concurrency": "x", "durability": 1, "kept": {}}});
    assert_eq!(problems(&two).len(), 2, "every wrong setting is told");
}

#[test]
fn a_time_limit_of_a_node_is_more_than_nothing() {
    let limited = |seconds: f64| {
        let mut limited = set("Set");
        limited["timeoutSeconds"] = json!(seconds);
        json!({"nodes": [trigger(), limited]})
    };
    check(&limited(0.05)).unwrap();
    for seconds in [0.0, -3.0] {
        assert_problem(&limited(seconds), Some("Set"), "timeoutSeconds", "above 0");
    }
}

#[test]
fn a_workflow_without_nodes_is_refused() {
    assert_problem(&json!({"nodes": []}), None, "nodes", "add at least a trigger");
}

#[test]
fn a_workflow_with_too_many_nodes_is_refused() {
    let nodes: Vec<Value> = (0..=NODES_MAX).map(|number| set(&format!("Set {number}"))).collect();
    assert_problem(&json!({"nodes": nodes}), None, "nodes", "2001 nodes, at most 2000 are allowed");
}

#[test]
fn problems_are_listed_together() {
    let file = json!({
        "nodes": [trigger(), node("Fetch", "n8n-nodes-base.httpRequest"), set("Set"), node("Set", "n8n-nodes-base.if")],
        "connections": link(&[("Start", "Gone")]),
    });
    let error = check(&file).unwrap_err().to_string();
    for part in
        ["3 problem(s)", "node 'Fetch', parameters.url:", "node 'Set', name:", "node 'Start', connections.main[0]:"]
    {
        assert!(error.contains(part), "'{error}' lacks '{part}'");
    }
}

#[test]
fn malformed_json_is_refused_with_its_place() {
    let message = unreadable(b"{\n  \"nodes\": [\n  ,]\n}");
    assert!(message.contains("malformed JSON") && message.contains("line 3 column 3"), "{message}");
    for text in [&b""[..], b"{", b"\xff\xfe", b"nodes", b"{\"nodes\": [\"\\ud800\"]}"] {
        assert!(parse(text).is_err());
    }
}

#[test]
fn json_that_is_not_a_workflow_is_refused() {
    for file in [json!(null), json!(1), json!("nodes"), json!({}), json!({"nodes": {}}), json!([1]), json!([])] {
        assert!(unreadable(file.to_string().as_bytes()).len() > 10);
    }
    let two = json!([{"nodes": []}, {"nodes": []}]).to_string();
    assert!(unreadable(two.as_bytes()).contains("2 workflows: import them one by one"));
}

#[test]
fn a_file_over_the_size_limit_is_refused_before_it_is_read() {
    let message = unreadable(&vec![b' '; DEFINITION_BYTES_MAX + 1]);
    assert!(message.contains("16777217 bytes, at most 16777216 are allowed"), "{message}");
}

#[test]
fn a_file_nested_100_000_deep_is_refused_and_does_not_break_the_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let value = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let file = format!("{{\"nodes\": [], \"pinData\": {{\"Set\": [{value}]}}}}");
        assert!(unreadable(file.as_bytes()).contains("nested deeper than 100 levels"));
        assert!(unreadable(open.repeat(100_000).as_bytes()).contains("nested deeper than 100 levels"));
    }
}

#[test]
fn brackets_inside_text_do_not_count_as_nesting() {
    let mut noted = set("Set");
    noted["notes"] = json!("[{\"".repeat(1_000));
    assert_eq!(check(&json!({"nodes": [trigger(), noted]})).unwrap().nodes.len(), 2);
}

#[test]
fn a_definition_survives_being_written_and_read() {
    let file = json!({
        "name": "round", "nodes": [trigger(), set("Set")], "connections": link(&[("Start", "Set")]),
        "settings": {"executionOrder": "v1", "saveManualExecutions": true},
        "pinData": {"Set": [{"bare": 1}, {"json": {"wrapped": 2}, "pairedItem": {"item": 0}}]},
    });
    let definition = read(&file);
    assert_eq!(definition.pin_data["Set"][0].json["bare"], json!(1));
    assert_eq!(definition.pin_data["Set"][1].json["wrapped"], json!(2));
    let text = serde_json::to_vec(&definition).unwrap();
    assert_eq!(parse(&text).unwrap(), definition);
}
